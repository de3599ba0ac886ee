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
        seen = seen.to(device, non_blocking=True)
        mask = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, -torch.inf)
        stop = start + len(seen)
        parts.append(RowPart(start, stop, cache, mask.repeat(groups, 1)[None, None]))
        start = stop
    return RowPlan(tuple(parts))


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | RowPlan | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """An attention function of transformers. Anything but a plan gets plain `sdpa`: the reference runs the same model.

    Args:
        query: (1, heads, tokens, width); key, value: (1, key heads, tokens, width).

    Returns:
        (1, tokens, heads, width) and None.
    """
    if not isinstance(attention_mask, RowPlan):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)  # type: ignore[no-any-return]
    _, num_heads, num_tokens, width = query.shape
    mixed = query.new_empty(1, num_tokens, num_heads, width)
    for part in attention_mask.parts:
        own = slice(part.start, part.stop)
        keys, values = part.cache.layers[module.layer_idx].update(key[:, :, own], value[:, :, own])
        folded = query[:, :, own].reshape(1, keys.shape[1], -1, width)
        seen = functional.scaled_dot_product_attention(folded, keys, values, part.mask, scale=scaling)
        mixed[:, own] = seen.reshape(1, num_heads, -1, width).transpose(1, 2)
    return mixed, None


ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)
