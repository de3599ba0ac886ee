"""Writes the file of a clip: H.264 and HEVC packets as they are, everything else encoded to H.264.

An MP4 that every browser plays from its first frame, at time 0, with the index in front, so that it can be played and
searched while it is still being fetched. What a browser cannot play is encoded with libx264: packets of other codecs
(MJPEG cameras) picture by picture, and cameras without packets (raw webcams, simulated ones) from frames that are
kept for that, at most eight a second and fewer if they are big.

The index comes last and is then moved to the front, so a file that was not closed is no video and looks like none.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamspike.core import Pixels
from streamspike.errors import SourceError
from streamspike.ingest.ring import Packet, StreamHeader

COPIED_CODECS = ("h264", "hevc")
TICK = Fraction(1, 90_000)
"""Time base of what is encoded here."""
ENCODER_OPTIONS = {"preset": "veryfast", "g": "50", "bf": "0"}
"""No B-frames: where pictures come at odd times, their decoding times would make the file shorter than it is."""
USUAL_CRF = 23
"""x264's measure of loss: 18 is taken for lossless by the eye, 23 is its default."""
MAX_STEP_SECONDS = 10
"""A longer step from packet to packet is a camera's clock that jumped; the file goes on without it."""
USUAL_SECONDS = Fraction(1, 25)
"""From picture to picture, where nothing says better."""


class PacketFile:
    """Packets of a codec that browsers play. Blocking; one thread at a time.

    Every method raises OSError when the disk is full or fails, and SourceError when the packets are no video.
    """

    def __init__(self, path: Path, header: StreamHeader) -> None:
        self.codec = header.codec
        self.seconds = 0.0
        """From the first picture to the end of the last one."""
        self._path = path
        self._time_base = header.time_base
        self._usual = max(1, int((1 / header.frame_rate if header.frame_rate else USUAL_SECONDS) / header.time_base))
        self._first: Packet | None = None
        self._has_begun = False  # the pictures that refer to what came before the clip are over
        self._delay = 0  # of the first picture: from its place in decoding order to its presentation
        self._shift = self._last_dts = 0
        with _explained(path), av.open(io.BytesIO(header.template), format="nut") as template:
            self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._container.add_stream_from_template(template.streams.video[0])
            if header.codec == "hevc":
                self._stream.codec_context.codec_tag = "hvc1"  # Safari plays no other

    def add(self, packet: Packet) -> None:
        """Write the next packet, in decoding order; the first one is a sync packet."""
        if self._refers_to_before(packet):
            return
        pts, dts = self._restamp(packet)
        copy = av.Packet(packet.data)
        copy.pts, copy.dts, copy.time_base = pts, dts, self._time_base
        copy.stream, copy.is_keyframe = self._stream, packet.is_sync
        copy.duration = packet.duration or self._usual
        self.seconds = max(self.seconds, float((pts + copy.duration) * self._time_base))
        with _explained(self._path):
            self._container.mux(copy)  # changes the packet to the time base of the file

    def close(self) -> None:
        """Finish the file and make sure that it is whole."""
        with _explained(self._path):
            self._container.close()
        check_whole(self._path)

    def abandon(self) -> None:
        """Let go of the file, which is then no video."""
        with contextlib.suppress(av.FFmpegError):
            self._container.close()

    def _refers_to_before(self, packet: Packet) -> bool:
        """Whether it is shown before the sync packet though it comes after it: it needs pictures we do not have."""
        first = self._first
        if first is None:
            self._first = packet
            return False
        if self._has_begun or None in (first.pts, first.dts, packet.pts, packet.dts):
            return False
        assert first.pts is not None and first.dts is not None and packet.pts is not None and packet.dts is not None
        self._has_begun = not (packet.pts < first.pts and packet.dts > first.dts)
        return not self._has_begun

    def _restamp(self, packet: Packet) -> tuple[int, int]:
        """(pts, dts) with the first picture at 0, and dts strictly increasing, as muxers demand."""
        delay = max(0, packet.pts - packet.dts) if packet.pts is not None and packet.dts is not None else 0
        raw = packet.dts if packet.dts is not None else packet.pts
        if packet is self._first:
            self._delay, self._shift = delay, -delay - (raw or 0)
            self._last_dts = -delay
            return 0, -delay
        dts = self._last_dts + self._usual if raw is None else raw + self._shift
        if not self._last_dts < dts <= self._last_dts + MAX_STEP_SECONDS / self._time_base:
            dts = self._last_dts + self._usual  # the camera's clock jumped; the clip goes on without it
            self._shift = dts - (raw or 0)
        self._last_dts = dts
        return dts + delay, dts


