"""Statistics against counting, their draws against draws made by hand, and the table as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streamspike.bench.variants.comparison import (
    MEASURES,
    Clips,
    auroc,
    compare,
    hits,
    plot_comparison,
    render_comparison,
    spearman,
    weighted_ranks,
)
from streamspike.bench.variants.recordings import BASE, ClipRecord, SegmentRecord
from streamspike.bench.variants.variants import VARIANTS
from streamspike.core import Scores
from streamspike.errors import SinkError

NUM_SEGMENTS = 4


def clip(number: int) -> ClipRecord:
    """Something rare happens in one segment, and the caption knows half of it."""
    random = np.random.default_rng(number)
    scripted = 1 + number % NUM_SEGMENTS
    truth = random.uniform(0.1, 2.0, NUM_SEGMENTS)
    truth[scripted - 1] += 5
    segments = []
    for nats in truth:
        calm = Scores("nothing changes", 3, -0.3, -0.1 - nats / 2, -0.1)
        drawings = {"default": (calm, Scores("a car stops", 4, -3.0, -4.0, -3.0))}
        caption = Scores("a person falls", 4, -nats - random.uniform(0, 1), -0.5, -0.2)
        segments.append(SegmentRecord(drawings, caption, (caption, calm)))
    return ClipRecord(
        number, scripted, "fall", tuple(truth), {"frame difference": (0.5,) * NUM_SEGMENTS}, tuple(segments)
    )


def repeat(values: np.ndarray, times: list[int]) -> list[float]:
    return [float(value) for value, count in zip(values, times, strict=True) for _ in range(count)]


def count_pairs(above: list[float], below: list[float]) -> float:
    return float(np.mean([(a > b) + (a == b) / 2 for a in above for b in below]))


def test_statistics_of_weights_are_those_of_values_that_stand_there_so_often() -> None:
    random = np.random.default_rng(1)
    values, other = random.integers(0, 4, 12).astype(float), random.integers(0, 9, 12).astype(float)
    positive = random.random(12) < 0.4
    times = random.integers(0, 4, 12).tolist()
    weights = np.array([times], dtype=float)
    ranks = weighted_ranks(values, weights)
    (area,) = auroc(ranks, positive, weights)
    counted = np.array(times) * positive
    assert area == pytest.approx(
        count_pairs(repeat(values, counted.tolist()), repeat(values, (times - counted).tolist()))
    )
    plain = [repeat(values, times), repeat(other, times)]
    x, y = ([sum(v < w for v in line) + sum(v == w for v in line) / 2 for w in line] for line in plain)
    (correlation,) = spearman(ranks, weighted_ranks(other, weights), weights)
    assert correlation == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_a_constant_score_correlates_with_nothing_and_is_a_coin() -> None:
    weights = np.ones((1, 4))
    ranks = weighted_ranks(np.zeros(4), weights)
    assert spearman(ranks, weighted_ranks(np.arange(4.0), weights), weights) == pytest.approx([0])
    assert auroc(ranks, np.array([True, False, False, True]), weights) == pytest.approx([0.5])


def test_ties_share_a_hit() -> None:
    scores = np.array([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert hits(scores, np.array([1, 0, 2, 1])).tolist() == [0.5, pytest.approx(1 / 3), 1.0, 0.0]


def test_draws_are_of_whole_clips_and_the_truth_is_perfect_in_each() -> None:
    records = [clip(number) for number in range(6)]
    measured = Clips(records, 0).measure([record.truth for record in records])
    for values in measured.values():
        assert values == pytest.approx(np.ones_like(values))
    worst = Clips(records, 0).measure([[-nats for nats in record.truth] for record in records])
    assert worst["spearman"] == pytest.approx(-np.ones_like(worst["spearman"])) and not worst["hit_at_1"].any()


@pytest.mark.slow
def test_the_comparison_pairs_each_variant_with_the_reference_on_its_own_clips(tmp_path: Path) -> None:
    records = [clip(number) for number in range(8)]
    windows = records[:3]
    rows = compare({BASE.name: records, "window 2": windows, "window 4": []}, seed=0)
    by_name = {row["variant"]: row for row in rows}
    here = {variant.name for variant in VARIANTS if variant.plan in (BASE.name, "window 2")}
    assert set(by_name) == here | {"frame difference", "ideal observer"}
    assert by_name["window 2"]["clips"] == 3 and by_name["ideal observer"]["clips"] == 8
    for key in MEASURES:
        # The same recordings give the same scores, so that the paired difference has no width.
        assert by_name["window 2"]["against_reference"][key] == {"mean": 0.0, "low": 0.0, "high": 0.0}
        assert by_name["ideal observer"][key]["mean"] == pytest.approx(1.0)
        row = by_name["nothing joins"]
        assert row["against_reference"][key]["mean"] == pytest.approx(row[key]["mean"] - rows[0][key]["mean"])
    result = {"model": "fake@0", "variants": rows}
    assert json.loads(json.dumps(result)) == result, "plain values"
    text = render_comparison(result)
    assert all(name in text for name in by_name) and "fake@0" in text
    plot_comparison(result, tmp_path / "variants.png")
    assert (tmp_path / "variants.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SinkError, match="cannot write"):
        plot_comparison(result, tmp_path / "nowhere" / "variants.png")
