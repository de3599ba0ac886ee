"""Stream time: makes timestamps that start at 0 and strictly increase out of what cameras and files send."""

from __future__ import annotations

from collections import Counter

MAX_GAP_SECONDS = 10.0
"""A longer step forward is a broken clock, not a gap."""
MAX_REORDER_SECONDS = 0.5
"""A step back of at most this is one late frame; a longer one is a clock that was set back."""
MAX_STUCK_FRAMES = 3
"""So many frames in a row that do not go forward are a clock that stands still."""
MIN_STEP_SECONDS = 0.001
FIRST_GUESS_SECONDS = 0.04
_MEMORY = 0.1
"""Weight of a new interval in the running mean."""


class StreamTime:
    """The time line of one epoch.

    Args:
        repairs: counts what was mended, by reason: missing, duplicate, backward, jump.
    """

    def __init__(self, repairs: Counter[str]) -> None:
        self._repairs = repairs
        self._base_seconds: float | None = None  # stream time = pts - base
        self._last_seconds: float | None = None
        self._last_arrival_seconds: float | None = None
        self._interval_seconds = FIRST_GUESS_SECONDS
        self._num_stuck = 0

    @property
    def interval_seconds(self) -> float:
        """Running mean of the time from frame to frame."""
        return self._interval_seconds

    def stamp(self, pts_seconds: float | None, arrival_seconds: float | None = None) -> float:
        """Stream time of the next frame: 0.0 for the first, then strictly increasing.

        Args:
            pts_seconds: what the container says, on any origin; None when it says nothing.
            arrival_seconds: when a live frame came, on a monotonic clock; stands in for a missing timestamp.
        """
        # Rounded, so that 1.0 - 0.1 - 0.9 is a whole second and slices begin with the frames one expects.
        stream_seconds = round(self._place(pts_seconds, arrival_seconds), 6)
        if self._last_seconds is not None:
            step = stream_seconds - self._last_seconds
            if MIN_STEP_SECONDS < step <= 1.0:
                self._interval_seconds += _MEMORY * (step - self._interval_seconds)
        self._last_seconds = stream_seconds
        self._last_arrival_seconds = arrival_seconds
        return stream_seconds

    def locate(self, pts_seconds: float | None) -> float:
        """Stream time of a packet, next to the last frame when its timestamp is no use. Changes nothing."""
        last = self._last_seconds or 0.0
        if pts_seconds is None or self._base_seconds is None:
            return last
        stream_seconds = pts_seconds - self._base_seconds
        return stream_seconds if abs(stream_seconds - last) <= MAX_GAP_SECONDS else last

    def _place(self, pts_seconds: float | None, arrival_seconds: float | None) -> float:
        last = self._last_seconds
        if last is None:
            self._base_seconds = pts_seconds
            if pts_seconds is None:
                self._repairs["missing"] += 1
            return 0.0
        if pts_seconds is None:
            self._repairs["missing"] += 1
            return last + self._step(arrival_seconds)
        if self._base_seconds is None:
            return self._rebase(pts_seconds, last + self._step(arrival_seconds))
        stream_seconds = pts_seconds - self._base_seconds
        step = stream_seconds - last
        if step > MAX_GAP_SECONDS or step < -MAX_REORDER_SECONDS:
            self._repairs["jump"] += 1
            return self._rebase(pts_seconds, last + self._step(arrival_seconds))
        if step < MIN_STEP_SECONDS:
            self._repairs["duplicate" if abs(step) < MIN_STEP_SECONDS else "backward"] += 1
            self._num_stuck += 1
            if self._num_stuck >= MAX_STUCK_FRAMES:
                return self._rebase(pts_seconds, last + self._step(arrival_seconds))
            return last + MIN_STEP_SECONDS
        self._num_stuck = 0
        return stream_seconds

    def _rebase(self, pts_seconds: float, stream_seconds: float) -> float:
        self._base_seconds = pts_seconds - stream_seconds
        return stream_seconds

    def _step(self, arrival_seconds: float | None) -> float:
        """How far on a frame is whose own timestamp cannot be used."""
        if arrival_seconds is None or self._last_arrival_seconds is None:
            return self._interval_seconds
        return min(max(arrival_seconds - self._last_arrival_seconds, MIN_STEP_SECONDS), MAX_GAP_SECONDS)
