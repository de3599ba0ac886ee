"""How much detail a camera sees where it usually sees some. A cloth, spray, fog or a lens out of focus takes it away.

Detail is what two frames a moment apart share in the finest band: noise is not shared and drops out of the mean
product, a passer-by is small. It is measured in parts of the picture and against their brightness, so that neither a
clock in a corner nor a lamp that goes out decides.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIGHT_WIDTH_PX, SIGHT_HEIGHT_PX = 256, 144
"""Grey pictures of this size are looked at; what is finer than that is not missed."""
PART_WIDTH_PX, PART_HEIGHT_PX = 32, 18
"""64 parts."""
FINE_PX = 1.0
"""Gaussian; what it blurs away is detail."""
DARK = 8.0 / 255.0
"""Added to the brightness detail is compared with: the offset of a black level is not light."""
LEAST_DETAIL = 0.004
"""A part with less, as parts of its brightness, has nothing to lose: sky, a wall."""
LEAST_PARTS = 6
"""With fewer parts that have detail nobody can tell."""
LOST = 0.3
"""A part that kept less than this of its usual detail has lost it. Blur of 2 px leaves about a third."""
LEVEL_SECONDS = 600.0
"""The usual detail follows what is seen with this time constant ..."""
LOST_LEVEL_SECONDS = 86_400.0
"""... and with this one while it is lost: what has been so for a day is how the camera sees now."""
WARM_PICTURES = 10
"""So many pairs are seen before anything is called unusual."""

Grey = NDArray[np.float32]
Parts = NDArray[np.float64]


class Sight:
    """The usual detail of one camera. Bounded, no clock, not thread-safe."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """It looks at something else now."""
        self._usual: Parts | None = None
        self._num_pairs = 0

    def lost_share(self, before: Grey, after: Grey, seconds: float, lost_at: float) -> float:
        """Share of the parts that usually have detail and have none in this pair; 0.0 while nobody knows the usual.

        Args:
            before, after: (SIGHT_HEIGHT_PX, SIGHT_WIDTH_PX) in [0, 1], two frames a moment apart.
            seconds: since the pair before.
            lost_at: from this share on the usual hardly follows.
        """
        detail = detail_of(before, after)
        if self._usual is None:
            self._usual = detail
        busy = self._usual > LEAST_DETAIL
        share = 0.0
        if self._num_pairs >= WARM_PICTURES and int(busy.sum()) >= LEAST_PARTS:
            share = float((detail[busy] < LOST * self._usual[busy]).mean())
        self._num_pairs += 1
        memory_seconds = LOST_LEVEL_SECONDS if share >= lost_at else LEVEL_SECONDS
        weight = max(min(1.0, seconds / memory_seconds), 1.0 / self._num_pairs if share < lost_at else 0.0)
        self._usual = self._usual + weight * (detail - self._usual)
        return share


def detail_of(before: Grey, after: Grey) -> Parts:
    """(8, 8): amplitude of what both frames share in the finest band, as parts of their brightness."""
    shared = _by_part(_fine(before) * _fine(after))
    brightness = _by_part(before + after) / 2.0
    detail: Parts = np.sqrt(np.maximum(shared, 0.0)) / (brightness + DARK)
    return detail


def _fine(picture: Grey) -> Grey:
    fine: Grey = picture - cv2.GaussianBlur(picture, (0, 0), FINE_PX)
    return fine


def _by_part(field: Grey) -> Parts:
    rows, columns = SIGHT_HEIGHT_PX // PART_HEIGHT_PX, SIGHT_WIDTH_PX // PART_WIDTH_PX
    parts = field.reshape(rows, PART_HEIGHT_PX, columns, PART_WIDTH_PX)
    means: Parts = parts.mean(axis=(1, 3), dtype=np.float64)
    return means
