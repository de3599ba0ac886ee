"""`streamspike sample`: frames, their list and a contact sheet; the same for the same seed, never over the budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamspike.config import Config
from streamspike.pipeline.contact_sheet import TILE_WIDTH_PX, draw_sheet
from streamspike.pipeline.sampling import SAMPLERS, Choice, choose_by_picture, choose_by_surprise, take_frames
from tests.support.cli import Call, make_call
from tests.support.clips import write_clip
from tests.support.fake_engine import FakeEngine, surprising_at
from tests.support.pipeline import quick_config


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s at 10 frames a second, hence 16 segments of 0.25 s."""
    return write_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", 40, 10)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


def by_surprise(config: Config, budget: int, sampler: str, *surprising: int, seed: int = 0) -> list[Choice]:
    engine = FakeEngine(surprising_at(*surprising))
    return choose_by_surprise(config.cameras[0], config, engine, budget, sampler, seed, lambda _: None)


def read(folder: Path) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads((folder / "frames.json").read_text())
    return listed


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_times_are_as_many_as_the_budget_and_in_order(tmp_path: Path, clip: Path, sampler: str) -> None:
    times = [choice.seconds for choice in by_surprise(quick_config(tmp_path, clip), 32, sampler, 9)]
    assert len(times) == 32 and times == sorted(times) and times[0] >= 0.0 and times[-1] < 4.0


@pytest.mark.parametrize("sampler", ["softmax", "allocated"])
def test_most_frames_are_of_the_surprising_segment(tmp_path: Path, clip: Path, sampler: str) -> None:
    alone = quick_config(tmp_path, clip, belief={"opening": 0.0})
    choices = by_surprise(alone, 32, sampler, 9)
    of_it = [choice for choice in choices if choice.segment == 9]
    assert len(of_it) > len(choices) / 2
    assert all(2.25 <= choice.seconds < 2.5 and choice.score > 4 for choice in of_it)


def test_the_same_seed_chooses_the_same_frames(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, clip)
    first, again, other = (by_surprise(config, 8, "softmax", 3, 9, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_frames_are_taken_as_they_are_shown_and_once(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, clip)
    wanted = [Choice(at, 1.0, None) for at in (0.0, 0.31, 0.39, 2.0, 99.0)]
    taken = list(take_frames(config.cameras[0], config, wanted))
    assert [round(item.frame.stream_seconds, 3) for item in taken] == [0.0, 0.3, 2.0, 3.9]
    assert [item.choice for item in taken] == [wanted[0], wanted[1], wanted[3], wanted[4]]


def test_a_picker_chooses_frames_that_are_there(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, clip)
    choices = choose_by_picture(config.cameras[0], config, "uniform", 4, 0, lambda _: None)
    assert [round(choice.seconds, 3) for choice in choices] == [0.5, 1.5, 2.5, 3.5]
    taken = [item.frame.stream_seconds for item in take_frames(config.cameras[0], config, choices)]
    assert taken == [choice.seconds for choice in choices]


def test_the_command_writes_frames_their_list_and_a_sheet(call: Call, tmp_path: Path, clip: Path) -> None:
    out = tmp_path / "frames"
    outcome = call("sample", clip, "--by", "histogram", "--budget", 5, "--out", out)
    assert (outcome.code, outcome.err) == (0, "") and "5 frames of at most 5, by histogram" in outcome.out
    listed = read(out)
    assert (listed["by"], listed["budget"], len(listed["frames"])) == ("histogram", 5, 5)
    assert sorted(path.name for path in out.glob("frame-*.jpg")) == [line["file"] for line in listed["frames"]]
    for line in listed["frames"]:
        assert cv2.imread(str(out / line["file"])).shape == (120, 160, 3)
    assert cv2.imread(str(out / "contact.png")).shape[1] > 3 * TILE_WIDTH_PX


def test_an_earlier_call_leaves_no_frames_behind(call: Call, tmp_path: Path, clip: Path) -> None:
    out = tmp_path / "frames"
    for budget, image in ((6, "png"), (2, "jpg")):
        words = ("--by", "uniform", "--budget", budget, "--format", image, "--out", out)
        assert call("sample", clip, *words).code == 0
    assert len(list(out.glob("frame-*"))) == 2


def test_what_never_ends_is_refused(call: Call, tmp_path: Path) -> None:
    for by in ("surprise", "uniform"):
        outcome = call("sample", "world:room?seed=3", "--by", by, "--out", tmp_path)
        assert "never ends" in outcome.error() and outcome.code == 4


def test_a_video_without_a_change_has_no_frame_for_katna(call: Call, tmp_path: Path) -> None:
    still = write_clip(tmp_path / "short.mp4", 2, 10)
    outcome = call("sample", still, "--by", "katna", "--out", tmp_path / "frames")
    assert "--by uniform" in outcome.error() and outcome.code == 4


@pytest.mark.slow
def test_by_surprise_the_list_says_which_model_and_which_segment(call: Call, tmp_path: Path) -> None:
    words = ("sample", "world:room?seed=3&seconds=4&size=96x64&fps=8", "--budget", 6, "--seed", 3, "--out")
    assert call(*words, tmp_path / "one").code == call(*words, tmp_path / "two").code == 0
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    assert one == two
    assert (one["by"], one["sampler"], one["model"].partition("@")[0]) == ("surprise", "covering", "nano")
    assert all(line["segment"] == int(line["seconds"]) and line["score"] >= 0 for line in one["frames"])
    assert 1 <= len(one["frames"]) <= 6


def test_a_sheet_has_a_tile_for_each_picture() -> None:
    pictures = [np.full((90, 160, 3), level, np.uint8) for level in (20, 120, 220)]
    sheet = draw_sheet(pictures, ["a", "b", "c"])
    assert [int(np.abs(sheet[60, x].astype(int) - level).max()) for x, level in ((60, 20), (260, 120))] == [0, 0]
    with pytest.raises(ValueError, match="one caption"):
        draw_sheet(pictures, ["a"])
