"""Attention of rows of several cameras in one forward: each sees its own keys and values under its own mask.

All else in a layer works token by token, so the rows lie end to end in one long row without padding, and only here are
they told apart. Query heads that share a key head are folded into its queries: grouped keys and values are never
copied, which `sdpa` with a mask would do (28 heads on 4: 5 times slower, and most of the memory).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class RowPart:
    """The tokens [start, stop) of the long row: one camera's."""

    start: int
    stop: int
    cache: PrefixCache
    """Takes their keys and values."""
    mask: Tensor
    """(1, 1, groups * tokens, cached + tokens), added to the scores: 0 where a token sees, -inf where it does not."""


@dataclass(frozen=True, slots=True, eq=False)
class RowPlan:
    """Passed to the layers in place of an attention mask."""

    parts: tuple[RowPart, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """The same for one written token of every branch, on tensors that stay where they are (see `sampler.py`)."""

    layers: Sequence[tuple[Tensor, Tensor]]
    """Keys and values of each layer, (rows, key heads, columns, width)."""
    columns: Tensor
    """(branches,) where this step's keys and values go."""
    mask: Tensor
    """(rows, 1, groups * branches, columns), added to the scores."""


def fold_mask(sees: Tensor, groups: int, dtype: torch.dtype) -> Tensor:
    """(rows, tokens, columns) bool, who sees whom, to what is added to the scores of queries with folded heads."""
    mask = torch.zeros(sees.shape, dtype=dtype, device=sees.device).masked_fill_(~sees, -torch.inf)
    return mask.repeat(1, groups, 1)[:, None]


def make_plan(
    caches: Sequence[PrefixCache], sees: Sequence[Tensor], groups: int, dtype: torch.dtype, device: torch.device
) -> RowPlan:
    """
    Args:
        sees: per row (tokens, cached + tokens) bool, who sees whom.
        groups: query heads that share a key head.
    """
    parts, start = [], 0
    for cache, seen in zip(caches, sees, strict=True):
        stop = start + len(seen)
        parts.append(RowPart(start, stop, cache, fold_mask(seen.to(device, non_blocking=True)[None], groups, dtype)))
        start = stop
    return RowPlan(tuple(parts))


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
        mixed[:, own] = _attend_folded(query[:, :, own], keys, values, part.mask, scaling)
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


ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)
