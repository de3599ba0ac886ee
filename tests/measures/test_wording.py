"""Hypotheses and their probabilities: by hand, on data calibrated by construction, and with nothing to go by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspike.measures.wording import calibration, distinct_share, plausibility, token_diversity


def test_calibration_of_a_case_done_by_hand() -> None:
    result = calibration([0.2, 0.2, 0.9, 0.9], [False, True, True, True], num_bins=2)
    assert [(one.mean_probability, one.share_true, one.count) for one in result.bins] == [
        (pytest.approx(0.2), 0.5, 2),
        (pytest.approx(0.9), 1.0, 2),
    ]
    assert result.error == pytest.approx((2 * 0.3 + 2 * 0.1) / 4)


def test_what_comes_true_as_often_as_told_is_calibrated_and_the_sure_are_not() -> None:
    rng = np.random.default_rng(0)
    told = rng.random(20_000) ** 4  # crowded near 0, as beliefs are
    came_true = rng.random(20_000) < told
    result = calibration(told, came_true)
    assert result.error < 0.01 and [one.count for one in result.bins] == pytest.approx([2000] * 10, abs=1)
    assert calibration((told > 0.5).astype(float), came_true).error > 0.05


def test_every_statement_is_in_one_bin_and_equal_ones_in_the_same() -> None:
    rng = np.random.default_rng(1)
    told = np.round(rng.random(500), 1)
    result = calibration(told, rng.random(500) < 0.5)
    assert sum(one.count for one in result.bins) == 500
    assert all(before.high < after.low for before, after in zip(result.bins, result.bins[1:], strict=False))
    (only,) = calibration([0.3] * 7, [True] * 7).bins
    assert (only.low, only.high, only.count) == (0.3, 0.3, 7)


def test_no_statement_has_no_calibration() -> None:
    result = calibration([], [])
    assert math.isnan(result.error) and result.bins == ()
    with pytest.raises(ValueError, match=r"probability in \[0, 1\]"):
        calibration([1.5], [True])


def test_diversity_is_how_few_words_are_shared() -> None:
    # Pairs share 3 of 5, 0 of 8 and 1 of 7 words.
    texts = ["a man walks left", "A man walks right.", "the car turns"]
    assert token_diversity(texts[:2]) == pytest.approx(1 - 3 / 5)
    assert token_diversity(texts) == pytest.approx(np.mean([2 / 5, 1, 1]))
    assert token_diversity(["same", "Same."]) == 0 and distinct_share(["same", "Same.", "other"]) == pytest.approx(
        2 / 3
    )
    assert math.isnan(token_diversity(["one"])) and math.isnan(distinct_share([]))


def test_plausibility_is_by_the_simulators_table() -> None:
    table = {"nothing changes": 0.5, "a car enters": 0.25, "a man falls": 0.25, "it never could": 0.0}
    found = plausibility(
        ["A car enters.", "nothing changes", "nothing changes", "a cow flies", "it never could"], table
    )
    assert found.share_possible == 0.6 and found.mass == 0.75
    assert found.mean_nats == pytest.approx((2 * math.log(2) + math.log(4)) / 3)
    assert math.isnan(plausibility(["a cow flies"], table).mean_nats)
    assert math.isnan(plausibility([], table).share_possible)
