"""Whether a camera sends the same picture again and again, although it is not one that has no noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamspike.core import Frame

STEP_PX = 4
"""Every fourth pixel of every fourth row is compared: averages would hide the noise that tells."""
SAME_SHARE = 0.01
"""Pictures are the same when fewer pixels differ. A clock that is drawn into the picture is about that much; sensor
noise, even after compression, is ten times more."""
NOISY_PAIRS = 20
"""A camera that never had so many different pictures has no noise: it shows a slide, or a test pattern."""
PATIENCE = 3.0
"""A camera whose encoder leaves a still scene untouched for a while is frozen after so many times its longest while.
That counts up to `after_seconds`, so that a freeze that ended is not what is usual."""
FORGET_SECONDS = 86_400.0
"""The longest while is forgotten e-fold in a day."""


class Freeze:
    """One camera's. Bounded, no clock, not thread-safe."""

    def __init__(self, after_seconds: float) -> None:
        """
        Args:
            after_seconds: the same picture for so long is a frozen one, at least.
        """
        self._after_seconds = after_seconds
        self._num_noisy = 0
        self._longest_seconds = 0.0
        self.start_epoch()

    def start_epoch(self) -> None:
        """A new connection: its first picture is compared with none."""
        self._last: tuple[float, NDArray[np.uint8]] | None = None
        self._same_seconds = 0.0

    def look(self, frame: Frame) -> bool:
        """Take in the next frame the camera delivered, never one repeated for want of another; True when frozen."""
        pixels = frame.pixels[::STEP_PX, ::STEP_PX, 1]
        last, self._last = self._last, (frame.stream_seconds, pixels.copy())
        if last is None or last[1].shape != pixels.shape:
            self._same_seconds = 0.0
            return False
        seconds = max(0.0, frame.stream_seconds - last[0])
        self._longest_seconds *= math.exp(-seconds / FORGET_SECONDS)
        if float((pixels != last[1]).mean()) >= SAME_SHARE:
            self._longest_seconds = max(self._longest_seconds, min(self._same_seconds, self._after_seconds))
            self._num_noisy += 1
            self._same_seconds = 0.0
            return False
        self._same_seconds += seconds
        limit = max(self._after_seconds, PATIENCE * self._longest_seconds)
        return self._num_noisy >= NOISY_PAIRS and self._same_seconds >= limit
