"""The engine's thread: whoever waits is answered together, each gets its own answer, and the loop stays free."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from streamspike.clock import ManualClock
from streamspike.config import EngineConfig
from streamspike.core import Assessment, Request, Sampling
from streamspike.errors import EngineError, RequestShed
from streamspike.pipeline.inference import CHECK_SECONDS, InferenceService
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine

LAST = ("nothing changes",)


def make_request(camera_id: str, index: int = 0, previous: tuple[str, ...] = ()) -> Request:
    frames = (np.zeros((4, 4, 3), np.uint8),)
    sampling = Sampling()
    return Request(
        camera_id, 0, index, (frames,), frames, "", (), sampling, 0, complete=False, verify=False, previous=previous
    )


class HeldEngine:
    """Answers with the camera's name, each step when it is released; implements `core.Engine`."""

    name = "held@0"

    def __init__(self, answers: dict[str, Exception] | None = None) -> None:
        """
        Args:
            answers: what takes the place of an assessment, by camera.
        """
        self.steps: list[list[str]] = []
        """Cameras of each step, as soon as it begins."""
        self.requests: list[Request] = []
        self.threads: set[str] = set()
        self.num_inside = 0
        self._answers = answers or {}
        self._released = threading.Semaphore(0)

    def release(self, num_steps: int = 1) -> None:
        self._released.release(num_steps)

    async def begins(self, num_steps: int) -> None:
        """Return when so many steps have begun."""
        async with asyncio.timeout(20):
            while len(self.steps) < num_steps:
                await asyncio.sleep(0.001)

    def assess(self, request: Request) -> Assessment:
        raise AssertionError("the service asks for batches only")

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        assert self.num_inside == 0, "two steps at a time"
        self.num_inside += 1
        self.threads.add(threading.current_thread().name)
        self.requests += requests
        self.steps.append([request.camera_id for request in requests])
        assert self._released.acquire(timeout=20)
        self.num_inside -= 1
        return [self._answers.get(request.camera_id, answer_to(request)) for request in requests]

    def check_integrity(self) -> None:
        """Nothing is remembered."""


def answer_to(request: Request) -> Assessment:
    return Assessment(
        (), request.camera_id, sampled=not request.hypotheses, stage_seconds={"caption": 0.5}, drift_nats=0.25
    )


class QuickEngine(FakeEngine):
    """Remembers nothing."""

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        return [answer_to(request) for request in requests]


def ask(inference: InferenceService, *camera_ids: str, priority: int = 0) -> list[asyncio.Task[Assessment]]:
    """Cameras that ask at the same time, each for itself."""
    return [
        asyncio.create_task(inference.assess(make_request(camera_id, previous=LAST), priority))
        for camera_id in camera_ids
    ]


async def test_while_one_step_runs_the_next_one_gathers() -> None:
    engine, stats = HeldEngine(), EngineStats()
    async with InferenceService(engine, stats) as inference:
        tasks = ask(inference, "a")
        await engine.begins(1)
        tasks += ask(inference, "b", "c")
        await asyncio.sleep(0.01)  # the loop is free while the engine works
        tasks += ask(inference, "d")
        await asyncio.sleep(0.01)
        assert (stats.queued_requests, stats.segments) == (4, 0)
        engine.release(2)
        assert [answer.caption for answer in await asyncio.gather(*tasks)] == ["a", "b", "c", "d"]
    assert engine.steps == [["a"], ["b", "c", "d"]]
    assert len(engine.threads) == 1 and threading.current_thread().name not in engine.threads
    assert (stats.requests, stats.segments, stats.sampled_requests, stats.queued_requests) == (4, 4, 4, 0)
    assert (stats.steps, stats.batched_requests) == (2, 4)
    assert stats.stage_seconds["caption"] == 4 * 0.5
    assert (stats.refills, stats.drift_nats) == (4, 0.25)


async def test_those_who_ask_at_once_are_answered_together_up_to_the_largest_batch() -> None:
    engine = HeldEngine()
    engine.release(9)
    async with InferenceService(engine, EngineStats(), EngineConfig(max_batch=2)) as inference:
        await asyncio.gather(*ask(inference, "a", "b", "c"))
    assert engine.steps == [["a", "b"], ["c"]]


