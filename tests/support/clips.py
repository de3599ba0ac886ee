"""Makes little video clips for tests: a bright square that walks over a textured floor, encoded with PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

TICK = Fraction(1, 90_000)


@dataclass(frozen=True)
class AccessUnit:
    """One encoded picture in Annex B form."""

    data: bytes
    is_sync: bool


def paint(number: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """Frame `number`, (height, width, 3) RGB; the square tells which it is."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([columns * 200 // width, rows * 200 // height, (columns + rows) % 64 + 40], axis=2)
    x, y = number * 4 % (width - 20), height // 3
    pixels[y : y + 20, x : x + 20] = (250, 250, 30)
    return pixels.astype(np.uint8)


def paint_many(count: int, width: int = 160, height: int = 120) -> Iterator[NDArray[np.uint8]]:
    return (paint(number, width, height) for number in range(count))


def encode(pictures: Iterable[NDArray[np.uint8]], fps: int = 10, gop: int = 10) -> list[AccessUnit]:
    """H.264 without B-frames, as cameras send it; parameter sets before every sync frame."""
    encoder: av.VideoCodecContext | None = None
    units = []
    for number, pixels in enumerate(pictures):
        if encoder is None:
            encoder = make_encoder(pixels.shape[1], pixels.shape[0], fps, gop)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = number
        units += [AccessUnit(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    assert encoder is not None
    return units + [AccessUnit(bytes(packet), packet.is_keyframe) for packet in encoder.encode(None)]


def make_encoder(width: int, height: int, fps: int, gop: int) -> av.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, fps), Fraction(fps), gop
    encoder.thread_count = 1
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:repeat-headers=1"}
    return encoder


def write_clip(
    path: Path,
    num_frames: int = 30,
    fps: int = 10,
    *,
    width: int = 160,
    height: int = 120,
    gop: int = 10,
    times: Sequence[float] | None = None,
    first_seconds: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip; its suffix says which container. `times` are the frames' pts in seconds, else 1/fps apart."""
    if times is None:
        times = [number / fps for number in range(num_frames)]
    codec = {".gif": "gif", ".avi": "mjpeg"}.get(path.suffix, "libx264")
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = width, height
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
            stream.gop_size = gop
            stream.codec_context.time_base = TICK
        stream.codec_context.thread_count = 1
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(paint(number, width, height), format="rgb24")
            if codec == "libx264":
                frame.pts, frame.time_base = round((time + first_seconds) / TICK), TICK
            else:
                frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def rot(path: Path, every_bytes: int = 400, start: float = 0.1, end: float = 0.9) -> Path:
    """Overwrite one byte in `every_bytes` between two fractions of the file, as a failing disk does."""
    data = bytearray(path.read_bytes())
    for position in range(int(len(data) * start), int(len(data) * end), every_bytes):
        data[position] ^= 0xA5
    rotten = path.with_name(f"rotten-{path.name}")
    rotten.write_bytes(data)
    return rotten


def truncate(path: Path, fraction: float) -> Path:
    data = path.read_bytes()
    short = path.with_name(f"short-{path.name}")
    short.write_bytes(data[: int(len(data) * fraction)])
    return short
