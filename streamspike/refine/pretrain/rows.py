"""One training row per clip: all frame blocks once, then text branches that each see only the frames up to their time.

This is what streaming shows the model, 5 to 10 times cheaper than one sample at a time. Branches lie in bins of equal
length, beside which nothing but the prefix is attended to (`bins.py`). A branch restarts its positions
where the last visible frame block ended, as the engine does, so trained and served numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamspike.belief import prompts

Encode = Callable[[str], list[int]]
"""Text to token ids, special tokens recognised, none added."""
BIN_TOKENS = 64
"""Holds one branch with a memory or four without; larger ones leave as much padding and more vain pairs."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A question about the moment after `num_blocks` frame blocks, and its answer."""

    num_blocks: int
    question: str
    summary: str
    answer: str
    weight: float = 1.0
    rivals: tuple[str, ...] = ()
    """Wrong answers to the same question, which the right one must be likelier than."""
    chances: tuple[tuple[str, float], ...] = ()
    """What the answer was drawn from, if that is known: then each of its words is learned as a draw among all words
    that could have stood there, which has the same mean and varies less (Rao-Blackwell)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of several clips: the prefix, then bins of branches, padded.

    Of T tokens, the targets, the model is asked; what each of them could be stands in S shares.
    """

    ids: Tensor  # (B, L) int64
    positions: Tensor  # (3, B, L) int64
    owner: Tensor
    """(B, L) int64: 0 for the prefix, k for what belongs to the k-th answer of the row, -1 for padding."""
    visible: Tensor
    """(B, L) int64: each token sees so much of the prefix, and what its own answer has before it."""
    prefix: int
    """P, tokens of the prefix; L - P is a multiple of `bin`."""
    bin: int
    rows: Tensor  # (T,) int64: the row of each target
    columns: Tensor  # (T,) int64: the token that predicts it
    shared: Tensor
    """(S,) int64, ascending: the target that each share is of; each target has one at least."""
    tokens: Tensor  # (S,) int64: what could stand in its place
    shares: Tensor  # (S,) float32: how probably; of each target they sum to 1
    weights: Tensor  # (T,) float32
    questions: tuple[str, ...]
    """Per target, which question it answers; for reports."""
    video: Tensor  # (B, L) bool: True where a frame token goes
    answers: Tensor
    """(T,) int64: per target, the number of the answer it is part of. Targets of rivals weigh nothing by themselves."""
    contests: Tensor
    """(contests, 1 + most rivals) int64: numbers of answers, the right one first, -1 where there are fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """A question and one answer to it."""

    branch: Branch
    suffix: list[int]
    answer: list[int]
    """With the end token, which is only ever predicted."""
    weight: float
    contest: int
    """The branch it belongs to: its answer comes first, then its rivals."""
    shares: list[dict[int, float]]
    """What could stand in the place of each token of the answer, and how probably."""

    @property
    def tokens(self) -> list[int]:
        return self.suffix + self.answer[:-1]


class RowBuilder:
    """Builds rows for clips of `num_blocks` frame blocks of side x side merged tokens."""

    def __init__(self, encode: Encode, num_blocks: int, side: int, pad_id: int) -> None:
        self._encode = encode
        self._pad_id = pad_id
        (start,), (end,), (pad,) = encode("<|vision_start|>"), encode("<|vision_end|>"), encode("<|video_pad|>")
        header = encode(prompts.HEADER)
        self._end_id = encode(prompts.END)
        ids, columns, next_position = list(header), [np.tile(np.arange(len(header)), (3, 1))], len(header)
        self._ends, self._next_positions = [len(ids)], [next_position]
        grid_rows, grid_columns = np.divmod(np.arange(side * side), side)
        for _ in range(num_blocks):
            ids += [start] + [pad] * (side * side) + [end]
            inner = next_position + 1
            grid = np.stack([np.full(side * side, inner), inner + grid_rows, inner + grid_columns])
            columns += [np.full((3, 1), next_position), grid, np.full((3, 1), inner + side)]
            next_position = inner + side + 1
            self._ends.append(len(ids))
            self._next_positions.append(next_position)
        self._prefix = np.array(ids)
        self._prefix_positions = np.concatenate(columns, axis=1)
        self._video = self._prefix == pad

    def build(self, clips: Sequence[Sequence[Branch]]) -> Batch:
        """One row per clip from its branches."""
        texts = [self._texts(branches) for branches in clips]
        size = max(BIN_TOKENS, *(len(text.tokens) for row in texts for text in row))
        places = [pack([len(text.tokens) for text in row], size) for row in texts]
        prefix = len(self._prefix)
        num_bins = max(place // size + 1 for row in places for place in row)
        shape = len(texts), prefix + num_bins * size
        ids = np.full(shape, self._pad_id)
        positions = np.zeros((3, *shape), np.int64)
        owner, visible = np.full(shape, -1), np.zeros(shape, np.int64)
        ids[:, :prefix], positions[:, :, :prefix] = self._prefix, self._prefix_positions[:, None]
        owner[:, :prefix], visible[:, :prefix] = 0, np.arange(1, prefix + 1)
        targets: list[tuple[int, int, float, int]] = []
        shares: list[tuple[int, int, float]] = []
        questions: list[str] = []
        contests: dict[tuple[int, int], list[int]] = {}
        num_answers = 0
        for r, row in enumerate(texts):
            for k, (text, place) in enumerate(zip(row, places[r], strict=True), start=1):
                span = slice(prefix + place, prefix + place + len(text.tokens))
                start = self._next_positions[text.branch.num_blocks]
                ids[r, span], owner[r, span] = text.tokens, k
                positions[:, r, span] = np.arange(start, start + len(text.tokens))
                visible[r, span] = self._ends[text.branch.num_blocks]
                first = span.start + len(text.suffix) - 1
                for number, could in enumerate(text.shares, start=len(targets)):
                    shares += [(number, token, share) for token, share in could.items()]
                targets += [(r, first + i, text.weight, num_answers) for i in range(len(text.answer))]
                questions += [text.branch.question] * len(text.answer)
                contests.setdefault((r, text.contest), []).append(num_answers)
                num_answers += 1
        video = np.zeros(shape, np.bool_)
        video[:, :prefix] = self._video
        fought = [contest for contest in contests.values() if len(contest) > 1]
        most = max((len(contest) for contest in fought), default=0)
        padded = [contest + [-1] * (most - len(contest)) for contest in fought]
        r_, c_, w_, a_ = zip(*targets, strict=True)
        s_, t_, p_ = zip(*shares, strict=True)
        return Batch(
            torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(owner), torch.from_numpy(visible),
            prefix, size, torch.tensor(r_), torch.tensor(c_),
            torch.tensor(s_), torch.tensor(t_), torch.tensor(p_, dtype=torch.float32),
            torch.tensor(w_, dtype=torch.float32),
            tuple(questions), torch.from_numpy(video), torch.tensor(a_),
            torch.tensor(padded, dtype=torch.int64).reshape(len(padded), most),
        )  # fmt: skip

    def _texts(self, branches: Sequence[Branch]) -> list[_Text]:
        texts: list[_Text] = []
        for number, branch in enumerate(branches):
            suffix = self._encode(prompts.render_suffix(branch.summary, branch.question))
            table = [(self._encode(text) + self._end_id, chance) for text, chance in branch.chances]
            for answer in (branch.answer, *branch.rivals):
                weight = branch.weight if answer == branch.answer else 0.0
                ids = self._encode(answer) + self._end_id
                shares = conditionals(ids, table if weight else [])
                texts.append(_Text(branch, suffix, ids, weight, number, shares))
        return texts


def conditionals(ids: Sequence[int], table: Sequence[tuple[Sequence[int], float]]) -> list[dict[int, float]]:
    """At each place of a sentence, what could follow what stands before it, with its probability.

    Args:
        ids: the sentence, one of the table's; end token included, as everywhere here.
        table: all sentences with their probabilities; empty: this one alone.
    """
    alive = list(table) or [(ids, 1.0)]
    found = []
    for place, token in enumerate(ids):
        could: dict[int, float] = {}
        for sentence, chance in alive:
            could[sentence[place]] = could.get(sentence[place], 0.0) + chance
        total = sum(could.values())
        found.append({other: chance / total for other, chance in could.items()})
        alive = [(sentence, chance) for sentence, chance in alive if sentence[place] == token]
    return found


def pack(lengths: Sequence[int], size: int) -> list[int]:
    """Where each text begins, so that none crosses the border of a bin of `size`: the first bin with room takes it."""
    filled: list[int] = []
    places = []
    for length in lengths:
        chosen = next((k for k, used in enumerate(filled) if used + length <= size), len(filled))
        if chosen == len(filled):
            filled.append(0)
        places.append(chosen * size + filled[chosen])
        filled[chosen] += length
    return places
