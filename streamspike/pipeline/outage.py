"""When a lost connection is told: a camera that is back within moments was never offline to those who watch it."""

from __future__ import annotations

import math

from streamspike.core import CameraState

UP = (CameraState.WATCHING, "")
BROKEN = (CameraState.OFFLINE, CameraState.CONNECTING)


class Outage:
    """What the reader of one camera says, without short drops. The first connection is told as it goes."""

    def __init__(self, after_seconds: float) -> None:
        """
        Args:
            after_seconds: a drop that lasts no longer is not told.
        """
        self._after_seconds = after_seconds
        self._said = (CameraState.CONNECTING, "")
        self._began_at = 0.0  # of the drop, monotonic seconds
        self._was_up = False

    def hear(self, state: CameraState, reason: str, now: float) -> None:
        """The reader's next word.

        Args:
            now: monotonic seconds, which never go back.
        """
        if state in BROKEN and self._said[0] not in BROKEN:
            self._began_at = now
        self._said = state, reason
        self._was_up |= state is CameraState.WATCHING

    def told(self, now: float) -> tuple[CameraState, str]:
        """What a user should hear."""
        return UP if self.due_seconds(now) < math.inf else self._said

    def due_seconds(self, now: float) -> float:
        """After how long the drop that goes on must be told; infinite when there is nothing to wait for."""
        if not self._was_up or self._said[0] not in BROKEN:
            return math.inf
        remaining = self._began_at + self._after_seconds - now
        return remaining if remaining > 0.0 else math.inf
