"""A trained model's weights in one with more blocks, a wider vision tower or other patches.

It answers the same, but where patches are smaller, or attend within windows of which the start had none.

What is new has no say at first: nothing writes to the new numbers of the residual stream, and the outputs of new heads
and hidden units are multiplied by zero. What reads them begins at random, so that they learn apart from each other
("Net2Net", Chen et al. 2016; zeros in place of copies as in "bert2BERT", Chen et al. 2022).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from streamspike.errors import ModelError

BLOCK = re.compile(r"\.(blocks|layers)\.\d+\.")
BLOCK_OUTPUT = re.compile(r"\.(attn\.proj|self_attn\.o_proj|mlp\.down_proj)\.")
"""What is added to the residual stream."""
VISION = "model.visual."
STEM = f"{VISION}patch_embed.proj.weight"
NORM = re.compile(r"\.(norm1|norm2|ln_q)\.weight$")
GROUPS = {"attn.qkv.weight": (3, 1), "attn.qkv.bias": (3,), "merger.mlp.0.weight": (1, -1)}
"""Of which parts of their own each dimension consists: queries, keys and values; and, -1, all patches of a token."""
MUTE = (".attn.proj.", ".mlp.down_proj.", "merger.mlp.2.weight", "patch_embed.")
"""Matrices whose new entries begin at zero."""


def grow(learned: Mapping[str, Tensor], fresh: Mapping[str, Tensor], merged_patches: int) -> dict[str, Tensor]:
    """
    Args:
        learned: weights of the start, by name.
        fresh: random weights of the model that it becomes.
        merged_patches: of one language token.

    Raises:
        ModelError: the start is wider, has blocks that the other has not, or patches that do not fit into its patches.
    """
    if surplus := learned.keys() - fresh.keys():
        raise ModelError(f"it has more blocks: {min(surplus)}")
    return {name: _grow_one(name, learned.get(name), own, merged_patches) for name, own in fresh.items()}


def _grow_one(name: str, learned: Tensor | None, fresh: Tensor, merged_patches: int) -> Tensor:
    if learned is None:
        if not BLOCK.search(name):
            raise ModelError(f"it lacks {name}")
        return torch.zeros_like(fresh) if BLOCK_OUTPUT.search(name) else fresh.clone()
    if name == STEM:
        learned = _resize_patches(learned, fresh.shape[-1])
    if learned.shape == fresh.shape:
        return learned.clone()
    if not name.startswith(VISION) or any(a > b for a, b in zip(learned.shape, fresh.shape, strict=True)):
        raise ModelError(f"{name} is of shape {tuple(learned.shape)} there and {tuple(fresh.shape)} here")
    if NORM.search(name):  # the mean of squares is taken over the new zeros too
        share = (learned.shape[0] / fresh.shape[0]) ** 0.5
        return torch.cat((learned * share, learned.new_full((fresh.shape[0] - learned.shape[0],), share)))
    grown = torch.zeros_like(fresh) if any(part in name for part in MUTE) else fresh.clone()
    groups = next((groups for end, groups in GROUPS.items() if name.endswith(end)), (1,) * fresh.ndim)
    counts = [merged_patches if count < 0 else count for count in groups]
    if any(size % count for size, count in zip(learned.shape, counts, strict=True)):
        raise ModelError(
            f"{name} is of shape {tuple(learned.shape)}, which does not part into {merged_patches} patches"
        )

    def apart(tensor: Tensor) -> Tensor:
        sizes = [size for each, count in zip(tensor.shape, counts, strict=True) for size in (count, each // count)]
        return tensor.reshape(sizes)

    old = apart(learned)
    view = apart(grown)
    view[tuple(slice(size) for size in old.shape)] = old
    return view.reshape(fresh.shape)


def _resize_patches(kernel: Tensor, patch_px: int) -> Tensor:
    """The kernel (..., p, p) for patches of another size.

    For larger ones it gives of a larger picture what this one gives for its means over squares. For smaller ones it
    gives of a patch what this one gives of the patch enlarged, so that all things look larger than they did: what
    shapes and colours say is kept, how large they are is learned anew (compare "FlexiViT", Beyer et al. 2023).

    Raises:
        ModelError: `patch_px` is larger than p, but no multiple.
    """
    side = kernel.shape[-1]
    times, rest = divmod(patch_px, side)
    if times and rest:
        raise ModelError(f"its patches have {side} px, of which {patch_px} is no multiple")
    if times:
        return kernel.repeat_interleave(times, -1).repeat_interleave(times, -2) / times**2
    pixels = torch.eye(patch_px**2, dtype=kernel.dtype).view(-1, 1, patch_px, patch_px)
    enlarged = interpolate(pixels, size=(side, side), mode="bilinear").flatten(1)  # (small pixels, large pixels)
    return (kernel.flatten(-2) @ enlarged.T).view(*kernel.shape[:-2], patch_px, patch_px)
