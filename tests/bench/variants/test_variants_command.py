"""`streamspike bench variants` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamspike.bench.variants import recordings
from streamspike.bench.variants.variants import VARIANTS
from tests.support.checkpoints import tiny_checkpoint
from tests.support.cli import Call, make_call

SHORT = "belief: {window_segments: 1, max_hypothesis_tokens: 4, max_caption_tokens: 4}\n"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


def test_one_clip_of_what_is_recorded_anew_is_refused(call: Call, tmp_path: Path) -> None:
    outcome = call("bench", "variants", "--few", 1, "--records", tmp_path / "records.jsonl")
    assert outcome.code == 3 and "at least 2 clips" in outcome.error()
    assert not (tmp_path / "records.jsonl").exists()


@pytest.mark.slow
def test_it_records_compares_and_draws_and_the_second_time_it_only_compares(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_checkpoint(tmp_path / "tiny", "qwen2_5_vl")
    (tmp_path / "short.yaml").write_text(SHORT)
    json_path, plot, records = (tmp_path / name for name in ("variants.json", "variants.png", "records.jsonl"))
    words = ["bench", "variants", "--clips", 2, "--few", 0, "-c", tmp_path / "short.yaml", "--model", tmp_path / "tiny"]
    words += ["--records", records, "--json", json_path, "--plot", plot]
    outcome = call(*words)
    assert outcome.code == 0, outcome.err
    result = json.loads(json_path.read_text())
    names = [row["variant"] for row in result["variants"]]
    assert set(names) >= {variant.name for variant in VARIANTS if variant.plan == "base"}
    assert "model tiny@" in outcome.out and names[0] in outcome.out
    assert plot.read_bytes().startswith(b"\x89PNG") and len(records.read_text().splitlines()) == 3

    def refuse(*_: object) -> None:
        raise AssertionError("all of it was recorded")

    monkeypatch.setattr(recordings, "record_clip", refuse)
    assert call(*words).code == 0
    assert json.loads(json_path.read_text())["variants"] == result["variants"]
