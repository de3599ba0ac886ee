"""How the vision tower of the built-in model is trained: over many clips at once, and told what is under each patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamspike.refine.pretrain.clips import Clip
from streamspike.refine.pretrain.labels import CELL_CHOICES, CELL_VALUES, CHOICES, UNASKED, VALUES
from streamspike.refine.pretrain.nano import CELLS, FULL_BLOCKS, MEAN, MERGE, PATCH_PX, SIDE, STD, WINDOW

MOTION_WEIGHT = 0.3
BODY_WEIGHT = 0.25
"""Of each question about bodies only."""


class DenseHead(nn.Module):
    """Answers the questions of `labels.py` for every patch, from the merged tokens that the language model gets.

    Read off the last vision block instead, the vision tower learned to see while the tokens it handed on stayed useless
    for a third of the run.
    """

    SIZES = (*CHOICES.values(), len(VALUES))

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, MERGE * MERGE * sum(self.SIZES))

    def loss(self, merged: Tensor, clips: Sequence[Clip]) -> Tensor:
        """`merged` is (frame blocks, tokens, width); each token tells of its 3 x 3 patches."""
        cells = self.out(self.norm(merged)).reshape(merged.shape[0], CELLS * CELLS, sum(self.SIZES))
        *told, numbers = cells.split(self.SIZES, dim=-1)
        choices = _merge_order(np.stack([clip.choices for clip in clips])).to(merged.device).long()
        values = _merge_order(np.stack([clip.values for clip in clips])).to(merged.device)
        present = choices[..., 0] > 0
        loss = merged.new_zeros(())
        # Bodies and background apart, or the many cells of the background hide the bodies.
        for cells_of in (present, ~present):
            if not cells_of.any():
                continue
            for k, scores in enumerate(told[:CELL_CHOICES]):
                loss = loss + 0.5 * F.cross_entropy(scores[cells_of], choices[cells_of][:, k])
            moved, truth = numbers[cells_of][:, :CELL_VALUES], values[cells_of][:, :CELL_VALUES]
            loss = loss + MOTION_WEIGHT * F.smooth_l1_loss(moved, truth)
        if present.any():
            answers = choices[present]
            for k, scores in enumerate(told[CELL_CHOICES:], start=CELL_CHOICES):
                loss = loss + BODY_WEIGHT * F.cross_entropy(scores[present], answers[:, k], ignore_index=UNASKED)
            shape, truth = numbers[present][:, CELL_VALUES:], values[present][:, CELL_VALUES:]
            loss = loss + MOTION_WEIGHT * F.smooth_l1_loss(shape, truth)
        return loss


def _merge_order(grid: np.ndarray) -> Tensor:
    """(clips, segments, cells, cells, ...) to (frame blocks, patches, ...) in the vision tower's order of patches."""
    blocks = torch.from_numpy(grid).flatten(0, 1)
    tail = blocks.shape[3:]
    blocks = blocks.reshape(-1, SIDE, MERGE, SIDE, MERGE, *tail).transpose(2, 3)
    return blocks.reshape(blocks.shape[0], CELLS * CELLS, *tail)


def patchify(frames: Tensor) -> Tensor:
    """(frame blocks, 2, side, side, 3) uint8 to normalised patches (frame blocks, patches, 3 * 2 * patch * patch)."""
    mean, std = torch.tensor(MEAN, device=frames.device) * 255, torch.tensor(STD, device=frames.device) * 255
    pixels = (frames.float() - mean) / std
    split = pixels.reshape(-1, 2, SIDE, MERGE, PATCH_PX, SIDE, MERGE, PATCH_PX, 3)
    return split.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(frames.shape[0], CELLS * CELLS, -1)


class VisionRunner:
    """The vision tower over many equal frame blocks at once; the stock forward loops over them one by one."""

    def __init__(self, visual: nn.Module, fused: bool = False) -> None:
        self._visual: Any = visual
        self._through = torch.compile(_through, dynamic=False) if fused else _through
        rows, columns = np.divmod(np.arange(CELLS * CELLS), CELLS)
        grids = [_merge_order(grid.reshape(1, 1, CELLS, CELLS))[0] for grid in (rows, columns)]
        self._windows = (SIDE // WINDOW) ** 2
        split = torch.arange(SIDE * SIDE).view(SIDE // WINDOW, WINDOW, SIDE // WINDOW, WINDOW)
        tokens = split.transpose(1, 2).flatten()  # window by window
        self._from_windows = tokens.argsort()
        self._to_windows = (tokens[:, None] * MERGE * MERGE + torch.arange(MERGE * MERGE)).flatten()
        self._positions = torch.stack(grids, dim=-1)[self._to_windows]  # (patches, 2): row, column

    def __call__(self, patches: Tensor) -> Tensor:
        """(blocks, patches, dim) to merged tokens (blocks, tokens, width)."""
        visual = self._visual
        blocks = patches.shape[0]
        kernel = visual.patch_embed.proj.weight.flatten(1)
        embedded = F.linear(patches.to(kernel.dtype), kernel)[:, self._to_windows]
        hidden = embedded.float()  # the residual stream stays exact under autocast
        cos, sin = visual.rotary_pos_emb(hidden, self._positions.to(hidden.device))
        apart = cos.view(self._windows, 1, -1, cos.shape[-1]), sin.view(self._windows, 1, -1, sin.shape[-1])
        for number, block in enumerate(visual.blocks):
            hidden = self._through(block, hidden, *((cos, sin) if number in FULL_BLOCKS else apart))
        merged: Tensor = visual.merger(hidden).view(blocks, SIDE * SIDE, -1)
        return merged[:, self._from_windows]


def _through(block: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """One block; hidden is (frame blocks, patches, width).

    Args:
        cos, sin: (patches, head width), or (windows, 1, patches of each, head width) for attention within windows.
    """
    attention, (blocks, count, _) = block.attn, hidden.shape
    windows = len(cos) if cos.ndim > 2 else 1
    qkv = attention.qkv(block.norm1(hidden)).view(blocks, windows, count // windows, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)  # (frame blocks, windows, heads, patches, head width)
    cos, sin = cos.to(qkv.dtype), sin.to(qkv.dtype)
    mixed = attend(_rotate(query, cos, sin), _rotate(key, cos, sin), value)
    hidden = hidden + attention.proj(mixed.transpose(2, 3).reshape(blocks, count, -1))
    result: Tensor = hidden + block.mlp(block.norm2(hidden))
    return result


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(..., heads, patches, head width), as `scaled_dot_product_attention`.

    In bfloat16 on a CPU as plain products, 11 ms there and back in place of 54 (144 patches, Xeon with AMX): torch's
    kernel has no bfloat16 products on its way back.
    """
    if query.dtype != torch.bfloat16 or query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value)
    return torch.softmax((query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2), dim=-1) @ value


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin
