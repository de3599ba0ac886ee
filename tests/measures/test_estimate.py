"""The bootstrap over clips: by hand, against theory, and where there is no number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from streamspike.measures.detection import auroc
from streamspike.measures.estimate import Undefined, bootstrap


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def test_the_interval_holds_the_mean_and_shrinks_with_clips() -> None:
    few, many = (bootstrap([0.0, 1.0] * count, mean, seed=0) for count in (5, 100))
    assert few.mean == many.mean == 0.5 and not few.reason
    assert 0 <= few.low < 0.5 < few.high <= 1
    # A mean of n coin tosses has the standard error 0.5 / sqrt(n); 1.96 of them on either side are 95 %.
    assert many.high - many.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(200), rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = list(np.random.default_rng(1).random(20))
    assert bootstrap(values, mean, seed=3, num=100) == bootstrap(values, mean, seed=3, num=100)
    assert bootstrap(values, mean, seed=3, num=100) != bootstrap(values, mean, seed=4, num=100)


def test_clips_are_resampled_and_not_their_frames() -> None:
    # Two clips of 500 equal frames: the mean of a draw is 0, 1/2 or 1, as if each clip were one frame.
    clips = [np.zeros(500), np.ones(500)]
    estimate = bootstrap(clips, lambda picked: float(np.concatenate(picked).mean()), seed=0)
    assert (estimate.low, estimate.mean, estimate.high) == (0.0, 0.5, 1.0)


def test_a_ratio_is_computed_from_the_clips_of_each_draw() -> None:
    rng = np.random.default_rng(0)
    clips = [(rng.normal(label, 1, 5), np.full(5, label)) for label in (0, 1) * 10]

    def pooled(picked: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        return auroc(*(np.concatenate(parts) for parts in zip(*picked, strict=True)))

    estimate = bootstrap(clips, pooled, seed=0, num=300)
    assert estimate.low < estimate.mean == pooled(clips) < estimate.high
    assert estimate.low > 0.5, "every clip has one class, so a mean over clips would be undefined"


def test_draws_without_a_number_are_left_out_and_told() -> None:
    clips = [([0.0], [False]), ([1.0], [True])]
    estimate = bootstrap(clips, lambda picked: auroc(*(np.concatenate(p) for p in zip(*picked, strict=True))), seed=0)
    assert estimate.mean == estimate.low == estimate.high == 1
    assert "undefined in" in estimate.reason and "of 2000 draws" in estimate.reason


def test_what_is_undefined_says_why_and_does_not_crash() -> None:
    estimate = bootstrap([[1.0], [2.0]], lambda picked: auroc(np.ravel(picked), np.zeros(2)), seed=0)
    assert math.isnan(estimate.mean) and math.isnan(estimate.low) and estimate.reason == "nothing is labelled"
    assert bootstrap([], mean, seed=0).reason == "there is no clip"
    single = bootstrap([0.7], mean, seed=0)
    assert single.mean == 0.7 and math.isnan(single.high) and "one clip" in single.reason
    assert math.isnan(Undefined("why")) and repr(Undefined("why")) == "Undefined('why')"
