"""Log-probabilities of answers, with gradient, in packed rows: one prefix for many questions and their answers.

    [header][frame block ...]  question -- answer      the tree of `engine/tree.py`: a token that two branches share is
                                  `------- answer      computed once, and each sees only its own past
                               question -- answer

Positions, masks and words are the engine's own (`TokenTree`, `Layout`), so that what is trained is what will be asked.
The vision tower is frozen: frames are encoded once, without gradient. Logits are made only where an answer's token is
predicted. Loss and gradients are those of one row for each answer (tested).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamspike.belief.prompts import render_suffix
from streamspike.core import Pixels
from streamspike.engine.forward import BlockFeatures, embed, encode_segments, join_deepstack, project
from streamspike.engine.layout import Integers, Span, block_seconds, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.engine.tree import Booleans, TokenTree
from streamspike.engine.vision import FrameSize

Features = dict[tuple[int, ...], list[BlockFeatures]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and answers to it."""

    num_segments: int
    """It is asked after so many segments of the row, and sees no others; at least one."""
    summary: str
    """H_t, or the empty string."""
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LessonRow:
    """A window, and everything that is asked about its beginnings."""

    segments: tuple[tuple[Pixels, ...], ...]
    """Oldest first; as many frames in each."""
    asked: tuple[Asked, ...]
    segment_seconds: float = 1.0
    """Read only by models that are told the time of each frame."""

    def __post_init__(self) -> None:
        if not self.asked or len({len(frames) for frames in self.segments}) != 1:
            raise ValueError(
                "a row has questions, and segments with as many frames each: "
                f"{len(self.asked)} questions, {[len(frames) for frames in self.segments]} frames"
            )
        for asked in self.asked:
            if not 1 <= asked.num_segments <= len(self.segments):
                raise ValueError(f"a question after {asked.num_segments} of {len(self.segments)} segments")


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """A row as tokens, and where its answers are predicted."""

    prefix: Span
    token_ids: Integers  # (num_nodes,) behind the prefix
    positions: Integers  # (num_nodes,)
    sees: Booleans  # (num_nodes, prefix tokens + num_nodes)
    columns: list[int]
    """Of the row's tokens, which predict a target, in order of questions, answers and tokens."""
    targets: list[int]
    lengths: list[list[int]]
    """Targets of each answer to each question."""

    def __len__(self) -> int:
        return len(self.prefix) + len(self.token_ids)


class PackedRows:
    """Rows ready to be scored, more than once if need be: by the model and by its reference."""

    def __init__(self, loaded: LoadedModel, rows: Sequence[LessonRow], known: Features | None = None) -> None:
        """Encodes the frames; no segment twice, wherever it stands.

        Args:
            known: features of segments, by the ids of their frames; what is new is added. The caller keeps the frames.
        """
        self._loaded = loaded
        self._laid = [_lay(loaded, row) for row in rows]
        self._blocks = _encode(loaded, rows, {} if known is None else known)

    @property
    def num_tokens(self) -> int:
        """Without padding."""
        return sum(map(len, self._laid))

    @property
    def lengths(self) -> list[int]:
        """Targets of each answer, in order."""
        return [length for laid in self._laid for lengths in laid.lengths for length in lengths]

    def log_probs(self) -> Tensor:
        """Log-probability of every target at temperature 1, (num_targets,) float32; each answer's end is its last.

        In order of rows, questions, answers and tokens. With gradient unless torch is told otherwise.
        """
        loaded, device = self._loaded, self._loaded.device
        longest = max(map(len, self._laid))
        shape = (len(self._laid), longest)
        ids = np.zeros(shape, dtype=np.int64)
        positions = np.zeros((3, *shape), dtype=np.int64)
        is_video = np.zeros(shape, dtype=np.bool_)
        sees = np.zeros((len(self._laid), 1, longest, longest), dtype=np.bool_)
        # What stands behind a row's end sees itself: a softmax over nothing would be NaN, in the gradient too.
        sees[:, :, np.arange(longest), np.arange(longest)] = True
        for number, laid in enumerate(self._laid):
            trunk, end = len(laid.prefix), len(laid)
            ids[number, :trunk], ids[number, trunk:end] = laid.prefix.token_ids, laid.token_ids
            positions[:, number, :trunk], positions[:, number, trunk:end] = laid.prefix.positions, laid.positions
            is_video[number, :trunk] = laid.prefix.is_video
            sees[number, 0, :trunk, :trunk] = np.tri(trunk, dtype=np.bool_)
            sees[number, 0, trunk:end, :end] = laid.sees
        embeddings = embed(loaded, torch.from_numpy(ids).to(device))
        mask = torch.from_numpy(is_video).to(device)
        features = torch.cat([block.tokens for block in self._blocks]).to(embeddings.dtype)
        extra: dict[str, Any] = {}
        if self._blocks[0].deepstack:
            extra = {"visual_pos_masks": mask, "deepstack_visual_embeds": join_deepstack(self._blocks)}
        hidden = loaded.model.model.language_model(
            inputs_embeds=embeddings.masked_scatter(mask[..., None], features),
            position_ids=torch.from_numpy(positions).to(device),
            attention_mask=torch.from_numpy(sees).to(device),
            use_cache=False,
            **extra,
        ).last_hidden_state
        numbers = [number for number, laid in enumerate(self._laid) for _ in laid.columns]
        columns = [column for laid in self._laid for column in laid.columns]
        targets = torch.tensor([target for laid in self._laid for target in laid.targets], device=device)
        logits = project(loaded, hidden[torch.tensor(numbers, device=device), torch.tensor(columns, device=device)])
        return torch.log_softmax(logits, dim=-1).gather(1, targets[:, None])[:, 0]

    def split(self, values: Tensor) -> list[list[list[Tensor]]]:
        """Anything of the shape of `log_probs`, as rows -> questions -> answers -> (tokens incl. end,)."""
        parts = iter(torch.split(values, self.lengths))
        return [[[next(parts) for _ in lengths] for lengths in laid.lengths] for laid in self._laid]


