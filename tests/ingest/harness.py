"""Shared by the ingest tests: frames, a scripted source, and a reader with everything around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
from pydantic import SecretStr

from streamspike.clock import SystemClock
from streamspike.config import CameraConfig, IngestConfig, SegmentConfig
from streamspike.core import CameraState, Frame, Segment
from streamspike.ingest.channel import Channel
from streamspike.ingest.frames import FrameSource, LazyFrame
from streamspike.ingest.reader import CameraReader
from streamspike.ingest.ring import Ring
from streamspike.ingest.source import VideoSource, open_source
from streamspike.stats import CameraStats

QUICK = IngestConfig(
    open_timeout_seconds=1.0,
    silence_timeout_seconds=1.0,
    backoff_min_seconds=0.05,
    backoff_max_seconds=0.2,
    hardware_decode="off",
)


def make_frame(seconds: float, level: int = 128, *, arrived_at: float | None = None, corrupt: bool = False) -> Frame:
    """A grey frame, 16 x 12."""
    pixels = np.full((12, 16, 3), level, dtype=np.uint8)
    return Frame(pixels, seconds, 1000.0 + seconds if arrived_at is None else arrived_at, corrupt)


def make_frames(times: Iterable[float]) -> list[Frame]:
    return [make_frame(time) for time in times]


def camera_for(source: str | Path, **settings: object) -> CameraConfig:
    return CameraConfig.model_validate({"id": "door", "source": SecretStr(str(source)), "pace": "fast", **settings})


def open_quickly(source: str | Path, stats: CameraStats | None = None, **settings: object) -> VideoSource:
    return open_source(camera_for(source, **settings), QUICK, SystemClock(), stats or CameraStats())


def read_all(source: str | Path, stats: CameraStats | None = None, **settings: object) -> list[LazyFrame]:
    opened = open_quickly(source, stats, **settings)
    try:
        return list(opened)
    finally:
        opened.close()


class FakeSource:
    """Yields a script: frames, errors to raise, functions to call."""

    def __init__(self, script: Iterable[Frame | Exception | Callable[[], object]], *, is_live: bool = False) -> None:
        self._script = script
        self._is_live = is_live
        self.closed = False

    @property
    def is_live(self) -> bool:
        return self._is_live

    def __iter__(self) -> Iterator[Frame]:
        for item in self._script:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Frame):
                yield item
            else:
                item()

    def close(self) -> None:
        self.closed = True


@dataclass
class Rig:
    """A reader and what comes out of it."""

    reader: CameraReader
    channel: Channel[Segment]
    ring: Ring
    stats: CameraStats
    states: list[tuple[CameraState, str]] = field(default_factory=list)

    @property
    def state_names(self) -> list[str]:
        return [state.value for state, _ in self.states]

    async def run_to_end(self) -> list[Segment]:
        """Consume everything until the reader is done by itself."""
        task = asyncio.create_task(self.reader.run())
        segments = [segment async for segment in self.channel]
        await task
        return segments


def make_rig(
    camera: CameraConfig,
    opener: Callable[[], FrameSource] | None = None,
    *,
    is_live: bool = False,
    ingest: IngestConfig = QUICK,
    seconds: float = 1.0,
    frames: int = 2,
    max_queued: int = 3,
) -> Rig:
    """With `opener` None the camera's own source is opened."""
    stats = CameraStats()
    ring = Ring(ingest.pre_seconds, ingest.ring_max_bytes, stats)
    channel: Channel[Segment] = Channel(max_queued)
    states: list[tuple[CameraState, str]] = []
    clock = SystemClock()
    reader = CameraReader(
        camera,
        opener or (lambda: open_source(camera, ingest, clock, stats, ring)),
        is_live=is_live,
        ingest=ingest,
        segment=SegmentConfig(seconds=seconds, frames=frames, max_queued=max_queued),
        looks=1,
        channel=channel,
        ring=ring,
        stats=stats,
        clock=clock,
        random=Random(0),
        report=lambda state, reason: states.append((state, reason)),
    )
    return Rig(reader, channel, ring, stats, states)


async def wait_until(condition: Callable[[], object], timeout_seconds: float = 8.0) -> None:
    """Poll, because what is awaited happens in another thread."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():
            await asyncio.sleep(0.01)
