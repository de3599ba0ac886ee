"""Sentences in every third of the picture, and what is left of a belief without the place."""

from __future__ import annotations

import math

import pytest

from streamspike.bench.variants.places import everywhere, without_place
from streamspike.bench.variants.recordings import SegmentRecord
from streamspike.bench.variants.variants import place_summed_out, placeless_gain
from streamspike.core import Scores

LEFT, MIDDLE, QUIET = "on the left a person sits", "in the middle a person sits", "the room is quiet"


def score(text: str, before: float, after: float) -> Scores:
    return Scores(text, 5, math.log(before), math.log(after))


def test_a_sentence_with_a_place_is_asked_in_all_three_and_none_twice() -> None:
    assert everywhere([LEFT, QUIET, MIDDLE]) == (LEFT, MIDDLE, "on the right a person sits", QUIET)


def test_probabilities_of_the_same_elsewhere_add_up() -> None:
    sitting, quiet = without_place([score(LEFT, 0.1, 0.2), score(QUIET, 0.6, 0.1), score(MIDDLE, 0.3, 0.5)])
    assert (sitting.text, quiet.text) == ("a person sits", QUIET)
    assert math.exp(sitting.log_prior) == pytest.approx(0.4) and math.exp(sitting.log_posterior) == pytest.approx(0.7)


def test_the_right_thing_at_another_place_is_no_surprise_and_another_thing_is() -> None:
    moved = (score(LEFT, 0.6, 0.01), score(MIDDLE, 0.01, 0.6), score(QUIET, 0.39, 0.39))
    record = SegmentRecord({"places": moved}, moved[1], ())
    assert place_summed_out(record) == pytest.approx(0.0, abs=1e-6)
    assert placeless_gain(record) == pytest.approx(0.0, abs=1e-6)
    sat = (score(LEFT, 0.01, 0.3), score(MIDDLE, 0.01, 0.6), score(QUIET, 0.98, 0.1))
    record = SegmentRecord({"places": sat}, sat[1], ())
    assert place_summed_out(record) > 2.0
    assert placeless_gain(record) == pytest.approx(math.log(0.9 / 0.02))
    assert placeless_gain(SegmentRecord({"places": sat}, None, ())) == 0.0
