"""Pixels to patches: bit-equal to the official video processors, without torchvision and without their size rules.

The official processors choose a size from the volume of the whole clip, so a block of two frames and a clip of twenty
would differ. Here the size is a function of the camera's picture alone, hence the same for every segment of a stream.

Two things make it bit-equal: the bicubic resize works on bytes and rounds between its passes (see `resize.py`), and
rescaling and normalising are one step, (x - 255 mean) / (255 std). All of it runs where the model is: a frame goes to a
GPU once, as the bytes the camera's decoder wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from streamspike.core import Pixels
from streamspike.engine.resize import resize

LONG_SIDE_PX = 448
"""For models that take any size: 16 x 9 video tokens for a wide picture, a few hundred for a window of 8 segments."""


@dataclass(frozen=True, slots=True)
class FrameSize:
    """Size of a frame as the model sees it; both sides are multiples of patch * merge."""

    height_px: int
    width_px: int


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """How frames become patches for one model."""

    patch_px: int
    temporal_patch: int
    """Frames in one patch."""
    merge: int
    """merge x merge patches become one video token."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    height_px: int = 0
    width_px: int = 0
    """Both set: frames are squashed to this. One set: the other follows the picture. None: long side LONG_SIDE_PX."""

    def frame_size(self, height_px: int, width_px: int) -> FrameSize:
        """The size for a camera whose picture is `height_px` x `width_px`: the nearest multiple of patch * merge."""
        if self.height_px and self.width_px:
            height, width = float(self.height_px), float(self.width_px)
        elif self.height_px:
            height, width = float(self.height_px), self.height_px * width_px / height_px
        elif self.width_px:
            height, width = self.width_px * height_px / width_px, float(self.width_px)
        else:
            scale = LONG_SIDE_PX / max(height_px, width_px)
            height, width = height_px * scale, width_px * scale
        unit = self.patch_px * self.merge
        return FrameSize(max(1, round(height / unit)) * unit, max(1, round(width / unit)) * unit)

    def patch_grid(self, size: FrameSize) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return size.height_px // self.patch_px, size.width_px // self.patch_px

    def token_grid(self, size: FrameSize) -> tuple[int, int]:
        """(rows, columns) of video tokens, after the merge."""
        rows, columns = self.patch_grid(size)
        return rows // self.merge, columns // self.merge

    def num_blocks(self, num_frames: int) -> int:
        """Frame blocks of a segment."""
        return -(-num_frames // self.temporal_patch)


def normalise(frames: Tensor, spec: FrameSpec) -> Tensor:
    """Float32 and normalised. This operation will not modify the frames.

    Args:
        frames: (..., 3, height, width) in [0, 255].
    """
    mean, std = _statistics(spec.mean, frames.device), _statistics(spec.std, frames.device)
    return (frames.to(torch.float32) - mean) / std


@lru_cache
def _statistics(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """(3, 1, 1), of bytes. Kept on the device: the host would wait for each copy of it."""
    return (torch.tensor(values) * 255.0)[:, None, None].to(device)


def patchify(frames: Tensor, spec: FrameSpec) -> Tensor:
    """Frame blocks to patches in Hugging Face order: merge cells row by row, patches row by row within a cell.

    Args:
        frames: (B, temporal_patch, 3, height, width), normalised.

    Returns:
        (B * num_patches, 3 * temporal_patch * patch_px * patch_px)
    """
    batch, temporal, channels, height, width = frames.shape
    patch_px, merge = spec.patch_px, spec.merge
    rows, columns = height // patch_px, width // patch_px
    if height % (patch_px * merge) or width % (patch_px * merge):
        raise ValueError(f"not a multiple of {patch_px * merge} px: {frames.shape = }")
    patches = frames.reshape(
        batch, temporal, channels, rows // merge, merge, patch_px, columns // merge, merge, patch_px
    ).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    # (B, cell row, cell column, row in cell, column in cell, channel, time, y, x)
    return patches.reshape(batch * rows * columns, channels * temporal * patch_px * patch_px)


def send_frames(frames: Sequence[Pixels], device: torch.device) -> Tensor:
    """(num_frames, 3, height, width) uint8, a copy; to a GPU without waiting for it."""
    shape = (len(frames), *frames[0].shape)
    pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
    np.stack(frames, out=pinned.numpy())
    # Turned after the journey: bytes of a colour lie far apart, which is slow for the host to gather.
    return pinned.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def preprocess(
    frames: Sequence[Pixels],
    spec: FrameSpec,
    size: FrameSize | None = None,
    device: torch.device = torch.device("cpu"),  # noqa: B008  # has no state
) -> Tensor:
    """The frames of one segment as patches.

    Args:
        frames: (height, width, 3) uint8 each; an odd last one is repeated to fill its temporal patch.
        size: what the stream's frames are resized to; None: what the first frame asks for.
        device: where all of it is done; frames go there as bytes.

    Returns:
        (num_blocks * num_patches, 3 * temporal_patch * patch_px * patch_px) float32, block by
        block; each block is a grid with t=1.
    """
    if size is None:
        size = spec.frame_size(*frames[0].shape[:2])
    alike = [frames] if len({pixels.shape for pixels in frames}) == 1 else [[pixels] for pixels in frames]
    resized = torch.cat([resize(send_frames(part, device), size.height_px, size.width_px) for part in alike])
    missing = spec.num_blocks(len(frames)) * spec.temporal_patch - len(frames)
    resized = torch.cat([resized, resized[-1:].expand(missing, -1, -1, -1)])
    blocks = normalise(resized, spec).reshape(
        -1, spec.temporal_patch, *resized.shape[1:]
    )  # (num_blocks, temporal, ...)
    return patchify(blocks, spec)
