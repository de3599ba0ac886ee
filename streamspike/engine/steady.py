"""A pass of fixed size over the rows of several cameras: what each prefix lacks and its branches, padded and batched.

In the steady state a camera adds one block and the same branches as before, a few hundred tokens, and a GPU has done
them before the host has launched the kernels, of which attention takes some for every camera and layer. So rows of like
length go together in one batch, padded to a few sizes, and all layers are one graph that is launched once. Where the
work is long enough to hide its launches (a window filled anew), and on a CPU, where padding is work like any other,
rows lie end to end without padding instead (`forward.run_additions`).

    columns   [cached ... padding][trunk ... padding][branches ... padding]
              0                   C                  C + T                C + T + B

Padding tokens see at least themselves, so nothing is ever a softmax over nothing, and no token of a row sees them.
Keys and values are copied from each camera's cache into the batch, and what is new back. The floor of that is their
bytes over the bandwidth: in the 7B shape 57 KB a token, so 80 MB for 1,400 tokens and 5.1 GB for 64 cameras, read and
written in 3 ms at the 3.4 TB/s of an H100, beside 64 x 300 new tokens of 15 GFLOP, 400 ms at 700 TFLOP/s. Caches that
live in one batch would save that only while the same cameras are due together; else it comes back as a gather.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamspike.engine.attention import StepPlan, fold_mask
from streamspike.engine.forward import Addition, embed, join_deepstack, send
from streamspike.engine.graphs import Graphs
from streamspike.engine.layout import Integers
from streamspike.engine.model import LoadedModel

MAX_ROW_TOKENS = 512
"""A row that adds more hides its launches: in the 7B shape 11 ms of work, about what its eager kernels take to launch.
Reckoned, not measured: no GPU was at hand."""
MAX_PASS_TOKENS = 4096
"""Padding included, of one pass: bounds memory, most of it masks (120 MB in the 7B shape with 2,048 columns)."""
TRUNK_UNIT = 16
"""Blocks of one picture size are of one length, so a fine unit makes few sizes."""
BRANCH_UNIT = 32
COLUMN_UNIT = 256

Numbered = tuple[int, Addition]


@dataclass(frozen=True, slots=True)
class PassSize:
    """Padded; trunk, branches and columns of each row."""

    rows: int
    trunk: int
    branches: int
    cached: int

    @property
    def tokens(self) -> int:
        """Of a row."""
        return self.trunk + self.branches

    @property
    def columns(self) -> int:
        return self.cached + self.tokens


def run_fixed(loaded: LoadedModel, graphs: Graphs, additions: Sequence[Addition]) -> list[Tensor | None]:
    """Run what fits a fixed size.

    Returns:
        Per addition hidden states (num_tokens, hidden) after the final norm; None if it is left to others.
    """
    found: list[Tensor | None] = [None] * len(additions)
    for size, group in group_by_size(additions):
        fixed = graphs.find(size, lambda size=size: SteadyPass(loaded, graphs, size))  # type: ignore[misc]
        for (number, _), hidden in zip(group, fixed.run([addition for _, addition in group]), strict=True):
            found[number] = hidden
    return found


def group_by_size(additions: Sequence[Addition]) -> Iterator[tuple[PassSize, list[Numbered]]]:
    """Rows of like length together, a power of two of them and few enough; those too long for a pass are left out."""
    alike: dict[tuple[int, int, int], list[Numbered]] = {}
    for number, addition in enumerate(additions):
        branches, columns = addition.sees.shape
        trunk, cached = addition.num_trunk, columns - len(addition.token_ids)
        lengths = (_padded(trunk, TRUNK_UNIT), _padded(branches, BRANCH_UNIT), _padded(cached, COLUMN_UNIT))
        if lengths[0] + lengths[1] <= MAX_ROW_TOKENS:
            alike.setdefault(lengths, []).append((number, addition))
    for (trunk, branches, cached), group in alike.items():
        most = MAX_PASS_TOKENS // (trunk + branches)
        most = 1 << (most.bit_length() - 1)
        for start in range(0, len(group), most):
            part = group[start : start + most]
            yield PassSize(1 << (len(part) - 1).bit_length(), trunk, branches, cached), part


def _padded(length: int, unit: int) -> int:
    return -(-length // unit) * unit


class SteadyPass:
    """The tensors of one size, and the forward over them."""

    def __init__(self, loaded: LoadedModel, graphs: Graphs, size: PassSize) -> None:
        device, dtype, config = loaded.device, loaded.dtype, loaded.model.config.text_config
        self._loaded, self.size = loaded, size
        self._groups = config.num_attention_heads // config.num_key_value_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads, depth = config.num_key_value_heads, config.num_hidden_layers
        # (keys and values, layers, rows, key heads, columns, width)
        self._held = graphs.storage((2, depth, size.rows, heads, size.columns, width), dtype, device)
        flat = (size.rows * size.tokens, config.hidden_size)
        self._embedded = torch.zeros(flat, dtype=dtype, device=device)
        taps = getattr(loaded.model.config.vision_config, "deepstack_visual_indexes", None) or ()
        self._levels = [torch.zeros(flat, dtype=dtype, device=device) for _ in taps]
        self._positions = torch.zeros(3, size.rows, size.tokens, dtype=torch.long, device=device)
        self._cached = torch.zeros(size.rows, 1, 1, dtype=torch.long, device=device)
        self._sees = torch.zeros(size.rows, size.branches, size.columns, dtype=torch.bool, device=device)
        self._hidden = torch.zeros(flat, dtype=dtype, device=device)
        self._advance = graphs.capture(device, self._forward, lambda: None)

    def run(self, additions: Sequence[Addition]) -> list[Tensor]:
        """Hidden states (num_tokens, hidden) of each; their caches are extended."""
        self._load(additions)
        self._advance()
        return [self._give_back(row, addition) for row, addition in enumerate(additions)]

    def _load(self, additions: Sequence[Addition]) -> None:
        size, device = self.size, self._loaded.device
        ids = np.zeros((size.rows, size.tokens), dtype=np.int64)
        positions = np.zeros((3, size.rows, size.tokens), dtype=np.int64)
        is_video = np.zeros((size.rows, size.tokens), dtype=np.bool_)
        cached = np.zeros((size.rows, 1, 1), dtype=np.int64)
        sees = np.zeros((size.rows, size.branches, size.columns), dtype=np.bool_)
        # What is not written below sees itself.
        sees[:, range(size.branches), range(size.cached + size.trunk, size.columns)] = True
        for row, addition in enumerate(additions):
            tokens, columns = self._places(addition)
            ids[row, tokens] = addition.token_ids
            positions[:, row, tokens] = addition.positions
            is_video[row, tokens] = addition.is_video
            num_cached = addition.cache.num_tokens
            cached[row] = num_cached
            own = np.concatenate([np.arange(num_cached), columns])
            sees[row, : len(addition.sees)] = False
            sees[row, np.arange(len(addition.sees))[:, None], own] = addition.sees
            if num_cached:
                for held, part in zip(self._held, addition.cache.held, strict=True):
                    held[:, row, :, :num_cached].copy_(part[:, 0])
            self._held[:, :, row, :, num_cached : size.cached].zero_()
        for held_array, array in (
            (self._positions, positions), (self._cached, cached), (self._sees, sees),
        ):  # fmt: skip
            held_array.copy_(send(array, device), non_blocking=True)
        self._embedded.copy_(embed(self._loaded, send(ids.ravel(), device)))
        for level in self._levels:
            level.zero_()
        blocks = [block for addition in additions for block in addition.blocks]
        if blocks:
            places = send(np.flatnonzero(is_video), device)
            dtype = self._embedded.dtype
            self._embedded.index_copy_(0, places, torch.cat([block.tokens for block in blocks]).to(dtype))
            for level, features in zip(self._levels, join_deepstack(blocks), strict=True):
                level.index_copy_(0, places, features.to(dtype))

    def _forward(self) -> None:
        """Nothing here depends on a value the host would have to know."""
        size, device = self.size, self._embedded.device
        column = torch.arange(size.columns, device=device)
        query = torch.arange(size.cached, size.cached + size.trunk, device=device)[:, None]
        trunk = (column < self._cached) | ((column >= size.cached) & (column <= query))
        mask = fold_mask(torch.cat([trunk, self._sees], dim=1), self._groups, self._embedded.dtype)
        plan = StepPlan([(keys, values) for keys, values in self._held.unbind(1)], column[size.cached :], mask)
        language_model = self._loaded.model.model.language_model
        hidden = self._embedded.view(size.rows, size.tokens, -1)
        rotations = language_model.rotary_emb(hidden, self._positions)
        for number, layer in enumerate(language_model.layers):
            hidden = layer(hidden, attention_mask=plan, position_embeddings=rotations)
            if number < len(self._levels):
                hidden = hidden + self._levels[number].view_as(hidden)
        self._hidden.copy_(language_model.norm(hidden).flatten(0, 1))

    def _give_back(self, row: int, addition: Addition) -> Tensor:
        size, num_branches = self.size, len(addition.sees)
        for start, count in ((size.cached, addition.num_trunk), (size.cached + size.trunk, num_branches)):
            if count:
                keys, values = self._held[:, :, row : row + 1, :, start : start + count]
                addition.cache.extend(keys, values)
        hidden = self._hidden.view(size.rows, size.tokens, -1)[row]
        return torch.cat([hidden[: addition.num_trunk], hidden[size.trunk : size.trunk + num_branches]])

    def _places(self, addition: Addition) -> tuple[Integers, Integers]:
        """Where its tokens stand in their row, and in which columns."""
        trunk, branches = np.arange(addition.num_trunk), np.arange(len(addition.sees)) + self.size.trunk
        tokens = np.concatenate([trunk, branches])
        return tokens, tokens + self.size.cached
