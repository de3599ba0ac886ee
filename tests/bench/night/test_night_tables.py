"""What a study concludes: gains are paired, more is better, seeds are pooled; alerts of a stretch counted by hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamspike.bench.night.measuring import read_viewings
from streamspike.bench.night.settings import NightSettings, parse_methods
from streamspike.bench.night.stopwatch import Stopwatch
from streamspike.bench.night.study import claim_folder
from streamspike.bench.night.tables import PAIRS, QUESTIONS, SEMANTIC, STATIC, render_study, summarise
from streamspike.bench.night.unusual import Part, budget_threshold, cut_parts, group, measure_parts
from streamspike.errors import ConfigError
from streamspike.refine.gate.viewing import Told, View, Viewing

HYPOTHESES = {False: ("a dog walks", "a dog walks"), True: ("a dog walks", "nothing happens here")}


def run(seed: int, method: str, better: bool, hits: int) -> dict[str, Any]:
    """Ten clips; in the first `hits` of them surprise peaks where it should."""
    viewings = []
    for number in range(10):
        peak = 1 if number < hits else 2
        views = tuple(
            View(float(index == peak), "a dog walks", HYPOTHESES[better] if index else (),
                 (-1.0, -2.0) if index else (), 0.1, 3 if index else 0, -4.0 if better else -5.0, -1.0)
            for index in range(3)
        )  # fmt: skip
        told = Told(f"{seed}-{number}", ("a dog walks",) * 3, (1,), True)
        viewings.append(asdict(Viewing(told, views)))
    line = {"kind": "direction", "topic": "x", "branch": "flip", "dynamic": True, "answers": [0, 1], "choices": 2,
            "related": False}  # fmt: skip
    dynamic = [{**line, "chosen": [0, 1] if better or k % 2 else [0, 0]} for k in range(12)]
    static = [{**line, "kind": "who", "dynamic": False, "answers": [0, 0], "chosen": [0, 0]} for _ in range(12)]
    return {
        "method": method, "seed": seed, "training_seconds": 60.0, "training_cpu_seconds": 50.0, "steps": 7,
        "viewings": viewings,
        "questions": [[{"kind": "who", "right": float(better or k > 4)}] for k in range(10)],
        "dynamics": {"answers": [*dynamic, *static]},
    }  # fmt: skip


class Encoder:
    """Sentences are alike if they are the same."""

    def encode(self, sentences: Any) -> Any:
        known = sorted(text for texts in HYPOTHESES.values() for text in texts)
        return np.eye(len(known))[[known.index(text) for text in sentences]]


def test_gains_are_of_the_same_clips_and_turned_so_that_more_is_better() -> None:
    results = {
        seed: {"start": run(seed, "start", False, 4), "spike-rl": run(seed, "spike-rl", True, 4 + seed)}
        for seed in (1, 2)
    }
    summary = summarise(results, Encoder())
    [one] = summary["comparisons"]
    assert (one["method"], one["against"], one["seeds"]) == ("spike-rl", "start", [1, 2])
    rows = one["measures"]
    assert rows["localisation"]["before"]["mean"] == pytest.approx(0.4)
    assert rows["localisation"]["gain"]["mean"] == pytest.approx(0.15)  # 1 of 10 clips, and 2 of 10
    assert [one["by_seed"][seed]["localisation"]["gain"]["mean"] for seed in "12"] == pytest.approx([0.1, 0.2])
    assert rows["diversity"]["before"]["mean"] == 0.0 and rows["diversity"]["after"]["mean"] == 1.0
    assert rows[SEMANTIC]["gain"]["mean"] == pytest.approx(1.0)
    assert rows["next_nats"]["gain"]["mean"] == pytest.approx(1 / 2)  # one nat over three tokens, a third of them asked
    assert rows[QUESTIONS]["gain"]["mean"] == pytest.approx(0.5)
    assert rows[PAIRS]["gain"]["mean"] == pytest.approx(0.5) and rows[PAIRS]["before"]["mean"] == pytest.approx(0.5)
    static = rows[STATIC]["gain"]
    assert (static["mean"], static["low"], static["high"]) == (0, 0, 0)
    assert "latency" not in rows
    text = render_study(summary)
    assert not one["gate"]["1"]["accepted"] and "the gate, seed 2: refused; there are only 10 held-out clips" in text
    assert "spike-rl against start; seeds 1, 2" in text and "+0.150" in text and "by seed +0.100 +0.200" in text


def test_results_are_read_as_they_were_written() -> None:
    written = run(0, "start", True, 3)["viewings"]
    assert [asdict(viewing) for viewing in read_viewings(written)] == written


def test_alerts_and_surprises_of_a_stretch() -> None:
    assert group([1, 2, 4, 8]) == [[1, 2, 4], [8]]
    nats = [0.0, 5.0, 4.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0]
    quiet = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0]
    log = {"surprise_nats": nats + nats, "alerts": [1, 16]}
    parts = cut_parts(log, [6, 16])
    assert [part.false_alerts(2.0) for part in parts] == [[1], [1]]
    assert [part.finds(2.0) for part in parts] == [1, 1] and parts[0].finds(6.5) == 0
    assert [part.false_alerts(None) for part in parts] == [[1], []]
    assert [part.finds(None) for part in parts] == [0, 1]
    after = [Part(tuple(quiet), (), 6)] * 2
    rows = measure_parts(parts, after, [4.5, 4.5], part_hours=0.1)
    assert rows["floor_routine"]["before"]["mean"] == pytest.approx(10)
    assert rows["budget_routine"]["change"]["mean"] == pytest.approx(-10)
    assert rows["floor_recall"]["change"]["mean"] == 0 and rows["default_recall"]["change"]["mean"] == -0.5
    assert rows["auroc"]["after"]["mean"] == 1.0
    assert budget_threshold([float(k) for k in range(600)], 1.0) == 597  # 12 an hour are 2 in ten minutes


def test_a_study_is_continued_as_the_same_or_not_at_all(tmp_path: Path) -> None:
    claim_folder(tmp_path, NightSettings(seeds=1).describe())
    claim_folder(tmp_path, NightSettings(seeds=3, methods=("crpo",)).describe())
    with pytest.raises(ConfigError, match="begun with clips 240"):
        claim_folder(tmp_path, NightSettings(clips=10).describe())
    with pytest.raises(ConfigError, match="supervised, spike-rl, savi, crpo"):
        parse_methods("spike-rl,dpo")
    assert parse_methods("crpo, supervised") == ("supervised", "crpo")


def test_seconds_outlive_a_kill(tmp_path: Path) -> None:
    (tmp_path / "seconds").write_text("100.0 50.0\n")
    watch = Stopwatch(tmp_path / "seconds")
    watch.note()
    assert [int(float(each)) for each in (tmp_path / "seconds").read_text().split()] == [100, 50]
