"""Scores that need no model: how much the picture changed. The baselines every measure of surprise must beat.

All compare one picture with another at a fixed small size. Which two is the caller's choice: successive frames, or the
newest frame of a segment and that of the one before (see `baselines.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels

SIZE_PX = (96, 72)  # (width, height)
HISTOGRAM_BINS = 8


def frame_difference(before: Pixels, after: Pixels) -> float:
    """Mean absolute difference of grey levels, in [0, 1]."""
    return float(np.abs(_grey(after) - _grey(before)).mean()) / 255.0


def histogram_distance(before: Pixels, after: Pixels) -> float:
    """Half the L1 distance of joint RGB histograms with 8 bins a channel, in [0, 1]."""
    return float(np.abs(_histogram(after) - _histogram(before)).sum()) / 2.0


def optical_flow(before: Pixels, after: Pixels) -> float:
    """Mean length of Farneback's dense flow, in parts of the picture's width."""
    first, second = (_grey(pixels).astype(np.uint8) for pixels in (before, after))
    no_guess: Any = None  # OpenCV takes it, its types do not say so
    flow = cv2.calcOpticalFlowFarneback(first, second, no_guess, 0.5, 3, 9, 2, 5, 1.1, 0)
    return float(np.hypot(flow[..., 0], flow[..., 1]).mean()) / SIZE_PX[0]


PIXEL_SCORES = {
    "frame difference": frame_difference,
    "RGB histogram": histogram_distance,
    "optical flow": optical_flow,
}


class PictureChange:
    """Compares each picture with the one before."""

    def __init__(self, compare: Callable[[Pixels, Pixels], float]) -> None:
        self._compare = compare
        self._before: Pixels | None = None

    def see(self, pixels: Pixels) -> float:
        """The score of the next picture; 0.0 for the first."""
        before, self._before = self._before, shrink(pixels)  # to shrink it again changes nothing and costs nothing
        return 0.0 if before is None else self._compare(before, self._before)

    def forget(self) -> None:
        """The next picture is the first."""
        self._before = None


def shrink(pixels: Pixels) -> Pixels:
    """At SIZE_PX."""
    small: Pixels = cv2.resize(pixels, SIZE_PX, interpolation=cv2.INTER_AREA)
    return small


def _grey(pixels: Pixels) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = cv2.cvtColor(shrink(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _histogram(pixels: Pixels) -> NDArray[np.float64]:
    levels = (shrink(pixels) // (256 // HISTOGRAM_BINS)).reshape(-1, 3).astype(np.int64)
    codes = (levels[:, 0] * HISTOGRAM_BINS + levels[:, 1]) * HISTOGRAM_BINS + levels[:, 2]
    counts = np.bincount(codes, minlength=HISTOGRAM_BINS**3)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
