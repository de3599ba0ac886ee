"""The clips of one camera: begun when an event starts, fed as segments come, closed when they are complete.

Besides those of events there are stretches of ordinary footage, for the night shift. Such a stretch waits, written,
until no event can begin so early any more that its clip would show the same; if one does, the stretch is deleted.

    stretch     |<-- ordinary_seconds -->|<- SETTLE + pre_seconds ->| kept
    an event whose clip begins in here:  ^ or before, and the stretch is deleted

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
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.clips import ClipArchive
from streamspike.pipeline.ordinary import OrdinaryDraw
from streamspike.pipeline.recording import Recording, Wanted, want_event

MAX_OPEN = 4
"""Clips of one camera that are written at once; post_seconds overlap when events follow each other closely."""
SETTLE_SECONDS = 10.0
"""An event is told some segments after its onset, and its clip begins at a sync frame before that."""


class CameraClips:
    """`run` belongs in the camera's TaskGroup. All methods are for the loop."""

    def __init__(
        self,
        ring: Ring,
        archive: ClipArchive | None,
        config: ClipConfig,
        *,
        is_patient: bool,
        ordinary_of: str | None = None,
    ) -> None:
        """
        Args:
            archive: None when no clips are wanted.
            is_patient: the camera waits for its clips (a file); otherwise they are written beside it.
            ordinary_of: id of the camera, when its ordinary footage is logged too.
        """
        self._ring = ring
        self._archive = archive
        self._config = config
        self._is_patient = is_patient
        self._open: list[Recording] = []
        self._draw = (
            None
            if ordinary_of is None
            else OrdinaryDraw(ordinary_of, config.ordinary_per_hour, config.ordinary_seconds)
        )
        self._settling: list[tuple[Recording, Clip]] = []  # ordinary, written, and not kept yet
        self._events: set[str] = set()  # that go on
        self._quiet_from = -math.inf  # UTC of the end of what the clips of past events show
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
        await self._make_way(event)
        if event.phase is EventPhase.START and segment is not None:
            part = await self._archive.reserve(event.event_id)
            if part is None:
                return
            of_events = [recording for recording in self._open if recording.wanted.kind == "event"]
            if len(of_events) >= MAX_OPEN:
                await self._advance(of_events[:1], "crowded")
            wanted = want_event(event, self._config)
            self._open.append(Recording(self._ring, wanted, segment, part, self._hidden_until(segment)))
        elif event.phase is EventPhase.END and event.end_at is not None:
            for recording in self._open:
                if recording.wanted.clip_id == event.event_id:
                    recording.end(event.end_at)

    async def follow(self, segment: Segment) -> None:
        """A segment has come, scored or not; whatever event it started was heard."""
        await self._follow_ordinary(segment)
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
        await self._keep_settled(math.inf)  # an event of another connection shows nothing of this one

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

    async def _follow_ordinary(self, segment: Segment) -> None:
        """Keep the stretches that no event can reach any more; begin one, if one was drawn to begin in this segment."""
        if self._archive is None or self._draw is None:
            return
        end_at = segment.started_at + segment.end_seconds - segment.start_seconds
        await self._keep_settled(end_at - self._config.pre_seconds - SETTLE_SECONDS)
        start_at = self._draw.begins_in(segment.started_at, end_at)
        if start_at is None or self._hidden == (segment.epoch, segment.end_seconds):
            return
        is_busy = self._events or any(recording.wanted.kind == "event" for recording in self._open)
        if is_busy or start_at < self._quiet_from:
            self._archive.counts.num_ordinary_dropped["event"] += 1
            return
        clip_id = self._draw.name(start_at)
        part = await self._archive.reserve(clip_id, "ordinary")
        if part is None:
            return
        until_at = start_at + self._config.ordinary_seconds
        wanted = Wanted(clip_id, segment.camera_id, "ordinary", start_at, math.inf, until_at)
        not_before_seconds = max(
            self._hidden_until(segment), self._quiet_from - segment.started_at + segment.start_seconds
        )
        self._open.append(Recording(self._ring, wanted, segment, part, not_before_seconds))

    async def _make_way(self, event: Event) -> None:
        """Delete the stretches of ordinary footage that the clip of this event may show too, and note when it ends."""
        if event.phase is EventPhase.END:
            self._events.discard(event.event_id)
            assert event.end_at is not None, "an event that ended has an end"
            self._quiet_from = max(self._quiet_from, event.end_at + self._config.post_seconds)
            return
        if event.phase is not EventPhase.START:
            return
        self._events.add(event.event_id)
        start_at = event.onset_at - self._config.pre_seconds - SETTLE_SECONDS
        near = [recording for recording in self._open if recording.wanted.kind == "ordinary"]
        await self._advance(near, "event")
        too_near = [settling for settling in self._settling if settling[0].wanted.end_at > start_at]
        for settling in too_near:
            self._settling.remove(settling)
            await self._give_up(settling[0], "event")

    async def _keep_settled(self, before_at: float) -> None:
        for settling in [pair for pair in self._settling if pair[0].wanted.end_at <= before_at]:
            self._settling.remove(settling)
            assert self._archive is not None, "recordings need an archive"
            await self._archive.keep(settling[0].part, settling[1])

    async def _give_up(self, recording: Recording, reason: str) -> None:
        assert self._archive is not None, "recordings need an archive"
        await self._archive.discard(recording.part, None, "ordinary", reason)

    def _hidden_until(self, segment: Segment) -> float:
        """Stream time of its connection before which nothing may be kept."""
        epoch, hidden_seconds = self._hidden
        return hidden_seconds if epoch == segment.epoch else -math.inf

    async def _advance(self, recordings: list[Recording], last_reason: str = "") -> None:
        """Write what has come for these; close those that are complete, or all of them if there is a last reason."""
        async with self._writing:
            for recording in recordings.copy():
                if recording in self._open:  # otherwise closed while we waited for our turn
                    await self._write(recording, last_reason)

    async def _write(self, recording: Recording, last_reason: str) -> None:
        assert self._archive is not None, "recordings need an archive"
        kind = recording.wanted.kind
        try:
            is_complete = await self._archive.run(recording.advance)
            if not is_complete and not await self._archive.has_room(kind):
                last_reason = last_reason or "disk_full"
            if not is_complete and not last_reason:
                return
            self._open.remove(recording)
            clip = await self._archive.run(recording.close)
        except (OSError, SourceError) as error:
            if recording in self._open:
                self._open.remove(recording)
            await self._archive.run(recording.abandon)
            await self._archive.discard(recording.part, error, kind)
            return
        if clip is None:
            await self._archive.discard(recording.part, None, kind)
            return
        outcome = recording.outcome or last_reason
        if kind == "ordinary":
            if outcome == "whole":
                self._settling.append((recording, clip))
            else:
                await self._give_up(recording, outcome)
            return
        self._quiet_from = max(self._quiet_from, clip.started_at + clip.seconds)
        if outcome != "whole":
            self._archive.counts.num_shortened[outcome] += 1
        await self._archive.keep(recording.part, clip)
