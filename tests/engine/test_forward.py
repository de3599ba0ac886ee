"""Rows through the model, against the official forward on pixels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from streamspike.engine.forward import encode_segments, last_logits, project, run_rows, score_answers
from streamspike.engine.model import LoadedModel
from tests.support.official import make_context, official_logits, official_score, random_segments

ANSWERS = ["nothing changes", "a person walks in from the left", "no"]


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("infer_positions", [False, True])
def test_every_logit_equals_the_official_forward(tiny: LoadedModel, infer_positions: bool) -> None:
    segments = random_segments(3)
    context = make_context(tiny, segments)
    row = context.extended(tiny.layout.answer(context.span.next_position, ANSWERS[0]))
    ours = project(tiny, run_rows(tiny, [row]))[0]
    official = official_logits(tiny, row.span, segments, infer_positions)
    assert official.std() > 0.1  # a model that answers the same to everything would prove nothing
    torch.testing.assert_close(ours, official, rtol=0, atol=1e-4)


def test_scores_of_a_padded_batch_equal_the_official_forward_one_by_one(tiny: LoadedModel) -> None:
    segments = random_segments(2)
    context = make_context(tiny, segments)
    answers = [tiny.layout.answer(context.span.next_position, text) for text in ANSWERS]
    assert len({len(answer) for answer in answers}) == 3
    official = [official_score(tiny, context.span, answer, segments) for answer in answers]
    assert score_answers(tiny, context, answers) == pytest.approx(official, abs=1e-4)


def test_frames_matter(tiny: LoadedModel) -> None:
    one, other = make_context(tiny, random_segments(2)), make_context(tiny, random_segments(2, seed=1))
    answer = tiny.layout.answer(one.span.next_position, ANSWERS[0])
    assert abs(score_answers(tiny, one, [answer])[0] - score_answers(tiny, other, [answer])[0]) > 1e-3


def test_contexts_of_different_length_share_a_batch(tiny: LoadedModel) -> None:
    rows = [make_context(tiny, random_segments(count)) for count in (1, 3, 2)]
    together = last_logits(tiny, rows)
    alone = torch.cat([last_logits(tiny, [row]) for row in rows])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_a_block_has_the_same_features_in_any_company(tiny: LoadedModel) -> None:
    segments = random_segments(3)
    size = tiny.frames.frame_size(40, 64)
    together = encode_segments(tiny, segments, size)
    for blocks, frames in zip(together, segments, strict=True):
        (alone,) = encode_segments(tiny, [frames], size)
        torch.testing.assert_close(blocks[0].tokens, alone[0].tokens, rtol=0, atol=1e-5)
        assert len(alone[0].deepstack) == (2 if tiny.family == "qwen3_vl" else 0)
        for level, other in zip(blocks[0].deepstack, alone[0].deepstack, strict=True):
            torch.testing.assert_close(level, other, rtol=0, atol=1e-5)


def test_a_segment_of_four_frames_has_two_blocks(tiny: LoadedModel) -> None:
    first, second = random_segments(2)
    size = tiny.frames.frame_size(40, 64)
    ((one, two), (three,)) = encode_segments(tiny, [first + second, second], size)
    torch.testing.assert_close(two.tokens, three.tokens, rtol=0, atol=1e-5)
    assert not torch.allclose(one.tokens, two.tokens, atol=1e-3)
