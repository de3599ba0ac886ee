"""Runs the rows of a step: what each prefix lacks and all branches that wait, of all cameras, in one forward.

Decides nothing: the trees say what waits, the streams what their prefixes lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import Addition, Row, project, run_additions, send
from streamspike.engine.model import LoadedModel
from streamspike.engine.steady import run_fixed
from streamspike.engine.tree import TokenTree

MAX_TOKENS = 16_384
"""In one forward; more are split between cameras, so that memory is bounded whatever the number of cameras."""

MAX_PROJECTED = 256
"""Tokens whose logits are held at a time: 160 MB for a vocabulary of 150 000."""

Places = tuple["PackedRow", Sequence[int]]
"""Nodes of a row."""


class PackedRow:
    """Prefix and branches of one request. The branches stay in the cache until it is truncated."""

    def __init__(self, cache: PrefixCache, extension: Row | None) -> None:
        """
        Args:
            cache: what is held of the prefix.
            extension: what the prefix lacks; it goes with the first forward.
        """
        self.cache = cache
        self._extension = extension
        self.num_prefix_tokens = cache.num_tokens + (len(extension.span) if extension else 0)
        self.tree = TokenTree(self.num_prefix_tokens)
        self._hidden = torch.empty(0)  # (nodes, hidden) after the first forward

    @property
    def num_computed(self) -> int:
        """Tokens in the cache: the prefix and all computed nodes."""
        return self.num_prefix_tokens + self.tree.num_nodes - self.tree.num_pending

    def take(self) -> Addition | None:
        """All that waits; from now on it counts as computed. None if nothing does."""
        if not self.tree.num_pending and not self._extension:
            return None
        extension, self._extension = self._extension, None
        pending = self.tree.take_pending()
        ids = pending.token_ids
        positions = np.tile(pending.positions, (3, 1))
        is_video = np.zeros(len(ids), dtype=np.bool_)
        if extension:
            span = extension.span
            ids = np.concatenate([span.token_ids, ids])
            positions = np.concatenate([span.positions, positions], axis=1)
            is_video = np.concatenate([span.is_video, is_video])
        blocks, num_trunk = (extension.blocks, len(extension.span)) if extension else ((), 0)
        return Addition(ids, positions, is_video, blocks, num_trunk, pending.sees, self.cache)

    def put(self, hidden: Tensor) -> None:
        """The hidden states of what was taken."""
        new = hidden[len(hidden) - (self.tree.num_nodes - len(self._hidden)) :]
        self._hidden = torch.cat([self._hidden, new]) if len(self._hidden) else new

    def hidden(self, nodes: Sequence[int]) -> Tensor:
        """(num_nodes, hidden) of computed nodes."""
        return self._hidden[send(np.asarray(nodes, dtype=np.int64), self._hidden.device)]


def compute(loaded: LoadedModel, rows: Sequence[PackedRow]) -> None:
    """One forward of everything that waits in any row; nothing if nothing does. On a GPU one for each size of rows."""
    taken = [(row, addition) for row in rows if (addition := row.take()) is not None]
    if loaded.graphs is not None:
        found = run_fixed(loaded, loaded.graphs, [addition for _, addition in taken])
        for (row, _), hidden in zip(taken, found, strict=True):
            if hidden is not None:
                row.put(hidden)
        taken = [item for item, hidden in zip(taken, found, strict=True) if hidden is None]
    for part in _bounded(taken):
        results = run_additions(loaded, [addition for _, addition in part])
        for (row, _), hidden in zip(part, results, strict=True):
            row.put(hidden)


def _bounded(taken: Sequence[tuple[PackedRow, Addition]]) -> Iterator[Sequence[tuple[PackedRow, Addition]]]:
    """Runs of at most MAX_TOKENS tokens, or of one row."""
    start, tokens = 0, 0
    for number, (_, addition) in enumerate(taken):
        if number > start and tokens + len(addition.token_ids) > MAX_TOKENS:
            yield taken[start:number]
            start, tokens = number, 0
        tokens += len(addition.token_ids)
    if taken:
        yield taken[start:]


def logits_of(loaded: LoadedModel, places: Sequence[Places]) -> Iterator[tuple[slice, Tensor]]:
    """Raw logits of what follows each node, in order, a bounded part at a time.

    Returns:
        Which of all nodes, and (num_nodes, vocabulary) float32.
    """
    hidden = torch.cat([row.hidden(nodes) for row, nodes in places])
    for start in range(0, len(hidden), MAX_PROJECTED):
        part = slice(start, min(start + MAX_PROJECTED, len(hidden)))
        yield part, project(loaded, hidden[part])


def log_probabilities(loaded: LoadedModel, places: Sequence[Places], token_ids: Sequence[int]) -> list[float]:
    """Log-probability of each token after its node, at temperature 1."""
    targets = send(np.asarray(token_ids, dtype=np.int64), loaded.device)
    parts = [
        torch.log_softmax(logits, dim=-1).gather(1, targets[part, None])[:, 0]
        for part, logits in logits_of(loaded, places)
    ]
    values: list[float] = torch.cat(parts).tolist()
    return values


def choices(loaded: LoadedModel, places: Sequence[Places], options: Sequence[int]) -> list[list[float]]:
    """Log-probabilities over a few tokens alone, after each node."""
    parts = [logits[:, list(options)].double() for _, logits in logits_of(loaded, places)]
    values: list[list[float]] = torch.log_softmax(torch.cat(parts), dim=-1).tolist()
    return values
