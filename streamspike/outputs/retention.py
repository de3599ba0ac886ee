"""Which clips must go: those too old, then the oldest while all are too big or the disk is too full.

Ordinary footage goes before that of events, which somebody may want to see; another night brings more of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from streamspike.outputs.clip_table import Clip

DAY_SECONDS = 86_400.0

Reason = Literal["age", "bytes", "disk_full"]


def choose_expired(
    clips: Sequence[Clip], now: float, keep_days: float, max_bytes: int, missing_bytes: int = 0
) -> list[tuple[Clip, Reason]]:
    """The clips to delete and why: for their age, then ordinary ones, then those of events, each oldest first.

    Args:
        clips: all there are, oldest first.
        now: UTC.
        keep_days: a clip that ended longer ago goes.
        max_bytes: those that stay are no bigger together.
        missing_bytes: so much of the disk must be freed by what goes, as far as there are clips.
    """
    oldest_at = now - keep_days * DAY_SECONDS
    # All are looked at: clocks are set, so one that is too old may stand behind one that is not.
    aged = [clip for clip in clips if clip.started_at + clip.seconds < oldest_at]
    expired: list[tuple[Clip, Reason]] = [(clip, "age") for clip in aged]
    freed_bytes = sum(clip.num_bytes for clip in aged)
    held_bytes = sum(clip.num_bytes for clip in clips) - freed_bytes
    young = [clip for clip in clips if clip.started_at + clip.seconds >= oldest_at]
    for clip in sorted(young, key=lambda clip: clip.kind == "event"):  # stable: each kind stays oldest first
        if held_bytes <= max_bytes and freed_bytes >= missing_bytes:
            break
        expired.append((clip, "bytes" if held_bytes > max_bytes else "disk_full"))
        held_bytes -= clip.num_bytes
        freed_bytes += clip.num_bytes
    return expired
