"""Keys and values of a stream's prefix, in storage that is allocated once and cut back by length.

A `DynamicCache` concatenates on every step, which copies the prefix each time; here a step writes behind the end, and
what branches wrote is forgotten by moving the end back.

A prefix that loses its oldest blocks moves to lower positions, so its keys must be rotated back. All three axes of
M-RoPE move alike, which makes it a plain rotation by `shift * inv_freq`, however a family spreads the axes over the
head, and whatever factor its rotary scales keys with. In bfloat16 one rotation on top of another adds up to an error of
50 % in 512 slides; so the keys as they were written are kept beside the rotated ones, and each slide rotates those, in
float32, by all they have moved so far.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

STEP_TOKENS = 256
"""Storage grows by multiples of this, and at least by half, so that a stream stops allocating after a few segments."""

Frequencies: TypeAlias = Tensor
"""(head_dim / 2,) `inv_freq` of a model's rotary embedding: radians per position."""


class Columns:
    """A tensor (B, heads, num_tokens, width) that grows and shrinks in tokens."""

    def __init__(self) -> None:
        self.num_tokens = 0
        self._storage: Tensor | None = None  # (B, heads, capacity, width)

    @property
    def storage_bytes(self) -> int:
        return 0 if self._storage is None else self._storage.numel() * self._storage.element_size()

    @property
    def held(self) -> Tensor:
        """A view, valid until something is appended or evicted."""
        assert self._storage is not None
        return self._storage[:, :, : self.num_tokens]

    def append(self, new: Tensor) -> None:
        start, self.num_tokens = self.num_tokens, self.num_tokens + int(new.shape[2])
        if self._storage is None or self._storage.shape[2] < self.num_tokens:
            wanted = max(self.num_tokens, start + start // 2)
            grown = new.new_empty((*new.shape[:2], -(-wanted // STEP_TOKENS) * STEP_TOKENS, new.shape[3]))
            if self._storage is not None:
                grown[:, :, :start] = self._storage[:, :, :start]
            self._storage = grown
        self._storage[:, :, start : self.num_tokens] = new

    def truncate(self, num_tokens: int) -> None:
        """Forget all but the first tokens, if there are more."""
        self.num_tokens = min(self.num_tokens, num_tokens)

    def evict(self, first_token: int, num_tokens: int) -> None:
        """Forget [first_token, first_token + num_tokens), as far as it is held; the storage stays."""
        behind = first_token + num_tokens
        if self.num_tokens > behind:
            # Cloned, because source and target overlap.
            self.held[:, :, first_token:-num_tokens] = self.held[:, :, behind:].clone()
        self.num_tokens -= max(0, min(self.num_tokens, behind) - first_token)


class GrowLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """One layer. `keys` and `values` are views of the storage up to the end."""

    def __init__(self) -> None:
        super().__init__()
        self._keys = Columns()
        self._values = Columns()
        self.pristine = Columns()
        """The first keys as they were written. Those behind them were never rotated; without slides it stays empty."""

    @property
    def num_tokens(self) -> int:
        return self._keys.num_tokens

    @property
    def storage_bytes(self) -> int:
        return sum(columns.storage_bytes for columns in self._all)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write behind the end.

        Returns:
            Keys and values of all tokens, (B, num_kv_heads, num_tokens, head_dim); valid until the next update.
        """
        self._keys.append(key_states)
        self._values.append(value_states)
        self.is_initialized = True
        self._show()
        return self.keys, self.values

    def truncate(self, num_tokens: int) -> None:
        """Forget all but the first tokens; the storage stays."""
        assert 0 <= num_tokens <= self.num_tokens, (num_tokens, self.num_tokens)
        for columns in self._all:
            columns.truncate(num_tokens)
        self._show()

    def evict(self, first_token: int, num_tokens: int) -> None:
        """Forget [first_token, first_token + num_tokens) and close the gap."""
        assert 0 <= first_token < first_token + num_tokens <= self.num_tokens, (first_token, num_tokens)
        for columns in self._all:
            columns.evict(first_token, num_tokens)
        self._show()

    def rotate(self, first_token: int, cosine: Tensor, sine: Tensor) -> None:
        """Rotate keys from `first_token` on to where they stand now.

        Args:
            cosine, sine: (num_tokens - first_token, head_dim) float32, of the way from where each key was written.
        """
        self.pristine.append(self.keys[:, :, self.pristine.num_tokens :])
        written = self.pristine.held[:, :, first_token:].float()
        front, back = written.chunk(2, dim=-1)
        self.keys[:, :, first_token:] = written * cosine + torch.cat([-back, front], dim=-1) * sine

    def get_seq_length(self) -> int:
        return self.num_tokens

    @property
    def _all(self) -> tuple[Columns, ...]:
        return self._keys, self._values, self.pristine

    def _show(self) -> None:
        if self.is_initialized:
            self.keys, self.values = self._keys.held, self._values.held


class PrefixCache(Cache):  # type: ignore[misc]  # transformers has no types
    """All layers of one stream; handed to the language model as `past_key_values`."""

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[GrowLayer() for _ in range(num_layers)])
        self._shifts = torch.zeros(0, dtype=torch.int64)  # (tokens with a pristine key,) positions moved since

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
        self._shifts = self._shifts[:num_tokens]

    def evict(self, first_token: int, num_tokens: int) -> None:
        """Forget [first_token, first_token + num_tokens) and close the gap; what stood behind keeps its positions."""
        for layer in self.layers:
            layer.evict(first_token, num_tokens)
        self._shifts = torch.cat([self._shifts[:first_token], self._shifts[first_token + num_tokens :]])

    def rotate(self, first_token: int, shift: int, inv_freq: Frequencies) -> None:
        """Move all tokens from `first_token` on by `shift` positions."""
        fresh = torch.zeros(self.num_tokens - len(self._shifts), dtype=torch.int64, device=inv_freq.device)
        self._shifts = torch.cat([self._shifts.to(inv_freq.device), fresh])
        self._shifts[first_token:] += shift
        # In float64, so that angles are as good at position 30 000 as at 3; it is one small table for all layers.
        angles = self._shifts[first_token:, None].double() * inv_freq.double()
        angles = torch.cat([angles, angles], dim=-1)  # halves of a head turn together
        cosine, sine = angles.cos().float(), angles.sin().float()  # (num_tokens - first_token, head_dim)
        for layer in self.layers:
            layer.rotate(first_token, cosine, sine)

    def check_integrity(self) -> None:
        """Every layer holds the same tokens, and of each token that was moved the key as it was written."""
        assert {layer.num_tokens for layer in self.layers} == {self.num_tokens}
        assert {layer.pristine.num_tokens for layer in self.layers} == {len(self._shifts)}
        assert len(self._shifts) <= self.num_tokens
