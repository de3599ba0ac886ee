"""Attention of rows of several cameras in one forward: each sees its own keys and values under its own mask.

All else in a layer works token by token, so the rows lie end to end in one long row without padding, and only here are
they told apart. Query heads that share a key head are folded into its queries: grouped keys and values are never
copied, which `sdpa` with a mask would do (28 heads on 4: 5 times slower, and most of the memory).

What a row adds is a trunk, the end of its prefix, and branches behind it. A trunk is plainly causal: flash-attn takes
it whole, and without flash-attn it goes in runs of queries, each against the columns it can see and no others. Branches
see each other under a mask, which flash-attn does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from streamspike.engine.cache import PrefixCache

NAME = "streamspike_rows"
"""`attn_implementation` of the language model."""
FLASH_NAME = "streamspike_trunks"
"""The same with flash-attn for trunks; not named after it, or transformers would take it for flash-attn altogether."""

RUN_TOKENS = 256
"""Queries of a trunk that attend together without flash-attn. Fewer waste less on columns that lie ahead of them, more
are fewer kernels; with all in one, attention of a window of 1,200 tokens takes 1.7 times as long (7B shape, CPU)."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Queries [start, stop) of the long row, which attend to the first columns of their camera."""

    start: int
    stop: int
    num_columns: int
    mask: Tensor | None
    """(1, 1, groups * queries, num_columns), added to the scores: 0 where a token sees, -inf where it does not.
    None: for flash-attn; each query sees one column more than the one before, and the last sees all."""


@dataclass(frozen=True, slots=True, eq=False)
class RowPart:
    """The tokens [start, stop) of the long row: one camera's."""

    start: int
    stop: int
    cache: PrefixCache
    """Takes their keys and values."""
    pieces: tuple[Piece, ...]
    """Together all of the tokens, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class RowPlan:
    """Passed to the layers in place of an attention mask."""

    parts: tuple[RowPart, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """The same for padded rows beside each other, on tensors that stay where they are (`sampler.py`, `steady.py`)."""

    layers: Sequence[tuple[Tensor, Tensor]]
    """Keys and values of each layer, (rows, key heads, columns, width)."""
    columns: Tensor
    """(tokens,) where the new keys and values go, in every row."""
    mask: Tensor
    """(rows, 1, groups * tokens, columns), added to the scores."""


def fold_mask(sees: Tensor, groups: int, dtype: torch.dtype) -> Tensor:
    """(rows, tokens, columns) bool, who sees whom, to what is added to the scores of queries with folded heads."""
    mask = torch.zeros(sees.shape, dtype=dtype, device=sees.device).masked_fill_(~sees, -torch.inf)
    return mask.repeat(1, groups, 1)[:, None]


def make_plan(
    caches: Sequence[PrefixCache],
    trunks: Sequence[int],
    sees: Sequence[Tensor],
    groups: int,
    dtype: torch.dtype,
    device: torch.device,
    flash: bool = False,
) -> RowPlan:
    """
    Args:
        trunks: per row how many of its tokens are the trunk; the branches follow.
        sees: per row (branch tokens, cached + trunk + branch tokens) bool, who sees whom.
        groups: query heads that share a key head.
        flash: leave the trunks to flash-attn.
    """
    parts, start = [], 0
    for cache, trunk, seen in zip(caches, trunks, sees, strict=True):
        middle = start + trunk
        stop = middle + len(seen)
        pieces = list(_trunk_pieces(start, middle, cache.num_tokens, groups, dtype, device, flash))
        if stop > middle:
            mask = fold_mask(seen.to(device, non_blocking=True)[None], groups, dtype)
            pieces.append(Piece(middle, stop, seen.shape[1], mask))
        parts.append(RowPart(start, stop, cache, tuple(pieces)))
        start = stop
    return RowPlan(tuple(parts))


def _trunk_pieces(
    start: int, stop: int, num_cached: int, groups: int, dtype: torch.dtype, device: torch.device, flash: bool
) -> Iterator[Piece]:
    step = max(stop - start, 1) if flash else RUN_TOKENS
    for first in range(start, stop, step):
        last = min(first + step, stop)
        num_columns = num_cached + last - start
        mask = None
        if not flash:
            queries = torch.arange(num_columns - (last - first), num_columns, device=device)
            sees = torch.arange(num_columns, device=device) <= queries[:, None]
            mask = fold_mask(sees[None], groups, dtype)
        yield Piece(first, last, num_columns, mask)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | RowPlan | StepPlan | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """An attention function of transformers. Anything but a plan gets plain `sdpa`: the reference runs the same model.

    Args:
        query: (rows, heads, tokens, width), one long row unless for a step.
        key, value: (rows, key heads, tokens, width).

    Returns:
        (rows, tokens, heads, width) and None.
    """
    if isinstance(attention_mask, RowPlan):
        return _attend_rows(module, query, key, value, attention_mask, scaling), None
    if isinstance(attention_mask, StepPlan):
        return _attend_step(module, query, key, value, attention_mask, scaling), None
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)  # type: ignore[no-any-return]


def _attend_rows(
    module: Any, query: Tensor, key: Tensor, value: Tensor, plan: RowPlan, scaling: float | None
) -> Tensor:
    mixed = query.new_empty(1, query.shape[2], query.shape[1], query.shape[3])
    for part in plan.parts:
        own = slice(part.start, part.stop)
        keys, values = part.cache.layers[module.layer_idx].update(key[:, :, own], value[:, :, own])
        for piece in part.pieces:
            asked = slice(piece.start, piece.stop)
            seen = keys[:, :, : piece.num_columns], values[:, :, : piece.num_columns]
            if piece.mask is None:
                mixed[:, asked] = _attend_flash(query[:, :, asked], *seen, scaling)
            else:
                mixed[:, asked] = _attend_folded(query[:, :, asked], *seen, piece.mask, scaling)
    return mixed


def _attend_flash(query: Tensor, keys: Tensor, values: Tensor, scaling: float | None) -> Tensor:
    """Since 2.1 flash-attn's causal mask is aligned at the bottom right, and it takes grouped keys as they are."""
    attend_causally = import_module("flash_attn").flash_attn_func
    query, keys, values = (part.transpose(1, 2) for part in (query, keys, values))
    mixed: Tensor = attend_causally(query, keys, values, softmax_scale=scaling, causal=True)
    return mixed


def _attend_step(
    module: Any, query: Tensor, key: Tensor, value: Tensor, plan: StepPlan, scaling: float | None
) -> Tensor:
    keys, values = plan.layers[module.layer_idx]
    keys.index_copy_(2, plan.columns, key)
    values.index_copy_(2, plan.columns, value)
    return _attend_folded(query, keys, values, plan.mask, scaling)


def _attend_folded(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, scaling: float | None) -> Tensor:
    """(rows, heads, tokens, width) queries to (rows, tokens, heads, width)."""
    rows, num_heads, num_tokens, width = query.shape
    folded = query.reshape(rows, keys.shape[1], -1, width)
    mixed = functional.scaled_dot_product_attention(folded, keys, values, mask, scale=scaling)
    return mixed.reshape(rows, num_heads, num_tokens, width).transpose(1, 2)


for name in (NAME, FLASH_NAME):
    ALL_ATTENTION_FUNCTIONS.register(name, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(name, sdpa_mask)
