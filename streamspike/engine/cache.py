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
    """A tensor (layers, B, heads, num_tokens, width) that grows and shrinks in tokens, one layer after the other."""

    def __init__(self, num_layers: int) -> None:
        self.num_tokens = [0] * num_layers
        self._storage: Tensor | None = None  # (layers, B, heads, capacity, width)

    @property
    def storage_bytes(self) -> int:
        return 0 if self._storage is None else self._storage.numel() * self._storage.element_size()

    @property
    def held(self) -> Tensor:
        """A view of all layers, which hold the same tokens; valid until something is appended or evicted."""
        assert self._storage is not None and len(set(self.num_tokens)) == 1, self.num_tokens
        return self._storage[:, :, :, : self.num_tokens[0]]

    def of_layer(self, layer: int) -> Tensor:
        """(B, heads, num_tokens, width), a view, valid until something is appended or evicted."""
        assert self._storage is not None
        return self._storage[layer, :, :, : self.num_tokens[layer]]

    def append_to_layer(self, layer: int, new: Tensor) -> None:
        """Write (B, heads, tokens, width) behind the end of one layer."""
        start = self.num_tokens[layer]
        self.num_tokens[layer] = start + int(new.shape[2])
        self._reserve(self.num_tokens[layer], new)
        self.of_layer(layer)[:, :, start:] = new

    def append(self, new: Tensor) -> None:
        """Write (layers, B, heads, tokens, width) behind the end of all."""
        start = self.num_tokens[0]
        self.num_tokens = [held + int(new.shape[3]) for held in self.num_tokens]
        self._reserve(self.num_tokens[0], new[0])
        self.held[:, :, :, start:] = new

    def truncate(self, num_tokens: int) -> None:
        """Forget all but the first tokens, if there are more."""
        self.num_tokens = [min(held, num_tokens) for held in self.num_tokens]

    def evict(self, first_token: int, num_tokens: int) -> None:
        """Forget [first_token, first_token + num_tokens), as far as it is held; the storage stays."""
        held, behind = self.num_tokens[0], first_token + num_tokens
        if held > behind:
            # Cloned, because source and target overlap.
            self.held[:, :, :, first_token:-num_tokens] = self.held[:, :, :, behind:].clone()
        gone = max(0, min(held, behind) - first_token)
        self.num_tokens = [held - gone for held in self.num_tokens]

    def _reserve(self, num_tokens: int, like: Tensor) -> None:
        """
        Args:
            like: (B, heads, any, width)
        """
        capacity = 0 if self._storage is None else int(self._storage.shape[3])
        if num_tokens <= capacity:
            return
        wanted = -(-max(num_tokens, capacity + capacity // 2) // STEP_TOKENS) * STEP_TOKENS
        grown = like.new_empty((len(self.num_tokens), *like.shape[:2], wanted, like.shape[3]))
        if self._storage is not None:
            grown[:, :, :, :capacity] = self._storage
        self._storage = grown


class GrowLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """One layer. `keys` and `values` are views of the storage up to the end."""

    def __init__(self, layer: int, keys: Columns, values: Columns) -> None:
        super().__init__()
        self._layer, self._keys, self._values = layer, keys, values

    @property
    def num_tokens(self) -> int:
        return self._keys.num_tokens[self._layer]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write behind the end.

        Returns:
            Keys and values of all tokens, (B, num_kv_heads, num_tokens, head_dim); valid until the next update.
        """
        self._keys.append_to_layer(self._layer, key_states)
        self._values.append_to_layer(self._layer, value_states)
        self.show()
        return self.keys, self.values

    def show(self) -> None:
        """Take the views again after the storage has changed; nothing where there is none."""
        self.is_initialized = self._keys.storage_bytes > 0
        if self.is_initialized:
            self.keys, self.values = self._keys.of_layer(self._layer), self._values.of_layer(self._layer)

    def get_seq_length(self) -> int:
        return self.num_tokens


class PrefixCache(Cache):  # type: ignore[misc]  # transformers has no types
    """All layers of one stream; handed to the language model as `past_key_values`.

    They stand in one tensor of keys and one of values, so that copying, evicting and rotating are a few kernels and not
    a few for each layer.
    """

    def __init__(self, num_layers: int) -> None:
        self._keys, self._values = Columns(num_layers), Columns(num_layers)
        self.pristine = Columns(num_layers)
        """The first keys as they were written. Those behind them were never rotated; without slides it stays empty."""
        super().__init__(layers=[GrowLayer(layer, self._keys, self._values) for layer in range(num_layers)])
        self._shifts = torch.zeros(0, dtype=torch.int64)  # (tokens with a pristine key,) positions moved since

    @property
    def num_tokens(self) -> int:
        """Tokens held; between forwards every layer holds the same."""
        return self._keys.num_tokens[0]

    @property
    def storage_bytes(self) -> int:
        """What is allocated, used or not."""
        return sum(columns.storage_bytes for columns in self._all)

    @property
    def held(self) -> tuple[Tensor, Tensor]:
        """Keys and values of all layers, (layers, B, num_kv_heads, num_tokens, head_dim); views."""
        return self._keys.held, self._values.held

    def extend(self, keys: Tensor, values: Tensor) -> None:
        """Write keys and values of all layers behind the end, (layers, B, num_kv_heads, tokens, head_dim)."""
        self._keys.append(keys)
        self._values.append(values)
        self._show()

    def truncate(self, num_tokens: int) -> None:
        """Forget all but the first tokens; the storage stays."""
        assert 0 <= num_tokens <= self.num_tokens, (num_tokens, self.num_tokens)
        for columns in self._all:
            columns.truncate(num_tokens)
        self._shifts = self._shifts[:num_tokens]
        self._show()

    def evict(self, first_token: int, num_tokens: int) -> None:
        """Forget [first_token, first_token + num_tokens) and close the gap; what stood behind keeps its positions."""
        assert 0 <= first_token < first_token + num_tokens <= self.num_tokens, (first_token, num_tokens)
        for columns in self._all:
            columns.evict(first_token, num_tokens)
        self._shifts = torch.cat([self._shifts[:first_token], self._shifts[first_token + num_tokens :]])
        self._show()

    def rotate(self, first_token: int, shift: int, inv_freq: Frequencies) -> None:
        """Move all tokens from `first_token` on by `shift` positions."""
        fresh = torch.zeros(self.num_tokens - len(self._shifts), dtype=torch.int64, device=inv_freq.device)
        self._shifts = torch.cat([self._shifts.to(inv_freq.device), fresh])
        self._shifts[first_token:] += shift
        # In float64, so that angles are as good at position 30 000 as at 3; it is one small table for all layers.
        angles = self._shifts[first_token:, None].double() * inv_freq.double()
        angles = torch.cat([angles, angles], dim=-1)  # halves of a head turn together
        cosine, sine = angles.cos().float(), angles.sin().float()  # (num_tokens - first_token, head_dim)
        keys = self._keys.held
        self.pristine.append(keys[:, :, :, self.pristine.num_tokens[0] :])
        written = self.pristine.held[:, :, :, first_token:].float()
        front, back = written.chunk(2, dim=-1)
        keys[:, :, :, first_token:] = written * cosine + torch.cat([-back, front], dim=-1) * sine

    def check_integrity(self) -> None:
        """Every layer holds the same tokens, and of each token that was moved the key as it was written."""
        assert {*self._keys.num_tokens, *self._values.num_tokens} == {self.num_tokens}
        assert set(self.pristine.num_tokens) == {len(self._shifts)}
        assert len(self._shifts) <= self.num_tokens

    @property
    def _all(self) -> tuple[Columns, ...]:
        return self._keys, self._values, self.pristine

    def _show(self) -> None:
        for layer in self.layers:
            layer.show()
