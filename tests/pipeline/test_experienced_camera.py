"""What a camera has shown is known after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine, surprising_at
from tests.support.pipeline import RecordingSink, quick_config

STREET = "world:street?seed=3&seconds=15&size=64x48&fps=4"
STARTLED_AT = 30
UNSEEN_NATS = 4.5
"""Of STARTLING, if it never came before."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return quick_config(tmp_path, STREET, belief={"experience": 1.0})


async def run(config: Config) -> RecordingSink:
    sink = RecordingSink()
    async with (
        asyncio.timeout(60),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(FakeEngine(surprising_at(STARTLED_AT)), EngineStats()) as inference,
    ):
        supervisor = Supervisor(config, inference, recorder, [sink], None, SystemClock())
        await supervisor.prepare()
        await supervisor.run()
    return sink


def nats(sink: RecordingSink) -> float:
    [observation] = [each for each in sink.observations if each.index == STARTLED_AT]
    return observation.surprise_nats


async def test_what_a_camera_showed_yesterday_surprises_less_today(config: Config) -> None:
    first = nats(await run(config))
    assert first >= UNSEEN_NATS
    again = nats(await run(config))
    assert again < first - 0.25


async def test_without_experience_it_surprises_as_the_first_time(tmp_path: Path) -> None:
    config = quick_config(tmp_path, STREET)
    sinks = [await run(config) for _ in range(2)]
    assert nats(sinks[0]) == nats(sinks[1]) == pytest.approx(UNSEEN_NATS, abs=0.01)