def answer_log_probs(loaded: LoadedModel, rows: Sequence[LessonRow]) -> list[list[list[Tensor]]]:
    """Rows -> questions -> answers -> (tokens incl. end,) float32 log-probabilities at temperature 1, with gradient."""
    packed = PackedRows(loaded, rows)
    return packed.split(packed.log_probs())


def share_windows(
    segments: Sequence[tuple[Pixels, ...]], asked: Iterable[tuple[int, Asked]], segment_seconds: float
) -> list[LessonRow]:
    """One row for all that is asked of windows with the same first segment.

    Args:
        asked: the number of the first segment of the window, and what is asked after it.
    """
    by_start: dict[int, list[Asked]] = {}
    for start, each in asked:
        by_start.setdefault(start, []).append(each)
    return [
        LessonRow(
            tuple(segments[start : start + max(each.num_segments for each in group)]), tuple(group), segment_seconds
        )
        for start, group in by_start.items()
    ]


def portions(rows: Sequence[LessonRow], max_rows: int) -> Iterator[Sequence[LessonRow]]:
    """Runs of rows for one forward and backward each, so that memory is bounded whatever the number of rows."""
    for start in range(0, len(rows), max_rows):
        yield rows[start : start + max_rows]


def _lay(loaded: LoadedModel, row: LessonRow) -> _Laid:
    frames, layout = loaded.frames, loaded.layout
    num_frames = len(row.segments[0])
    grid = frames.token_grid(frames.frame_size(*row.segments[0][0].shape[:2]))
    times = block_seconds(len(row.segments), num_frames, frames.temporal_patch, row.segment_seconds)
    spans = [layout.header()]
    for at_seconds in times:
        spans.append(layout.block(spans[-1].next_position, *grid, at_seconds))
    ends = np.cumsum([len(span) for span in spans])  # by number of blocks
    tree = TokenTree(int(ends[-1]))
    nodes: list[int] = []
    targets: list[int] = []
    lengths: list[list[int]] = []
    for asked in row.asked:
        shown = asked.num_segments * frames.num_blocks(num_frames)
        root = tree.add_root(int(ends[shown]), spans[shown].next_position)
        start = tree.grow(root, layout.tokenize(render_suffix(asked.summary, asked.question)))[-1]
        answers = [layout.tokenize(answer) for answer in asked.answers]
        for answer in answers:
            nodes += [start, *tree.grow(start, answer)]
            targets += [*answer, layout.special.end]
        lengths.append([len(answer) + 1 for answer in answers])
    pending = tree.take_pending()
    columns = [int(ends[-1]) + node for node in nodes]
    return _Laid(join_spans(spans), pending.token_ids, pending.positions, pending.sees, columns, targets, lengths)


def _encode(loaded: LoadedModel, rows: Sequence[LessonRow], known: Features) -> list[BlockFeatures]:
    """The frame blocks of all rows, in order; what is not known is encoded, in one pass with its like."""
    by_size: dict[FrameSize, Features] = {}
    wanted: dict[tuple[int, ...], tuple[Pixels, ...]] = {}
    for row in rows:
        wanted.update((tuple(map(id, segment)), segment) for segment in row.segments)
    for key, segment in wanted.items():
        if key not in known:
            by_size.setdefault(loaded.frames.frame_size(*segment[0].shape[:2]), {})[key] = []
    with torch.no_grad():
        for size, keys in by_size.items():
            known |= zip(keys, encode_segments(loaded, [wanted[key] for key in keys], size), strict=True)
    return [block for row in rows for segment in row.segments for block in known[tuple(map(id, segment))]]
