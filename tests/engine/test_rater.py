"""The zero-shot engine: ratings checked against official forwards."""

from __future__ import annotations

import pytest
import torch

from streamspike.belief.rating import RATE, RATINGS, expected_rating
from streamspike.core import Request, Sampling
from streamspike.engine.layout import join_spans
from streamspike.engine.model import LoadedModel
from streamspike.engine.rater import RatingEngine
from streamspike.errors import EngineError
from tests.support.official import official_score, random_segments


def ask(num_segments: int, observed: int = 0) -> Request:
    *window, now = random_segments(num_segments)
    if observed:
        (now,) = random_segments(1, seed=observed)
    return Request("door", 0, 5, tuple(window), now, "", (), Sampling(), 0, complete=True, verify=False)


def test_ratings_equal_official_forwards(tiny: LoadedModel) -> None:
    request = ask(3)
    assessment = RatingEngine(tiny).assess(request)
    assert tuple(score.text for score in assessment.scores) == RATINGS
    assert (assessment.caption, assessment.sampled) == ("", False)
    prefix = tiny.layout.prefix(2, 3, [0.25, 1.25, 2.25])
    context = join_spans([prefix, tiny.layout.question(prefix.next_position, "", RATE)])
    with torch.inference_mode():
        for score in assessment.scores:
            answer = tiny.layout.answer(context.next_position, score.text)
            official = official_score(tiny, context, answer, [*request.window, request.observation])
            assert score.log_posterior == score.log_prior == pytest.approx(official, abs=1e-4)
            assert score.num_tokens == len(answer)


def test_the_rating_depends_on_what_is_seen_and_on_nothing_else(tiny: LoadedModel) -> None:
    engine = RatingEngine(tiny)
    one, again, other = (expected_rating(engine.assess(ask(2, observed))) for observed in (1, 1, 2))
    assert one == again != other
    assert 0.0 < one < 10.0


def test_a_first_segment_is_not_asked_about(tiny: LoadedModel) -> None:
    assert RatingEngine(tiny).assess(ask(1)).scores == ()


def test_broken_weights_are_an_error_and_touch_no_other_request(tiny: LoadedModel) -> None:
    engine = RatingEngine(tiny)
    head = tiny.model.get_output_embeddings()
    whole = head.weight.data.clone()
    head.weight.data.fill_(float("nan"))
    try:
        broken, first = engine.assess_batch([ask(2), ask(1)])
    finally:
        head.weight.data.copy_(whole)
    assert isinstance(broken, EngineError) and "not finite" in str(broken)
    assert not isinstance(first, Exception)
