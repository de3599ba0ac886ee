"""Training steps aside while the live monitor is short of time: the machine belongs to those who watch.

Two means. The process takes the lowest priority, so that the monitor's threads go first on every core; and between two
steps it looks into the store: while segments come late or are missing, it waits, and at most until its time is over.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Sequence

from streamspike.outputs.store import RecentSegments

LOOK_BACK_SECONDS = 30.0
MAX_LAG_SECONDS = 3.0
"""Beyond the length of a segment: one that is scored in time is in the store half a second after its end."""
MAX_MISSING = 0.02
"""Share of the segments that are not in the store."""
WAIT_SECONDS = 2.0


def is_behind(recent: Sequence[RecentSegments], now: float, segment_seconds: float) -> bool:
    """Whether a monitor is at work that does not keep up: its segments come late, or some are missing.

    Args:
        recent: of all cameras that run; nothing recent means that no monitor runs.
        now: UTC.
    """
    latest = max((each.ended_at for each in recent), default=0.0)
    if latest and now - latest > segment_seconds + MAX_LAG_SECONDS:
        return True
    expected = sum(each.last_number - each.first_number + 1 for each in recent)
    return expected > 0 and 1 - sum(each.count for each in recent) / expected > MAX_MISSING


class GivingWay:
    """Called between two pieces of work; returns when there is room for another one."""

    def __init__(
        self,
        look: Callable[[float], Sequence[RecentSegments]],
        segment_seconds: float,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        until: float,
    ) -> None:
        """
        Args:
            look: what began after this moment.
            until: UTC; it does not wait longer.
        """
        self._look = look
        self._segment_seconds = segment_seconds
        self._now = now
        self._sleep = sleep
        self._until = until

    def __call__(self) -> None:
        while (now := self._now()) < self._until and self._is_behind(now):
            self._sleep(min(WAIT_SECONDS, self._until - now))

    def _is_behind(self, now: float) -> bool:
        return is_behind(self._look(now - LOOK_BACK_SECONDS), now, self._segment_seconds)


def lower_priority() -> None:
    """For the rest of this process, as far as the system lets it. Not the idle class: who holds a lock of the store
    there could keep the monitor waiting for it."""
    with contextlib.suppress(OSError):
        os.nice(19)


def bound_gpu_memory(device: str, share: float) -> None:
    """Let this process take no more than this share of the GPU's memory; nothing where the model runs on the CPU.

    Args:
        device: as in the configuration: auto, cpu, cuda, cuda:1.
    """
    import torch

    from streamspike.engine.model import choose_device

    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share, chosen)


def free_memory() -> None:
    """Give back what a model took that is no longer used; its modules refer to each other, so nobody else does."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
