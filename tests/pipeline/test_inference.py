"""The engine's thread: one request at a time, failures counted, the loop free."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from streamspike.core import Assessment, Request, Sampling
from streamspike.errors import EngineError
from streamspike.pipeline.inference import InferenceService
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine


def make_request(index: int) -> Request:
    frames = (np.zeros((4, 4, 3), np.uint8),)
    return Request("door", 0, index, (frames,), frames, "", (), Sampling(), 0, complete=False, verify=False)


class CountingEngine:
    """Notices when it is called twice at a time."""

    name = "counting@0"

    def __init__(self) -> None:
        self.inside = 0
        self.most_inside = 0
        self.threads: set[str] = set()
        self.release = threading.Event()

    def assess(self, request: Request) -> Assessment:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.threads.add(threading.current_thread().name)
        assert self.release.wait(20)
        self.inside -= 1
        return Assessment((), "nothing", sampled=True, stage_seconds={"caption": 0.5})


async def test_requests_of_many_cameras_are_answered_one_at_a_time_in_one_thread() -> None:
    engine, stats = CountingEngine(), EngineStats()
    async with InferenceService(engine, stats) as inference:
        tasks = [asyncio.create_task(inference.assess(make_request(index))) for index in range(5)]
        await asyncio.sleep(0.02)  # the loop is free while the engine works
        assert (stats.queued_requests, stats.segments) == (5, 0)
        engine.release.set()
        await asyncio.gather(*tasks)
    assert (
        engine.most_inside == 1 and len(engine.threads) == 1 and threading.current_thread().name not in engine.threads
    )
    assert (stats.requests, stats.segments, stats.sampled_requests, stats.queued_requests) == (5, 5, 5, 0)
    assert stats.stage_seconds["caption"] == 2.5


async def test_a_failure_degrades_until_the_next_answer() -> None:
    stats = EngineStats()
    async with InferenceService(FakeEngine(fails_at={0}), stats) as inference:
        assert inference.name == "fake@0"
        with pytest.raises(EngineError, match="segment 0"):
            await inference.assess(make_request(0))
        assert (stats.degraded, stats.failed_requests, stats.segments, stats.queued_requests) == (True, 1, 0, 0)
        await inference.assess(make_request(1))
        assert (stats.degraded, stats.failed_requests, stats.segments) == (False, 1, 1)


async def test_leaving_waits_for_the_request_that_runs() -> None:
    engine = CountingEngine()
    async with InferenceService(engine, EngineStats()) as inference:
        task = asyncio.create_task(inference.assess(make_request(0)))
        while not engine.inside:
            await asyncio.sleep(0.001)
        task.cancel()
        asyncio.get_running_loop().call_later(0.02, engine.release.set)
    assert engine.inside == 0
    assert task.cancelled()
