"""Which source stands behind a camera's address: FFmpeg's, or a simulated one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamspike.clock import Clock
from streamspike.config import CameraConfig, IngestConfig, SegmentConfig
from streamspike.ingest.address import Address, parse_address
from streamspike.ingest.frames import FrameSource
from streamspike.ingest.ring import Ring
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats


@dataclass(frozen=True, slots=True)
class Opener:
    """Connects to one camera; called once per epoch, in the camera's thread."""

    connect: Callable[[], FrameSource]
    is_live: bool
    """The end of the stream is a loss, and a failed connection is tried again."""
    is_endless: bool
    """As far as can be told before it is open: there is no last frame, however fast it is read."""


def check_address(camera: CameraConfig) -> Address:
    """The address of a camera, if it is one; nothing is opened, so that a slip of the pen is told at once.

    Raises:
        SourceError: the address is of no known kind, or names a file that is not there.
        WorldError: the simulated camera has no such scene or setting.
    """
    address = parse_address(camera.source.get_secret_value())
    if address.kind == "world":
        from streamspike.world.live import parse_world  # loads OpenCV's drawing; most users have real cameras

        parse_world(address.url)
    return address


def make_opener(
    camera: CameraConfig, ingest: IngestConfig, segment: SegmentConfig, clock: Clock, stats: CameraStats, ring: Ring
) -> Opener:
    """Check the address and prepare to connect; nothing is opened yet. Raises as `check_address`."""
    address = check_address(camera)
    if address.kind != "world":
        endless = address.kind in ("rtsp", "webcam")  # what http is shows when it is open
        return Opener(lambda: open_source(camera, ingest, clock, stats, ring), address.is_live, endless)
    from streamspike.world.live import WorldSource, parse_world

    settings = parse_world(address.url)
    realtime = camera.pace == "realtime"
    endless = settings.seconds == 0
    return Opener(lambda: WorldSource(settings, clock, realtime, segment.seconds), realtime and endless, endless)
