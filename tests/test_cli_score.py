"""`streamspike score`: one JSON object a segment, the same bytes each time, and everything a damaged file still has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamspike.clock import SystemClock
from streamspike.config import CameraConfig, IngestConfig
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats
from tests.support.checkpoints import FAMILIES, Family, save_checkpoint
from tests.support.cli import Call, Outcome, make_call
from tests.support.clips import rot, truncate, write_clip

KEYS = [
    "segment",
    "start_seconds",
    "end_seconds",
    "surprise_nats",
    "change_nats",
    "unrest_nats",
    "threshold_nats",
    "event_id",
    "hypotheses",
    "prior",
    "posterior",
    "caption",
]
SHORT = """
segment: {seconds: 0.5}
belief: {num_hypotheses: 3, max_hypothesis_tokens: 4, max_caption_tokens: 4, window_segments: 3}
events: {floor_nats: 0.0, extreme_nats: 0.0}
model: {device: cpu, threads: 1}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    return {family: save_checkpoint(tmp_path_factory.mktemp(family) / "model", family) for family in FAMILIES}


@pytest.fixture
def score(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, models: dict[Family, Path]
) -> Call:
    (tmp_path / "short.yaml").write_text(SHORT)
    call = make_call(monkeypatch, capfd)

    def with_defaults(file: Path | str, family: Family = "qwen2_5_vl", *words: object) -> Outcome:
        config = ["--config", tmp_path / "short.yaml", "--model", models[family]]
        return call("score", file, "--out", tmp_path / "scores.jsonl", *config, *words)

    return with_defaults


def read(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]


def check_whole(lines: list[dict[str, Any]], num_segments: int, last_end: float) -> None:
    """In order, without gaps, with all keys, and with beliefs that are distributions."""
    assert [line["segment"] for line in lines] == list(range(num_segments))
    assert [line["start_seconds"] for line in lines] == [number * 0.5 for number in range(num_segments)]
    assert [line["end_seconds"] for line in lines[:-1]] == [line["start_seconds"] for line in lines[1:]]
    assert lines[-1]["end_seconds"] == pytest.approx(last_end, abs=0.06)
    for line in lines:
        assert list(line) == KEYS
        assert len(line["hypotheses"]) == len(line["prior"]) == len(line["posterior"])
        assert line["unrest_nats"] >= line["surprise_nats"] >= line["change_nats"] >= 0 and isinstance(
            line["caption"], str
        )
        assert len(set(line["hypotheses"])) == len(line["hypotheses"]) >= 1
        assert sum(line["prior"]) == pytest.approx(1) and sum(line["posterior"]) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_segment_is_one_line_and_the_picture_is_drawn(score: Call, tmp_path: Path, family: Family) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 32, 10)
    outcome = score(clip, family, "--plot", tmp_path / "timeline.png", "--seed", 4)
    assert (outcome.code, outcome.err) == (0, "")
    check_whole(read(tmp_path), 7, 3.2)
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")
    assert "7 segments in" in outcome.out and "nats at" in outcome.out and "damaged" not in outcome.out


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_one_other_hypotheses(score: Call, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 20, 10)
    texts = []
    for seed in (1, 1, 2):
        assert score(clip, "qwen2_5_vl", "--seed", seed).code == 0
        texts.append((tmp_path / "scores.jsonl").read_bytes())
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.slow
def test_a_gif_is_scored(score: Call, tmp_path: Path) -> None:
    outcome = score(write_clip(tmp_path / "walk.gif", 12, 10))
    assert (outcome.code, outcome.err) == (0, "")
    check_whole(read(tmp_path), 3, 1.2)


def count_frames(path: Path) -> tuple[int, float]:
    """Frames that can be had of a file, and the time of the last."""
    camera = CameraConfig.model_validate({"id": "a", "source": str(path), "pace": "fast"})
    source = open_source(camera, IngestConfig(hardware_decode="off"), SystemClock(), CameraStats())
    times = [frame.stream_seconds for frame in source]
    source.close()
    return len(times), times[-1]


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["rot", "truncate"])
def test_a_damaged_file_is_scored_as_far_as_it_goes(score: Call, tmp_path: Path, harm: str) -> None:
    whole = write_clip(tmp_path / "walk.mkv", 40, 10)
    clip = rot(whole) if harm == "rot" else truncate(whole, 0.6)
    num_frames, last = count_frames(clip)
    assert 10 <= num_frames <= 40 and (harm == "rot" or num_frames < 40)
    outcome = score(clip)
    assert (outcome.code, outcome.err) == (0, "")
    lines = read(tmp_path)
    assert lines[-1]["start_seconds"] <= last < lines[-1]["end_seconds"], "scored to its last frame"
    check_whole(lines, len(lines), lines[-1]["end_seconds"])
    assert ("damaged: " in outcome.out) == (harm == "rot")


@pytest.mark.slow
def test_a_simulated_camera_is_scored_without_a_file(score: Call, tmp_path: Path) -> None:
    outcome = score("world:room?seed=3&seconds=1.5&size=96x64&fps=8")
    assert (outcome.code, outcome.err) == (0, "")
    check_whole(read(tmp_path), 3, 1.5)


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.0, 6.0])
def test_the_threshold_of_a_video_is_its_own_and_not_the_configs(score: Call, tmp_path: Path, threshold: float) -> None:
    """The config's floor is 0 here, and its budget 5 a day; with doubt no random model surprises by 6 nats."""
    outcome = score("world:room?seed=3&seconds=3&size=96x64&fps=8", "qwen2_5_vl", "--threshold", threshold)
    lines = read(tmp_path)
    assert {line["threshold_nats"] for line in lines} == {threshold}
    above = [line["event_id"] is not None for line in lines if line["surprise_nats"] > threshold]
    assert (above and all(above)) if threshold == 0.0 else not above
    assert ("0 events" in outcome.out) == (threshold == 6.0)


def test_what_never_ends_is_refused(score: Call) -> None:
    outcome = score("world:room?seed=3")
    assert "never ends" in outcome.error() and outcome.code == 4
