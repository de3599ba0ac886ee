"""A segment that is looked at several times: what all looks say, pooled."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import pytest

from streamspike.core import Assessment, Pixels, Request, Scores
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.looks import in_looks, split, stream_of
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from streamspike.errors import EngineError
from tests.support.requests import KEPT, SHORT, MakeEngine, ask, assert_same, film

Film = list[tuple[Pixels, ...]]


def several(looks: list[Film], index: int, **options: object) -> Request:
    """Looks at `looks[0][index]`; they need not be of the same size."""
    request = ask(looks[0], index, **options)  # type: ignore[arg-type]
    again = tuple(tuple(look[index - len(request.window) : index + 1]) for look in looks[1:])
    return replace(request, again=again)


def twice(one: Film, other: Film, index: int, **options: object) -> Request:
    return several([one, other], index, **options)


def films(count: int) -> tuple[Film, Film]:
    return film(count), film(count, seed=1, height=38, width=60)


def test_each_look_has_its_own_window_and_its_share_of_the_sightings() -> None:
    one, other = films(3)
    request = replace(twice(one, other, 2, hypotheses=()), num_sightings=7)
    first, second = split(request)
    assert (first.camera_id, second.camera_id) == ("door", stream_of("door", 1))
    assert first.window == tuple(one[:2]) and second.window == tuple(other[:2])
    assert first.observation == one[2] and second.observation == other[2]
    assert first.sampling == second.sampling == SHORT
    assert (first.num_sightings, second.num_sightings) == (4, 3)
    assert first.seed != second.seed and not first.again and not second.again
    looks = split(replace(several([one, other, one, other], 2, hypotheses=()), num_sightings=7))
    assert [look.num_sightings for look in looks] == [4, 1, 1, 1]
    assert len({look.seed for look in looks}) == len({look.camera_id for look in looks}) == 4
    assert [look.observation for look in looks] == [one[2], other[2], one[2], other[2]]


def test_what_nothing_came_before_is_looked_at_once() -> None:
    one, other = films(1)
    request = twice(one, other, 0)
    assert split(request) == (request,)


@pytest.mark.parametrize("num_looks", [2, 3, 4])
def test_the_prior_is_a_mean_of_probabilities_and_the_posterior_one_of_logarithms(
    tiny: LoadedModel, num_looks: int
) -> None:
    looks = [film(3, seed=seed) for seed in range(num_looks)]
    reference = ReferenceEngine(tiny)
    answer = reference.assess(several(looks, 2, verify=True))
    alone = [reference.assess(ask(look, 2, verify=True)) for look in looks]
    assert [score.text for score in answer.scores] == list(KEPT)
    for pooled, *each in zip(answer.scores, *(one.scores for one in alone), strict=True):
        mean = fmean(math.exp(score.log_prior) for score in each)
        assert pooled.log_prior == pytest.approx(math.log(mean), abs=1e-4)
        assert pooled.log_posterior == pytest.approx(fmean(score.log_posterior for score in each), abs=1e-4)
        likelihoods = [score.log_likelihood for score in each if score.log_likelihood is not None]
        assert len(likelihoods) == num_looks
        assert pooled.log_likelihood == pytest.approx(fmean(likelihoods), abs=1e-4)
    assert answer.caption in {each.caption for each in alone}


@pytest.mark.parametrize("sizes", ["any", "fixed"])
def test_the_incremental_engine_pools_what_the_reference_does(
    tiny: LoadedModel, tiny_fixed: LoadedModel, make_engine: MakeEngine, sizes: str
) -> None:
    engine, reference = make_engine(tiny_fixed if sizes == "fixed" else tiny), ReferenceEngine(tiny)
    one, other = films(4)
    for index in range(1, 4):
        drawn = replace(twice(one, other, index, hypotheses=(), complete=True), num_sightings=4)
        four = several([one, other, other, one], index, camera_id="hall", hypotheses=(), complete=True)
        requests = [drawn, twice(other, one, index, camera_id="yard"), ask(one, index, camera_id="gate"), four]
        for ours, expected in zip(engine.assess_batch(requests), reference.assess_batch(requests), strict=True):
            assert isinstance(ours, Assessment) and isinstance(expected, Assessment)
            assert_same(ours, expected)
            assert [score.text for score in ours.sightings] == [score.text for score in expected.sightings]
    assert engine.num_streams == 9


def test_every_sentence_of_either_look_is_scored_by_both(tiny: LoadedModel) -> None:
    one, other = films(3)
    request = replace(
        twice(one, other, 2, hypotheses=(), complete=True), num_sightings=4, sampling=replace(SHORT, num_hypotheses=4)
    )
    reference = ReferenceEngine(tiny)
    answer = reference.assess(request)
    texts = tuple(dict.fromkeys(score.text for score in (*answer.scores, *answer.sightings)))
    looks = [replace(look, hypotheses=texts, complete=False, num_sightings=0) for look in split(request)]
    first, second = ({score.text: score for score in reference.assess(look).scores} for look in looks)
    for score in (*answer.scores, *answer.sightings):
        mean = (first[score.text].log_posterior + second[score.text].log_posterior) / 2
        assert score.log_posterior == pytest.approx(mean, abs=1e-4)


def test_of_two_captions_the_likelier_joins_and_the_other_is_a_sighting() -> None:
    answers: list[Assessment | Exception] = [
        Assessment((_score("g", -1, -9), _score("a", -8, -2)), "a", sampled=True, joined=True),
        Assessment((_score("g", -1, -9), _score("b", -8, -1)), "b", sampled=True, joined=True),
    ]
    more: list[Assessment | Exception] = [
        Assessment((_score("b", -6, -3),), "a", sampled=False),
        Assessment((_score("a", -7, -4),), "b", sampled=False),
    ]
    given = iter((answers, more))
    one, other = films(2)
    request = replace(twice(one, other, 1, hypotheses=(), complete=True), num_sightings=2)
    (answer,) = in_looks([request], lambda looks: next(given))
    assert isinstance(answer, Assessment) and answer.joined and answer.caption == "b"
    assert [(score.text, score.log_posterior) for score in answer.scores] == [("g", -9), ("b", -2)]
    assert [(score.text, score.log_posterior) for score in answer.sightings] == [("a", -3)]


def test_the_second_look_fills_up_the_hypotheses_and_a_caption_that_found_no_place_joins() -> None:
    answers: list[Assessment | Exception] = [
        Assessment((_score("g", -1, -9), _score("h", -2, -9)), "h", sampled=True),
        Assessment((_score("g", -1, -9), _score("i", -3, -9), _score("j", -4, -1)), "j", sampled=True),
    ]
    more: list[Assessment | Exception] = [
        Assessment((_score("i", -5, -7), _score("j", -6, -3)), "h", sampled=False),
        Assessment((_score("h", -4, -5),), "j", sampled=False),
    ]
    one, other = films(2)
    request = twice(one, other, 1, hypotheses=(), complete=True)
    given = iter((answers, more))
    (answer,) = in_looks([request], lambda looks: next(given))
    assert isinstance(answer, Assessment) and answer.joined and answer.caption == "j"
    assert [score.text for score in answer.scores] == ["g", "h", "i", "j"] and not answer.sightings
    given = iter((answers, more))
    (closed,) = in_looks([replace(request, complete=False)], lambda looks: next(given))
    assert isinstance(closed, Assessment) and not closed.joined
    assert [score.text for score in closed.scores] == ["g", "h", "i"]


def test_the_caption_of_a_first_segment_is_the_first_look_s(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    one, other = films(1)
    request = replace(
        ask(one, 0, hypotheses=(), complete=True, summary=""),
        window=((one[0][0],) * 2,),
        again=(((other[0][0],) * 2, other[0]),),
        opening=True,
    )
    answer, reference = make_engine(tiny).assess(request), ReferenceEngine(tiny)
    assert_same(answer, reference.assess(request))
    assert answer.caption == reference.assess(replace(request, window=(), again=(), opening=False)).caption
    # Whatever is scored as likelier after the still, which the caption knew nothing of.
    answers: list[Assessment | Exception] = [
        Assessment((_score("a", -1, -5), _score("b", -1, -1)), "a", sampled=True),
        Assessment((_score("a", -1, -5), _score("b", -1, -1)), "b", sampled=True),
    ]
    given = iter((answers, []))
    (pooled,) = in_looks([request], lambda looks: next(given))
    assert isinstance(pooled, Assessment) and pooled.caption == "a"


def test_frames_of_both_looks_are_encoded_once(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine = make_engine(tiny)
    one, other = film(3), film(3, seed=1)
    engine.assess(twice(one, other, 1, summary=""))
    forwards["vision"].clear()
    engine.assess(twice(one, other, 2, summary=""))
    new = sum(forwards["vision"])
    alone = make_engine(tiny)
    forwards["vision"].clear()
    alone.assess(replace(ask(one, 0, summary=""), window=()))
    assert new == 2 * sum(forwards["vision"]), "of three segments seen twice only the new one is encoded"


@pytest.mark.parametrize("place", [0, 1])
def test_a_look_that_fails_fails_the_whole_and_nobody_else(place: int) -> None:
    one, other = films(2)
    failure = EngineError("no memory")

    def assess(looks: list[Request]) -> list[Assessment | Exception]:
        answers: list[Assessment | Exception] = [Assessment((_score("a", -1, -1),), "a", sampled=False) for _ in looks]
        if len(looks) == 3:
            answers[place] = failure
        return answers

    requests = [twice(one, other, 1), ask(one, 1, camera_id="yard")]
    assert in_looks(requests, assess)[0] is failure  # type: ignore[arg-type]
    assert isinstance(in_looks(requests, assess)[1], Assessment)  # type: ignore[arg-type]


def test_a_camera_that_is_no_longer_looked_at_twice_goes_on(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine: IncrementalEngine = make_engine(tiny)
    one, other = films(4)
    engine.assess(twice(one, other, 1))
    assert_same(engine.assess(ask(one, 2)), ReferenceEngine(tiny).assess(ask(one, 2)))
    assert_same(engine.assess(twice(one, other, 3)), ReferenceEngine(tiny).assess(twice(one, other, 3)))


def _score(text: str, log_prior: float, log_posterior: float) -> Scores:
    return Scores(text, 1, log_prior, log_posterior)
