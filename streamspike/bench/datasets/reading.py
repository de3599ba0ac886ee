"""The frames of any video, as `streamspike score` decodes them."""

from __future__ import annotations

from collections.abc import Generator

from streamspike.config import CameraConfig, IngestConfig
from streamspike.core import Frame
from streamspike.ingest.frames import LazyFrame


def read_frames(address: str, config: IngestConfig, camera_id: str = "video") -> Generator[Frame | LazyFrame]:
    """As fast as they can be decoded.

    Raises:
        SourceError: the video cannot be read.
    """
    from streamspike.clock import ManualClock
    from streamspike.ingest.ring import Ring
    from streamspike.ingest.source import open_source  # FFmpeg is loaded only where pictures are needed
    from streamspike.stats import CameraStats

    camera = CameraConfig.model_validate({"id": camera_id, "source": address, "pace": "fast"})
    stats = CameraStats()
    source = open_source(camera, config, ManualClock(0.0), stats, Ring(0.0, 1 << 20, stats))
    try:
        yield from source
    finally:
        source.close()
