"""The zero-shot rating: read from likelihoods, never from written text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from streamspike.belief.rating import RATE, RATINGS, expected_rating
from streamspike.core import Assessment, Scores


def rated(log_likelihoods: Sequence[float], texts: Sequence[str] = RATINGS) -> Assessment:
    scores = (Scores(text, 2, 0.0, value) for text, value in zip(texts, log_likelihoods, strict=True))
    return Assessment(tuple(scores), "", sampled=False)


def test_there_are_eleven_answers_and_the_question_names_their_ends() -> None:
    assert RATINGS[0] == "0" and RATINGS[-1] == "10" and len(RATINGS) == 11
    assert "0 to 10" in RATE


def test_a_certain_model_is_taken_at_its_word() -> None:
    for rating in range(11):
        assert expected_rating(rated([0.0 if k == rating else -80.0 for k in range(11)])) == pytest.approx(rating)


def test_the_rating_is_the_mean_over_the_answers_there_are() -> None:
    assert expected_rating(rated([-7.0] * 11)) == pytest.approx(5.0), "what it would rather say does not matter"
    shares = [-90.0] * 11
    shares[2], shares[8] = math.log(0.03), math.log(0.01)
    assert expected_rating(rated(shares)) == pytest.approx(0.75 * 2 + 0.25 * 8)


def test_nothing_asked_is_no_surprise() -> None:
    assert expected_rating(Assessment((), "", sampled=False)) == 0.0


def test_answers_to_another_question_are_refused() -> None:
    with pytest.raises(ValueError, match="not the ratings"):
        expected_rating(rated([-1.0, -2.0], ["a cat", "a dog"]))
