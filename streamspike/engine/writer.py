"""Writes hypotheses and captions of all cameras on their trees, in the same forwards.

A writer moves on as long as what stands at its place is computed, and leaves behind what must be computed next. So a
word that was guessed (last time's sentences are computed along with the prefix) costs no forward, and draws that have
written the same so far cost one. Nothing changes in what is written: the numbers are those of one row after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamspike.belief.hypotheses import distinct
from streamspike.core import Sampling
from streamspike.engine.beams import Beams
from streamspike.engine.decode import Nucleus, greedy, pick, shortlist
from streamspike.engine.forward import send
from streamspike.engine.model import LoadedModel
from streamspike.engine.runner import PackedRow, logits_of
from streamspike.engine.tree import TokenTree

Reader = Callable[[list[int]], str]
"""Token ids to the sentence a person reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Tokens to be chosen, one after each node; the same node may stand here several times."""

    nodes: list[int]
    nucleus: tuple[Tensor, Tensor, Tensor] | None = None
    """Temperature, top_p and random number of each; None: the most likely token."""
    beams: Beams | None = None
    """Decide among all continuations of the nodes instead, of which each node may get several or none."""


class Writer(Protocol):
    @property
    def writing(self) -> bool:
        """Whether there is more to write."""
        ...

    def choose(self, tree: TokenTree) -> Choice | None:
        """What it needs to move on; None while it waits for a forward, or has ended."""
        ...

    def take(self, tree: TokenTree, choice: Choice, token_ids: list[int]) -> None:
        """Move on with what was chosen, and leave nodes to be computed next."""
        ...


def advance(loaded: LoadedModel, writers: Sequence[tuple[PackedRow, Writer]]) -> None:
    """Write as far as computed logits allow."""
    while asked := [(row, writer, choice) for row, writer in writers if (choice := writer.choose(row.tree))]:
        single = [(row, choice) for row, _, choice in asked if not choice.beams]
        chosen = iter(_choose(loaded, single) if single else ())
        for row, writer, choice in asked:
            token_ids = _follow(loaded, row, choice.nodes, choice.beams) if choice.beams else next(chosen)
            writer.take(row.tree, choice, token_ids)


def _follow(loaded: LoadedModel, row: PackedRow, nodes: list[int], beams: Beams) -> list[int]:
    """Move beams on by one token; the tokens of those that still write."""
    suppressed = torch.tensor(loaded.suppressed, dtype=torch.long).to(loaded.device)
    logits = torch.cat([part for _, part in logits_of(loaded, [(row, nodes)])])
    return beams.take(*shortlist(logits.index_fill(1, suppressed, -torch.inf), beams.wanted()))


def _choose(loaded: LoadedModel, asked: Sequence[tuple[PackedRow, Choice]]) -> list[list[int]]:
    """Token ids per choice. Special tokens are never chosen, except the one that ends an answer. The device is asked
    for all of them at once: each answer waited for costs the time of many small forwards."""
    once = [list(dict.fromkeys(choice.nodes)) for _, choice in asked]
    places: list[int] = []  # of each pick, among the nodes asked for
    nuclei: list[tuple[Tensor, ...]] = []
    offset = 0
    for (_, choice), nodes in zip(asked, once, strict=True):
        at = {node: offset + number for number, node in enumerate(nodes)}
        places += [at[node] for node in choice.nodes]
        nothing = torch.full((len(choice.nodes),), torch.nan, dtype=torch.float64)
        nuclei.append(choice.nucleus or (nothing, nothing, nothing))
        offset += len(nodes)
    place = np.array(places)
    temperature, top_p, number = (torch.cat(values) for values in zip(*nuclei, strict=True))
    drawn = (~temperature.isnan()).numpy()
    suppressed = torch.tensor(loaded.suppressed, dtype=torch.long).to(loaded.device)
    picks: list[NDArray[np.intp]] = []
    parts: list[Tensor] = []
    for part, logits in logits_of(loaded, [(row, nodes) for (row, _), nodes in zip(asked, once, strict=True)]):
        logits.index_fill_(1, suppressed, -torch.inf)
        inside = (place >= part.start) & (place < part.stop)
        for is_drawn in (False, True):
            here = np.flatnonzero(inside & (drawn == is_drawn))
            if len(here):
                rows = send(place[here] - part.start, loaded.device)
                which = torch.from_numpy(here)
                parts.append(
                    pick(logits[rows], temperature[which], top_p[which], number[which])
                    if is_drawn
                    else greedy(logits)[rows]
                )
                picks.append(here)
    token_ids = np.empty(len(place), dtype=np.int64)
    token_ids[np.concatenate(picks)] = torch.cat(parts).cpu().numpy()
    ends = np.cumsum([len(choice.nodes) for _, choice in asked])
    return [ids.tolist() for ids in np.split(token_ids, ends[:-1])]


class CaptionWriter:
    """The one most likely answer."""

    def __init__(self, start: int, end_id: int, max_tokens: int) -> None:
        """
        Args:
            start: node of the last token of the question.
        """
        self.token_ids: list[int] = []
        self._writing = True
        self._node = start
        self._end_id = end_id
        self._max_tokens = max_tokens

    @property
    def writing(self) -> bool:
        return self._writing

    def choose(self, tree: TokenTree) -> Choice | None:
        """Whatever was guessed behind its place is asked for along: a guess that is right needs no second look."""
        if not self._writing or not tree.is_computed(self._node):
            return None
        return Choice(tree.computed_from(self._node))

    def take(self, tree: TokenTree, choice: Choice, token_ids: list[int]) -> None:
        following = dict(zip(choice.nodes, token_ids, strict=True))
        while self._node in following:
            token_id = following[self._node]
            if token_id == self._end_id:
                self._writing = False
                return
            self.token_ids.append(token_id)
            if len(self.token_ids) == self._max_tokens:
                self._writing = False
                return
            (self._node,) = tree.grow(self._node, [token_id])


class BeamWriter:
    """Several answers to one question that decide together how they go on."""

    def __init__(self, start: int, beams: Beams, read: Reader) -> None:
        """
        Args:
            start: node of the last token of the question.
        """
        self._beams = beams
        self._nodes = [start] * len(beams.parents)
        self._read = read

    @property
    def writing(self) -> bool:
        return self._beams.writing

    @property
    def sentences(self) -> tuple[str, ...]:
        """One per beam, best first."""
        return tuple(self._read([*answer]) for answer in self._beams.answers)

    def choose(self, tree: TokenTree) -> Choice | None:
        if not self.writing or not all(map(tree.is_computed, self._nodes)):
            return None
        return Choice(self._nodes, beams=self._beams)

    def take(self, tree: TokenTree, choice: Choice, token_ids: list[int]) -> None:
        parents = [choice.nodes[parent] for parent in self._beams.parents]
        self._nodes = [tree.grow(node, [token_id])[-1] for node, token_id in zip(parents, token_ids, strict=True)]


class DrawWriter:
    """Several draws from one question, written until enough of them are distinct sentences.

    All draws take a step together, so that the random numbers are those of `decode.generate` with the same seed. A draw
    is given up when those before it have all ended and hold enough distinct sentences.
    """

    def __init__(self, start: int, end_id: int, sampling: Sampling, nucleus: Nucleus, read: Reader) -> None:
        """
        Args:
            start: node of the last token of the question.
            nucleus: as many rows as there are draws.
        """
        self._nucleus = nucleus
        self._nodes = [start] * nucleus.num_rows
        self._written: list[list[int]] = [[] for _ in range(nucleus.num_rows)]
        self._drawing = list(range(nucleus.num_rows))
        self._sentences: list[str] = []  # of the draws that ended, as far as all before them ended too
        self._end_id = end_id
        self._sampling = sampling
        self._read = read

    @property
    def writing(self) -> bool:
        return bool(self._drawing)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Of the draws that count, in order; all of them when the writer has ended."""
        return tuple(self._sentences)

    def choose(self, tree: TokenTree) -> Choice | None:
        nodes = [self._nodes[draw] for draw in self._drawing]
        if not nodes or not all(map(tree.is_computed, nodes)):
            return None
        nucleus, rows = self._nucleus, self._drawing
        return Choice(nodes, (nucleus.temperature[rows], nucleus.top_p[rows], nucleus.draw()[rows]))

    def take(self, tree: TokenTree, choice: Choice, token_ids: list[int]) -> None:
        drawing, self._drawing = self._drawing, []
        for draw, token_id in zip(drawing, token_ids, strict=True):
            if token_id == self._end_id:
                continue
            self._written[draw].append(token_id)
            if len(self._written[draw]) < self._sampling.max_hypothesis_tokens:
                self._drawing.append(draw)
        if len(self._drawing) < len(drawing):
            self._collect()
        for draw in self._drawing:
            (self._nodes[draw],) = tree.grow(self._nodes[draw], self._written[draw][-1:])

    def _collect(self) -> None:
        """Read the draws that have ended, in order, and stop when they are enough."""
        still = set(self._drawing)
        while len(self._sentences) < len(self._written) and len(self._sentences) not in still:
            self._sentences.append(self._read(self._written[len(self._sentences)]))
        if len(distinct(self._sentences)) >= self._sampling.num_hypotheses:
            self._drawing = []
