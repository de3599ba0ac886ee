"""Recordings: what is asked, what is kept, and that an interruption costs no more than one clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streamspike.bench.datasets.world import FIRST_SEED as TEST_SEED
from streamspike.bench.variants import recordings
from streamspike.bench.variants.recordings import (
    BASE,
    FIRST_SEED,
    MAX_SEED,
    PLANS,
    SEED_STEP,
    Plan,
    record,
    record_clip,
)
from streamspike.config import BeliefConfig, Config
from streamspike.core import Assessment, Request, Scores
from streamspike.errors import ConfigError
from tests.support.fake_engine import FakeEngine

CONFIG = Config()


class Speaker(FakeEngine):
    """Draws as many hypotheses as it is asked for, and scores what it is given."""

    def assess(self, request: Request) -> Assessment:
        self.requests.append(request)
        caption = "" if request.index == 4 else f"number {request.index}"
        if not request.window:
            return Assessment((), caption, sampled=False)
        texts = request.hypotheses or tuple(f"guess {k}" for k in range(request.sampling.num_hypotheses))
        scores = tuple(
            Scores(text, 3, -1.0 - k, -2.0 + k / 32, -0.5 if request.verify else None) for k, text in enumerate(texts)
        )
        sightings = tuple(Scores(f"saw {k}", 2, -4.0, -1.0) for k in range(request.num_sightings))
        return Assessment(scores, caption, not request.hypotheses, sightings=sightings)


@pytest.fixture
def one_paint(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Clips are recorded once for all tests of a plan: painting is most of the time. The list counts them."""
    made: list[int] = []
    original = record_clip

    def count(config: Config, engine: FakeEngine, plan: Plan, clip: int) -> recordings.ClipRecord:
        made.append(clip)
        if clip not in _PAINTED:
            _PAINTED[clip] = original(CONFIG, Speaker(), BASE, clip)
        return _PAINTED[clip]

    monkeypatch.setattr(recordings, "record_clip", count)
    return made


_PAINTED: dict[int, recordings.ClipRecord] = {}


def quiet(done: float, words: str) -> None:
    """Nobody watches."""


def test_validation_clips_are_neither_of_training_nor_of_the_test() -> None:
    assert FIRST_SEED >= 2**30 and FIRST_SEED + (MAX_SEED + 1) * SEED_STEP <= TEST_SEED


@pytest.mark.slow
def test_a_clip_holds_every_segment_with_a_past_and_what_was_asked() -> None:
    engine = Speaker()
    clip = record_clip(CONFIG, engine, BASE, FIRST_SEED)
    assert len(clip.segments) == len(clip.truth) == 9 and 1 <= clip.scripted <= 9
    assert {len(values) for values in clip.pixels.values()} == {9}
    assert "surprise" not in clip.pixels and "ideal observer" not in clip.pixels
    for index, segment in enumerate(clip.segments, start=1):
        assert len(segment.drawings["default"]) == 16 and len(segment.sightings) == 8
        assert all(score.log_likelihood == -0.5 for score in segment.drawings["default"])
        if index == 4:
            assert segment.caption is None, "an unreadable caption is nobody's hypothesis"
        else:
            assert segment.caption == Scores(f"number {index}", 3, -1.0, -2.0, -0.5)
    assert recordings.decode(json.loads(json.dumps(recordings.encode(clip)))) == clip
    drawn = [request.index for request in engine.requests if request.num_sightings]
    assert drawn == [*range(1, 10)], "once a segment: what the caption alone is scored for draws nothing"


@pytest.mark.slow
def test_plans_change_what_they_say_and_nothing_else() -> None:
    steady = replace_belief(mode="steady", posterior="verify")
    asked: dict[str, list[Request]] = {}
    for plan in PLANS:
        engine = Speaker()
        clip = record_clip(steady, engine, plan, FIRST_SEED + 1)
        asked[plan.name] = [request for request in engine.requests if request.index == 9 and not request.hypotheses]
        drawings = {"full", "zoom"} if plan.zoom else {*plan.drawings, *(["places"] * plan.places)}
        assert all(set(segment.drawings) == drawings for segment in clip.segments)
    assert [r.sampling.diversity for r in asked["drawings"]] == ["distinct", "groups", *["temperature"] * 3]
    assert {r.sampling.num_hypotheses for r in asked["drawings"]} == {BeliefConfig().num_hypotheses}
    (base,), (short,), (blank,) = asked["base"], asked["window 2"], asked["window 4, no memory"]
    assert (len(base.window), len(short.window), len(blank.window)) == (8, 2, 4)
    assert base.summary and short.summary and not blank.summary
    assert [len(asked[name][0].observation) for name in ("base", "1 frame", "4 frames")] == [2, 1, 4]
    assert {name for name, requests in asked.items() if any(r.complete for r in requests)} == {"zoom", "places"}


def replace_belief(**settings: object) -> Config:
    return CONFIG.model_copy(update={"belief": BeliefConfig(**settings)})  # type: ignore[arg-type]


def test_what_is_recorded_is_not_recorded_again(one_paint: list[int], tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    first = record(CONFIG, Speaker(), path, {"base": 2}, 0, quiet)
    assert one_paint == [FIRST_SEED, FIRST_SEED + 1]
    shown: list[float] = []
    again = record(CONFIG, Speaker(), path, {"base": 2, "window 2": 1}, 0, lambda done, words: shown.append(done))
    assert one_paint[2:] == [FIRST_SEED] and shown == [1, 2, 3]
    assert again["base"] == first["base"] and len(again["window 2"]) == 1
    assert record(CONFIG, Speaker(), path, {"base": 1}, 0, quiet)["base"] == first["base"][:1]


def test_a_line_that_was_cut_off_is_recorded_again(one_paint: list[int], tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    whole = record(CONFIG, Speaker(), path, {"base": 2}, 0, quiet)
    text = path.read_text()
    path.write_text(text[:-40])
    assert record(CONFIG, Speaker(), path, {"base": 2}, 0, quiet) == whole
    assert one_paint[2:] == [FIRST_SEED + 1] and path.read_text() == text
    path.write_text(text[:25])  # even in the header
    assert record(CONFIG, Speaker(), path, {"base": 1}, 0, quiet)["base"] == whole["base"][:1]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda: (CONFIG, Speaker(name="other@1"), 0), "model"),
        (lambda: (replace_belief(top_p=0.5), Speaker(), 0), "belief"),
        (lambda: (CONFIG, Speaker(), 1), "seed"),
    ],
)
def test_recordings_of_something_else_are_refused(
    one_paint: list[int], tmp_path: Path, change: Callable[[], tuple[Config, Speaker, int]], named: str
) -> None:
    path = tmp_path / "records.jsonl"
    record(CONFIG, Speaker(), path, {"base": 1}, 0, quiet)
    config, engine, seed = change()
    with pytest.raises(ConfigError, match=f"another {named};"):
        record(config, engine, path, {"base": 1}, seed, quiet)


@pytest.mark.parametrize("text", ["hello\n", "[]\n", '{"format": 1}\n{}\n'])
def test_a_file_of_something_else_is_not_overwritten(text: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"notes\.txt.*another"):
        record(CONFIG, Speaker(), path, {"base": 1}, 0, quiet)
    assert path.read_text() == text


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot use"):
        record(CONFIG, Speaker(), tmp_path / "file" / "records.jsonl", {"base": 1}, 0, quiet)
