"""When surprise is unusual for this camera: a robust running quantile of its recent surprises, never below a floor.

What the quantile sees, and why it stays robust:

1. A segment outside events counts with its own surprise.
2. An event counts once, with its onset. The rest of it is held back: a minute of turmoil would otherwise fill the upper
   two percent of a quarter of an hour, and the next event would go unnoticed.
3. An event that had to be cut because it would not end is not an event but how this camera looks now (a road was
   opened, the camera was turned): what was held back is admitted after all, so that one alert adapts the threshold.

While learning, the floor alone counts: a quantile of a handful of segments is close to their maximum, which is noise.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Mapping

from streamspike.config import EventConfig

STATE_VERSION = 1


class Threshold:
    """Running threshold of one camera. Bounded memory, no clock, not thread-safe.

    `level` is what the *next* surprise is compared with: a segment never raises the bar it is judged by.
    """

    def __init__(self, config: EventConfig) -> None:
        self._config = config
        self._recent: deque[float] = deque()  # in order of arrival, at most memory_segments
        self._sorted: list[float] = []  # the same values in ascending order
        self._held: list[float] = []  # of the current event, at most max_event_segments
        self._num_seen = 0

    @property
    def level(self) -> float:
        """Nats above which a segment is surprising."""
        if self.learning or not self._sorted:
            return self._config.floor_nats
        return max(self._config.floor_nats, _quantile(self._sorted, self._config.quantile))

    @property
    def learning(self) -> bool:
        """Too few segments seen for a quantile to mean anything."""
        return self._num_seen < self._config.learning_segments

    @property
    def progress(self) -> float:
        """Of learning, in [0, 1]."""
        return min(1.0, self._num_seen / self._config.learning_segments)

    def admit(self, surprise_nats: float) -> None:
        """Count a segment outside events, or the onset of one."""
        self._check(surprise_nats)
        self._num_seen += 1
        self._append(surprise_nats)

    def hold(self, surprise_nats: float) -> None:
        """Hold back a segment inside an event."""
        self._check(surprise_nats)
        self._num_seen += 1
        self._held.append(surprise_nats)
        if len(self._held) > self._config.max_event_segments:
            self._held.pop(0)

    def release(self, *, admit: bool) -> None:
        """The event is over: forget what was held back, or count it after all (see 3. above)."""
        if admit:
            for surprise_nats in self._held:
                self._append(surprise_nats)
        self._held.clear()

    def export(self) -> dict[str, object]:
        """All there is to remember over a restart, as plain JSON values. What is held back is not kept."""
        return {
            "version": STATE_VERSION,
            "num_seen": self._num_seen,
            "surprises": [round(value, 6) for value in self._recent],
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`. The config may have changed: the newest `memory_segments` values are kept.

        Raises:
            ValueError: not an export of this version; the threshold is unchanged.
        """
        num_seen, surprises = state.get("num_seen"), state.get("surprises")
        if state.get("version") != STATE_VERSION or not isinstance(num_seen, int) or not isinstance(surprises, list):
            raise ValueError(f"not the state of a threshold, version {STATE_VERSION}: {str(state)[:80]}")
        for value in surprises:
            if not isinstance(value, int | float):
                raise ValueError(f"a surprise is a number: {value!r}")
            self._check(float(value))
        newest = [float(value) for value in surprises[-self._config.memory_segments :]]
        self._recent = deque(newest)
        self._sorted = sorted(newest)
        self._held.clear()
        self._num_seen = num_seen

    def _append(self, surprise_nats: float) -> None:
        if len(self._recent) == self._config.memory_segments:
            del self._sorted[bisect.bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(surprise_nats)
        bisect.insort(self._sorted, surprise_nats)

    @staticmethod
    def _check(surprise_nats: float) -> None:
        if not (math.isfinite(surprise_nats) and surprise_nats >= 0.0):
            raise ValueError(f"surprise is finite and never negative: {surprise_nats = }")


def _quantile(ordered: list[float], quantile: float) -> float:
    """Linear interpolation between the closest ranks, as numpy's default; `ordered` ascending and not empty."""
    position = quantile * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
