"""bench dynamics: pairs counted as they should be, in a table, against an earlier run, and from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamspike.bench.dynamics.report import percent, render_dynamics, render_gains
from streamspike.bench.dynamics.study import Answered, compare, summarise
from streamspike.errors import DatasetError
from tests.support.cli import Call, make_call


def answered(number: int, answers: tuple[int, int], chosen: tuple[int, int], kind: str = "direction") -> Answered:
    return Answered(kind, f"on:move {number}", "flip", kind == "direction", answers, chosen, 2, False)


def test_a_pair_is_right_if_both_branches_are() -> None:
    one = answered(0, (0, 1), (0, 0))
    assert [one.measure(name) for name in ("pairs", "single", "original", "turned")] == [0, 0.5, 1, 0]
    assert replace(one, chosen=(0, 1)).measure("pairs") == 1


def test_who_answers_alike_whatever_is_shown_has_no_dynamic_pair_and_half_of_the_answers() -> None:
    stubborn = [answered(k, (k % 2, 1 - k % 2), (0, 0)) for k in range(20)]
    table = summarise([*stubborn, answered(20, (0, 0), (0, 0), "who")], seed=0)
    assert table["dynamic"]["pairs"]["value"] == 0 and table["dynamic"]["single"]["value"] == 0.5
    assert table["static"]["pairs"]["value"] == 1 and table["dynamic"]["guessing"] == 0.25


def result(chosen: list[tuple[int, int]]) -> dict[str, Any]:
    lines = [answered(k, (0, 1), pair) for k, pair in enumerate(chosen)]
    return {
        "model": "nano@1", "style": "sentences", "seed": 0, "accuracy": summarise(lines, 0),
        "answers": [
            {"kind": line.kind, "topic": line.topic, "branch": line.branch, "dynamic": True, "answers": [0, 1],
             "chosen": list(line.chosen), "choices": 2, "related": False}
            for line in lines
        ],
    }  # fmt: skip


def test_gains_are_paired() -> None:
    before, after = result([(0, 0), (0, 1)] * 10), result([(0, 1), (0, 1)] * 10)
    gains = compare(before, after, seed=0)
    assert gains["direction"]["pairs"]["value"] == 0.5 and gains["direction"]["pairs"]["low"] > 0.2
    same = compare(before, before, seed=0)["direction"]["pairs"]
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)  # unpaired, the interval would be wide
    with pytest.raises(DatasetError, match="same questions"):
        compare(before, result([(0, 0)]), seed=0)
    assert "moving direction" in render_dynamics(after) and "+50.0" in render_gains(gains, "nano@1")
    assert percent({"value": None, "low": None, "high": None}) == "-"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


@pytest.mark.slow
def test_an_adapter_is_trained_and_measured_against_the_model_before(tmp_path: Path, call: Call) -> None:
    small = tmp_path / "small.yaml"
    small.write_text("model: {frame_width_px: 56, frame_height_px: 56, threads: 1}\n", encoding="utf-8")
    model = ("--model", "random:tiny-qwen2.5-vl", "--device", "cpu", "--config", small)
    trained = call("refine", "crpo", "world:0:4", "--out", tmp_path / "run", "--steps", 2, "--questions", 2, *model)
    assert trained.code == 0 and str(tmp_path / "run" / "adapter") in trained.out, trained.err
    assert len((tmp_path / "run" / "curve.jsonl").read_text().splitlines()) == 2
    before = tmp_path / "before.json"
    assert call("bench", "dynamics", "--pairs", 12, "--json", before, *model).code == 0
    adapter = ("--adapter", tmp_path / "run" / "adapter")
    after = call(
        "bench", "dynamics", "--pairs", 12, "--against", before, "--json", tmp_path / "after.json", *adapter, *model
    )
    assert after.code == 0 and "event sequence" in after.out and "against random:tiny-qwen2.5-vl" in after.out
    told = json.loads((tmp_path / "after.json").read_text())
    assert "+" in told["model"] and told["gains"]["dynamic"]["count"] == 6 and len(told["answers"]) == 12
    wrong = call("refine", "crpo", "world:0", "--out", tmp_path / "other", "--steps", 1, *model)
    assert wrong.code != 0 and "world:SEED:COUNT" in wrong.error()
