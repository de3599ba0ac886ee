"""Each way of scoring against what it is by hand, and against brute force over small tables."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from math import log

import numpy as np
import pytest

from streamspike.belief.surprise import kl_nats, measure
from streamspike.bench.variants.recordings import PLANS, SegmentRecord
from streamspike.bench.variants.variants import (
    DEFAULT,
    PAPER,
    REFERENCE,
    SMALLEST_REMAINDER,
    VARIANTS,
    closed_set,
    compose,
    gain_nats,
    prior_nats,
    sampled_kl_nats,
    something_else,
    with_remainder,
)
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores

TEXTS = ("stays", "walks", "leaves", "falls")
PRIOR, POSTERIOR = (0.4, 0.3, 0.2, 0.1), (0.1, 0.2, 0.1, 0.6)


exact_set = partial(closed_set, doubt=0.0)  # worked out by hand


def score(text: str, prior: float, posterior: float, tokens: int = 2, likelihood: float | None = None) -> Scores:
    return Scores(text, tokens, log(prior), log(posterior), None if likelihood is None else log(likelihood))


def table(*texts: str) -> tuple[Scores, ...]:
    return tuple(score(text, PRIOR[TEXTS.index(text)], POSTERIOR[TEXTS.index(text)]) for text in texts)


def record(*hypotheses: Scores, caption: Scores | None = None, sightings: tuple[Scores, ...] = ()) -> SegmentRecord:
    return SegmentRecord({"default": hypotheses}, caption, sightings)


def kl(posterior: list[float], prior: list[float]) -> float:
    """Brute force, in probabilities."""
    return sum(q * log(q / p) for q, p in zip(posterior, prior, strict=True) if q > 0)


def test_the_default_is_what_the_configuration_says_by_default() -> None:
    config = BeliefConfig()
    seven = tuple(score(f"sentence {k}", 0.1 + 0.01 * k, 0.2 - 0.01 * k) for k in range(config.num_hypotheses + 1))
    caption = score("a person falls", 0.01, 0.3)
    assert config.complete
    seen = tuple(score(f"sighting {k}", 0.01, 0.1 + 0.01 * k) for k in range(config.sightings))
    six = seven[: config.num_hypotheses]
    answer = Assessment((*six, caption), "", sampled=True, sightings=seen, joined=True)
    expected = measure(answer, config).surprise_nats
    assert DEFAULT.score(record(*seven, caption=caption, sightings=seen)) == pytest.approx(expected)
    expected = measure(replace(answer, sightings=()), config).surprise_nats
    assert REFERENCE.score(record(*seven, caption=caption, sightings=seen)) == pytest.approx(expected)
    assert expected > 0


def test_the_caption_joins_once_and_sightings_without_repeats() -> None:
    known, new = table("stays")[0], table("falls")[0]
    again = score("Falls.", 0.9, 0.9)
    assert compose(record(known, caption=new), 6, "caption") == (known, new)
    assert compose(record(known, new, caption=again), 6, "caption") == (known, new), "the same sentence is not added"
    assert compose(record(known, new, caption=again), 1, "caption") == (known, again), "the second was cut off"
    assert compose(record(known, caption=None), 6, "caption") == (known,)
    assert compose(record(known, caption=new, sightings=(known, again, new)), 6, "sightings") == (known, again)
    assert compose(record(known, caption=new, sightings=(known, new)), 6, "both") == (known, new)
    assert compose(record(known, caption=new, sightings=(new,)), 6, "nothing") == (known,)


def test_the_closed_set_is_renormalised() -> None:
    expected = kl([0.1 / 0.3, 0.2 / 0.3], [0.4 / 0.7, 0.3 / 0.7])
    assert exact_set(record(*table("stays", "walks")), joins="nothing") == pytest.approx(expected)
    assert exact_set(record(*table(*TEXTS)), joins="nothing") == pytest.approx(kl([*POSTERIOR], [*PRIOR]))
    assert exact_set(record(*table(*TEXTS)), num_hypotheses=2, joins="nothing") == pytest.approx(expected)


def test_tau_takes_roots_and_length_normalisation_divides() -> None:
    # tau 2 and two tokens each are the same: square roots, renormalised.
    before, after = (np.sqrt(values) / np.sqrt(values).sum() for values in (PRIOR, POSTERIOR))
    expected = kl(after.tolist(), before.tolist())
    assert exact_set(record(*table(*TEXTS)), tau=2.0) == pytest.approx(expected)
    assert exact_set(record(*table(*TEXTS)), length_normalised=True) == pytest.approx(expected)


def test_verify_is_bayes_rule_by_hand() -> None:
    judged = (score("stays", 0.8, 0.5, likelihood=0.1), score("falls", 0.2, 0.5, likelihood=0.9))
    expected = kl([0.08 / 0.26, 0.18 / 0.26], [0.8, 0.2])
    assert exact_set(record(*judged), posterior="verify") == pytest.approx(expected)


def test_jensen_shannon_is_a_share_of_one_bit() -> None:
    certain = (score("stays", 1.0, 1e-300), score("falls", 1e-300, 1.0))
    assert exact_set(record(*certain), divergence="jensen_shannon") == pytest.approx(1.0)
    middle = [(p + q) / 2 for p, q in zip(PRIOR, POSTERIOR, strict=True)]
    expected = (kl([*PRIOR], middle) + kl([*POSTERIOR], middle)) / 2 / log(2)
    assert exact_set(record(*table(*TEXTS)), divergence="jensen_shannon") == pytest.approx(expected)


def test_something_else_has_what_the_sentences_leave() -> None:
    assert np.exp(with_remainder([log(0.5), log(0.2)])) == pytest.approx([0.5, 0.2, 0.3])
    assert something_else(record(*table("stays", "walks"))) == pytest.approx(kl([0.1, 0.2, 0.7], [0.4, 0.3, 0.3]))


def test_with_full_support_something_else_has_nothing_and_changes_nothing() -> None:
    belief = with_remainder(np.log(PRIOR).tolist())
    assert np.exp(belief[-1]) == pytest.approx(0.0, abs=2 * SMALLEST_REMAINDER)
    assert np.exp(belief[:-1]) == pytest.approx(PRIOR, abs=1e-6)
    whole = record(*table(*TEXTS))
    assert something_else(whole) == pytest.approx(exact_set(whole, joins="nothing"), abs=1e-5)


def test_something_else_is_finite_when_rounding_gives_more_than_everything() -> None:
    belief = with_remainder([log(0.7), log(0.3) + 1e-7])
    assert np.isfinite(belief).all() and np.exp(belief).sum() == pytest.approx(1.0)
    assert np.isfinite(with_remainder([-2000.0])).all()


def test_something_else_notices_what_no_hypothesis_says() -> None:
    # All hypotheses become equally unlikely: the closed set sees nothing, the remainder takes it all.
    blind = record(score("stays", 0.5, 5e-9), score("walks", 0.4, 4e-9))
    assert exact_set(blind, joins="nothing") == pytest.approx(0.0, abs=1e-9)
    assert something_else(blind) == pytest.approx(-log(0.1), abs=1e-6)


def test_monte_carlo_converges_to_the_divergence_of_a_complete_set() -> None:
    complete = table(*TEXTS)
    exact = kl_nats(np.log(POSTERIOR), np.log(PRIOR))
    ratios = np.log(POSTERIOR) - np.log(PRIOR)
    spread = math.sqrt(float(np.dot(POSTERIOR, ratios**2)) - exact**2)
    random = np.random.default_rng(0)
    for count in (100, 10_000):
        drawn = [complete[place] for place in random.choice(len(TEXTS), size=count, p=POSTERIOR)]
        assert sampled_kl_nats(drawn) == pytest.approx(exact, abs=4 * spread / math.sqrt(count))
    assert exact_set(record(*complete), joins="nothing") == pytest.approx(exact)


def test_gain_is_signed_and_a_missing_caption_says_nothing() -> None:
    assert gain_nats(score("falls", 0.1, 0.6)) == pytest.approx(log(6))
    assert gain_nats(score("stays", 0.4, 0.1)) == pytest.approx(-log(4))
    assert prior_nats(score("falls", 0.1, 0.6)) == pytest.approx(log(10))
    assert gain_nats(None) == prior_nats(None) == sampled_kl_nats(()) == 0.0


def test_the_paper_asks_three_hypotheses_per_token_and_nothing_joins() -> None:
    assert PAPER == {"num_hypotheses": 3, "joins": "nothing", "length_normalised": True, "doubt": 0.0}


def test_variants_have_names_of_their_own_and_recordings_that_exist() -> None:
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names) and VARIANTS[:2] == (REFERENCE, DEFAULT)
    assert {variant.plan for variant in VARIANTS} == {plan.name for plan in PLANS}
