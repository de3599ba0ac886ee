"""SPIKE's sampler: the published probabilities, and what holds of every draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.select.sampling import (
    TAU,
    allocate,
    allocated_times,
    cover,
    covering_times,
    frames_at,
    sample_times,
    segment_probabilities,
)

SCORES = st.lists(st.floats(0.0, 20.0), min_size=1, max_size=40)
BUDGETS = st.integers(1, 100)


def bounds(scores: list[float]) -> np.ndarray:
    """Segments of a second and a half."""
    return 1.5 * np.arange(len(scores) + 1)


def counts(times: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(times, edges)[0]


def test_the_temperature_is_the_papers() -> None:
    assert TAU == 0.7
    by_hand = np.exp(np.array([0.0, 0.7, 1.4]) / 0.7)
    assert segment_probabilities([0.0, 0.7, 1.4]) == pytest.approx(by_hand / by_hand.sum())


def test_equal_scores_mean_that_every_segment_is_as_likely() -> None:
    noise = np.array([5.0, 0.0, -5.0])
    assert segment_probabilities([2.0, 2.0, 2.0], noise=noise) == pytest.approx([1 / 3] * 3), "as published"


def test_a_cold_sampler_takes_the_most_surprising_segment_and_a_hot_one_all_alike() -> None:
    scores = [0.1, 3.0, 2.9]
    assert segment_probabilities(scores, tau=1e-6) == pytest.approx([0.0, 1.0, 0.0])
    assert segment_probabilities(scores, tau=1e9) == pytest.approx([1 / 3] * 3)


@given(SCORES, BUDGETS, st.integers(0, 9), st.booleans())
def test_a_sample_is_as_large_as_its_budget_in_order_and_within_the_video(
    scores: list[float], budget: int, seed: int, gumbel: bool
) -> None:
    edges = bounds(scores)
    times = sample_times(scores, edges, budget, np.random.default_rng(seed), gumbel=gumbel)
    assert len(times) == budget and (np.diff(times) >= 0).all()
    assert edges[0] <= times[0] and times[-1] < edges[-1]
    assert times.tolist() == sample_times(scores, edges, budget, np.random.default_rng(seed), gumbel=gumbel).tolist()


def test_draws_come_with_replacement() -> None:
    times = sample_times([0.0, 30.0, 0.0], [0.0, 1.0, 2.0, 3.0], 50, np.random.default_rng(0))
    assert ((times >= 1.0) & (times < 2.0)).all(), "one segment has it all, many times"
    assert len(set(times.tolist())) == 50, "and a time of its own each time"


@pytest.mark.parametrize("gumbel", [False, True])
def test_segments_are_drawn_in_proportion_to_their_probability(gumbel: bool) -> None:
    scores, edges = [0.0, 1.0, 2.0], np.array([0.0, 1.0, 5.0, 6.0])
    rng = np.random.default_rng(1)
    drawn = sum(counts(sample_times(scores, edges, 8, rng, gumbel=gumbel), edges) for _ in range(2500)) / 20_000
    # With noise the probabilities differ from draw to draw; their mean is flatter, and keeps the order.
    expected = segment_probabilities(scores)
    if gumbel:
        noise = np.random.default_rng(2).gumbel(size=(20_000, 3))
        expected = np.mean([segment_probabilities(scores, noise=row) for row in noise], axis=0)
        assert expected[2] < segment_probabilities(scores)[2]
    assert drawn == pytest.approx(expected, abs=0.02)


@given(SCORES, BUDGETS)
def test_an_allocation_spends_the_budget(scores: list[float], budget: int) -> None:
    allocation = allocate(scores, budget)
    assert allocation.sum() == budget and (allocation >= 0).all()
    edges = bounds(scores)
    times = allocated_times(scores, edges, budget)
    assert len(times) == budget and (np.diff(times) > 0).all()
    assert counts(times, edges).tolist() == allocation.tolist()


def test_half_of_an_allocation_is_even_and_the_rest_in_proportion() -> None:
    assert allocate([0.0, 1.0, 3.0, 0.0], 16).tolist() == [2, 4, 8, 2]
    assert allocated_times([0.0, 3.0], [0.0, 1.0, 2.0], 4).tolist() == [0.0, 1.0, pytest.approx(4 / 3), 1 + 2 / 3]


def test_an_allocation_of_equal_scores_is_even() -> None:
    assert allocate([1.0, 1.0, 1.0], 8).tolist() == [4, 2, 2], "both remainders go to the first segments, as published"


def test_what_rounding_leaves_goes_to_segments_that_have_none() -> None:
    # Half of 7 is 3: one each. Of the other 4, shares 0.6, 0.2 and 0.2 give 2, 0 and 0; two are left over.
    assert allocate([6.0, 2.0, 2.0], 7).tolist() == [1 + 2, 1 + 1, 1 + 1]


@given(SCORES, BUDGETS)
def test_a_cover_spends_the_budget_where_it_tells_most(scores: list[float], budget: int) -> None:
    number = cover(scores, budget)
    assert number.sum() == pytest.approx(budget) and (number >= 0).all()
    worth = np.array(scores) + np.mean(scores)
    if np.ptp(scores) and worth.min() > 1e-6:
        # What one more frame would tell is alike wherever there is one, and less where there is none.
        gain = worth * 2.0**-number
        level = gain[number > 0].max()
        assert gain[number > 0] == pytest.approx(level, rel=1e-6)
        assert (gain[number == 0] <= level * (1 + 1e-9)).all()


@given(SCORES, BUDGETS)
def test_covering_times_follow_the_cover(scores: list[float], budget: int) -> None:
    edges = bounds(scores)
    times = covering_times(scores, edges, budget)
    assert len(times) == budget and (np.diff(times) >= 0).all()
    assert edges[0] <= times[0] and times[-1] < edges[-1]
    if budget >= len(scores):
        assert (np.abs(counts(times, edges) - cover(scores, budget)) <= 1 + 1e-6).all(), "rounded up or down"
    else:
        gaps = np.diff(times, prepend=-np.inf, append=np.inf)
        alone = np.minimum(gaps[:-1], gaps[1:]) > 1.5 * (1 + 1e-9)
        assert alone.sum() <= budget % 2, "one frame shows no motion"


def test_a_cover_sees_surprises_first_and_often() -> None:
    scores = [0.0, 0.0, 6.0, 0.0]
    assert covering_times(scores, bounds(scores), 2).tolist() == [3.0 + 0.375, 3.0 + 1.125], "in two frames"
    # Worth 1.5 and 7.5 = 1.5 * 2^2.32: so many frames each, and 2.32 more there.
    assert cover(scores, 6).tolist() == pytest.approx([(6 - np.log2(5)) / 4 + (i == 2) * np.log2(5) for i in range(4)])
    assert counts(covering_times(scores, bounds(scores), 6), bounds(scores)).tolist() == [1, 1, 3, 1]


def test_a_cover_of_equal_scores_is_even() -> None:
    assert covering_times([1.0, 1.0], [0.0, 1.0, 2.0], 4).tolist() == [0.25, 0.75, 1.25, 1.75]
    times = covering_times([0.0] * 8, np.arange(9.0), 4)
    assert times.tolist() == [2.0, 2.5, 6.0, 6.5], "in the middle of each half, not in the first segments"
    assert covering_times([0.0, 5e-324], [0.0, 1.0, 2.0], 2).tolist() == [0.5, 1.5], "as good as equal"


def test_a_frame_is_shown_until_the_next_one_and_is_taken_once() -> None:
    assert frames_at([0.9, 0.05, 1.0, 1.1, 9.0], [0.1, 0.5, 1.0]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("scores", [[], [float("nan")], [-1.0], [[1.0]]])
def test_scores_that_are_no_surprise_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="surprise"):
        segment_probabilities(scores)


def test_a_budget_of_nothing_and_bounds_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="budget"):
        sample_times([1.0], [0.0, 1.0], 0, rng)
    with pytest.raises(ValueError, match="temperature"):
        sample_times([1.0], [0.0, 1.0], 1, rng, tau=0.0)
    for edges in ([0.0], [0.0, 1.0, 2.0], [1.0, 1.0]):
        with pytest.raises(ValueError, match="bounds"):
            sample_times([1.0], edges, 1, rng)
