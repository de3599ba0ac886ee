"""Runs one stream's row: what the prefix lacks and all branches that wait, in one forward under a tree mask.

Decides nothing: the tree says what waits, the stream what the prefix lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import Row, project, run_tokens
from streamspike.engine.model import LoadedModel
from streamspike.engine.tree import TokenTree

MAX_PROJECTED = 128
"""Tokens whose logits are held at a time while scoring: 80 MB for a vocabulary of 150 000."""


class PackedRow:
    """Prefix and branches of one request. The branches stay in the cache until it is truncated."""

    def __init__(self, loaded: LoadedModel, cache: PrefixCache, extension: Row | None) -> None:
        """
        Args:
            cache: what is held of the prefix.
            extension: what the prefix lacks; it goes with the first forward.
        """
        self._loaded = loaded
        self._cache = cache
        self._extension = extension
        self.num_prefix_tokens = cache.num_tokens + (len(extension.span) if extension else 0)
        self.tree = TokenTree(self.num_prefix_tokens)
        self._hidden = torch.empty(0)  # (nodes, hidden) after the first forward
        self._suppressed = torch.tensor(loaded.suppressed, dtype=torch.long, device=loaded.device)

    def compute(self) -> None:
        """One forward of everything that waits; nothing if nothing does."""
        if not self.tree.num_pending and not self._extension:
            return
        extension, self._extension = self._extension, None
        pending = self.tree.take_pending()
        ids, sees = pending.token_ids, pending.sees
        positions = np.tile(pending.positions, (3, 1))
        is_video = np.zeros(len(ids), dtype=np.bool_)
        num_new = 0
        if extension:
            span, num_new = extension.span, len(extension.span)
            ids = np.concatenate([span.token_ids, ids])
            positions = np.concatenate([span.positions, positions], axis=1)
            is_video = np.concatenate([span.is_video, is_video])
            causal = np.arange(sees.shape[1]) <= np.arange(self._cache.num_tokens, self.num_prefix_tokens)[:, None]
            sees = np.concatenate([causal, sees])
        hidden = run_tokens(
            self._loaded,
            ids[None],
            positions[:, None],
            is_video[None],
            extension.blocks if extension else (),
            self._cache,
            torch.from_numpy(sees).to(self._loaded.device)[None, None],
        )[0, num_new:]
        self._hidden = torch.cat([self._hidden, hidden]) if len(self._hidden) else hidden

    def logits(self, nodes: Sequence[int]) -> Tensor:
        """Raw logits of what follows each node, (num_nodes, vocabulary) float32."""
        return project(self._loaded, self._hidden[torch.tensor(nodes, device=self._loaded.device)])

    def offered(self, nodes: Sequence[int]) -> Tensor:
        """The same for writing: tokens that must never be written have -inf."""
        return self.logits(nodes).index_fill(1, self._suppressed, -torch.inf)

    def log_probabilities(self, nodes: Sequence[int], token_ids: Sequence[int]) -> list[float]:
        """Log-probability of each token after its node, at temperature 1."""
        targets = torch.tensor(token_ids, device=self._loaded.device)
        parts = []
        for start in range(0, len(nodes), MAX_PROJECTED):
            chunk = slice(start, start + MAX_PROJECTED)
            log_probabilities = torch.log_softmax(self.logits(nodes[chunk]), dim=-1)
            parts.append(log_probabilities.gather(1, targets[chunk, None])[:, 0])
        values: list[float] = torch.cat(parts).tolist()
        return values

    def choices(self, nodes: Sequence[int], options: Sequence[int]) -> list[list[float]]:
        """Log-probabilities over a few tokens alone, after each node."""
        logits = self.logits(nodes)[:, list(options)]
        values: list[list[float]] = torch.log_softmax(logits.double(), dim=-1).tolist()
        return values
