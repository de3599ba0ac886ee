"""Tokens and positions of a row, by hand and against the official position ids."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamspike.belief.prompts import HEADER, PREDICT, render_suffix
from streamspike.engine.layout import (
    Layout,
    Span,
    SpecialIds,
    block_seconds,
    grid_positions,
    join_spans,
    text_positions,
    text_span,
)
from streamspike.engine.model import LoadedModel

SPECIAL = SpecialIds(vision_start=1001, video=1002, vision_end=1003, end=1004)


def by_letter(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def make_row(loaded: LoadedModel, num_blocks: int, rows: int = 2, columns: int = 3) -> Span:
    prefix = loaded.layout.prefix(rows, columns, [k + 0.25 for k in range(num_blocks)])
    question = loaded.layout.question(prefix.next_position, "a car stops", PREDICT)
    return join_spans([prefix, question, loaded.layout.answer(question.next_position, "nothing changes")])


def test_text_moves_all_three_axes_together() -> None:
    positions, free = text_positions(5, 3)
    assert positions.tolist() == [[5, 6, 7]] * 3
    assert free == 8


def test_a_grid_stands_still_in_time_and_moves_on_by_its_longer_side() -> None:
    positions, free = grid_positions(5, rows=2, columns=3)
    assert positions.tolist() == [[5] * 6, [5, 5, 5, 6, 6, 6], [5, 6, 7, 5, 6, 7]]
    assert free == 8
    assert grid_positions(5, rows=4, columns=3)[1] == 9


def test_a_block_is_a_grid_between_its_marks() -> None:
    block = Layout(by_letter, SPECIAL, timestamps=False).block(10, 2, 2, at_seconds=0.25)
    assert block.token_ids.tolist() == [1001, 1002, 1002, 1002, 1002, 1003]
    assert block.positions.tolist() == [[10, 11, 11, 11, 11, 13], [10, 11, 11, 12, 12, 13], [10, 11, 12, 11, 12, 13]]
    assert block.is_video.tolist() == [False, True, True, True, True, False]
    assert block.next_position == 14


def test_a_timestamp_stands_before_the_block() -> None:
    block = Layout(by_letter, SPECIAL, timestamps=True).block(0, 1, 1, at_seconds=1.25)
    assert block.token_ids.tolist() == [*by_letter("<1.2 seconds>"), 1001, 1002, 1003]


def test_an_answer_ends_with_the_end_token() -> None:
    answer = Layout(by_letter, SPECIAL, timestamps=False).answer(7, "ab")
    assert answer.token_ids.tolist() == [97, 98, 1004]
    assert answer.positions[0].tolist() == [7, 8, 9]


def test_block_times_are_means_of_their_first_and_last_frame() -> None:
    assert block_seconds(2, num_frames=2, temporal_patch=2, segment_seconds=1.0) == [0.25, 1.25]
    assert block_seconds(1, num_frames=4, temporal_patch=2, segment_seconds=2.0) == [0.25, 1.25]
    assert block_seconds(1, num_frames=3, temporal_patch=2, segment_seconds=3.0) == [0.5, 2.0]
    assert block_seconds(2, num_frames=1, temporal_patch=2, segment_seconds=1.0) == [0.0, 1.0]


def test_a_span_of_uneven_parts_is_refused() -> None:
    good = text_span(0, [1, 2, 3])
    with pytest.raises(ValueError, match="positions"):
        Span(good.token_ids, good.positions[:, :2], good.is_video, 3)


def test_pieces_have_the_same_tokens_wherever_they_stand(tiny: LoadedModel) -> None:
    layout = tiny.layout
    row = make_row(tiny, num_blocks=1)
    tokens = row.token_ids.tolist()
    assert tokens[: len(layout.header())] == layout.tokenize(HEADER)
    ending = [*layout.tokenize(render_suffix("a car stops", PREDICT)), *layout.tokenize("nothing changes")]
    assert tokens[-len(ending) - 1 :] == [*ending, layout.special.end]


@pytest.mark.parametrize("num_blocks", [1, 3])
def test_positions_equal_the_official_ones(tiny: LoadedModel, num_blocks: int) -> None:
    row = make_row(tiny, num_blocks)
    official, _ = tiny.model.model.get_rope_index(
        torch.from_numpy(row.token_ids)[None],
        mm_token_type_ids=torch.from_numpy(2 * row.is_video.astype(np.int32))[None],
        video_grid_thw=torch.tensor([[1, 4, 6]] * num_blocks),  # 2 x 3 tokens after the merge
    )
    assert row.positions.tolist() == official[:, 0].tolist()
