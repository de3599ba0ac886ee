"""Text behind a prefix as one tree: a token that two branches share is computed once, and each sees only its own past.

    [header][block ...][block of O_t] question PREDICT -- answer tokens ...     sees the prefix without O_t
                                      question OBSERVE -- answer tokens ...     sees all of it
                                                 (verify) ...

A node is one token after one past; nodes are numbered in the order of their cache columns behind the prefix. Plain
numpy, no torch: what is computed when is decided here, and can be tested without a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamspike.engine.layout import Integers

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """Nodes that wait for their forward, in order."""

    token_ids: Integers  # (num_pending,)
    positions: Integers  # (num_pending,), the same on all three axes: text
    sees: Booleans
    """(num_pending, prefix tokens + nodes), which columns each may attend to; its own is one of them."""


class TokenTree:
    """All branches of one request. Roots are not tokens; their ids are negative."""

    def __init__(self, num_prefix_tokens: int) -> None:
        self._num_prefix_tokens = num_prefix_tokens
        self._roots: list[tuple[int, int]] = []  # (visible prefix tokens, first position)
        self._children: dict[tuple[int, int], int] = {}
        self._token_ids: list[int] = []
        self._positions: list[int] = []
        self._parents: list[int] = []
        self._visible: list[int] = []  # prefix tokens each node sees
        self._sees = np.zeros((64, 64), dtype=np.bool_)  # (nodes, nodes), grown by doubling
        self._num_computed = 0

    @property
    def num_nodes(self) -> int:
        return len(self._token_ids)

    @property
    def num_pending(self) -> int:
        return self.num_nodes - self._num_computed

    def is_computed(self, node: int) -> bool:
        return 0 <= node < self._num_computed

    def computed_from(self, node: int) -> list[int]:
        """A computed node and all computed ones behind it."""
        found = [node]
        inside = {node}
        for other in range(node + 1, self._num_computed):
            if self._parents[other] in inside:
                inside.add(other)
                found.append(other)
        return found

    def seen_from(self, node: int) -> tuple[Booleans, int]:
        """What a computed node sees, (prefix tokens + computed nodes,), itself too, and the position after it."""
        prefix = np.arange(self._num_prefix_tokens) < self._visible[node]
        return np.concatenate([prefix, self._sees[node, : self._num_computed]]), self._positions[node] + 1

    def add_root(self, num_visible: int, position: int) -> int:
        """A place where branches start that see the first `num_visible` tokens of the prefix.

        Args:
            position: of the first token after those.
        """
        assert 0 < num_visible <= self._num_prefix_tokens, (num_visible, self._num_prefix_tokens)
        self._roots.append((num_visible, position))
        return -len(self._roots)

    def grow(self, node: int, token_ids: Sequence[int]) -> list[int]:
        """Follow tokens from a node, adding the nodes that are missing.

        Returns:
            The node of each token.
        """
        path = []
        for token_id in token_ids:
            child = self._children.get((node, token_id))
            node = self._add(node, token_id) if child is None else child
            path.append(node)
        return path

    def take_pending(self) -> Pending:
        """What waits for its forward; from now on it counts as computed."""
        first, last = self._num_computed, self.num_nodes
        visible = np.asarray(self._visible[first:], dtype=np.int64)
        sees = np.empty((last - first, self._num_prefix_tokens + last), dtype=np.bool_)
        sees[:, : self._num_prefix_tokens] = np.arange(self._num_prefix_tokens) < visible[:, None]
        sees[:, self._num_prefix_tokens :] = self._sees[first:last, :last]
        self._num_computed = last
        return Pending(
            np.asarray(self._token_ids[first:], dtype=np.int64), np.asarray(self._positions[first:], np.int64), sees
        )

    def _add(self, parent: int, token_id: int) -> int:
        node = self.num_nodes
        if node == len(self._sees):
            self._sees = np.pad(self._sees, (0, node))
        if parent < 0:
            visible, position = self._roots[-parent - 1]
        else:
            visible, position = self._visible[parent], self._positions[parent] + 1
            self._sees[node, : parent + 1] = self._sees[parent, : parent + 1]
        self._sees[node, node] = True
        self._children[parent, token_id] = node
        self._token_ids.append(token_id)
        self._positions.append(position)
        self._parents.append(parent)
        self._visible.append(visible)
        return node
