"""Whether two clips show the same: so that still scenes do not fill the night, and footage seen twice is learned once.

A frame is told by the grey of 16 x 16 fields, in which noise and the losses of a codec average out while somebody who
walks by does not. A clip is alike another one when nine in ten of its frames are like some frame of it.

What is not noticed: a brighter or darker picture of the same, and a clip of which more than a tenth is new.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels

FIELDS = 16
CLOSE_LEVELS = 4
"""Of 255: frames are alike if no field differs by more."""
ALIKE_SHARE = 0.9

Print = NDArray[np.int16]
"""(FIELDS * FIELDS,) grey levels of one frame."""


def take_print(pixels: Pixels) -> Print:
    """The fingerprint of a frame."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (FIELDS, FIELDS), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.int16).reshape(-1)


class SeenClips:
    """The clips so far."""

    def __init__(self) -> None:
        self._clips: list[tuple[float, NDArray[np.int16]]] = []  # mean level, (frames, FIELDS * FIELDS)

    def has_alike(self, prints: list[Print]) -> bool:
        """Whether one of the clips so far shows the same as this one."""
        clip = np.stack(prints)
        level = float(clip.mean())
        slack = CLOSE_LEVELS + (1 - ALIKE_SHARE) * 255
        return any(abs(level - other) <= slack and _is_alike(clip, known) for other, known in self._clips)

    def add(self, prints: list[Print]) -> None:
        clip = np.stack(prints)
        self._clips.append((float(clip.mean()), clip))


def _is_alike(clip: NDArray[np.int16], known: NDArray[np.int16]) -> bool:
    distances = np.abs(clip[:, None] - known[None]).max(axis=2)  # (frames, known frames)
    return float((distances.min(axis=1) <= CLOSE_LEVELS).mean()) >= ALIKE_SHARE
