"""Sentences that mean the same: place, pace and company do not count; who, what and which way do."""

from __future__ import annotations

import pytest

from streamspike.bench.surprise.meaning import meaning
from streamspike.world.sentences import all_sentences


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("on the left a person slowly walks to the right beside a dog", "a person walks to the right"),
        ("in the middle a person quickly walks to the right among others", "A person walks to the right."),
        ("on the right a car stops in the middle of the road", "a car stops in the middle of the road"),
        ("in the middle a person picks up a box", "on the left a person picks up a box"),
    ],
)
def test_place_pace_and_company_do_not_count(one: str, other: str) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a person walks to the right", "a person walks to the left"),
        ("a person walks to the right", "a dog walks to the right"),
        ("a person walks to the right", "a person walks on to the right"),
        ("a car stops in the middle of the road", "a car stops"),
        ("a person picks up a box", "a person picks up a bag"),
        ("a car enters from the left", "a car enters from the right"),
    ],
)
def test_who_what_and_which_way_count(one: str, other: str) -> None:
    assert meaning(one) != meaning(other)


def test_meanings_are_far_fewer_than_sentences_and_name_no_company() -> None:
    sentences = all_sentences()
    meanings = {meaning(sentence) for sentence in sentences}
    assert len(meanings) < len(sentences) / 4
    assert not [one for one in meanings if " beside " in one or "among others" in one or "slowly" in one]
