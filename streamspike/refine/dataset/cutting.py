"""A clip file as the segments that the live camera cut: same borders, same frames of each.

live stream   |   segment 7   |   segment 8   |   segment 9   |        borders at multiples of segment_seconds
clip file             [==================================]             phase_seconds after the border it begins
segments                      |   segment 8   |                        only those of which the file has all marks
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from streamspike.clock import ManualClock
from streamspike.config import CameraConfig, IngestConfig, SegmentConfig
from streamspike.core import Frame, Pixels, Segment
from streamspike.ingest.frames import LazyFrame, render
from streamspike.ingest.segmenter import Segmenter
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats

SNAP_SECONDS = 1e-3
"""Times in files are rounded; one so near to a border or a mark is at it, as it was in the live stream."""

TAIL_SECONDS = 1.0
"""Where pictures come out of their order (B-frames), the last ones of a clip may be missing between others."""
HOLE = 1.5
"""So many times the usual step from frame to frame is a hole."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment of a clip file."""

    start_seconds: float
    """In the file; below 0 where the file begins between the border of the segment and its first mark."""
    frames: tuple[Pixels, ...]


def cut_clip(
    path: Path, segment_seconds: float, num_frames: int, phase_seconds: float, max_height_px: int
) -> Generator[Cut, None, None]:
    """The segments of a file, as they are decoded.

    Args:
        num_frames: per segment.
        phase_seconds: how far into a segment the file begins, [0, segment_seconds).
        max_height_px: taller pictures are scaled down, as `ingest.max_frame_height_px` has it.

    Raises:
        SourceError: the file is missing, no video, or has no frame that can be decoded.
    """
    segmenter = Segmenter("clip", SegmentConfig(seconds=segment_seconds, frames=num_frames), CameraStats())
    first_mark = 0.5 / num_frames * segment_seconds
    is_known = phase_seconds <= first_mark  # else the segment's first frame was taken before the file begins
    waiting: list[Segment] = []
    times: list[float] = []
    holes: list[float] = []  # the last frame before each, in the tail

    for frame in read_frames(path, max_height_px):
        at = _snap(frame.stream_seconds + phase_seconds, segment_seconds, num_frames)
        if len(times) > 1 and at - times[-1] > HOLE * (times[-1] - times[0]) / (len(times) - 1):
            holes.append(times[-1])
        times.append(at)
        holes = [hole for hole in holes if hole > at - TAIL_SECONDS]
        waiting += segmenter.push(LazyFrame(at, at, lambda frame=frame: render(frame).pixels))  # type: ignore[misc]
        while waiting and waiting[0].end_seconds <= at - TAIL_SECONDS:
            segment = waiting.pop(0)
            if is_known or segment.index > 0:
                yield _cut(segment, phase_seconds)
    step_seconds = (times[-1] - times[0]) / max(1, len(times) - 1)
    for segment in segmenter.flush():
        if times[-1] + step_seconds > segment.start_seconds + segment_seconds - first_mark:
            waiting.append(segment)
    sound_until = min(holes, default=math.inf)
    for segment in waiting:
        if (is_known or segment.index > 0) and segment.end_seconds <= sound_until:
            yield _cut(segment, phase_seconds)


def _cut(segment: Segment, phase_seconds: float) -> Cut:
    return Cut(segment.start_seconds - phase_seconds, tuple(frame.pixels for frame in segment.frames))


def read_frames(path: Path, max_height_px: int) -> Iterator[Frame | LazyFrame]:
    """The frames of a file at their times, the first at 0. Raises SourceError as `cut_clip`."""
    camera = CameraConfig(id="clip", source=SecretStr(str(path.resolve())), pace="fast")
    ingest = IngestConfig(hardware_decode="off", max_frame_height_px=max_height_px)
    with closing(open_source(camera, ingest, ManualClock(0.0), CameraStats())) as source:
        yield from source


def _snap(at: float, segment_seconds: float, num_frames: int) -> float:
    """The border or mark that is meant by a time, in the very arithmetic of the segmenter; else the time itself."""
    number = round(at / segment_seconds * 2 * num_frames)
    slice_number, part = divmod(number, 2 * num_frames)
    meant = (slice_number + (part // 2 + 0.5) / num_frames) * segment_seconds if part % 2 else 0.0
    meant = meant or slice_number * segment_seconds + (part / (2 * num_frames)) * segment_seconds
    return meant if abs(at - meant) < SNAP_SECONDS else at
