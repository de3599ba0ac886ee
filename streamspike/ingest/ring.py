"""The ring: the last seconds of a camera, compressed packets and sampled frames, bounded in seconds and in bytes."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from streamspike.core import Frame
from streamspike.stats import CameraStats

FRAME_SECONDS = 10.0
"""So much of a source without packets is held at least, in fewer frames a second if they are big."""


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a muxer must know to write packets. A change of resolution makes a new one."""

    codec: str
    """FFmpeg's name: h264, hevc, mjpeg, ..."""
    template: bytes
    """The codec's parameters in the form that `template` writes and `clip_file` reads."""
    width_px: int
    height_px: int
    time_base: Fraction
    """Unit of pts and dts, seconds."""
    frame_rate: Fraction | None
    """Average, if the container says so."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One compressed frame as plain data: it outlives the connection and may go to any thread."""

    data: bytes
    pts: int | None  # in units of the header's time_base, on the camera's own origin
    dts: int | None
    duration: int
    """0 when unknown."""
    is_sync: bool
    """A decoder can start here."""
    stream_seconds: float
    """Stream time, as of frames, to within the decoder's delay."""
    arrived_at: float  # UTC


@dataclass(frozen=True, slots=True)
class Footage:
    """Packets of one epoch and one header in decoding order, the first of them a sync packet."""

    epoch: int
    header: StreamHeader
    packets: tuple[Packet, ...]


@dataclass(frozen=True, slots=True)
class _HeldPacket:
    packet: Packet
    header: StreamHeader
    epoch: int
    position_seconds: float
    """Grows over all epochs, where stream time starts again at 0."""


@dataclass(frozen=True, slots=True)
class _HeldFrame:
    frame: Frame
    epoch: int
    position_seconds: float


class Ring:
    """The reading thread adds, any thread takes.

    Packets go in groups, from the front up to the next sync packet, so that what is left can always be decoded; the
    ring therefore holds a little more than `pre_seconds`. Packets and frames are each held to `max_bytes`.
    """

    def __init__(self, pre_seconds: float, max_bytes: int, stats: CameraStats) -> None:
        self._pre_seconds = pre_seconds
        self._max_bytes = max_bytes
        self._stats = stats
        self._lock = threading.Lock()
        self._packets: deque[_HeldPacket] = deque()
        self._frames: deque[_HeldFrame] = deque()
        self._packet_bytes = 0
        self._frame_bytes = 0
        self._epoch = 0
        self._offset_seconds = 0.0  # position of stream time 0 of this epoch
        self._position_seconds = 0.0

    def start_epoch(self, epoch: int) -> None:
        """A new connection: what is held stays until it is too old, and is never mixed with what comes."""
        with self._lock:
            self._epoch = epoch
            self._offset_seconds = self._position_seconds

    @property
    def has_packets(self) -> bool:
        """Whether the source delivers packets, as all but raw and simulated ones do."""
        return bool(self._packets)

    def seconds_between(self, frame: Frame) -> float:
        """How far apart frames of this size must be for `FRAME_SECONDS` of them to fit, if nothing else is held."""
        return FRAME_SECONDS * frame.pixels.nbytes / self._max_bytes

    def add_packet(self, packet: Packet, header: StreamHeader) -> None:
        """Keep a packet, drop what is too old or too much."""
        with self._lock:
            position = self._advance_to(packet.stream_seconds)
            before = self._packets[-1] if self._packets else None
            follows = before is not None and before.epoch == self._epoch and before.header == header
            if not packet.is_sync and not follows:
                self._stats.ring_dropped_packets["no_sync"] += 1
                return
            self._packets.append(_HeldPacket(packet, header, self._epoch, position))
            self._packet_bytes += len(packet.data)
            self._trim_packets()
            self._report()

    def add_frame(self, frame: Frame) -> None:
        """Keep a sampled frame of the current epoch, drop what is too old or too much."""
        with self._lock:
            position = self._advance_to(frame.stream_seconds)
            if self._frames and self._frames[-1].frame is frame:
                return  # repeated in the segment, because the camera was slower than the sampling
            self._frames.append(_HeldFrame(frame, self._epoch, position))
            self._frame_bytes += frame.pixels.nbytes
            while self._frames[0].position_seconds < self._position_seconds - self._pre_seconds:
                self._drop_frame("age")
            while self._frame_bytes > self._max_bytes and self._frames:
                self._drop_frame("bytes")
            self._report()

    def snapshot_since(self, seconds: float) -> Footage | None:
        """The last `seconds` of the newest connection and a little more, to start at a sync packet."""
        with self._lock:
            if not self._packets:
                return None
            last = self._packets[-1]
            return self._cut(last.epoch, self._position_seconds - seconds, float("inf"))

    def snapshot(self, epoch: int, start_seconds: float, end_seconds: float = float("inf")) -> Footage | None:
        """What is held of [start, end) of an epoch's stream time, beginning at the sync packet at or before start.

        None when nothing of it is held any more, or yet.
        """
        with self._lock:
            held = next((held for held in self._packets if held.epoch == epoch), None)
            if held is None:
                return None
            offset = held.position_seconds - held.packet.stream_seconds
            return self._cut(epoch, offset + start_seconds, offset + end_seconds)

    def frames_since(self, seconds: float) -> tuple[Frame, ...]:
        """Sampled frames of the last `seconds` of the current epoch, oldest first."""
        with self._lock:
            start = self._position_seconds - seconds
            return tuple(
                held.frame for held in self._frames if held.epoch == self._epoch and held.position_seconds >= start
            )

    def _advance_to(self, stream_seconds: float) -> float:
        position = self._offset_seconds + stream_seconds
        self._position_seconds = max(self._position_seconds, position)
        return position

    def _cut(self, epoch: int, start: float, end: float) -> Footage | None:
        """Packets with positions in [start, end), back to a sync packet; the last header wins when it changed."""
        chosen = [held for held in self._packets if held.epoch == epoch and held.position_seconds < end]
        if not chosen or chosen[-1].position_seconds < start:
            return None
        header = chosen[-1].header
        chosen = [held for held in chosen if held.header == header]
        syncs = [index for index, held in enumerate(chosen) if held.packet.is_sync]
        first = max((i for i in syncs if chosen[i].position_seconds <= start), default=syncs[0])
        return Footage(epoch, header, tuple(held.packet for held in chosen[first:]))

    def _trim_packets(self) -> None:
        oldest = self._position_seconds - self._pre_seconds
        while True:
            second = next((i for i, held in enumerate(self._packets) if i and held.packet.is_sync), None)
            if self._packet_bytes > self._max_bytes:
                # Without a second sync packet the whole group goes, and the ring waits for the next one.
                self._drop_packets(second if second is not None else len(self._packets), "bytes")
            elif second is not None and self._packets[second].position_seconds <= oldest:
                self._drop_packets(second, "age")
            else:
                return

    def _drop_packets(self, count: int, reason: str) -> None:
        for _ in range(count):
            self._packet_bytes -= len(self._packets.popleft().packet.data)
        self._stats.ring_dropped_packets[reason] += count

    def _drop_frame(self, reason: str) -> None:
        self._frame_bytes -= self._frames.popleft().frame.pixels.nbytes
        self._stats.ring_dropped_frames[reason] += 1

    def _report(self) -> None:
        self._stats.ring_packets = len(self._packets)
        self._stats.ring_bytes = self._packet_bytes + self._frame_bytes
        self._stats.ring_seconds = self._position_seconds - self._packets[0].position_seconds if self._packets else 0.0