class EncodedFile:
    """Pictures, encoded to H.264. Blocking; one thread at a time. Methods raise as those of `PacketFile`."""

    codec = "h264"

    def __init__(self, path: Path, crf: int = USUAL_CRF) -> None:
        self.seconds = 0.0
        self._path = path
        self._options = {**ENCODER_OPTIONS, "crf": str(crf)}
        self._size = (0, 0)
        self._first_seconds = self._last_seconds = 0.0
        with _explained(path):
            self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream: Any = None

    def add_pixels(self, pixels: Pixels, stream_seconds: float) -> None:
        """Write the next frame, (height, width, 3) RGB; its time must grow, its size may change."""
        self.add_picture(av.VideoFrame.from_ndarray(pixels, format="rgb24"), stream_seconds)

    def add_picture(self, picture: Any, stream_seconds: float) -> None:
        """Write the next picture as the decoder gave it; one that is not later than the last one is left out."""
        if self._stream is None:
            self._begin(picture, stream_seconds)
        elif stream_seconds <= self._last_seconds:
            return
        self._last_seconds = stream_seconds
        self.seconds = stream_seconds - self._first_seconds + float(USUAL_SECONDS)
        even = picture.reformat(*self._size, format="yuv420p", interpolation="AREA", threads=1)
        even.pts, even.time_base = round((stream_seconds - self._first_seconds) / TICK), TICK
        with _explained(self._path):
            self._container.mux(self._stream.encode(even))

    def close(self) -> None:
        """Finish the file and make sure that it is whole."""
        with _explained(self._path):
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        check_whole(self._path)

    def abandon(self) -> None:
        """Let go of the file, which is then no video."""
        with contextlib.suppress(av.FFmpegError):
            self._container.close()

    def _begin(self, picture: Any, stream_seconds: float) -> None:
        self._first_seconds = self._last_seconds = stream_seconds
        self._size = (max(2, picture.width // 2 * 2), max(2, picture.height // 2 * 2))  # H.264 has no odd sizes
        with _explained(self._path):
            self._stream = self._container.add_stream("libx264", rate=round(1 / USUAL_SECONDS))
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt, self._stream.options = "yuv420p", self._options
        self._stream.codec_context.time_base = TICK
        self._stream.codec_context.thread_count = 1  # the cores are for cameras and the model


class TranscodedFile(EncodedFile):
    """Packets of a codec that browsers do not play: decoded and encoded again."""

    def __init__(self, path: Path, header: StreamHeader) -> None:
        super().__init__(path)
        with _explained(path), av.open(io.BytesIO(header.template), format="nut") as template:
            self._decoder: Any = av.CodecContext.create(header.codec, "r")
            self._decoder.extradata = template.streams.video[0].codec_context.extradata
            self._decoder.thread_count = 1

    def add(self, packet: Packet) -> None:
        """Write the pictures of the next packet, in decoding order; what cannot be decoded is left out."""
        copy = av.Packet(packet.data)
        copy.pts, copy.time_base = round(packet.stream_seconds / TICK), TICK
        self._add_decoded(copy)

    def close(self) -> None:
        """Finish the file and make sure that it is whole."""
        self._add_decoded(None)
        super().close()

    def _add_decoded(self, packet: Any) -> None:
        try:
            pictures = self._decoder.decode(packet)
        except av.FFmpegError:
            return
        for picture in pictures:
            self.add_picture(picture, float((picture.pts or 0) * TICK))


def open_packet_file(path: Path, header: StreamHeader) -> PacketFile | TranscodedFile:
    """A file for packets of this kind, as they are if browsers play them. Raises OSError, SourceError."""
    return PacketFile(path, header) if header.codec in COPIED_CODECS else TranscodedFile(path, header)


def check_whole(path: Path) -> None:
    """Raise SourceError unless the boxes of an MP4 fill the file and the index stands before the pictures.

    FFmpeg may say nothing when the last bytes did not fit on the disk.
    """
    size, position, kinds = path.stat().st_size, 0, []
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            start = file.read(16)
            length = int.from_bytes(start[:4], "big")
            if length == 1:
                length = int.from_bytes(start[8:16], "big")
            if length < 8:
                break
            kinds.append(start[4:8])
            position += length
        os.fsync(file.fileno())
    if position != size or b"mdat" not in kinds or b"moov" not in kinds[: kinds.index(b"mdat")]:
        raise SourceError(f"the clip {path.name} was not written whole")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError:  # FFmpeg's errors of the disk are such too
        raise
    except (av.FFmpegError, ValueError) as error:  # ValueError: a codec that the container does not take
        raise SourceError(f"the clip {path.name} cannot be written: {error}") from error