async def test_priority_decides_who_is_next() -> None:
    engine = HeldEngine()
    async with InferenceService(engine, EngineStats(), EngineConfig(max_batch=1), ManualClock()) as inference:
        tasks = ask(inference, "a")
        await engine.begins(1)
        tasks += ask(inference, "b") + ask(inference, "c", priority=1)
        engine.release(3)
        await asyncio.gather(*tasks)
    assert engine.steps == [["a"], ["c"], ["b"]]


async def test_a_failure_is_raised_to_its_own_caller_alone() -> None:
    engine, stats = HeldEngine({"b": EngineError("out of memory")}), EngineStats()
    engine.release(9)
    async with InferenceService(engine, stats) as inference:
        first, second, third = await asyncio.gather(*ask(inference, "a", "b", "c"), return_exceptions=True)
        assert isinstance(first, Assessment) and isinstance(third, Assessment)
        assert isinstance(second, EngineError) and str(second) == "out of memory"
        assert (stats.requests, stats.segments, stats.failed_requests, stats.queued_requests) == (3, 2, 1, 0)
        assert not stats.degraded, "the model answered the others"
        (alone,) = await asyncio.gather(*ask(inference, "b"), return_exceptions=True)
        assert isinstance(alone, EngineError) and stats.degraded
        await asyncio.gather(*ask(inference, "a"))
        assert not stats.degraded


async def test_the_name_is_the_engines() -> None:
    async with InferenceService(FakeEngine(), EngineStats()) as inference:
        assert inference.name == "fake@0"


async def test_a_busy_engine_reuses_hypotheses_and_gives_up_who_waited_too_long() -> None:
    engine, stats, clock = HeldEngine(), EngineStats(), ManualClock()
    config = EngineConfig(busy_wait_seconds=1.0, max_wait_seconds=5.0)
    async with InferenceService(engine, stats, config, clock) as inference:
        running = ask(inference, "a")
        await engine.begins(1)
        late = ask(inference, "b")
        await asyncio.sleep(0)
        clock.advance(4.0)
        waiting = ask(inference, "c")
        await asyncio.sleep(0)
        clock.advance(2.0)
        engine.release(2)
        with pytest.raises(RequestShed, match="segment 0 of b"):
            await late[0]
        assert [answer.sampled for answer in await asyncio.gather(*running, *waiting)] == [True, False]
    assert engine.steps == [["a"], ["c"]] and engine.requests[1].hypotheses == LAST
    assert dict(stats.shed_requests) == {"reuse": 1, "skip": 1}
    assert (stats.requests, stats.segments, stats.failed_requests, stats.queued_requests) == (3, 2, 0, 0)
    assert (stats.waiting_seconds, stats.longest_wait_seconds) == (6.0 + 2.0, 6.0)


async def test_a_cancelled_caller_takes_no_answer_from_the_others() -> None:
    engine = HeldEngine()
    async with InferenceService(engine, EngineStats()) as inference:
        running, others = ask(inference, "a", "b"), ask(inference, "c")
        await engine.begins(1)
        waiting = ask(inference, "d", "e")
        await asyncio.sleep(0)
        running[0].cancel()
        waiting[0].cancel()
        await asyncio.sleep(0)
        again = ask(inference, "a")  # its first question still runs
        await asyncio.sleep(0)
        engine.release(2)
        answers = await asyncio.gather(running[1], *others, waiting[1], *again)
        assert [answer.caption for answer in answers] == ["b", "c", "e", "a"]
    assert running[0].cancelled() and waiting[0].cancelled()
    assert [set(step) for step in engine.steps] == [{"a", "b", "c"}, {"a", "e"}], "nobody waits for d any more"


@pytest.mark.parametrize("num_turns", range(4))
async def test_an_answer_that_comes_as_its_caller_is_cancelled_harms_nobody(num_turns: int) -> None:
    async with InferenceService(QuickEngine(), EngineStats()) as inference:
        cancelled, other = ask(inference, "a", "b")
        await asyncio.sleep(0)  # they ask
        await asyncio.sleep(0)  # the step begins
        threading.Event().wait(0.01)  # blocks the loop until the answers are on their way
        for _ in range(num_turns):
            await asyncio.sleep(0)
        cancelled.cancel()
        assert (await other).caption == "b"
        assert (await asyncio.gather(*ask(inference, "a")))[0].caption == "a"


