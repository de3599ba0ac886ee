"""Codec parameters of a stream as plain data, so that its packets can be written to a file later and elsewhere."""

from __future__ import annotations

import io
from typing import Any

import av


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
