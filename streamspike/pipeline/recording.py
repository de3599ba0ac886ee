"""One clip as it grows: from the ring of a camera into a file, piece by piece, until all that is wanted has come.

    ring        [ . . . . sync . . . . . . . . . . . . . . . ]   the last seconds, also of lost connections
    clip                  |<- pre ->onset .... end<- post ->|
    advance               |..........|.....|.....|.....|....|    takes what has come since the last time

The ring is the queue: nothing is copied until it is written, and nothing waits anywhere else. What the ring has dropped
before it was taken ends the clip; a gap would look like a jump of the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamspike.config import ClipConfig
from streamspike.core import Event, Frame, Segment
from streamspike.ingest.clip_file import EncodedFile, PacketFile, TranscodedFile, open_packet_file
from streamspike.ingest.ring import Footage, Packet, Ring
from streamspike.outputs.clip_table import Clip, ClipKind
from streamspike.outputs.clips import name_clip

Outcome = Literal["", "whole", "bound", "gap", "picture"]

REORDER_SECONDS = 2.0
"""Packets are asked for from so long before the last one: those with B-frames are not in the order of their times."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a clip is to show."""

    clip_id: str
    """Of its event; of ordinary footage, its own."""
    camera_id: str
    kind: ClipKind
    start_at: float
    """UTC; the clip begins at the sync frame at or before it."""
    max_seconds: float
    end_at: float = math.inf
    """UTC; infinite while nobody knows."""
    post_seconds: float = 0.0
    """Goes on for so long after its end."""


def want_event(event: Event, config: ClipConfig) -> Wanted:
    """The clip of an event that has just started."""
    start_at = event.onset_at - config.pre_seconds
    return Wanted(
        event.event_id, event.camera_id, "event", start_at, config.max_clip_seconds, post_seconds=config.post_seconds
    )


class Recording:
    """A clip in the making. `advance`, `close` and `abandon` block and belong to one thread at a time.

    They raise OSError when the disk is full or fails, and SourceError when the footage cannot be written.
    """

    def __init__(
        self,
        ring: Ring,
        wanted: Wanted,
        segment: Segment,
        part: Path,
        not_before_seconds: float = -math.inf,
    ) -> None:
        """
        Args:
            segment: one of the connection; it says how stream time and UTC belong together.
            part: the file to write.
            not_before_seconds: stream time before which nothing may be kept, because the camera was paused.
        """
        self.wanted = wanted
        self.epoch = segment.epoch
        self.part = part
        self.outcome: Outcome = ""
        """Why there is nothing more to take; empty while there may be."""
        self._ring = ring
        self._segment = segment
        self._utc_offset = segment.started_at - segment.start_seconds  # UTC of stream time 0
        self._not_before_seconds = not_before_seconds
        self._start_seconds = max(wanted.start_at - self._utc_offset, not_before_seconds)
        self._until_seconds = wanted.end_at + wanted.post_seconds - self._utc_offset
        self._file: PacketFile | TranscodedFile | EncodedFile | None = None
        self._first_seconds = 0.0
        self._last_packet: Packet | None = None
        self._last_frame: Frame | None = None
        self._footage: Footage | None = None  # the first, for its header

    def end(self, end_at: float) -> None:
        """What is wanted ended at `end_at`, UTC. Any thread."""
        self._until_seconds = end_at + self.wanted.post_seconds - self._utc_offset

    def advance(self) -> bool:
        """Write what has come since the last time. True when the clip is complete: `outcome` says why."""
        if self._last_packet is None and self._last_frame is None:
            self._begin()
        elif self._last_packet is not None:
            self._take_packets(self._last_packet)
        elif self._last_frame is not None:
            self._take_frames(self._last_frame)
        return self.outcome != ""

    def close(self) -> Clip | None:
        """Finish the file. None when there was nothing to write."""
        if self._file is None:
            return None
        self._file.close()
        return Clip(
            event_id=self.wanted.clip_id,
            camera_id=self.wanted.camera_id,
            file_name=name_clip(self.wanted.clip_id),
            started_at=self._utc_offset + self._first_seconds,
            seconds=self._file.seconds,
            num_bytes=self.part.stat().st_size,
            codec=self._file.codec,
            kind=self.wanted.kind,
        )

    def abandon(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.abandon()

    def _begin(self) -> None:
        footage = self._ring.snapshot(self.epoch, self._start_seconds)
        if footage is not None:
            allowed = (i for i, p in enumerate(footage.packets) if p.is_sync and self._may_keep(p.stream_seconds))
            first = next(allowed, None)
            if first is not None:
                self._footage = footage
                self._file = open_packet_file(self.part, footage.header)
                self._first_seconds = footage.packets[first].stream_seconds
                self._write_packets(footage.packets[first:])
            return
        frames = self._ring.frames_since(math.inf)
        # Frames do not say of which connection they are, but one of ours does for all of them.
        if any(frame is self._segment.frames[-1] for frame in frames):
            frames = tuple(frame for frame in frames if frame.stream_seconds >= self._start_seconds)
            if not frames:
                return  # they are still to come
            self._file = EncodedFile(self.part)
            self._first_seconds = frames[0].stream_seconds
            self._write_frames(frames)

    def _take_packets(self, last: Packet) -> None:
        footage = self._ring.snapshot(self.epoch, last.stream_seconds - REORDER_SECONDS)
        if footage is None:
            return
        assert self._footage is not None, "packets are taken after the first ones"
        if footage.header != self._footage.header:
            self.outcome = "picture"
            return
        index = next((i for i, packet in enumerate(footage.packets) if packet is last), None)
        if index is None:
            self.outcome = "gap"
            return
        self._write_packets(footage.packets[index + 1 :])

    def _write_packets(self, packets: tuple[Packet, ...]) -> None:
        assert isinstance(self._file, PacketFile | TranscodedFile) and self._footage is not None
        time_base = self._footage.header.time_base
        for packet in packets:
            delayed = packet.pts is not None and packet.dts is not None
            # By decoding time: whatever is shown before that has been written then, B-frames included.
            decoded_seconds = packet.stream_seconds
            if delayed:
                assert packet.pts is not None and packet.dts is not None
                decoded_seconds -= float((packet.pts - packet.dts) * time_base)
            if self._is_over(decoded_seconds):
                return
            self._file.add(packet)
            self._last_packet = packet

    def _take_frames(self, last: Frame) -> None:
        frames = self._ring.frames_since(math.inf)
        index = next((i for i, frame in enumerate(frames) if frame is last), None)
        if index is None:
            self.outcome = "gap"
            return
        self._write_frames(frames[index + 1 :])

    def _write_frames(self, frames: tuple[Frame, ...]) -> None:
        assert isinstance(self._file, EncodedFile)
        for frame in frames:
            if self._is_over(frame.stream_seconds):
                return
            self._file.add_pixels(frame.pixels, frame.stream_seconds)
            self._last_frame = frame

    def _may_keep(self, stream_seconds: float) -> bool:
        return stream_seconds >= self._not_before_seconds

    def _is_over(self, seconds: float) -> bool:
        if seconds >= self._until_seconds:
            self.outcome = "whole"
        elif seconds - self._first_seconds >= self.wanted.max_seconds:
            self.outcome = "bound"
        return self.outcome != ""
