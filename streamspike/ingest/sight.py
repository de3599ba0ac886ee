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
LEAST_DETAIL = 1.6e-5
"""A part with less, as energy in parts of its brightness squared, has nothing to lose: sky, a wall."""
LEAST_PARTS = 6
"""With fewer parts that have detail nobody can tell."""
LOST = 0.2
"""Below this the camera sees nothing; energy goes with the square, so less than half of the contrast is left. Of 12
simulated cameras, 11 fell to 0.04 to 0.29 when covered; where the lights went out and something was still to be seen,
0.27 to 0.55 was left."""
FOUND = 0.4
"""What was lost is back above this."""
PAIR_WEIGHT = 0.35
"""Of the newest pair in what is seen now: a single one of a noisy camera says little."""
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
        self._recent: Parts | None = None
        self._num_pairs = 0

    def kept_share(self, before: Grey, after: Grey, seconds: float) -> float:
        """Part of the usual detail that the median part showed of late, about 1.0; also while nobody knows the usual.

        Args:
            before, after: (SIGHT_HEIGHT_PX, SIGHT_WIDTH_PX) in [0, 1], two frames a moment apart.
            seconds: since the pair before.
        """
        detail = detail_of(before, after)
        if self._usual is None or self._recent is None:
            self._usual = self._recent = detail
        self._recent = self._recent + PAIR_WEIGHT * (detail - self._recent)
        busy = self._usual > LEAST_DETAIL
        kept = 1.0
        if self._num_pairs >= WARM_PICTURES and int(busy.sum()) >= LEAST_PARTS:
            kept = float(np.median(self._recent[busy] / self._usual[busy]))
        self._num_pairs += 1
        weight = seconds / LOST_LEVEL_SECONDS if kept < LOST else max(seconds / LEVEL_SECONDS, 1.0 / self._num_pairs)
        self._usual = self._usual + min(1.0, weight) * (detail - self._usual)
        return kept


def detail_of(before: Grey, after: Grey) -> Parts:
    """(8, 8): energy of what both frames share in the finest band, over their brightness squared.

    Noise alone is 0 on average, and so now and then below.
    """
    brightness = _by_part(before + after) / 2.0 + DARK
    detail: Parts = _by_part(_fine(before) * _fine(after)) / brightness**2
    return detail


def _fine(picture: Grey) -> Grey:
    fine: Grey = picture - cv2.GaussianBlur(picture, (0, 0), FINE_PX)
    return fine


def _by_part(field: Grey) -> Parts:
    rows, columns = SIGHT_HEIGHT_PX // PART_HEIGHT_PX, SIGHT_WIDTH_PX // PART_WIDTH_PX
    parts = field.reshape(rows, PART_HEIGHT_PX, columns, PART_WIDTH_PX)
    means: Parts = parts.mean(axis=(1, 3), dtype=np.float64)
    return means
