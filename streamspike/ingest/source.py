"""A source that FFmpeg reads: one connection, from its packets to repaired, lazily rendered frames."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from streamspike.clock import Clock
from streamspike.config import CameraConfig, IngestConfig
from streamspike.core import Pixels
from streamspike.errors import SourceError
from streamspike.ingest.address import Address, parse_address
from streamspike.ingest.container import SilentSource, explain, open_container
from streamspike.ingest.frames import LazyFrame
from streamspike.ingest.hardware import find_hardware
from streamspike.ingest.ring import Packet, Ring, StreamHeader
from streamspike.ingest.template import make_template
from streamspike.ingest.timestamps import StreamTime
from streamspike.stats import CameraStats

logger = logging.getLogger(__name__)

MAX_READ_ERRORS = 64
"""A file that fails to be read so many times in a row has nothing more to give."""
MAX_HARDWARE_FAILURES = 10
"""So many packets refused before the first frame: this GPU cannot, or has no session left."""
_UNCOMPRESSED = ("rawvideo", "wrapped_avframe")


def open_source(
    camera: CameraConfig, ingest: IngestConfig, clock: Clock, stats: CameraStats, ring: Ring | None = None
) -> VideoSource:
    """Connect. Blocking; the calling thread must also iterate and close.

    Raises:
        UnsupportedSource: the address is of no kind we know, or is opened elsewhere (world:).
        SourceError: refused, timed out, missing, not a video; the message has no credentials.
    """
    return VideoSource(parse_address(camera.source.get_secret_value()), camera, ingest, clock, stats, ring)


class VideoSource:
    """Frames of one connection, every packet of it guarded, so that damage costs as few frames as can be.

    Also fills the ring with the packets. Closing it from another thread than the reading one crashes the process.
    """

    def __init__(
        self,
        address: Address,
        camera: CameraConfig,
        ingest: IngestConfig,
        clock: Clock,
        stats: CameraStats,
        ring: Ring | None,
    ) -> None:
        self._address = address
        self._camera = camera
        self._ingest = ingest
        self._clock = clock
        self._stats = stats
        self._ring = ring
        self._time = StreamTime(stats.time_repairs)
        self._reformatter = VideoReformatter()
        self._header: StreamHeader | None = None
        self._size: tuple[int, int] | None = None
        self._num_frames = 0
        self._num_refused = 0
        self._failure: SourceError | None = None  # why reading ended, when it was not the end
        self._started_at = clock.now()
        self._last_frame_seconds = clock.monotonic()
        self._connect(find_hardware() if ingest.hardware_decode == "auto" else None)

    @property
    def is_live(self) -> bool:
        return self._is_live

    def close(self) -> None:
        """Disconnect. Only the thread that opened may call it; calling it again does nothing."""
        self._container.close()

    def __iter__(self) -> Iterator[LazyFrame]:
        """Frames to the end of a file, or until the connection breaks.

        Raises:
            SourceError: nothing in the file could be decoded, or a live source failed.
            SilentSource: a live source sent no frame for `silence_timeout_seconds`.
        """
        for packet in self._packets():
            for picture in self._decode(packet):
                yield self._make_frame(picture)
            if packet.size:
                self._keep(packet)
            self._check_silence()
            if self._stats.hardware_decode and not self._num_frames and self._num_refused >= MAX_HARDWARE_FAILURES:
                yield from self._start_over_in_software()
                return
        if self._failure is not None and (self._address.kind != "file" or not self._num_frames):
            raise self._failure
        if not self._num_frames and not self._is_live:
            raise SourceError(f"no frame of {self._address} can be decoded")

    def _connect(self, hardware: Any) -> None:
        self._container = open_container(self._address, self._camera, self._ingest, hardware)
        self._stream = self._container.streams.video[0]
        # One thread per camera: many cameras share the cores, and each thread more means latency.
        self._stream.codec_context.thread_count = 1
        self._time_base = self._stream.time_base or Fraction(1, 1_000_000)
        self._stats.hardware_decode = bool(hardware is not None and self._stream.codec_context.is_hwaccel)
        finite = self._address.kind == "http" and (self._container.duration or 0) > 0
        self._is_live = self._address.is_live and not finite
        # FFmpeg invents 25 frames per second for MJPEG over HTTP; the time of arrival is the better timestamp.
        self._trusts_pts = not (self._is_live and self._container.format.name in ("mpjpeg", "mjpeg"))

    def _start_over_in_software(self) -> Iterator[LazyFrame]:
        logger.warning("%s: the GPU refuses this stream; decoding in software", self._camera.id)
        self._container.close()
        self._num_refused = 0
        self._header = None
        self._connect(None)
        yield from self

    def _packets(self) -> Iterator[Any]:
        """Packets to the end and one empty packet, which flushes the decoder; sets `_failure` when it was no end."""
        num_errors = 0
        while True:
            demuxer = self._container.demux(self._stream)
            try:
                for packet in demuxer:
                    num_errors = 0 if packet.size else num_errors
                    yield packet
                return
            except IndexError:  # PyAV's, at the end: damage made FFmpeg see a stream that was not there at first
                yield av.Packet()
                return
            except av.FFmpegError as error:
                self._failure = explain(error, self._address, "lost" if self._is_live else "cannot read on in")
            if self._address.kind != "file":
                return
            # A demuxer that stumbled over damage often finds the next packet when asked again.
            self._stats.read_errors += 1
            num_errors += 1
            if num_errors > MAX_READ_ERRORS:
                yield av.Packet()
                return

    def _decode(self, packet: Any) -> list[Any]:
        if packet.size:
            self._stats.packets += 1
            self._stats.packet_bytes += packet.size
        try:
            pictures = self._stream.codec_context.decode(packet if packet.size else None)
        except av.FFmpegError:
            self._stats.bad_packets += 1
            self._num_refused += 1
            return []
        return cast(list[Any], pictures)

    def _make_frame(self, picture: Any) -> LazyFrame:
        arrival_seconds = self._clock.monotonic()
        # Not picture.time: frames that the flush brings out have lost their time base.
        pts_seconds = None if picture.pts is None or not self._trusts_pts else float(picture.pts * self._time_base)
        stream_seconds = self._time.stamp(pts_seconds, arrival_seconds if self._is_live else None)
        now = self._clock.now()
        if not self._num_frames:
            self._started_at = now
        self._num_frames += 1
        self._last_frame_seconds = arrival_seconds
        self._stats.frames += 1
        self._stats.corrupt_frames += picture.is_corrupt
        self._stats.last_frame_at = now
        size = (picture.width, picture.height)
        if self._size not in (None, size):
            self._stats.resolution_changes += 1
            self._header = None
        self._size = size
        arrived_at = now if self._is_live else self._started_at + stream_seconds
        return LazyFrame(
            stream_seconds, arrived_at, functools.partial(self._render, picture), corrupt=bool(picture.is_corrupt)
        )

    def _render(self, picture: Any) -> Pixels:
        """(height, width, 3) RGB, scaled down to `max_frame_height_px`."""
        width, height = picture.width, picture.height
        if height > self._ingest.max_frame_height_px:
            width = max(1, round(width * self._ingest.max_frame_height_px / height))
            height = self._ingest.max_frame_height_px
        shrinks = height < picture.height
        rgb = self._reformatter.reformat(
            picture, width, height, "rgb24", interpolation="AREA" if shrinks else "BILINEAR", threads=1
        )
        pixels: Pixels = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        pixels.flags.writeable = False
        return pixels

    def _keep(self, packet: Any) -> None:
        if self._ring is None or self._stream.codec_context.name in _UNCOMPRESSED:
            return
        data = bytes(packet)
        if self._header is None and packet.is_keyframe:
            self._header = self._describe(data)
        if self._header is None:
            self._stats.ring_dropped_packets["no_sync"] += 1
            return
        stamp = packet.pts if packet.pts is not None else packet.dts
        stream_seconds = self._time.locate(None if stamp is None else float(stamp * self._time_base))
        now = self._clock.now()
        self._ring.add_packet(
            Packet(
                data=data,
                pts=packet.pts,
                dts=packet.dts,
                duration=packet.duration or 0,
                is_sync=packet.is_keyframe,
                stream_seconds=stream_seconds,
                arrived_at=now if self._is_live else self._started_at + stream_seconds,
            ),
            self._header,
        )

    def _describe(self, sync_packet: bytes) -> StreamHeader:
        codec = self._stream.codec_context
        width, height = self._size or (codec.width, codec.height)
        return StreamHeader(
            codec=codec.name,
            template=make_template(self._stream, sync_packet),
            width_px=width,
            height_px=height,
            time_base=self._time_base,
            frame_rate=self._stream.average_rate,
        )

    def _check_silence(self) -> None:
        silent_seconds = self._clock.monotonic() - self._last_frame_seconds
        if self._is_live and silent_seconds > self._ingest.silence_timeout_seconds:
            raise SilentSource(f"{self._address} sent packets, but no frame for {silent_seconds:.1f} s")
