"""Scores that need no model: how much the picture changed. The baselines every measure of surprise must beat.

All compare the newest frame of a segment with the newest of the one before, at a fixed small size.
"""

from __future__ import annotations

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


def _small(pixels: Pixels) -> Pixels:
    small: Pixels = cv2.resize(pixels, SIZE_PX, interpolation=cv2.INTER_AREA)
    return small


def _grey(pixels: Pixels) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = cv2.cvtColor(_small(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _histogram(pixels: Pixels) -> NDArray[np.float64]:
    levels = (_small(pixels) // (256 // HISTOGRAM_BINS)).reshape(-1, 3).astype(np.int64)
    codes = (levels[:, 0] * HISTOGRAM_BINS + levels[:, 1]) * HISTOGRAM_BINS + levels[:, 2]
    counts = np.bincount(codes, minlength=HISTOGRAM_BINS**3)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
