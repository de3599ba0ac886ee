"""Remuxing: writes packets of the ring into a video file, without decoding or encoding anything."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av

from streamspike.errors import SourceError
from streamspike.ingest.ring import Footage

MAX_STEP_SECONDS = 10.0
"""A longer step from packet to packet is a camera's clock that jumped; the file goes on without it."""


def make_template(stream: Any, sync_packet: bytes) -> bytes:
    """Codec parameters of an open stream as plain data: a NUT file with one packet, which NUT cannot do without."""
    written = io.BytesIO()
    with av.open(written, "w", format="nut") as container:
        copy = container.add_stream_from_template(stream)
        packet = av.Packet(sync_packet)
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream, packet.is_keyframe = stream.time_base, copy, True
        container.mux(packet)
    return written.getvalue()


def write_footage(footage: Footage, target: Path | BinaryIO, container_format: str = "mp4") -> int:
    """Write a file that starts at time 0. Blocking. Returns the number of packets written.

    Raises:
        SourceError: the container cannot hold this codec (mp4 takes no GIF), or the disk is full.
    """
    file = str(target) if isinstance(target, Path) else target
    failure: av.FFmpegError | ValueError
    try:
        with (
            av.open(io.BytesIO(footage.header.template), format="nut") as template,
            av.open(file, "w", format=container_format) as container,
        ):
            stream = container.add_stream_from_template(template.streams.video[0])
            for data, pts, dts, is_sync in _restamp(footage):
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.time_base = pts, dts, footage.header.time_base
                packet.stream, packet.is_keyframe = stream, is_sync
                container.mux(packet)
    except (av.FFmpegError, ValueError) as error:  # PyAV says ValueError to a codec that the container does not take
        failure = error
    else:
        return len(footage.packets)
    raise SourceError(f"cannot write {footage.header.codec} into {container_format}: {failure}") from failure


def _restamp(footage: Footage) -> list[tuple[bytes, int, int, bool]]:
    """(data, pts, dts, is_sync) with dts from 0 and strictly increasing, as muxers demand."""
    time_base = footage.header.time_base
    longest = int(MAX_STEP_SECONDS / time_base)
    usual = max(1, int((1 / footage.header.frame_rate if footage.header.frame_rate else Fraction(1, 25)) / time_base))
    stamped: list[tuple[bytes, int, int, bool]] = []
    shift = last = -1
    for packet in footage.packets:
        raw = packet.dts if packet.dts is not None else packet.pts
        if not stamped:
            shift, last = -(raw or 0), -1
        dts = last + usual if raw is None else raw + shift
        if not last < dts <= last + longest:
            dts = last + usual
            shift = dts - (raw or 0)
        delay = max(0, packet.pts - packet.dts) if packet.pts is not None and packet.dts is not None else 0
        stamped.append((packet.data, dts + delay, dts, packet.is_sync))
        last = dts
    return stamped
