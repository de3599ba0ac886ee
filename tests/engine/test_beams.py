"""Sentences that differ: drawn without replacement, with the right probabilities, or searched for in groups."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from streamspike.core import Sampling
from streamspike.engine.beams import DIVERSITY_NATS, Beams, GroupBeams, Shortlist, StochasticBeams, make_beams
from streamspike.engine.decode import as_they_come, shortlist
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from tests.support.requests import SHORT, MakeEngine, ask, assert_same, film

END, A, B = 0, 1, 2
# After each text: the end, a, b. The longest text has two tokens, so there are seven sentences.
NEXT = {(): (0.1, 0.6, 0.3), (A,): (0.5, 0.3, 0.2), (B,): (0.2, 0.4, 0.4)}


def sentences() -> dict[tuple[int, ...], float]:
    """Every sentence of at most two tokens with its probability."""
    found = {(): NEXT[()][END]}
    for first in (A, B):
        found[first,] = NEXT[()][first] * NEXT[first,][END]
        for second in (A, B):
            found[first, second] = NEXT[()][first] * NEXT[first,][second]
    return found


def write(beams: Beams) -> list[tuple[int, ...]]:
    written: list[tuple[int, ...]] = [() for _ in beams.parents]
    while beams.writing:
        logits = torch.tensor([NEXT[text] for text in written], dtype=torch.float64).log()
        tokens = beams.take(*shortlist(logits, beams.wanted()))
        written = [(*written[parent], token) for parent, token in zip(beams.parents, tokens, strict=True)]
    return beams.answers


def sampling(count: int, **changes: object) -> Sampling:
    return replace(as_they_come(count, 2), **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_pairs_come_as_often_as_in_sampling_without_replacement() -> None:
    num_runs = 2000
    seen = Counter(tuple(write(StochasticBeams(sampling(2), END, seed))) for seed in range(num_runs))
    share = sentences()
    for first, second in itertools.permutations(share, 2):
        expected = share[first] * share[second] / (1 - share[first])
        # Four standard errors, over 42 pairs.
        tolerance = 4 * math.sqrt(expected * (1 - expected) / num_runs)
        assert seen[first, second] / num_runs == pytest.approx(expected, abs=tolerance), (first, second)


def test_as_many_beams_as_sentences_find_each_once() -> None:
    for seed in range(20):
        answers = write(StochasticBeams(sampling(7), END, seed))
        assert len(answers) == 7 and set(answers) == set(sentences())


def test_more_beams_than_sentences_find_no_more() -> None:
    assert sorted(write(StochasticBeams(sampling(12), END, 1))) == sorted(sentences())


def test_the_nucleus_bounds_what_is_drawn() -> None:
    # 0.5 leaves a at the root and the end after it: the one sentence "a".
    assert write(StochasticBeams(sampling(4, top_p=0.5), END, 3)) == [(A,)]


def test_a_high_temperature_draws_rare_sentences_first_more_often() -> None:
    cold, hot = (
        sum(write(StochasticBeams(sampling(1, temperature=t), END, seed))[0] == () for seed in range(500))
        for t in (1.0, 20.0)
    )
    assert cold < 90 < 130 < hot  # one in ten, and nearly one in three


def test_the_first_group_is_greedy_and_later_ones_avoid_its_words() -> None:
    first, second, third = write(GroupBeams(sampling(3), END))
    assert first == (A,)  # 0.6, then the end at 0.5
    # The second loses e ** -0.5 on a at the root: 0.364 > 0.3, a again; then the end at 0.303 against a at 0.3.
    assert DIVERSITY_NATS == 0.5 and second == (A,)
    # The third loses e ** -1: 0.22 < 0.3, b; then a and b at 0.4 each, of which the first is taken.
    assert third == (B, A)


def test_a_shortlist_without_numbers_is_the_likeliest_in_order() -> None:
    token_ids, logs = shortlist(torch.tensor([[0.1, 0.6, 0.3]]).log(), Shortlist(2))
    assert token_ids == [[1, 2]] and np.exp(logs[0]) == pytest.approx([0.6, 0.3])


def test_a_shortlist_marks_what_the_nucleus_does_not_hold() -> None:
    numbers = np.array([[0.99, 0.0, 0.5]])
    token_ids, logs = shortlist(torch.tensor([[0.1, 0.6, 0.3]]).log(), Shortlist(3, top_p=0.7, numbers=numbers))
    assert token_ids[0][:2] == [2, 1], "0.99 of the nucleus is its last token"
    assert np.exp(logs[0][:2]) == pytest.approx([1 / 3, 2 / 3]) and logs[0][2] == -math.inf


def test_sampling_one_by_one_needs_no_beams() -> None:
    assert make_beams(SHORT, END, 0) is None


@pytest.mark.parametrize("diversity", ["distinct", "groups"])
@pytest.mark.parametrize("on_device", [False, True])
def test_beams_on_the_tree_write_what_full_recomputation_writes(
    tiny: LoadedModel, make_engine: MakeEngine, diversity: str, on_device: bool
) -> None:
    engine, reference = make_engine(tiny, write_on_device=on_device), ReferenceEngine(tiny)
    segments = film(5)
    for index in (2, 3, 4):
        request = ask(segments, index, (), complete=index == 3)
        request = replace(request, sampling=replace(SHORT, diversity=diversity))  # type: ignore[arg-type]
        answer = engine.assess(request)
        assert_same(answer, reference.assess(request))
        assert answer.sampled and 1 <= len(answer.scores) <= SHORT.num_hypotheses + 1


@pytest.mark.parametrize("on_device", [False, True])
def test_sightings_are_those_of_the_reference_and_stay_out_of_the_set(
    tiny: LoadedModel, make_engine: MakeEngine, on_device: bool
) -> None:
    engine, reference = make_engine(tiny, write_on_device=on_device), ReferenceEngine(tiny)
    segments = film(5)
    for index in (2, 3, 4):
        plain = ask(segments, index, () if index % 2 else ("nothing changes",), complete=index == 3, verify=index == 4)
        request = replace(plain, num_sightings=5)
        ours, theirs = engine.assess(request), reference.assess(request)
        assert_same(ours, theirs)
        assert_same(replace(ours, scores=ours.sightings), replace(theirs, scores=theirs.sightings))
        assert ours.sightings
        assert_same(ours, reference.assess(plain))


def test_without_a_window_nothing_is_sighted(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    request = replace(ask(film(1), 0), num_sightings=5)
    assert make_engine(tiny).assess(request).sightings == ReferenceEngine(tiny).assess(request).sightings == ()


def test_a_sighting_that_is_a_hypothesis_has_its_numbers(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    segments = film(4)
    drawn = make_engine(tiny).assess(replace(ask(segments, 3), num_sightings=2)).sightings
    answer = make_engine(tiny).assess(replace(ask(segments, 3, (drawn[0].text,), verify=True), num_sightings=2))
    (score,) = answer.scores
    assert score.log_likelihood is not None
    assert answer.sightings[0] == replace(score, log_likelihood=None)
