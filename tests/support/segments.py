"""Segments out of pictures, for whatever scores them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamspike.core import Frame, Pixels, Segment


def segment_of(
    pictures: Sequence[Pixels],
    index: int = 0,
    epoch: int = 0,
    camera_id: str = "door",
    opening: Pixels | None = None,
) -> Segment:
    """One second of a camera; the same array twice is the same frame twice."""
    frames = {id(picture): Frame(picture, index + k / 16, 100.0 + index) for k, picture in enumerate(pictures)}
    shown = tuple(frames[id(picture)] for picture in pictures)
    first = None if opening is None else frames.get(id(opening), Frame(opening, float(index), 100.0 + index))
    return Segment(camera_id, epoch, index, float(index), index + 1.0, 100.0 + index, shown, opening=first)


def flat(level: int, height: int = 72, width: int = 96) -> Pixels:
    """A picture of one grey."""
    return np.full((height, width, 3), level, np.uint8)


def noise(seed: int, height: int = 72, width: int = 96) -> Pixels:
    """A picture of random colours."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def yard(left_px: int | None = None, width_px: int = 16) -> Pixels:
    """A textured picture, (144, 192, 3); with a bright square at `left_px` if there is one."""
    rows, columns = np.mgrid[0:144, 0:192]
    picture = np.stack([60 + columns // 4, 60 + rows // 4, 90 + (columns + rows) % 16], axis=2).astype(np.uint8)
    if left_px is not None:
        picture[60 : 60 + 2 * width_px, left_px : left_px + width_px] = (240, 220, 40)
    return picture
