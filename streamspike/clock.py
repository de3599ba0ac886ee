"""Time as a parameter: the clock everything asks, so that tests can own it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """The only way streamspike learns what time it is."""

    def now(self) -> float:
        """UTC, seconds since 1970. May jump when the machine's clock is corrected."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. For durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock; zero or less yields to the loop once."""
        ...


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """Stands still until it is told to advance. For tests and for replays faster than life.

    `monotonic()` starts at 0 and `now()` at `started_at`. Sleepers wake in the order of their deadlines. Belongs to one
    loop; `now` and `monotonic` may be read from any thread.
    """

    def __init__(self, started_at: float = 1_700_000_000.0) -> None:
        self._started_at = started_at
        self._elapsed_seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._num_sleepers = 0

    def now(self) -> float:
        return self._started_at + self._elapsed_seconds

    def monotonic(self) -> float:
        return self._elapsed_seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._num_sleepers += 1
        self._sleepers.append((self._elapsed_seconds + seconds, self._num_sleepers, future))
        await future

    def advance(self, seconds: float) -> None:
        """Move on at once and wake who is due; the woken run when the loop does. For synchronous code and threads."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds = }")
        self._elapsed_seconds += seconds
        due = sorted(entry for entry in self._sleepers if entry[0] <= self._elapsed_seconds)
        self._sleepers = [entry for entry in self._sleepers if entry[0] > self._elapsed_seconds]
        for _, _, future in due:
            if not future.done():
                future.set_result(None)

    async def run_for(self, seconds: float) -> None:
        """Advance from deadline to deadline, letting the loop run after each, so that chains of sleeps work out."""
        end_seconds = self._elapsed_seconds + seconds
        while True:
            for _ in range(10):  # tasks need a few turns of the loop before they sleep again
                await asyncio.sleep(0)
            deadlines = [deadline for deadline, _, future in self._sleepers if not future.done()]
            step_to = min([end_seconds, *deadlines])
            if step_to <= self._elapsed_seconds:
                step_to = end_seconds
            self.advance(step_to - self._elapsed_seconds)
            if self._elapsed_seconds >= end_seconds:
                await asyncio.sleep(0)
                return
