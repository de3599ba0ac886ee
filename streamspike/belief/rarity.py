"""How rare a score is for its camera, in nats: so that thresholds mean the same for whatever gives the score.

A difference of frames in [0, 1] has no nats, and 2 nats of it would make no sense. What it has is a rank: of the n
scores this camera showed last, k were as high or higher. If this one is like them, its chance to rank so high is
p = (k + 1) / (n + 1) or less, whatever their distribution (a conformal p-value: Vovk, Gammerman and Shafer,
"Algorithmic Learning in a Random World", 2005, chapter 2). -ln p is its rarity, and reads as surprise reads: 2.3 nats
happen once in ten segments, 4.6 once in a hundred.

It can never exceed ln(n + 1): nobody has seen a day that is rarer than one in the days he has lived.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import math
from collections import deque

import numpy as np


class Rarity:
    """The last scores of one camera. Bounded memory; not thread-safe."""

    def __init__(self, memory_segments: int) -> None:
        self._memory_segments = memory_segments
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []  # the same scores in ascending order

    def nats(self, score: float) -> float:
        """Minus the logarithm of the share of scores at least as high, this one counted; 0.0 before there are any.

        This operation will not remember the score.

        Raises:
            ValueError: the score is not finite.
        """
        if not math.isfinite(score):
            raise ValueError(f"a score is finite: {score = }")
        num_as_high = len(self._sorted) - bisect.bisect_left(self._sorted, score)
        return math.log((len(self._recent) + 1) / (num_as_high + 1))

    def admit(self, score: float) -> None:
        """Remember a score, and forget the oldest when there are too many."""
        if len(self._recent) == self._memory_segments:
            del self._sorted[bisect.bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(score)
        bisect.insort(self._sorted, score)

    def export(self) -> str:
        """The remembered scores for the next start, oldest first: float32, little-endian, in base64."""
        return base64.b64encode(np.array(self._recent, dtype="<f4").tobytes()).decode("ascii")

    def restore(self, exported: object) -> None:
        """Continue from an `export`, with as many of its newest scores as fit.

        Raises:
            ValueError: not an export; nothing is changed.
        """
        try:
            scores = np.frombuffer(base64.b64decode(str(exported), validate=True), dtype="<f4")
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"not the scores of a camera: {error}") from error
        if not np.isfinite(scores).all():
            raise ValueError("not the scores of a camera: some are not finite")
        self._recent = deque(scores[-self._memory_segments :].tolist())
        self._sorted = sorted(self._recent)
