"""How much a camera's picture changes, against what is usual there: the surprise that needs no words.

A belief over sentences is blind to what no sentence tells apart: in a quiet room the model says the same of noise and
of somebody half out of the picture, and its surprise there is small and in any order. How much the picture changed is
known beside what happened, and by the chain rule the divergences of the two add up (Cover and Thomas, "Elements of
Information Theory", 2.5.3).

The amount x is Itti and Baldi's surprise of low-level features. On fixed cameras it has a heavy tail. Taken for a
Pareto law of index 1 above what is usual, u, the chance of as much is u / x, and minus its logarithm ln(x / u) is the
surprise; less than usual surprises nobody. Unlike a rank it does not end at the logarithm of what was seen so far
(`rarity.py`), so that the first event of an hour does not hide the second. u is the geometric mean of what the camera
has shown, old segments fading. Who knows a camera for a few seconds does not know what is usual there, so the surprise
counts n / (n + 60) after n segments.
"""

from __future__ import annotations

import math

from streamspike.belief.baselines import make_baseline
from streamspike.belief.experience import HALF_LIFE_SEGMENTS, PATIENCE_SEGMENTS
from streamspike.core import Segment

LEAST_NATS = 1e-3
"""Change a place below this is no change: no camera is so quiet."""
MOST_LOG = 20.0
"""The logarithm of any amount is nearer to 0 than this."""
FADING = 2.0 ** (-1 / HALF_LIFE_SEGMENTS)


class Change:
    """What is usual of one camera, and how far a segment exceeds it. No clock, not thread-safe."""

    def __init__(self) -> None:
        self._amount = make_baseline("itti-baldi")
        self._epoch: int | None = None
        self._weight = 0.0  # of all segments seen, the newest of weight 1
        self._sum = 0.0  # of the logarithms of their amounts, each with its weight

    def nats(self, segment: Segment) -> float:
        """Surprise of how much this segment changes, never negative; it then counts for what is usual.

        The first segment of an epoch has nothing to be compared with, the first change of a camera nothing usual: 0.0.
        """
        amount = self._amount.score(segment)
        if segment.epoch != self._epoch:
            self._epoch = segment.epoch
            return 0.0
        log = math.log(amount + LEAST_NATS)
        surprise = max(0.0, log - self._sum / self._weight) if self._weight else 0.0
        known = self._weight / (self._weight + PATIENCE_SEGMENTS)
        self._weight = self._weight * FADING + 1.0
        self._sum = self._sum * FADING + log
        return known * surprise

    def export(self) -> dict[str, float]:
        """For the next start; see `restore`."""
        return {"segments": self._weight, "sum": self._sum}

    def restore(self, state: object) -> None:
        """Continue from an `export`.

        Raises:
            ValueError: not an export; nothing is changed.
        """
        match state:
            case {"segments": int() | float() as segments, "sum": int() | float() as total} if (
                0.0 <= segments <= 1.0 / (1.0 - FADING) and abs(total) <= MOST_LOG * segments
            ):
                self._weight, self._sum = float(segments), float(total)
            case _:
                raise ValueError(f"not what is usual of a camera: {state!r}")
