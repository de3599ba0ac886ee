"""A whole small study from the command line, killed by nobody but asked for twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import Call, make_call


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


@pytest.mark.slow
def test_two_methods_on_a_few_clips_and_again_from_what_is_there(tmp_path: Path, call: Call) -> None:
    words = ("bench", "night", "--out", tmp_path / "night", "--seeds", 1, "--steps", 2, "--clips", 2, "--held-out", 2,
             "--pairs", 12, "--device", "cpu")  # fmt: skip
    first = call(*words, "--methods", "supervised,crpo")
    assert first.code == 0 and "crpo against start; seeds 0" in first.out, first.err
    result = json.loads((tmp_path / "night" / "night.json").read_text())
    assert [one["method"] for one in result["comparisons"]] == ["supervised", "crpo"]
    assert all(one["measures"]["dynamic_pairs"]["before"]["mean"] is not None for one in result["comparisons"])
    assert result["model"].startswith("nano@") and result["settings"]["steps"] == 2
    page = (tmp_path / "night" / "night.html").read_text()
    assert "crpo against start" in page and "0 crpo: reward" in page
    paths = sorted((tmp_path / "night").glob("0/*/result.json"))
    stamps = [path.stat().st_mtime_ns for path in paths]
    again = call(*words, "--methods", "supervised,crpo")
    assert again.code == 0 and [path.stat().st_mtime_ns for path in paths] == stamps and len(paths) == 3
    other = call(*words, "--words", "own")
    assert other.code != 0 and "choose another --out" in other.error()


@pytest.mark.slow
def test_a_camera_with_rules_of_its_own_before_and_after_two_steps(tmp_path: Path, call: Call) -> None:
    done = call(
        "bench", "night", "--out", tmp_path, "--unusual", "--methods", "supervised", "--seeds", 1, "--steps", 2,
        "--day-minutes", 0.4, "--test-minutes", 0.4, "--surprises", 2, "--device", "cpu",
    )  # fmt: skip
    assert done.code == 0 and "rule=left&delivery=120" in done.out and "alerts an hour on the routine" in done.out, (
        done.err
    )
    [unusual] = json.loads((tmp_path / "night.json").read_text())["unusual"]
    assert unusual["method"] == "supervised" and unusual["measures"]["budget_recall"]["before"]["mean"] is not None
