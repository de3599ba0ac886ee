"""Beliefs and their divergence, by hand and by property."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.belief.surprise import (
    bayes_posterior,
    belief_shift,
    contaminate,
    jensen_shannon,
    kl_nats,
    log_softmax,
    measure,
)
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores

LOG = math.log
EXACT = BeliefConfig(doubt=0.0)
finite = st.floats(-200.0, 0.0)
pairs = st.lists(st.tuples(finite, finite), min_size=1, max_size=8)


def assess(*scores: Scores) -> Assessment:
    return Assessment(scores, caption="", sampled=True)


def test_beliefs_are_proportional_to_likelihood() -> None:
    belief = np.exp(log_softmax([LOG(0.02), LOG(0.06)]))
    assert belief == pytest.approx([0.25, 0.75])


def test_tau_two_takes_the_square_root_of_the_odds() -> None:
    belief = np.exp(log_softmax([LOG(0.1), LOG(0.9)], tau=2.0))
    assert belief == pytest.approx([0.25, 0.75])  # odds 1:9 become 1:3


def test_kl_of_a_hand_computed_case() -> None:
    prior, posterior = np.log([0.5, 0.5]), np.log([0.9, 0.1])
    assert kl_nats(posterior, prior) == pytest.approx(0.9 * LOG(1.8) + 0.1 * LOG(0.2))  # 0.368 nats
    assert kl_nats(prior, posterior) == pytest.approx(0.5 * LOG(5 / 9) + 0.5 * LOG(5.0))  # the other way round differs


def test_jensen_shannon_of_a_hand_computed_case() -> None:
    # m = (0.75, 0.25): [log2(1 / 0.75) + 0.5 log2(0.5 / 0.75) + 0.5 log2(0.5 / 0.25)] / 2 = 0.311 bits
    certain, torn = np.array([0.0, -800.0]), np.log([0.5, 0.5])
    assert jensen_shannon(certain, torn) == pytest.approx(0.3112781244591328)


def test_which_of_several_unexpected_things_it_was_is_left_open() -> None:
    one = belief_shift(np.log([0.4, 0.6]), np.log([0.99, 0.01]), 1)
    assert one == pytest.approx(0.4 * LOG(0.4 / 0.99) + 0.6 * LOG(60)), "one of them is an outcome like any other"
    torn = belief_shift(np.log([0.4, 0.3, 0.3]), np.log([0.98, 0.01, 0.01]), 1)
    assert torn == pytest.approx(0.4 * LOG(0.4 / 0.98) + 0.6 * LOG(0.6 / 0.01)), "not 0.3 ln 30 twice"
    uneven = belief_shift(np.log([0.4, 0.4, 0.2]), np.log([0.9, 0.08, 0.02]), 1)
    assert uneven == pytest.approx(0.4 * LOG(0.4 / 0.9) + 0.6 * LOG(0.6) - 0.4 * LOG(0.08) - 0.2 * LOG(0.02))


@given(pairs, st.integers(0, 8))
def test_what_is_left_open_never_makes_less_of_a_surprise(scores: list[tuple[float, float]], num_expected: int) -> None:
    posterior, prior = (log_softmax(values) for values in zip(*scores, strict=True))
    shift, plain = belief_shift(posterior, prior, num_expected), kl_nats(posterior, prior)
    entropy_at_most = LOG(max(len(scores) - num_expected, 1))
    assert plain - 1e-9 <= shift <= plain + entropy_at_most + 1e-9


def test_opposite_certainties_are_one_bit_apart() -> None:
    assert jensen_shannon(np.array([0.0, -900.0]), np.array([-900.0, 0.0])) == pytest.approx(1.0)


def test_impossible_hypotheses_keep_a_finite_surprise() -> None:
    prior, posterior = log_softmax([0.0, -1200.0]), log_softmax([-1200.0, 0.0])
    assert kl_nats(posterior, prior) == pytest.approx(1200.0)


def test_bayes_rule_of_a_hand_computed_case() -> None:
    posterior = np.exp(bayes_posterior(np.log([0.8, 0.2]), np.log([0.1, 0.9])))
    assert posterior == pytest.approx([0.08 / 0.26, 0.18 / 0.26])


def test_measure_takes_sums_and_the_natural_logarithm() -> None:
    result = measure(assess(Scores("a", 4, LOG(0.2), LOG(0.01)), Scores("b", 2, LOG(0.2), LOG(0.03))), EXACT)
    assert result.prior == pytest.approx((0.5, 0.5))
    assert result.posterior == pytest.approx((0.25, 0.75))
    assert result.surprise_nats == pytest.approx(0.25 * LOG(0.5) + 0.75 * LOG(1.5))


def test_length_normalisation_divides_both_sums_by_the_tokens() -> None:
    config = BeliefConfig(doubt=0.0, length_normalised=True)
    result = measure(assess(Scores("a", 2, LOG(0.25), LOG(0.01)), Scores("b", 1, LOG(0.5), LOG(0.3))), config)
    assert result.prior == pytest.approx((0.5, 0.5))  # 0.25 ** (1 / 2) = 0.5
    assert result.posterior == pytest.approx((0.25, 0.75))  # 0.01 ** (1 / 2) = 0.1 against 0.3


def test_verify_uses_the_likelihood_and_not_the_posterior() -> None:
    config = BeliefConfig(doubt=0.0, posterior="verify")
    result = measure(assess(Scores("a", 1, LOG(0.8), 0.0, LOG(0.1)), Scores("b", 1, LOG(0.2), -99.0, LOG(0.9))), config)
    assert result.prior == pytest.approx((0.8, 0.2))
    assert result.posterior == pytest.approx((0.08 / 0.26, 0.18 / 0.26))


def test_verify_without_likelihoods_is_refused() -> None:
    with pytest.raises(ValueError, match="'a'"):
        measure(assess(Scores("a", 1, -1.0, -1.0)), BeliefConfig(doubt=0.0, posterior="verify"))


def test_no_hypotheses_mean_no_surprise() -> None:
    assert measure(assess(), EXACT) == ((), (), 0.0, 0.0)


@pytest.mark.parametrize("broken", [[], [math.nan], [0.0, -math.inf], [[0.0, 1.0]]])
def test_broken_likelihoods_are_refused(broken: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        log_softmax(broken)


@given(pairs)
def test_surprise_is_never_negative_and_bounded_distance_stays_in_bounds(scores: list[tuple[float, float]]) -> None:
    prior, posterior = log_softmax([p for p, _ in scores]), log_softmax([q for _, q in scores])
    assert kl_nats(posterior, prior) >= 0.0
    assert 0.0 <= jensen_shannon(posterior, prior) <= 1.0
    assert jensen_shannon(posterior, prior) == pytest.approx(jensen_shannon(prior, posterior), abs=1e-12)
    # Against a second formula, in probabilities.
    p, q = np.exp(prior), np.exp(posterior)
    assert kl_nats(posterior, prior) == pytest.approx(float(np.sum(q * np.log(q) - q * np.log(p))), abs=1e-9)


@given(st.lists(finite, min_size=1, max_size=8), st.floats(-50.0, 50.0))
def test_equal_beliefs_are_zero_apart(scores: list[float], shift: float) -> None:
    # Evidence that is the same for every hypothesis moves no belief.
    belief, shifted = log_softmax(scores), log_softmax([score + shift for score in scores])
    assert kl_nats(belief, belief) == 0.0
    assert kl_nats(shifted, belief) == pytest.approx(0.0, abs=1e-12)
    assert jensen_shannon(shifted, belief) == pytest.approx(0.0, abs=1e-12)


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_hypotheses_does_not_matter(scores: list[tuple[float, float]], random: object) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (measure(assess(*(Scores("x", 1, p, q) for p, q in s)), EXACT) for s in (scores, shuffled))
    assert one.surprise_nats == pytest.approx(other.surprise_nats, abs=1e-9)
    assert one.jensen_shannon == pytest.approx(other.jensen_shannon, abs=1e-9)
    assert sorted(one.prior) == pytest.approx(sorted(other.prior), abs=1e-12)


@given(pairs)
def test_an_infinite_tau_believes_nothing(scores: list[tuple[float, float]]) -> None:
    belief = log_softmax([p for p, _ in scores], tau=1e9)
    assert np.exp(belief) == pytest.approx(np.full(len(scores), 1 / len(scores)), abs=1e-6)
    assert kl_nats(log_softmax([q for _, q in scores], tau=1e9), belief) < 1e-9


@given(pairs, st.floats(0.1, 50.0))
def test_beliefs_sum_to_one(scores: list[tuple[float, float]], tau: float) -> None:
    result = measure(
        assess(*(Scores("x", 3, p, q, q) for p, q in scores)), BeliefConfig(doubt=0.0, tau=tau, posterior="verify")
    )
    assert sum(result.prior) == pytest.approx(1.0)
    assert sum(result.posterior) == pytest.approx(1.0)


@given(pairs)
def test_doubt_ends_surprise_and_leaves_equal_beliefs_alone(scores: list[tuple[float, float]]) -> None:
    doubt = 0.001
    moved = [contaminate(log_softmax(column), doubt) for column in zip(*scores, strict=True)]
    assert np.exp(moved[0]).sum() == pytest.approx(1.0)
    assert kl_nats(moved[1], moved[0]) <= -LOG(doubt) + LOG(1 + len(scores) * doubt) + 1e-9
    assert kl_nats(moved[0], moved[0]) == 0.0


def test_what_was_held_for_impossible_is_as_surprising_as_one_in_a_thousand() -> None:
    scores = assess(Scores("a", 1, 0.0, -400.0), Scores("b", 1, -400.0, 0.0))
    result = measure(scores, BeliefConfig(doubt=0.001))
    assert result.prior[1] == pytest.approx(0.001 / 1.002)
    assert result.surprise_nats == pytest.approx(LOG(1000), rel=0.01)
