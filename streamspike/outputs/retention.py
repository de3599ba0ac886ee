"""Which clips must go: those too old, then the oldest while all are too big or the disk is too full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from streamspike.outputs.clip_table import Clip

DAY_SECONDS = 86_400.0

Reason = Literal["age", "bytes", "disk_full"]


def choose_expired(
    clips: Sequence[Clip], now: float, keep_days: float, max_bytes: int, missing_bytes: int = 0
) -> list[tuple[Clip, Reason]]:
    """The clips to delete and why, oldest first.

    Args:
        clips: all there are, oldest first.
        now: UTC.
        keep_days: a clip that ended longer ago goes.
        max_bytes: those that stay are no bigger together.
        missing_bytes: so much of the disk must be freed by what goes, as far as there are clips.
    """
    held_bytes, freed_bytes = sum(clip.num_bytes for clip in clips), 0
    expired: list[tuple[Clip, Reason]] = []
    for clip in clips:
        reason: Reason
        if clip.started_at + clip.seconds < now - keep_days * DAY_SECONDS:
            reason = "age"
        elif held_bytes > max_bytes:
            reason = "bytes"
        elif freed_bytes < missing_bytes:
            reason = "disk_full"
        else:
            # No break: clocks are set, so one that is too old may stand behind one that is not.
            continue
        held_bytes -= clip.num_bytes
        freed_bytes += clip.num_bytes
        expired.append((clip, reason))
    return expired
