"""Writes hypotheses and the caption on one tree, in the same forwards.

A writer moves on as long as what stands at its place is computed, and leaves behind what must be computed next. So a
word that was guessed (last time's sentences are computed along with the prefix) costs no forward, and draws that have
written the same so far cost one. Nothing changes in what is written: the numbers are those of one row after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streamspike.belief.hypotheses import distinct
from streamspike.core import Sampling
from streamspike.engine.decode import Nucleus, greedy
from streamspike.engine.runner import PackedRow

Reader = Callable[[list[int]], str]
"""Token ids to the sentence a person reads."""


class Writer(Protocol):
    def advance(self, row: PackedRow) -> bool:
        """Write as far as computed logits allow, and leave nodes to be computed next.

        Returns:
            Whether there is more to write.
        """
        ...


class CaptionWriter:
    """The one most likely answer."""

    def __init__(self, start: int, end_id: int, max_tokens: int) -> None:
        """
        Args:
            start: node of the last token of the question.
        """
        self.token_ids: list[int] = []
        self._node = start
        self._end_id = end_id
        self._max_tokens = max_tokens
        self._writing = True

    def advance(self, row: PackedRow) -> bool:
        while self._writing and row.tree.is_computed(self._node):
            token_id = int(greedy(row.offered([self._node])))
            if token_id == self._end_id:
                self._writing = False
                break
            self.token_ids.append(token_id)
            self._writing = len(self.token_ids) < self._max_tokens
            if self._writing:
                (self._node,) = row.tree.grow(self._node, [token_id])
        return self._writing


class HypothesisWriter:
    """Several draws from one question, of which the first distinct sentences count.

    All draws take a step together, so that the random numbers are those of `decode.generate` with the same seed. A draw
    is given up when those before it have all ended and hold enough distinct sentences.
    """

    def __init__(self, start: int, end_id: int, sampling: Sampling, num_draws: int, seed: int, read: Reader) -> None:
        """
        Args:
            start: node of the last token of the question.
        """
        self._choose = Nucleus(sampling, num_draws, seed)
        self._nodes = [start] * num_draws
        self._written: list[list[int]] = [[] for _ in range(num_draws)]
        self._writing = list(range(num_draws))
        self._sentences: list[str] = []  # of the draws that ended, as far as all before them ended too
        self._end_id = end_id
        self._sampling = sampling
        self._read = read

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """At most as many distinct sentences as are wanted; all of them when the writer has ended."""
        return distinct(self._sentences)[: self._sampling.num_hypotheses]

    def advance(self, row: PackedRow) -> bool:
        while self._writing and all(row.tree.is_computed(self._nodes[draw]) for draw in self._writing):
            self._step(row)
        return bool(self._writing)

    def _step(self, row: PackedRow) -> None:
        places = [self._nodes[draw] for draw in self._writing]
        once = list(dict.fromkeys(places))
        logits = row.offered(once)[[once.index(place) for place in places]]  # (num_writing, vocabulary)
        writing, self._writing = self._writing, []
        for draw, token_id in zip(writing, self._choose(logits, writing).tolist(), strict=True):
            if token_id == self._end_id:
                continue
            self._written[draw].append(token_id)
            if len(self._written[draw]) < self._sampling.max_hypothesis_tokens:
                self._writing.append(draw)
        if len(self._writing) < len(writing):
            self._collect()
        for draw in self._writing:
            (self._nodes[draw],) = row.tree.grow(self._nodes[draw], self._written[draw][-1:])

    def _collect(self) -> None:
        """Read the draws that have ended, in order, and stop when they are enough."""
        still = set(self._writing)
        while len(self._sentences) < len(self._written) and len(self._sentences) not in still:
            self._sentences.append(self._read(self._written[len(self._sentences)]))
        if len(self.hypotheses) == self._sampling.num_hypotheses:
            self._writing = []
