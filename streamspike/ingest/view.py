"""Whether a camera still looks at what it always looked at, or somebody turned it.

The picture is compared with a slowly followed reference at all shifts at once: a correlation of gradients (Argyriou and
Vlachos, "Estimation of sub-pixel motion using gradient cross-correlation", Electronics Letters 39(13), 2003), with two
deviations:

1. Only the orientation of a gradient counts, modulo half a turn (its square over its squared length): neither shadows
   nor lamps nor the switch to infrared at night, which turns dark to light, make edges go elsewhere.
2. What has no edges has no orientation: lengths below twice the median are noise and fade out.

    shifted      it correlates better at one and the same other place, for SHIFTED_SECONDS. A truck does not.
    elsewhere    it correlates nowhere near where it did, with itself it does, for ELSEWHERE_SECONDS. Darkness does not.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

VIEW_WIDTH_PX, VIEW_HEIGHT_PX = 128, 72
TAPER = 0.1
"""Part of the picture over which its borders fade in: what shifts beyond them must not come back on the other side."""
NEAR_PX = 1
"""A pole that sways in the wind is not a move."""
SHIFTED_PX = 2
SHIFTED_PART = 1 / 3
"""Of width and height: farther shifts have too little in common; they are for `elsewhere`."""
SHIFT_GAIN = 0.08
"""How much better the other place correlates. Of 16 simulated cameras over a minute each, with weather, crowds and
flicker, none was better elsewhere at all; of 16 that were knocked, 15 gained 0.10 to 0.63. Of 12
others, 9 were found."""
SHIFTED_SECONDS = 5.0
ELSEWHERE = 0.45
"""Correlation with the reference as a part of that with the moment before. Another place has up to 0.42, the same one
by infrared 0.73 and more; a covered lens has 0.2, but that is for `sight.py` to say."""
RECOGNISED = 0.3
"""Correlation with the reference where it was: a covered lens has 0.2 or less, lights out 0.33 and more."""
LAPSE = 2.0
"""A picture that looks as ever takes back so many times its length of the time it looked elsewhere."""
STEADY = 0.4
"""Below this correlation with the moment before there is nothing to recognise: noise, or everything moves."""
ELSEWHERE_SECONDS = 30.0
"""Long, as a lorry may wait before the lens."""
FOLLOW_SECONDS = 300.0
"""Time constant of the reference: what is parked or built becomes part of it, what passes does not."""
WARM_PICTURES = 10
LEAST_PICTURES = 3
"""That must agree, however long each of them lasts."""

Structure = NDArray[np.complex64]
Correlation = NDArray[np.float32]


class View:
    """The reference of one camera. Bounded, no clock, not thread-safe."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """It looks at something else now."""
        self._reference: Structure | None = None
        self._last: Structure | None = None
        self._num_pictures = 0
        self._shift: tuple[int, int] | None = None
        self._num_agreeing = 0
        self._shifted_seconds = 0.0
        self._differs_seconds = 0.0

    @property
    def known(self) -> bool:
        """Whether it saw enough to tell."""
        return self._num_pictures >= WARM_PICTURES

    @property
    def doubted_seconds(self) -> float:
        """For how long it seems to look elsewhere; 0.0 if it does not."""
        return self._differs_seconds

    def look(self, picture: NDArray[np.float32], seconds: float) -> bool:
        """Take in the next picture; True when the camera was moved for certain. Call `forget` then.

        Args:
            picture: (any height, any width) grey; larger than VIEW_WIDTH_PX is best.
            seconds: since the picture before.
        """
        structure = structure_of(picture)
        last, self._last = self._last, structure
        if self._reference is None or last is None:
            self._follow(structure, seconds)
            return False
        stay, best, shift = _compare(structure, self._reference)
        shifted = best - stay > SHIFT_GAIN and _is_move(shift)
        steady = _near(_correlate(structure, last)) if not shifted else 1.0
        elsewhere = steady > STEADY and stay < ELSEWHERE * steady
        if not self.known or not (shifted or elsewhere):
            self._shift, self._shifted_seconds = None, 0.0
            self._differs_seconds = max(0.0, self._differs_seconds - LAPSE * seconds)
            if self._differs_seconds == 0.0:
                self._num_agreeing = 0
                self._follow(structure, seconds)
            return False
        self._num_agreeing += 1
        self._differs_seconds += seconds
        agrees = shifted and self._shift is not None and math.dist(shift, self._shift) <= SHIFTED_PX
        self._shifted_seconds = self._shifted_seconds + seconds if agrees else seconds * shifted
        self._shift = shift if shifted else None
        certain = self._shifted_seconds >= SHIFTED_SECONDS or self._differs_seconds >= ELSEWHERE_SECONDS
        return certain and self._num_agreeing >= LEAST_PICTURES

    def recognises(self, picture: NDArray[np.float32]) -> bool:
        """Whether the picture has edges where they always were; True while nobody knows. Will not modify the view."""
        if self._reference is None or not self.known:
            return True
        return _near(_correlate(structure_of(picture), self._reference)) >= RECOGNISED

    def _follow(self, structure: Structure, seconds: float) -> None:
        self._num_pictures += 1
        if self._reference is None:
            self._reference = structure
            return
        weight = np.float32(max(1.0 / self._num_pictures, min(1.0, seconds / FOLLOW_SECONDS)))
        self._reference = self._reference + weight * (structure - self._reference)


def structure_of(picture: NDArray[np.float32]) -> Structure:
    """(VIEW_HEIGHT_PX, VIEW_WIDTH_PX): doubled orientation of each gradient as a complex number, of length up to 1."""
    small = cv2.resize(picture, (VIEW_WIDTH_PX, VIEW_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1.0)
    gradient = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) + 1j * cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = np.abs(gradient)
    noise = 2.0 * float(np.median(length)) + 0.015
    structure: Structure = (gradient * gradient / (length**2 + noise**2) * _TAPER).astype(np.complex64)
    return structure


def _compare(structure: Structure, reference: Structure) -> tuple[float, float, tuple[int, int]]:
    """Correlation where it was, the highest one anywhere, and how far away that is, (rows, columns)."""
    correlation = _correlate(structure, reference)
    row, column = divmod(int(correlation.argmax()), VIEW_WIDTH_PX)
    shift = (
        row - VIEW_HEIGHT_PX * (row > VIEW_HEIGHT_PX // 2),
        column - VIEW_WIDTH_PX * (column > VIEW_WIDTH_PX // 2),
    )
    return _near(correlation), float(correlation[row, column]), shift


def _is_move(shift: tuple[int, int]) -> bool:
    down, across = map(abs, shift)
    return (
        max(down, across) >= SHIFTED_PX
        and down <= SHIFTED_PART * VIEW_HEIGHT_PX
        and across <= SHIFTED_PART * VIEW_WIDTH_PX
    )


def _correlate(one: Structure, other: Structure) -> Correlation:
    """(VIEW_HEIGHT_PX, VIEW_WIDTH_PX): normalised correlation at every shift, which wraps around."""
    energy = float(np.vdot(one, one).real) * float(np.vdot(other, other).real)
    product = np.fft.fft2(one) * np.conj(np.fft.fft2(other))
    correlation: Correlation = (np.fft.ifft2(product).real / math.sqrt(energy + 1e-12)).astype(np.float32)
    return correlation


def _near(correlation: Correlation) -> float:
    places = np.arange(-NEAR_PX, NEAR_PX + 1)
    return float(correlation[np.ix_(places, places)].max())


def _ramp(size: int) -> NDArray[np.float32]:
    places = np.arange(size, dtype=np.float32) + 0.5
    ramp: NDArray[np.float32] = np.minimum(1.0, np.minimum(places, size - places) / (TAPER * size)).astype(np.float32)
    return ramp


_TAPER = np.outer(_ramp(VIEW_HEIGHT_PX), _ramp(VIEW_WIDTH_PX))
