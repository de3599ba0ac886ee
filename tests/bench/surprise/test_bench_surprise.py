"""The measurement itself: what knows nothing scores chance, what knows everything scores all; killed runs go on."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.bench.datasets.world import NUM_SEGMENTS, WorldDataset
from streamspike.bench.surprise import measurement as surprise_module
from streamspike.bench.surprise.measurement import Measurement
from streamspike.bench.surprise.page import render_page
from streamspike.bench.surprise.scored import decode, encode
from streamspike.bench.surprise.text import render_text
from streamspike.errors import DatasetError, EngineError
from tests.support.clips import write_clip
from tests.support.fake_engine import FakeEngine
from tests.support.surprise import CONFIG, guess, measure


@pytest.fixture(autouse=True)
def few_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for lives in which something repeats takes a second each."""
    monkeypatch.setattr(surprise_module, "MAX_LIVES", 1)


@pytest.fixture(scope="module")
def world() -> Measurement:
    return measure([WorldDataset(3)], scorers="surprise,paper,frame-difference,uniform,middle")


@pytest.mark.slow
def test_the_ideal_observer_hits_every_clip_and_uniform_hits_by_chance(world: Measurement) -> None:
    table = world.result["datasets"]["world"]
    scorers = table["scorers"]
    assert list(scorers) == ["surprise", "unrest", "paper", "frame-difference", "uniform", "middle", "ideal-observer"]
    ideal = scorers["ideal-observer"]
    assert ideal["hit_at_1"]["mean"] == ideal["share_of_ideal"]["mean"] == ideal["spearman_with_truth"]["mean"] == 1
    assert scorers["uniform"]["hit_at_1"]["mean"] == pytest.approx(table["chance"])
    assert scorers["uniform"]["auroc"]["mean"] == 0.5
    assert scorers["uniform"]["spearman_with_truth"]["mean"] is None, "a constant has no rank correlation"
    assert sum(row["clips"] for row in table["by_kind"].values()) == 3


@pytest.mark.slow
def test_unrest_is_kept_with_the_surprise_it_comes_of(world: Measurement) -> None:
    (board,) = world.boards
    for clip, unrest in zip(board.clips["surprise"], board.clips["unrest"], strict=True):
        assert decode(encode(clip)) == clip
        assert unrest.scores.tolist() == [segment.unrest for segment in clip.segments]
        assert (unrest.scores >= clip.scores).all() and unrest.scores.max() > clip.scores.max()
        assert unrest.starts.tolist() == clip.starts.tolist() and unrest.ends.tolist() == clip.ends.tolist()


@pytest.mark.slow
def test_beliefs_that_are_never_true_are_told_apart_from_the_truth(world: Measurement) -> None:
    beliefs = world.result["datasets"]["world"]["beliefs"]
    assert list(beliefs) == ["surprise", "paper"]
    for row in beliefs.values():
        assert row["caption_meaning"]["mean"] == row["expected_words"]["mean"] == row["possible_share"]["mean"] == 0
        assert sum(one["count"] for one in row["reliability"]) > 0
        assert all(one["share_true"] == 0 for one in row["reliability"])


@pytest.mark.slow
def test_the_result_is_plain_values_and_says_where_it_was_made(world: Measurement) -> None:
    result = world.result
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    keys = {"format", "model", "seed", "contestants", "settings", "seconds", "datasets", "commit", "machine", "workers"}
    assert set(result) == keys and result["model"] == "fake@0"
    assert result["settings"]["paper"]["belief"]["num_hypotheses"] == 3
    table = result["datasets"]["world"]
    assert set(table) == {"kind", "clips", "chance", "scorers", "by_kind", "beliefs", "habituation", "left_out"}
    assert {"mean", "low", "high"} <= set(table["scorers"]["surprise"]["hit_at_1"])


@pytest.mark.slow
def test_the_text_names_every_scorer_and_kind(world: Measurement) -> None:
    text, table = render_text(world.result), world.result["datasets"]["world"]
    for word in (*table["scorers"], *table["by_kind"], "beliefs of paper", "fake@0", "k = 4"):
        assert word in text


@pytest.mark.slow
def test_the_page_is_well_formed_needs_nothing_else_and_escapes_what_the_model_says(world: Measurement) -> None:
    page = render_page(world, CONFIG)
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    tags = {element.tag for element in root.iter()}
    assert {"svg", "table", "img", "style"} <= tags and not tags & {"script", "link", "iframe", "object"}
    assert not re.search(r"(?:https?:)?//|@import|url\(", re.sub(r"base64,[^\"]*", "", page).partition("</head>")[2])
    sources = [element.attrib["src"] for element in root.iter("img")]
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "<script>" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "\x07" not in page
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page


