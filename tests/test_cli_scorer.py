"""`--scorer` on the command line: videos scored by baselines, and by a model that is simply asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkpoints import save_checkpoint
from tests.support.cli import Call, make_call
from tests.support.clips import write_clip
from tests.support.films import write_film
from tests.support.segments import yard

SHORT = "segment: {seconds: 0.5}\nbelief: {window_segments: 2}\nmodel: {device: cpu, threads: 1}\n"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("scorer", ["frame-difference", "rgb-histogram", "optical-flow", "itti-baldi", "middle"])
def test_a_video_is_scored_without_a_model(call: Call, tmp_path: Path, scorer: str) -> None:
    """After 3.5 of 4.5 s something stands in the yard."""
    clip = write_film(tmp_path / "yard.mkv", [yard(80 if number >= 35 else None) for number in range(45)])
    (tmp_path / "short.yaml").write_text(SHORT)
    out = tmp_path / "scores.jsonl"
    outcome = call("score", clip, "--scorer", scorer, "--out", out, "--config", tmp_path / "short.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    lines = read(out)
    assert [line["segment"] for line in lines] == list(range(9))
    assert all(line["hypotheses"] == [] and line["surprise_nats"] >= 0.0 for line in lines)
    best = max(lines, key=lambda line: line["score"])
    assert best["segment"] == {"middle": 4}.get(scorer, 7)
    assert f"9 segments in {out}; most surprising: " in outcome.out
    assert f"at {best['start_seconds']:.1f} s ({scorer} " in outcome.out


def test_the_timeline_is_drawn_without_hypotheses(call: Call, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 45, 10)
    (tmp_path / "low.yaml").write_text(SHORT + "events: {floor_nats: 0.5}\n")
    words = ["--out", tmp_path / "scores.jsonl", "--plot", tmp_path / "timeline.png", "--config", tmp_path / "low.yaml"]
    outcome = call("score", clip, "--scorer", "optical-flow", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_model_is_asked_for_a_rating(call: Call, tmp_path: Path) -> None:
    """Any model will do; a random one has no reasons, but its ratings are ratings."""
    clip = write_clip(tmp_path / "walk.mp4", 20, 10)
    (tmp_path / "short.yaml").write_text(SHORT)
    model = save_checkpoint(tmp_path / "model", "qwen2_5_vl")
    out, texts = tmp_path / "scores.jsonl", []
    for _ in range(2):
        words = ["--model", model, "--out", out, "--config", tmp_path / "short.yaml"]
        outcome = call("score", clip, "--scorer", "zero-shot", *words)
        assert (outcome.code, outcome.err) == (0, "")
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    scores = [line["score"] for line in read(out)]
    assert all(0.0 < score < 10.0 for score in scores) and len(scores) == 4
    assert "(zero-shot " in outcome.out


def test_an_unknown_scorer_names_the_nearest(call: Call, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 5, 10)
    outcome = call("score", clip, "--scorer", "frame-diff", "--out", tmp_path / "scores.jsonl")
    assert outcome.code == 3 and "did you mean 'frame-difference'?" in outcome.error()


def test_what_is_watched_has_no_middle(call: Call, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 5, 10)
    outcome = call("watch", clip, "--scorer", "middle", "--store", tmp_path / "spike.db")
    assert outcome.code == 3 and "streamspike score FILE --scorer middle" in outcome.error()


def test_check_tells_what_scores_and_whether_a_model_is_needed(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text("scorer: itti-baldi\ncameras: [{id: a, source: 'lavfi:testsrc2'}]\n")
    assert "1 cameras, scored by itti-baldi, no model" in call("check", "--config", path).out
    path.write_text("scorer: itti-baldi\ncameras: [{id: a, source: 'lavfi:testsrc2', scorer: surprise}]\n")
    assert "1 cameras, scored by surprise, model nano" in call("check", "--config", path).out
