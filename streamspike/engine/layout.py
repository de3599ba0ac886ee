"""Token ids and M-RoPE positions of a row: header, frame blocks, question, answer.

    [system, user header][frame block ...][summary, question, answer header][answer <|im_end|>]

The pieces are tokenised apart and never merged across a boundary, so that a piece has the same tokens wherever it
stands. Positions follow `get_rope_index` of both families for grids of one temporal patch (t=1): a text run of n tokens
occupies (p+i, p+i, p+i); a grid has T=p, H=p+row, W=p+column and moves p by max(rows, columns). They are always passed
explicitly: a model left to infer them falls into 1-D positions or stale `rope_deltas`.

Qwen2.5-VL blocks are `<|vision_start|> video tokens <|vision_end|>`. Qwen3-VL puts `<1.5 seconds>` before each, as its
official prompt does. Deviations from that prompt: seconds count from the start of the window, so that a sliding window
keeps its words, and the outer `<|vision_start|> ... <|vision_end|>` pair, which the chat template leaves around a whole
video, is omitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamspike.belief.prompts import HEADER, render_suffix

Integers = NDArray[np.int64]


def text_positions(start: int, count: int) -> tuple[Integers, int]:
    """Positions of a text run.

    Returns:
        (3, count) positions and the next free position.
    """
    return np.tile(np.arange(start, start + count, dtype=np.int64), (3, 1)), start + count


def grid_positions(start: int, rows: int, columns: int) -> tuple[Integers, int]:
    """Positions of one temporal patch of merged video tokens, row by row.

    Args:
        start: the next free position.
        rows, columns: the grid after the merge.

    Returns:
        (3, rows * columns) positions and the next free position.
    """
    positions = np.empty((3, rows, columns), dtype=np.int64)
    positions[0] = start
    positions[1] = start + np.arange(rows)[:, None]
    positions[2] = start + np.arange(columns)[None, :]
    return positions.reshape(3, rows * columns), start + max(rows, columns)


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A run of tokens with their positions."""

    token_ids: Integers  # (num_tokens,)
    positions: Integers  # (3, num_tokens)
    is_video: NDArray[np.bool_]
    """(num_tokens,) True where a frame feature replaces the token's embedding."""
    next_position: int
    """Where the next span starts. Not the number of tokens: a grid of 16 tokens moves it by 4."""

    def __post_init__(self) -> None:
        if self.positions.shape != (3, len(self.token_ids)) or self.is_video.shape != self.token_ids.shape:
            raise ValueError(
                f"{self.token_ids.shape = } does not fit {self.positions.shape = }, {self.is_video.shape = }"
            )

    def __len__(self) -> int:
        return len(self.token_ids)


def text_span(start: int, token_ids: Sequence[int]) -> Span:
    """Text tokens from position `start` on."""
    positions, end = text_positions(start, len(token_ids))
    return Span(np.asarray(token_ids, dtype=np.int64), positions, np.zeros(len(token_ids), dtype=np.bool_), end)


def grid_span(start: int, video_id: int, rows: int, columns: int) -> Span:
    """The video tokens of one temporal patch from position `start` on."""
    positions, end = grid_positions(start, rows, columns)
    count = rows * columns
    return Span(np.full(count, video_id, dtype=np.int64), positions, np.ones(count, dtype=np.bool_), end)


def join_spans(spans: Sequence[Span]) -> Span:
    """One span of several that were built one after the other."""
    return Span(
        token_ids=np.concatenate([span.token_ids for span in spans]),
        positions=np.concatenate([span.positions for span in spans], axis=1),
        is_video=np.concatenate([span.is_video for span in spans]),
        next_position=spans[-1].next_position,
    )


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """The special tokens a row is built from."""

    vision_start: int
    video: int
    vision_end: int
    end: int
    """Closes every answer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows look for one model."""

    tokenize: Callable[[str], list[int]]
    """Text to ids, nothing added at either end."""
    special: SpecialIds
    timestamps: bool
    """Seconds before each frame block (Qwen3-VL)."""

    def header(self) -> Span:
        """The first tokens of every row."""
        return text_span(0, self.tokenize(HEADER))

    def block(self, start: int, rows: int, columns: int, at_seconds: float) -> Span:
        """One frame block.

        Args:
            rows, columns: the grid after the merge.
            at_seconds: mean time of the frames in the block, since the start of the window; read only with timestamps.
        """
        stamp = self.tokenize(f"<{at_seconds:.1f} seconds>") if self.timestamps else []
        opening = text_span(start, [*stamp, self.special.vision_start])
        grid = grid_span(opening.next_position, self.special.video, rows, columns)
        return join_spans([opening, grid, text_span(grid.next_position, [self.special.vision_end])])

    def prefix(self, rows: int, columns: int, block_seconds: Sequence[float]) -> Span:
        """Header and one frame block for each of `block_seconds`."""
        spans = [self.header()]
        for at_seconds in block_seconds:
            spans.append(self.block(spans[-1].next_position, rows, columns, at_seconds))
        return join_spans(spans)

    def question(self, start: int, summary: str, question: str) -> Span:
        """Everything between the last frame block and the answer."""
        return text_span(start, self.tokenize(render_suffix(summary, question)))

    def answer(self, start: int, text: str) -> Span:
        """An answer and the token that closes it."""
        return text_span(start, [*self.tokenize(text), self.special.end])


def block_seconds(num_segments: int, num_frames: int, temporal_patch: int, segment_seconds: float) -> list[float]:
    """Times of all frame blocks of a window, since its start.

    A segment of F frames shows them at 0, 1/F, 2/F ... of its length; a block stands at the mean of its first and
    last frame. An odd last frame is repeated and stands alone.

    Returns:
        num_segments * ceil(num_frames / temporal_patch) seconds, ascending.
    """
    step = segment_seconds / num_frames
    first = range(0, num_frames, temporal_patch)
    within = [(k + min(k + temporal_patch, num_frames) - 1) / 2 * step for k in first]
    return [segment * segment_seconds + offset for segment in range(num_segments) for offset in within]
