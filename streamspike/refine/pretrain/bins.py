"""Attention of training rows: branches lie in bins, and a bin attends to the prefix and to itself alone.

A branch sees frames and its own past, never another branch, so of all pairs of a row's tokens only a quarter is ever
looked at. One mask over the whole row would compute the others too: a third of a training step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "streamspike_bins"
"""`attn_implementation` of the language model in training."""


@dataclass(frozen=True, slots=True, eq=False)
class BinPlan:
    """Passed to the layers in place of an attention mask. Rows are a prefix and whole bins behind it."""

    prefix: int
    """Tokens, which attend causally."""
    mask: Tensor
    """(rows * bins, 1, bin, prefix + bin) bool: whom the tokens of a bin see."""


def plan_bins(owner: Tensor, visible: Tensor, prefix: int, size: int) -> BinPlan:
    """
    Args:
        owner: (rows, tokens) the branch of each token; 0 in the prefix. Tokens see their own branch causally.
        visible: (rows, tokens) how much of the prefix each sees.
        size: of a bin; `tokens - prefix` is a multiple of it.
    """
    own = owner[:, prefix:].reshape(-1, size)  # (rows * bins, bin)
    seen = visible[:, prefix:].reshape(-1, size)
    order = torch.arange(size, device=owner.device)
    before = torch.arange(prefix, device=owner.device) < seen[:, :, None]
    inside = (own[:, :, None] == own[:, None, :]) & (order[:, None] >= order)
    return BinPlan(prefix, torch.cat((before, inside), dim=-1)[:, None])


def attend_bins(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | BinPlan | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """An attention function of transformers. Anything but a plan gets plain `sdpa`.

    Args:
        query, key, value: (rows, heads, tokens, width), as many heads of each.

    Returns:
        (rows, tokens, heads, width) and None.
    """
    if not isinstance(attention_mask, BinPlan):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)  # type: ignore[no-any-return]
    if query.device.type == "cpu" and value.dtype == torch.bfloat16:  # there and back 59 ms, in float32 40
        with torch.autocast("cpu", enabled=False):
            return _attend_bins(query.float(), key.float(), value.float(), attention_mask, scaling)
    return _attend_bins(query.to(value.dtype), key.to(value.dtype), value, attention_mask, scaling)


def _attend_bins(
    query: Tensor, key: Tensor, value: Tensor, plan: BinPlan, scaling: float | None
) -> tuple[Tensor, Tensor | None]:
    prefix, (rows, heads, tokens, width) = plan.prefix, query.shape
    size = plan.mask.shape[2]
    asked, keys_before, values_before = (part[:, :, :prefix] for part in (query, key, value))
    seen = functional.scaled_dot_product_attention(asked, keys_before, values_before, is_causal=True, scale=scaling)
    seen = seen.transpose(1, 2)
    bins = (tokens - prefix) // size
    if not bins:
        return seen, None

    def fold(part: Tensor) -> Tensor:
        split = part[:, :, prefix:].reshape(rows, heads, bins, size, width)
        return split.transpose(1, 2).reshape(rows * bins, heads, size, width)

    def with_prefix(part: Tensor, before: Tensor) -> Tensor:
        repeated = before[:, None].expand(rows, bins, heads, prefix, width).reshape(-1, heads, prefix, width)
        return torch.cat((repeated, fold(part)), dim=2)

    keys, values = with_prefix(key, keys_before), with_prefix(value, values_before)
    mixed = functional.scaled_dot_product_attention(fold(query), keys, values, plan.mask, scale=scaling)
    mixed = mixed.reshape(rows, bins, heads, size, width).permute(0, 1, 3, 2, 4).reshape(rows, -1, heads, width)
    return torch.cat((seen, mixed), dim=1), None


ALL_ATTENTION_FUNCTIONS.register(NAME, attend_bins)
