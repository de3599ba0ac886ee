"""Keys and values of a stream's prefix, in storage that is allocated once and cut back by length.

A `DynamicCache` concatenates on every step, which copies the prefix each time; here a step writes behind the end, and
what branches wrote is forgotten by moving the end back.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

STEP_TOKENS = 256
"""Storage grows by multiples of this, and at least by half, so that a stream stops allocating after a few segments."""


class GrowLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """One layer. Its tensors are views of the storage up to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.num_tokens = 0
        self._storage: tuple[Tensor, Tensor] | None = None  # each (B, num_kv_heads, capacity, head_dim)

    @property
    def storage_bytes(self) -> int:
        return sum(part.numel() * part.element_size() for part in self._storage or ())

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write behind the end.

        Returns:
            Keys and values of all tokens, (B, num_kv_heads, num_tokens, head_dim); valid until the next update.
        """
        start, self.num_tokens = self.num_tokens, self.num_tokens + int(key_states.shape[2])
        old_keys, old_values = self._storage or (None, None)
        self._storage = self._write(old_keys, start, key_states), self._write(old_values, start, value_states)
        self.keys, self.values = (part[:, :, : self.num_tokens] for part in self._storage)
        self.is_initialized = True
        return self.keys, self.values

    def truncate(self, num_tokens: int) -> None:
        """Forget all but the first tokens; the storage stays."""
        assert 0 <= num_tokens <= self.num_tokens, (num_tokens, self.num_tokens)
        self.num_tokens = num_tokens
        if self._storage is not None:
            self.keys, self.values = (part[:, :, :num_tokens] for part in self._storage)

    def get_seq_length(self) -> int:
        return self.num_tokens

    def _write(self, held: Tensor | None, start: int, new: Tensor) -> Tensor:
        if held is None or held.shape[2] < self.num_tokens:
            wanted = max(self.num_tokens, start + start // 2)
            grown = new.new_empty((*new.shape[:2], -(-wanted // STEP_TOKENS) * STEP_TOKENS, new.shape[3]))
            if held is not None:
                grown[:, :, :start] = held[:, :, :start]
            held = grown
        held[:, :, start : self.num_tokens] = new
        return held


class PrefixCache(Cache):  # type: ignore[misc]  # transformers has no types
    """All layers of one stream; handed to the language model as `past_key_values`."""

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[GrowLayer() for _ in range(num_layers)])

    @property
    def num_tokens(self) -> int:
        """Tokens held; between forwards every layer holds the same."""
        return int(self.layers[0].num_tokens)

    @property
    def storage_bytes(self) -> int:
        """What is allocated, used or not."""
        return sum(layer.storage_bytes for layer in self.layers)

    def truncate(self, num_tokens: int) -> None:
        """Forget all but the first tokens."""
        for layer in self.layers:
            layer.truncate(num_tokens)

    def check_integrity(self) -> None:
        """Every layer holds the same tokens."""
        assert {layer.num_tokens for layer in self.layers} == {self.num_tokens}
