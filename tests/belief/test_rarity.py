"""Rarity: a rank that reads like surprise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspike.belief.rarity import Rarity


def test_the_first_score_and_the_lowest_are_not_rare() -> None:
    rarity = Rarity(10)
    assert rarity.nats(5.0) == 0.0
    for score in (1.0, 2.0, 3.0):
        rarity.admit(score)
    assert rarity.nats(1.0) == rarity.nats(0.0) == 0.0, "all were at least as high"
    assert rarity.nats(2.5) == pytest.approx(math.log(4 / 2))
    assert rarity.nats(3.5) == rarity.nats(1e9) == pytest.approx(math.log(4))


def test_equal_scores_are_as_common_as_they_are() -> None:
    """A camera whose picture stands still all day shows nothing rare by standing still."""
    rarity = Rarity(100)
    for _ in range(50):
        assert rarity.nats(0.25) == 0.0
        rarity.admit(0.25)
    assert rarity.nats(0.26) == pytest.approx(math.log(51))


def test_the_unit_of_the_score_does_not_matter() -> None:
    scores = np.random.default_rng(0).exponential(size=200)
    plain, squared = Rarity(50), Rarity(50)
    for score in scores:
        assert plain.nats(score) == squared.nats(1e3 * score**2)
        plain.admit(score)
        squared.admit(1e3 * score**2)


@pytest.mark.parametrize("draw", ["exponential", "normal", "standard_cauchy"])
def test_what_is_said_to_happen_once_in_ten_does_so_at_most(draw: str) -> None:
    rarity = Rarity(900)
    nats = []
    for score in getattr(np.random.default_rng(1), draw)(size=4000):
        nats.append(rarity.nats(float(score)))
        rarity.admit(float(score))
    late = np.array(nats[900:])
    for share in (0.5, 0.1, 0.02):
        assert (late >= -math.log(share)).mean() == pytest.approx(share, rel=0.25)


def test_old_scores_are_forgotten() -> None:
    rarity = Rarity(3)
    for score in (9.0, 1.0, 1.0, 1.0):
        rarity.admit(score)
    assert rarity.nats(2.0) == pytest.approx(math.log(4))


def test_a_broken_score_is_an_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        Rarity(3).nats(math.nan)
