"""The first segment of an epoch: expected from its own first picture, captioned without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamspike.core import Assessment, Request
from streamspike.engine.model import LoadedModel
from streamspike.engine.opening import join
from streamspike.engine.reference import ReferenceEngine
from streamspike.errors import EngineError
from tests.support.requests import MakeEngine, ask, assert_same, film


def opening_of(camera_id: str = "door", seed: int = 0) -> Request:
    """A model is asked for its own hypotheses."""
    request = ask(film(1, seed=seed), 0, hypotheses=(), camera_id=camera_id, complete=True, summary="")
    still = (request.observation[0],) * len(request.observation)
    return replace(request, window=(still,), opening=True)


def test_beliefs_are_those_after_the_still_and_the_caption_is_that_of_the_segment_alone(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    request, reference = opening_of(), ReferenceEngine(tiny)
    answer = make_engine(tiny).assess(request)
    assert_same(answer, reference.assess(request))
    expected = reference.assess(replace(request, opening=False))
    assert_same(replace(answer, caption=expected.caption), expected)
    assert answer.sampled and len(answer.scores) > 1
    assert answer.caption == reference.assess(replace(request, window=(), opening=False)).caption
    assert {"vision", "sample", "caption", "score"} <= set(answer.stage_seconds)


def test_the_camera_remembers_its_segment_and_not_the_still(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine, segments = make_engine(tiny), film(2)
    first = ask(segments, 0, hypotheses=(), summary="")
    first = replace(first, window=((segments[0][0],) * len(segments[0]),), opening=True)
    engine.assess(first)
    assert engine.num_streams == 1
    forwards["vision"].clear()
    second = ask(segments, 1, summary="")
    assert_same(engine.assess(second), ReferenceEngine(tiny).assess(second))
    new = forwards["vision"][0]
    alone = make_engine(tiny)
    forwards["vision"].clear()
    alone.assess(ask(film(1), 0, summary=""))
    assert new == forwards["vision"][0], "of the two segments only the new one is encoded"


@pytest.mark.parametrize("sizes", ["any", "fixed"])
def test_openings_of_several_cameras_and_other_segments_go_together(
    tiny: LoadedModel, tiny_fixed: LoadedModel, make_engine: MakeEngine, sizes: str
) -> None:
    engine, reference = make_engine(tiny_fixed if sizes == "fixed" else tiny), ReferenceEngine(tiny)
    requests = [opening_of("door"), ask(film(3, seed=2), 2, camera_id="yard"), opening_of("gate", seed=1)]
    for one, other in zip(engine.assess_batch(requests), reference.assess_batch(requests), strict=True):
        assert isinstance(one, Assessment) and isinstance(other, Assessment)
        assert_same(one, other)
    assert engine.num_streams == 3


@pytest.mark.parametrize("place", [0, 1])
def test_a_part_that_fails_fails_the_whole(place: int) -> None:
    answers: list[Assessment | Exception] = [Assessment((), "a", sampled=True), Assessment((), "b", sampled=False)]
    answers[place] = failure = EngineError("no memory")
    assert join(answers) is failure
