"""A run of simulated and encoded footage through the whole pipeline, made once: its store, clips, and what was live."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from streamspike.clock import ManualClock, SystemClock
from streamspike.config import Config, SegmentConfig
from streamspike.core import Pixels, Request
from streamspike.ingest.frames import render
from streamspike.ingest.segmenter import Segmenter
from streamspike.outputs.clips import ClipArchive
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import CameraStats, EngineStats
from streamspike.world.live import WorldSource, parse_world
from tests.support.fake_engine import CALM, STARTLING, Answer, FakeEngine
from tests.support.footage import B_FRAMES, write_movie
from tests.support.messages import NOON
from tests.support.pipeline import RecordingSink, quick_config

STREET = "street?seed=3&seconds=100&size=128x72&fps=4"
SEGMENT_SECONDS = 0.5
STARTLED = {"a": (50, 51, 110, 170), "b": (60,), "c": (44,)}


@dataclass(frozen=True)
class Run:
    """What is left of a run."""

    config: Config
    sink: RecordingSink

    @property
    def folder(self) -> Path:
        return Path(self.config.store.path).parent

    @property
    def clips(self) -> Path:
        return self.folder / "clips"


def _answer(request: Request) -> Answer:
    """The caption says which segment it is."""
    answer = STARTLING if request.index in STARTLED[request.camera_id] else CALM
    return replace(answer, caption=f"segment {request.index}")


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Cameras a (simulated), b (the same street at another time, opted out) and c (a file with B-frames)."""
    folder = tmp_path_factory.mktemp("run")
    movie = write_movie(folder / "door.mkv", num_frames=450, options=B_FRAMES, first_seconds=12.3)
    clips = {"pre_seconds": 2.0, "post_seconds": 1.0, "ordinary_per_hour": 360, "ordinary_seconds": 4.0}
    other = STREET.replace("seconds=100", "seconds=40").replace("seed=3", "seed=4")
    sources = f"world:{STREET}", f"world:{other}", movie
    config = quick_config(folder, *sources, clips=clips, segment={"seconds": SEGMENT_SECONDS})
    cameras = [camera.model_copy(update={"refine": camera.id != "b"}) for camera in config.cameras]
    config = config.model_copy(update={"cameras": tuple(cameras)})
    sink = RecordingSink()
    asyncio.run(_watch(config, sink))
    return Run(config, sink)


class NoonClock(SystemClock):
    """Files begin to play at noon, so that the same stretches of ordinary footage are drawn each time."""

    def now(self) -> float:
        return NOON


async def _watch(config: Config, sink: RecordingSink) -> None:
    clock = NoonClock()
    async with (
        asyncio.timeout(90),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(FakeEngine(_answer), EngineStats()) as inference,
        ClipArchive(config.clips, Path(config.store.path).parent / "clips", recorder, clock) as archive,
    ):
        supervisor = Supervisor(config, inference, recorder, [sink], None, clock, archive)
        await supervisor.prepare()
        await supervisor.run()


@pytest.fixture(scope="package")
def live_street() -> dict[int, tuple[Pixels, ...]]:
    """The frames of each segment that camera a showed."""
    segmenter = Segmenter("a", SegmentConfig(seconds=SEGMENT_SECONDS), CameraStats())
    segments = []
    for frame in WorldSource(parse_world(STREET), ManualClock(), False, SEGMENT_SECONDS):
        segments += segmenter.push(render(frame))
    return {segment.index: tuple(frame.pixels for frame in segment.frames) for segment in segments}
