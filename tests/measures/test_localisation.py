"""Measures of the peak: by hand, against brute force over all orders of ties, and where there is nothing to measure."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from streamspike.measures.interval import Interval
from streamspike.measures.localisation import (
    coverage,
    hit_at_k,
    merge,
    moment_spans,
    overlap_seconds,
    peak_accuracy,
    peak_iou,
    precision_at_k,
    ranks,
    recall_at_k,
    spearman,
    touches,
)

SECONDS = np.arange(10.0)


def brute_force(scores: np.ndarray, labelled: np.ndarray, k: int, threshold: float) -> tuple[float, float, float]:
    """Hit, precision and recall, averaged over every order in which ties may be told apart."""
    hits, precisions, recalls = [], [], []
    for order in permutations(range(len(scores))):
        ranked = sorted((index for index in order if scores[index] > threshold), key=lambda index: -scores[index])[:k]
        caught = sum(bool(labelled[index]) for index in ranked)
        hits.append(caught > 0)
        precisions.append(caught / len(ranked) if ranked else math.nan)
        recalls.append(caught / labelled.sum() if labelled.any() else math.nan)
    return float(np.mean(hits)), float(np.mean(precisions)), float(np.mean(recalls))


@pytest.mark.parametrize("seed", range(20))
def test_the_top_k_agree_with_all_orders_of_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labelled = rng.integers(0, 3, 5).astype(float), rng.random(5) < 0.4
    k, threshold = int(rng.integers(1, 6)), float(rng.choice([-math.inf, 0.0, 1.0]))
    expected = brute_force(scores, labelled, k, threshold)
    found = tuple(measure(scores, labelled, k, threshold) for measure in (hit_at_k, precision_at_k, recall_at_k))
    assert found == pytest.approx(expected, nan_ok=True)


def test_the_top_k_of_a_case_done_by_hand() -> None:
    scores, labelled = [0.1, 0.9, 0.2, 0.9, 0.0], [False, True, True, False, False]
    assert hit_at_k(scores, labelled, 1) == 0.5 and hit_at_k(scores, labelled, 2) == 1
    assert precision_at_k(scores, labelled, 3) == pytest.approx(2 / 3) and recall_at_k(scores, labelled, 1) == 0.25
    assert precision_at_k(scores, labelled, 5, threshold=0.15) == pytest.approx(2 / 3), "three are all there are"
    assert hit_at_k([0.0] * 9, [True] + [False] * 8, 1) == pytest.approx(1 / 9), "all equal is chance"


def test_the_top_k_of_nothing_is_undefined_and_says_why() -> None:
    assert hit_at_k([0.0], [True], 1, threshold=0.0) == 0
    assert math.isnan(precision_at_k([0.0], [True], 1, threshold=0.0))
    missing = recall_at_k([0.0], [False], 1)
    assert math.isnan(missing) and missing.reason == "no labelled segment"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="k = 0"):
        hit_at_k([0.0], [True], 0)


def test_overlap_counts_time_once() -> None:
    intervals = (Interval(0.5, 1.5), Interval(1.0, 2.25), Interval(5, 5))
    assert merge(intervals) == [(0.5, 2.25), (5, 5)]
    assert overlap_seconds(SECONDS, SECONDS + 1, intervals).tolist() == [0.5, 1, 0.25] + [0] * 7
    assert touches(SECONDS, SECONDS + 1, intervals).tolist() == [True] * 3 + [False] * 2 + [True] + [False] * 4
    assert not touches(SECONDS, SECONDS + 1, (Interval(10, 11),)).any() and not touches(SECONDS, SECONDS, ()).any()


def test_overlap_agrees_with_counting_fine_ticks() -> None:
    rng = np.random.default_rng(0)
    ticks = np.arange(0, 10, 1 / 64) + 1 / 128
    for _ in range(20):
        edges = np.sort(rng.integers(0, 640, (3, 2)) / 64, axis=1)
        intervals = [Interval(*map(float, pair)) for pair in edges]
        inside = ((ticks[:, None] >= edges[:, 0]) & (ticks[:, None] < edges[:, 1])).any(axis=1)
        expected = inside.reshape(10, 64).sum(axis=1) / 64
        assert overlap_seconds(SECONDS, SECONDS + 1, intervals) == pytest.approx(expected)


def test_coverage_is_labelled_time_that_scores_above_nothing() -> None:
    scores = [0, 1, 0] + [0] * 7
    assert coverage(SECONDS, SECONDS + 1, scores, (Interval(1.5, 2.5),)) == 0.5
    assert coverage(SECONDS, SECONDS + 1, scores, (Interval(1.5, 2.0), Interval(9, 12))) == pytest.approx(0.5 / 3.5)
    assert math.isnan(coverage(SECONDS, SECONDS + 1, scores, (Interval(1, 1),)))


def test_the_peak_is_right_if_it_is_near_any_annotators_moment() -> None:
    scores = [0, 0, 5, 1, 0, 0, 0, 0, 0, 0]
    assert peak_accuracy(SECONDS, scores, [7.0, 2.25], 0.25) == 1
    assert peak_accuracy(SECONDS, scores, [2.26], 0.25) == 0 and peak_accuracy(SECONDS, scores, [2.26], 1) == 1
    assert peak_accuracy(SECONDS, [1.0] * 10, [4.0], 1) == pytest.approx(0.3), "a constant is right by chance"
    assert peak_accuracy([0.3], [1.0], [0.1], 0.2) == 1, "0.3 - 0.1 is a little more than 0.2"
    assert math.isnan(peak_accuracy(SECONDS, scores, [], 1))
    with pytest.raises(ValueError, match="no peak"):
        peak_accuracy([], [], [1.0], 1)


def test_iou_is_of_the_window_around_the_peak_with_the_best_span() -> None:
    scores = [0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
    # [1.5, 2.5] and [2, 4]: 0.5 shared of 2.5.
    assert peak_iou(SECONDS, scores, [(2, 4), (8, 9)]) == pytest.approx(0.2)
    assert moment_spans([2.25]) == [(1.75, 2.75)]
    assert peak_iou(SECONDS, scores, moment_spans([2.25, 7])) == pytest.approx(0.75 / 1.25)
    assert peak_iou(SECONDS, scores, moment_spans([2])) == 1 and peak_iou(SECONDS, scores, [(5, 6)]) == 0
    assert math.isnan(peak_iou(SECONDS, scores, []))


def test_spearman_agrees_with_a_case_done_by_hand() -> None:
    # Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24) = 0.8.
    assert spearman([10, 20, 30, 40, 50], [0.2, 0.1, 4.0, 3.0, 50.0]) == pytest.approx(0.8)
    assert spearman([1, 2, 3], [9, 5, 1]) == pytest.approx(-1)
    # Ties share their mean rank: 1.5 1.5 3 against 1 2 3, by Pearson on ranks.
    assert spearman([7, 7, 8], [1, 2, 3]) == pytest.approx(1.5 / (1.5 * 2) ** 0.5)
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3])) and math.isnan(spearman([], []))
    with pytest.raises(ValueError, match="pairs"):
        spearman([1, 2], [1])


@pytest.mark.parametrize("seed", range(5))
def test_ranks_agree_with_counting(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, 12)
    counted = [(values < one).sum() + ((values == one).sum() - 1) / 2 for one in values]
    assert ranks(values).tolist() == counted
