"""Who is compared, by name; what their scores depend on; which files keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.bench.surprise.archive import Archive
from streamspike.bench.surprise.contestants import DEFAULT_NAMES, PRESETS, choose_contestants
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment, decode, encode
from streamspike.config import Config
from streamspike.config_file import load_config
from streamspike.errors import ConfigError, StreamspikeError
from tests.support.tree import ROOT

CONFIG = Config()
CLIP = ScoredClip(
    "porch",
    "12 bytes of 34",
    (
        ScoredSegment(0.0, 1.0, 0.0),
        ScoredSegment(1.0, 2.0, 1.5, "a dog", ("a cat", "a dog"), (0.9, 0.1), (0.2, 0.8), (-0.5, -3.0), 1),
    ),
    0.25,
    {"caption": 0.5},
)


def test_by_default_everybody_takes_part_but_zero_shot() -> None:
    contestants = choose_contestants(None, CONFIG)
    assert tuple(one.name for one in contestants) == DEFAULT_NAMES
    assert [one.name for one in contestants if one.has_beliefs] == ["surprise", "paper", "published"]
    assert [one.name for one in contestants if not one.is_recorded] == ["uniform", "middle"]


def test_presets_change_beliefs_and_surprise_keeps_those_of_the_config() -> None:
    config = CONFIG.model_copy(update={"belief": CONFIG.belief.model_copy(update={"num_hypotheses": 9})})
    mine, paper, published = choose_contestants("surprise, paper, published", config)
    assert mine.belief == config.belief
    assert (paper.belief.posterior, published.belief.posterior) == ("nll", "verify")
    for preset in (paper.belief, published.belief):
        assert (preset.num_hypotheses, preset.window_segments, preset.complete) == (3, 4, False)
        assert preset.length_normalised and preset.top_p == 0.9


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_those_of_the_config_files(name: str) -> None:
    belief = load_config(ROOT / "configs" / f"{name}.yaml").belief
    assert choose_contestants(name, CONFIG)[0].belief == belief


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("optical-flw", "did you mean 'optical-flow'?"),
        ("surprise,surprise", "twice"),
        ("uniform,middle", "look at nothing"),
        ("", "no scorer ''"),
    ],
)
def test_a_wrong_name_is_told(names: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_contestants(names, CONFIG)
    assert says in str(caught.value)


def test_a_baseline_does_not_depend_on_beliefs_and_surprise_does_not_on_threads() -> None:
    belief = CONFIG.belief.model_copy(update={"tau": 2.0})
    warm = CONFIG.model_copy(update={"belief": belief, "model": CONFIG.model.model_copy(update={"threads": 7})})
    before, after = (choose_contestants("surprise,optical-flow", config) for config in (CONFIG, warm))
    assert dict(before[1].settings(CONFIG)) == dict(after[1].settings(warm))
    settings, changed = dict(before[0].settings(CONFIG)), dict(after[0].settings(warm))
    assert [key for key in settings if settings[key] != changed[key]] == ["belief"]


def test_the_likeliest_is_sought_among_those_that_were_there_before() -> None:
    assert CLIP.segments[1].expected == "a cat"
    joined = ScoredSegment(0.0, 1.0, 1.0, "b", ("a", "b"), (0.2, 0.8), (0.1, 0.9), (-1.0, -2.0), 1)
    assert joined.expected == "a" and CLIP.segments[0].expected == ""


def test_a_clip_comes_back_from_its_line_as_it_was() -> None:
    assert decode(encode(CLIP)) == CLIP


def test_an_archive_finds_what_was_kept_of_the_same_source_only(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "new", "home", "surprise", {"tau": 1})
    archive.add(CLIP)
    again = Archive(tmp_path / "new", "home", "surprise", {"tau": 1})
    assert again.find("porch", CLIP.source) == CLIP
    assert again.find("porch", "another file") is None and again.find("gate", CLIP.source) is None
    assert Archive(tmp_path / "new", "home", "surprise", {"tau": 2}).find("porch", CLIP.source) is None


def test_a_line_that_was_cut_off_is_scored_again_and_a_spoilt_file_is_told(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "home", "surprise", {})
    archive.add(CLIP)
    assert archive.path is not None
    text = archive.path.read_text()
    archive.path.write_text(text[:-5])
    again = Archive(tmp_path, "home", "surprise", {})
    assert again.find("porch", CLIP.source) is None
    again.add(CLIP)
    assert archive.path.read_text() == text
    archive.path.write_text(text + "{}\n")
    with pytest.raises(StreamspikeError, match="remove it"):
        Archive(tmp_path, "home", "surprise", {})


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    archive = Archive(None, "home", "surprise", {})
    archive.add(CLIP)
    assert archive.find("porch", CLIP.source) == CLIP and not list(tmp_path.iterdir())
