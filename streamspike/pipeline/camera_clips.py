"""The clips of one camera: begun when an event starts, fed as segments come, closed when they are complete.

A live camera's clips are written beside its scoring, by a task that catches up whenever it can; a file waits for them,
as it would run away otherwise. Time is that of the stream: no segment, no progress, and a lost connection ends a clip.
"""

from __future__ import annotations

import asyncio
import math

from streamspike.config import ClipConfig
from streamspike.core import Event, EventPhase, Segment
from streamspike.errors import SourceError
from streamspike.ingest.ring import Ring
from streamspike.outputs.clips import ClipArchive
from streamspike.pipeline.recording import Recording

MAX_OPEN = 4
"""Clips of one camera that are written at once; post_seconds overlap when events follow each other closely."""


class CameraClips:
    """`run` belongs in the camera's TaskGroup. All methods are for the loop."""

    def __init__(self, ring: Ring, archive: ClipArchive | None, config: ClipConfig, *, is_patient: bool) -> None:
        """
        Args:
            archive: None when no clips are wanted.
            is_patient: the camera waits for its clips (a file); otherwise they are written beside it.
        """
        self._ring = ring
        self._archive = archive
        self._config = config
        self._is_patient = is_patient
        self._open: list[Recording] = []
        self._hidden = (0, -math.inf)  # epoch, and stream time before which nothing may be kept
        self._writing = asyncio.Lock()
        self._due = asyncio.Event()
        self._stopped = False

    async def hear(self, event: Event, segment: Segment | None) -> None:
        """A message about an event, after it was told: a start begins a clip, an end says how long it goes on.

        Args:
            segment: the one that the message is about, if any.
        """
        if self._archive is None:
            return
        if event.phase is EventPhase.START and segment is not None:
            part = await self._archive.reserve(event.event_id)
            if part is None:
                return
            if len(self._open) >= MAX_OPEN:
                await self._advance(self._open[:1], "crowded")
            epoch, hidden_seconds = self._hidden
            not_before_seconds = hidden_seconds if epoch == segment.epoch else -math.inf
            self._open.append(Recording(self._ring, event, segment, part, self._config, not_before_seconds))
        elif event.phase is EventPhase.END and event.end_at is not None:
            for recording in self._open:
                if recording.event_id == event.event_id:
                    recording.end(event.end_at)

    async def follow(self, segment: Segment) -> None:
        """A segment has come, scored or not."""
        if not self._open:
            return
        lost = [recording for recording in self._open if recording.epoch != segment.epoch]
        if lost:
            await self._advance(lost, "connection")
        if self._is_patient:
            await self._advance(self._open)
        else:
            self._due.set()

    def hide(self, segment: Segment) -> None:
        """A segment has come while the camera was paused: it is in the ring, and must not come into a clip."""
        self._hidden = segment.epoch, segment.end_seconds

    async def finish(self, reason: str) -> None:
        """Close all clips with what there is of them: nothing more will come, because of `reason`."""
        await self._advance(self._open, reason)

    async def run(self) -> None:
        """Write what is due, until `stop`."""
        while not self._stopped:
            await self._due.wait()
            self._due.clear()
            await self._advance(self._open)

    def stop(self) -> None:
        """Let `run` return; call `finish` then."""
        self._stopped = True
        self._due.set()

    async def _advance(self, recordings: list[Recording], last_reason: str = "") -> None:
        """Write what has come for these; close those that are complete, or all of them if there is a last reason."""
        async with self._writing:
            for recording in recordings.copy():
                if recording in self._open:  # otherwise closed while we waited for our turn
                    await self._write(recording, last_reason)

    async def _write(self, recording: Recording, last_reason: str) -> None:
        assert self._archive is not None, "recordings need an archive"
        try:
            is_complete = await self._archive.run(recording.advance)
            if not is_complete and not await self._archive.has_room():
                last_reason = last_reason or "disk_full"
            if not is_complete and not last_reason:
                return
            self._open.remove(recording)
            clip = await self._archive.run(recording.close)
        except (OSError, SourceError) as error:
            if recording in self._open:
                self._open.remove(recording)
            await self._archive.run(recording.abandon)
            await self._archive.discard(recording.part, error)
            return
        if clip is None:
            await self._archive.discard(recording.part, None)
            return
        outcome = recording.outcome or last_reason
        if outcome != "whole":
            self._archive.counts.num_shortened[outcome] += 1
        await self._archive.keep(recording.part, clip)
