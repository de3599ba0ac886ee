"""Frames per second of a video, for annotations that count frames: the file's own where it says so."""

from __future__ import annotations

from pathlib import Path

from streamspike.config import CameraConfig, IngestConfig
from streamspike.errors import SourceError


def frame_rate(path: Path, nominal: float) -> float:
    """The average rate of the file, or `nominal` where the file does not open or does not say.

    An annotation that counts frames is a matter of this file's frames: at 25 a second, frame 300 is at 12 s, whatever
    the data set's paper says about 30. Reads the header only.
    """
    from streamspike.ingest.address import parse_address  # FFmpeg is loaded only where frames are counted
    from streamspike.ingest.container import open_container

    camera = CameraConfig.model_validate({"id": "rate", "source": str(path)})
    try:
        with open_container(parse_address(str(path)), camera, IngestConfig(), None) as container:
            rate = container.streams.video[0].average_rate
    except SourceError:
        return nominal  # whoever scores this video will be told why it does not open
    return float(rate) if rate else nominal
