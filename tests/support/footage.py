"""Films of many codecs whose pictures say which they are, the ring they are read into, and how a clip plays."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from streamspike.clock import SystemClock
from streamspike.config import CameraConfig, IngestConfig
from streamspike.ingest.ring import Footage, Ring
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats
from tests.support.clips import TICK, paint

FPS = 10
WIDTH, HEIGHT = 320, 120
B_FRAMES = {"bf": "3", "x264-params": "scenecut=0"}
OPEN_GROUPS = {"bf": "3", "x264-params": "scenecut=0:open-gop=1"}
QUIET_HEVC = {"preset": "ultrafast", "x265-params": "log-level=none"}


def write_movie(
    path: Path,
    codec: str = "libx264",
    num_frames: int = 60,
    *,
    first_seconds: float = 0.0,
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """Frame n, at n / FPS + first_seconds, shows the square of `paint(n)`; a sync frame every second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt, stream.gop_size, stream.options = pixel_format, FPS, options or {}
        stream.codec_context.thread_count = 1
        time_base = TICK if codec in ("libx264", "libx265") else Fraction(1, FPS)
        stream.codec_context.time_base = time_base
        for number in range(num_frames):
            picture = av.VideoFrame.from_ndarray(paint(number, *size), format="rgb24")
            picture.pts, picture.time_base = round((number / FPS + first_seconds) / time_base), time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def fill_ring(ring: Ring, path: Path, epoch: int = 0) -> None:
    """Read a film to its end as one connection of a camera."""
    camera = CameraConfig(id="door", source=SecretStr(str(path)), pace="fast")
    ring.start_epoch(epoch)
    source = open_source(camera, IngestConfig(hardware_decode="off"), SystemClock(), CameraStats(), ring)
    try:
        for _ in source:
            pass
    finally:
        source.close()


def take_footage(path: Path, start_seconds: float = 0.0) -> Footage:
    ring = Ring(600.0, 1 << 26, CameraStats())
    fill_ring(ring, path)
    footage = ring.snapshot(0, start_seconds)
    assert footage is not None
    return footage


@dataclass(frozen=True)
class Played:
    """What a player sees of a file."""

    codec: str
    tag: str
    size: tuple[int, int]
    seconds: float
    times: list[float]
    numbers: list[int]
    """Which picture each frame shows; -1 when there is no square."""


def play(path: Path) -> Played:
    """Decode a file to its end; every frame must be sound, and the index must stand before the pictures."""
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "a browser could not begin to play it"
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video=0))
        assert frames and not any(frame.is_corrupt for frame in frames)
        return Played(
            codec=video.codec_context.name,
            tag=video.codec_context.codec_tag,
            size=(video.width, video.height),
            seconds=container.duration / 1e6,
            times=[round(frame.time, 3) for frame in frames],
            numbers=[find_number(frame.to_ndarray(format="rgb24")) for frame in frames],
        )


def find_number(pixels: NDArray[np.uint8]) -> int:
    """The number whose square it is, below (width - 20) / 4."""
    red, green, blue = (pixels[:, :, channel].astype(int) for channel in range(3))
    columns = np.flatnonzero(((red > 200) & (green > 200) & (blue < 90)).sum(axis=0) > 10)
    return round(columns[0] / 4) if len(columns) else -1
