"""Whether another model is surprised in another way: then what a camera's threshold has learned is of no use.

The rule: the surprises of the last NUM_SEGMENTS before a swap and of the first NUM_SEGMENTS after it are compared. If
their cumulative shares are nowhere further apart than LIMIT (the statistic of Kolmogorov and Smirnov), calibration is
carried over; else the camera learns again, from those segments on. Until the verdict the old calibration holds. The
limit is above the 1 % point of independent segments (0.21 for 120 each), because neighbours resemble each other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from streamspike.belief.calibrate import Calibrator
from streamspike.core import Observation

NUM_SEGMENTS = 120
LIMIT = 0.3


@dataclass(frozen=True, slots=True)
class Shift:
    """The surprise of one camera before and after a swap."""

    distance: float
    """The widest gap between the shares below any level, in [0, 1]."""
    observations: tuple[Observation, ...]
    """After the swap."""

    @property
    def relearn(self) -> bool:
        return self.distance > LIMIT

    @property
    def sentence(self) -> str:
        """For the log."""
        outcome = "it learns again" if self.relearn else "what it learned is carried over"
        return f"surprise under {self.observations[-1].model} is {self.distance:.2f} from what it was; {outcome}"

    def teach(self, calibrator: Calibrator) -> None:
        """Make a calibrator know these segments and nothing else."""
        calibrator.reset()
        for seen in self.observations:
            calibrator.admit(seen.surprise_nats, seen.started_at, seen.end_seconds - seen.start_seconds)


class ShiftWatch:
    """Of one camera. Bounded memory."""

    def __init__(self, num_segments: int = NUM_SEGMENTS) -> None:
        self._before: deque[float] = deque(maxlen=num_segments)
        self._after: list[Observation] = []
        self._model: str | None = None
        self._num_segments = num_segments
        self._comparing = False

    def note(self, observation: Observation) -> Shift | None:
        """Take the next observation; a verdict when it is the last one that a comparison needs.

        A swap before there were enough segments to compare with is no reason to learn again: what was learned by then
        is little, and goes on.
        """
        if self._model is not None and observation.model != self._model:
            # A second swap in the middle of a comparison begins it again, with what was before the first one.
            self._comparing = len(self._before) == self._num_segments
            self._after.clear()
            if not self._comparing:
                self._before.clear()
        self._model = observation.model
        if not self._comparing:
            self._before.append(observation.surprise_nats)
            return None
        self._after.append(observation)
        if len(self._after) < self._num_segments:
            return None
        after = [each.surprise_nats for each in self._after]
        shift = Shift(distance(list(self._before), after), tuple(self._after))
        self._comparing = False
        self._before.extend(after)
        self._after.clear()
        return shift


def distance(a: ArrayLike, b: ArrayLike) -> float:
    """The widest gap between two empirical distribution functions (Smirnov 1939)."""
    x, y = np.sort(np.asarray(a, float)), np.sort(np.asarray(b, float))
    levels = np.concatenate([x, y])
    shares = (np.searchsorted(values, levels, side="right") / len(values) for values in (x, y))
    return float(np.abs(np.subtract(*shares)).max())
