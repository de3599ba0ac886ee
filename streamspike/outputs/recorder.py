"""The store as a sink: every message is written on one thread of its own, so that the loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import ParamSpec, TypeVar

from streamspike.core import CameraState, Event, EventPhase, Keyframe, Observation
from streamspike.errors import StoreError
from streamspike.outputs.store import PRUNE_ROWS, Store

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RecorderCounts:
    """For the metrics."""

    num_observations: int = 0
    num_observations_lost: int = 0
    """The store could not be written (disk full); watching goes on."""
    num_events: int = 0
    """Revisions written."""
    num_events_repeated: int = 0
    """Revisions that were in the store already."""
    num_keyframes: int = 0
    """Of the hourly budget; those of events come with them."""
    num_keyframes_lost: int = 0
    """The store could not be written."""


class Recorder:
    """Give it every message before any other sink gets it: an event is in the store before it is published.

    An observation that cannot be written is counted and the stream goes on; an event that cannot be written raises
    StoreError, because an alert that leaves no trace is worse than a process that stops and says why.

    Each call waits for its write, and each camera makes one call at a time, so no queue builds up. Closing it closes
    the store.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.counts = RecorderCounts()
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store, or of its outbox, on the thread of the store."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def observe(self, observation: Observation) -> None:
        try:
            await self.run(self.store.record_observation, observation)
        except StoreError as error:
            if self.counts.num_observations_lost == 0:
                log.error("observations are lost: %s", error)
            self.counts.num_observations_lost += 1
            return
        self.counts.num_observations += 1

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        if await self.run(self.store.record_event, event, keyframe, self._clock()):
            self.counts.num_events += 1
        else:
            self.counts.num_events_repeated += 1

    async def show(self, keyframe: Keyframe) -> None:
        """Keep a keyframe chosen under the budget; one that cannot be written is counted and the stream goes on."""
        try:
            await self.run(self.store.record_keyframe, keyframe)
        except StoreError as error:
            if self.counts.num_keyframes_lost == 0:
                log.error("keyframes are lost: %s", error)
            self.counts.num_keyframes_lost += 1
            return
        self.counts.num_keyframes += 1

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        await self.run(self.store.record_state, camera_id, state, reason, self._clock())

    async def end_abandoned(self) -> list[Event]:
        """End the events that a killed process left open. Call it once, before any camera starts.

        Returns:
            The ends, recorded and in the outbox, for the other sinks.
        """
        ends = []
        for event in await self.run(self.store.open_events):
            seen_at = await self.run(self.store.last_observed_at, event.camera_id) or event.peak_at
            end = replace(event, phase=EventPhase.END, revision=event.revision + 1, end_at=max(event.peak_at, seen_at))
            await self.alert(end, None)
            ends.append(end)
        return ends

    async def prune(self, keep_days: float) -> int:
        """Delete old observations in small steps, so that events never wait for long. Returns how many."""
        num_deleted = 0
        while True:
            deleted = await self.run(self.store.prune, self._clock(), keep_days)
            num_deleted += deleted
            if deleted < PRUNE_ROWS:
                return num_deleted

    async def close(self) -> None:
        """Finish what was begun and close the store."""
        try:
            await self.run(self.store.close)
        finally:
            self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Recorder:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