@pytest.mark.slow
def test_the_same_seed_measures_the_same_and_another_one_other_clips() -> None:
    results = [comparable(measure([WorldDataset(1, seed)], seed=seed)) for seed in (3, 3, 4)]
    assert results[0] == results[1] != results[2]


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_reports_the_same(tmp_path: Path) -> None:
    """The engine dies in the third clip; a line is cut off, as by a kill."""
    whole = measure([WorldDataset(3)], folder=tmp_path / "whole")
    third = WorldDataset(3).footage()[2].name
    dying = FakeEngine(guess)
    assess = dying.assess

    def die(request: Any) -> Any:
        if request.camera_id == third and request.index == 5:
            raise EngineError("out of memory")
        return assess(request)

    dying.assess = die  # type: ignore[method-assign]
    folder = tmp_path / "killed"
    with pytest.raises(EngineError):
        measure([WorldDataset(3)], dying, folder=folder)
    (kept,) = folder.glob("world-surprise-*.jsonl")
    assert len(kept.read_text().splitlines()) == 1 + 2
    kept.write_text(kept.read_text() + '{"footage": "clip-')
    again = FakeEngine(guess)
    resumed = measure([WorldDataset(3)], again, folder=folder)
    assert comparable(resumed) == comparable(whole)
    scripted = [request for request in again.requests if request.camera_id.startswith("clip-")]
    assert {request.camera_id for request in scripted} == {third} and len(scripted) == NUM_SEGMENTS


@pytest.mark.slow
def test_scores_of_other_weights_are_not_mixed_in(tmp_path: Path) -> None:
    measure([WorldDataset(1)], folder=tmp_path)
    other = FakeEngine(guess, name="fake@1")
    measure([WorldDataset(1)], other, folder=tmp_path)
    assert other.requests, "it was asked anew"
    assert len(list(tmp_path.glob("world-surprise-*.jsonl"))) == 2
    assert len(list(tmp_path.glob("world-frame-difference-*.jsonl"))) == 1, "it asks no model"


def comparable(measurement: Measurement) -> Any:
    """All but times."""
    result = json.loads(json.dumps(measurement.result))
    del result["seconds"]
    for table in result["datasets"].values():
        for row in table["scorers"].values():
            del row["cpu_seconds_per_segment"], row["seconds_per_segment_by_stage"]
    return result


def test_a_data_set_that_is_missing_says_where_to_get_it() -> None:
    with pytest.raises(DatasetError, match=r"no folder.*clone https://"):
        open_dataset("gmdcsa24:/nowhere/at/all").footage()


@dataclass
class Home:
    """A folder with labels: a video that changes in the middle, a calm one, and one that is broken."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "labels.csv").write_text(
            "file,start_seconds,end_seconds,kind,source,description\n"
            "fall.mp4,2.0,3.0,fall,eye,<b>falls</b>\n"
            "calm.mp4,,,normal,eye,nothing\n"
            "broken.mp4,1.0,2.0,fall,eye,cannot be seen\n"
        )
        write_clip(self.folder / "fall.mp4", 50)
        write_clip(self.folder / "calm.mp4", 40)
        (self.folder / "broken.mp4").write_bytes(b"no video at all")


@pytest.mark.slow
def test_footage_is_measured_by_frame_video_and_onset_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    measurement = measure([open_dataset(f"folder:{home.folder}")], scorers="surprise,optical-flow,uniform")
    table = measurement.result["datasets"]["folder"]
    assert table["videos"] == 2 and table["surprises"] == 1 and list(table["unreadable"]) == ["broken"]
    uniform = table["scorers"]["uniform"]
    assert uniform["frame_auroc"]["mean"] == uniform["video_auroc"]["mean"] == 0.5
    for key in ("peak_at_onset", "accuracy_0.25s", "iou", "frame_average_precision"):
        assert 0 <= table["scorers"]["surprise"][key]["mean"] <= 1
    page, text = render_page(measurement, CONFIG), render_text(measurement.result)
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert "broken" in page and "cannot be read: broken" in text and str(tmp_path) not in text


def test_no_readable_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,start_seconds,end_seconds,kind\nbroken.mp4,1,2,fall\n")
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    with pytest.raises(DatasetError, match="no video can be read"):
        measure([open_dataset(str(tmp_path))])
