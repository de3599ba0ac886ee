"""How the vision tower of the built-in model is trained: over many clips at once, and told what is under each patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamspike.refine.pretrain.clips import CHANGES, POSES, Clip
from streamspike.refine.pretrain.nano import CELLS, MEAN, MERGE, PATCH_PX, SIDE, STD
from streamspike.world.scene import KINDS


class DenseHead(nn.Module):
    """Kind, pose, coming or going, and motion of what is under each patch, read off the merged tokens, which
    are what the language model gets.

    Read off the last vision block instead, the vision tower learned to see while the tokens it handed on stayed useless
    for a third of the run.
    """

    SIZES = (len(KINDS) + 1, len(POSES) + 1, len(CHANGES) + 1, 2)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, MERGE * MERGE * sum(self.SIZES))

    def loss(self, merged: Tensor, clips: Sequence[Clip]) -> Tensor:
        """`merged` is (frame blocks, tokens, width); each token tells of its 3 x 3 patches."""
        cells = self.out(self.norm(merged)).reshape(merged.shape[0], CELLS * CELLS, sum(self.SIZES))
        kinds, poses, changes, motion = cells.split(self.SIZES, dim=-1)
        kind_labels, pose_labels, change_labels, motion_labels = (
            _merge_order(np.stack(grids)).to(merged.device)
            for grids in zip(*((clip.kinds, clip.poses, clip.changes, clip.motion) for clip in clips), strict=True)
        )
        present = kind_labels > 0
        loss = F.cross_entropy(kinds.flatten(0, 1), kind_labels.flatten().long())
        loss = loss + 0.5 * F.cross_entropy(poses.flatten(0, 1), pose_labels.flatten().long())
        loss = loss + F.cross_entropy(changes.flatten(0, 1), change_labels.flatten().long())
        for cells_of in (present, ~present):  # apart, or the many still cells of the background hide the bodies
            if cells_of.any():
                loss = loss + 0.3 * F.smooth_l1_loss(motion[cells_of], motion_labels[cells_of])
        return loss


def _merge_order(grid: np.ndarray) -> Tensor:
    """(clips, segments, cells, cells, ...) to (frame blocks, patches, ...) in the vision tower's order of patches."""
    blocks = torch.from_numpy(grid).flatten(0, 1)
    tail = blocks.shape[3:]
    blocks = blocks.reshape(-1, SIDE, MERGE, SIDE, MERGE, *tail).transpose(2, 3)
    return blocks.reshape(blocks.shape[0], CELLS * CELLS, *tail)


def patchify(frames: Tensor) -> Tensor:
    """(frame blocks, 2, side, side, 3) uint8 to normalised patches (frame blocks, patches, 3 * 2 * 8 * 8)."""
    mean, std = torch.tensor(MEAN, device=frames.device) * 255, torch.tensor(STD, device=frames.device) * 255
    pixels = (frames.float() - mean) / std
    split = pixels.reshape(-1, 2, SIDE, MERGE, PATCH_PX, SIDE, MERGE, PATCH_PX, 3)
    return split.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(frames.shape[0], CELLS * CELLS, -1)


class VisionRunner:
    """The vision tower over many equal frame blocks at once; the stock forward loops over them one by one."""

    def __init__(self, visual: nn.Module) -> None:
        self._visual: Any = visual
        rows, columns = np.divmod(np.arange(CELLS * CELLS), CELLS)
        grids = [_merge_order(grid.reshape(1, 1, CELLS, CELLS))[0] for grid in (rows, columns)]
        self._positions = torch.stack(grids, dim=-1)  # (patches, 2): row, column

    def __call__(self, patches: Tensor) -> Tensor:
        """(blocks, patches, dim) to merged tokens (blocks, tokens, width)."""
        visual = self._visual
        blocks, count, _ = patches.shape
        kernel = visual.patch_embed.proj.weight.flatten(1)
        hidden = F.linear(patches.to(kernel.dtype), kernel).float()  # the residual stream stays exact under autocast
        cos, sin = visual.rotary_pos_emb(hidden, self._positions.to(hidden.device))
        cos, sin = cos.to(hidden.dtype), sin.to(hidden.dtype)
        for block in visual.blocks:
            attention = block.attn
            qkv = attention.qkv(block.norm1(hidden)).view(blocks, count, 3, attention.num_heads, -1)
            query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (blocks, heads, patches, head width)
            query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
            mixed = F.scaled_dot_product_attention(query, key, value)
            hidden = hidden + attention.proj(mixed.transpose(1, 2).reshape(blocks, count, -1))
            hidden = hidden + block.mlp(block.norm2(hidden))
        merged: Tensor = visual.merger(hidden).view(blocks, SIDE * SIDE, -1)
        return merged


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin
