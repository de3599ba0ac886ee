"""Which stretches of a camera's time are logged as ordinary footage: drawn uniformly, and the same after a restart.

Time is cut into slots of 3600 / per_hour seconds of UTC, and in each slot one stretch begins at a moment drawn from the
number of the slot and the name of the camera. So there are never more than asked for, however often the process starts,
every moment is as likely as any other, and cameras do not write all at once.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from random import Random

HOUR_SECONDS = 3600.0


class OrdinaryDraw:
    """The moments of one camera. Stateless: the same question has the same answer."""

    def __init__(self, camera_id: str, per_hour: float, seconds: float) -> None:
        """
        Args:
            per_hour: 0 for none.
            seconds: length of a stretch, no longer than a slot.
        """
        self._camera_id = camera_id
        self._slot_seconds = HOUR_SECONDS / per_hour if per_hour > 0 else math.inf
        self._seconds = seconds

    def begins_in(self, start_at: float, end_at: float) -> float | None:
        """UTC of the first stretch that begins in [start_at, end_at), None when none does."""
        if math.isinf(self._slot_seconds):
            return None
        for slot in range(math.floor(start_at / self._slot_seconds), math.floor(end_at / self._slot_seconds) + 1):
            moment = slot * self._slot_seconds + self._drawn(slot)
            if start_at <= moment < end_at:
                return moment
        return None

    def name(self, start_at: float) -> str:
        """Id of the clip of a stretch, as in door-20260727T101500Z-ordinary; no event has such a one."""
        return f"{self._camera_id}-{datetime.fromtimestamp(start_at, UTC):%Y%m%dT%H%M%SZ}-ordinary"

    def _drawn(self, slot: int) -> float:
        return Random(f"{self._camera_id}/{slot}").uniform(0.0, self._slot_seconds - self._seconds)