async def test_the_pixels_of_an_answered_request_are_not_held() -> None:
    async with InferenceService(QuickEngine(), EngineStats()) as inference:
        request = make_request("a")
        pixels = weakref.ref(request.observation[0])
        await inference.assess(request)
        await asyncio.sleep(0)
        del request
        gc.collect()
        assert pixels() is None


class BuggyEngine(HeldEngine):
    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        super().assess_batch(requests)
        raise ValueError("a bug")


@pytest.mark.parametrize("engine", [BuggyEngine(), HeldEngine({"b": ValueError("a bug")})], ids=["raised", "returned"])
async def test_a_bug_reaches_a_caller_and_nobody_waits_for_ever(engine: HeldEngine) -> None:
    async with asyncio.timeout(20), InferenceService(engine, EngineStats()) as inference:
        tasks = ask(inference, "b")
        await engine.begins(1)
        tasks += ask(inference, "c", "d")
        await asyncio.sleep(0)
        engine.release()
        heard, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(heard, ValueError) and str(heard) == "a bug"
        assert all(isinstance(other, asyncio.CancelledError) for other in others)
        (after,) = await asyncio.gather(*ask(inference, "e"), return_exceptions=True)
        assert isinstance(after, asyncio.CancelledError)
    assert len(engine.steps) == 1


async def test_an_answer_too_few_is_a_bug() -> None:
    class Forgetful(FakeEngine):
        def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
            return super().assess_batch(requests)[1:]

    with pytest.raises(ValueError, match="zip"):
        async with asyncio.timeout(20), InferenceService(Forgetful(), EngineStats()) as inference:
            await inference.assess(make_request("a"))


async def test_a_bug_that_no_caller_is_left_to_hear_of_is_raised_at_the_end() -> None:
    engine = BuggyEngine()
    with pytest.raises(ValueError, match="a bug"):
        async with InferenceService(engine, EngineStats()) as inference:
            (task,) = ask(inference, "a")
            await engine.begins(1)
            task.cancel()
            engine.release()


async def test_leaving_waits_for_the_step_that_runs_and_ends_who_waits() -> None:
    engine = HeldEngine()
    async with InferenceService(engine, EngineStats()) as inference:
        (running,) = ask(inference, "a")
        await engine.begins(1)
        (waiting,) = ask(inference, "b")
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.02, engine.release)
    assert engine.num_inside == 0 and engine.steps == [["a"]]
    assert running.result().caption == "a" and waiting.cancelled()
    (after,) = await asyncio.gather(*ask(inference, "c"), return_exceptions=True)
    assert isinstance(after, asyncio.CancelledError)


async def test_now_and_then_when_nobody_waits_the_engine_checks_what_it_remembers() -> None:
    engine, clock = QuickEngine(), ManualClock()
    async with InferenceService(engine, EngineStats(), clock=clock) as inference:
        for _ in range(3):
            await asyncio.gather(*ask(inference, "a", "b"))
        await asyncio.sleep(0.01)
        assert engine.num_checks == 0
        clock.advance(CHECK_SECONDS + 1)
        for _ in range(3):
            await asyncio.gather(*ask(inference, "a", "b"))
        async with asyncio.timeout(10):
            while engine.num_checks == 0:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert engine.num_checks == 1


async def test_what_the_check_finds_is_a_bug_and_stops_the_process() -> None:
    class BrokenEngine(QuickEngine):
        def check_integrity(self) -> None:
            raise AssertionError("a cache is longer than its prefix")

    clock = ManualClock()
    with pytest.raises(AssertionError, match="longer than its prefix"):
        async with InferenceService(BrokenEngine(), EngineStats(), clock=clock) as inference:
            await asyncio.gather(*ask(inference, "a"))
            clock.advance(CHECK_SECONDS + 1)
            await asyncio.gather(*ask(inference, "a"))
            await asyncio.sleep(0.05)
