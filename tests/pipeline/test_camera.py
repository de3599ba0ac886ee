"""One camera from its source to its sinks, with a source and an engine that do what the test says."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config
from streamspike.core import Assessment, CameraState, Engine, Frame, Observation, Request, Sink
from streamspike.errors import RequestShed, SourceError
from streamspike.outputs.keyframes import decode_keyframe
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.inference import InferenceService
from streamspike.stats import EngineStats
from tests.support.fake_engine import CALM, STARTLING, Answer, FakeEngine, surprising_at
from tests.support.pipeline import (
    MILD,
    RecordingSink,
    ScriptedSource,
    connect_to,
    moving_frames,
    quick_config,
    textured,
    wait_in_thread,
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return quick_config(
        tmp_path, "lavfi:testsrc2", health={"offline_after_seconds": 0.0}
    )  # its source is replaced by connect_to


def make_pipeline(config: Config, inference: InferenceService, *sinks: Sink) -> CameraPipeline:
    return CameraPipeline(config.cameras[0], config, inference, sinks, SystemClock())


async def watch(config: Config, engine: Engine, *sinks: Sink) -> CameraPipeline:
    """Run a camera that ends by itself."""
    async with InferenceService(engine, EngineStats()) as inference, asyncio.timeout(30):
        pipeline = make_pipeline(config, inference, *sinks)
        await pipeline.run()
    return pipeline


def play(monkeypatch: pytest.MonkeyPatch, frames: Iterator[Frame]) -> None:
    connect_to(monkeypatch, lambda: ScriptedSource(frames, is_live=False), is_live=False)


def play_live(monkeypatch: pytest.MonkeyPatch, *epochs: Iterator[Frame | Exception]) -> None:
    """Connections one after the other; then none is answered any more."""
    waiting = iter(epochs)

    def connect() -> ScriptedSource:
        epoch = next(waiting, None)
        if epoch is None:
            raise SourceError("nobody there")
        return ScriptedSource(epoch, is_live=True)

    connect_to(monkeypatch, connect, is_live=True)


def in_step(sink: RecordingSink, already: int = -1) -> Callable[[int], None]:
    """The camera sends a segment when the one before the last is scored, so that nothing ever waits.

    Args:
        already: segments that were scored before its first one.
    """
    return lambda number: wait_in_thread(lambda: len(sink.observations) >= number + already)


async def test_every_segment_of_a_file_is_scored_in_order(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    play(monkeypatch, moving_frames(12))
    sink, engine = RecordingSink(), FakeEngine()
    pipeline = await watch(config, engine, sink)
    assert sink.indices == list(range(12)) == [request.index for request in engine.requests]
    assert pipeline.stats.segments == 12 and not pipeline.stats.dropped_segments
    assert [len(request.window) for request in engine.requests] == [1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8]
    assert all([len(look) for look in request.again] == [len(request.window) + 1] for request in engine.requests)


async def test_a_failing_model_is_counted_and_the_stream_goes_on(
    monkeypatch: pytest.MonkeyPatch, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    play(monkeypatch, moving_frames(8))
    sink, engine = RecordingSink(), FakeEngine(fails_at={2, 3, 6})
    pipeline = await watch(config, engine, sink)
    assert sink.indices == [0, 1, 4, 5, 7]
    assert pipeline.stats.dropped_segments == {"engine_failed": 3}
    # What was not scored was still seen.
    assert [len(request.window) for request in engine.requests] == [1, *range(1, 8)]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2, "one line for each time the model goes down, not one per segment"


class WatchedInference(InferenceService):
    """Has no time at the segments it is told; remembers with which priority each one came."""

    def __init__(self, engine: Engine, sheds_at: Sequence[int] = ()) -> None:
        super().__init__(engine, EngineStats())
        self.priorities: list[int] = []
        self.patient: set[bool] = set()
        self._sheds_at = sheds_at

    async def assess(
        self, request: Request, priority: int = 0, waiting_since: float | None = None, *, patient: bool = False
    ) -> Assessment:
        self.priorities.append(priority)
        self.patient.add(patient)
        if request.index in self._sheds_at:
            raise RequestShed("no time")
        return await super().assess(request, priority, waiting_since, patient=patient)


async def test_what_the_model_has_no_time_for_is_counted_and_the_stream_goes_on(
    monkeypatch: pytest.MonkeyPatch, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    play(monkeypatch, moving_frames(8))
    sink, engine = RecordingSink(), FakeEngine()
    async with WatchedInference(engine, sheds_at=[2, 3]) as inference, asyncio.timeout(30):
        pipeline = make_pipeline(config, inference, sink)
        await pipeline.run()
    assert sink.indices == [0, 1, 4, 5, 6, 7]
    assert pipeline.stats.dropped_segments == {"skipped": 2}
    assert [len(request.window) for request in engine.requests] == [1, 1, 4, 5, 6, 7], "it was seen all the same"
    assert not caplog.records


async def test_a_camera_has_priority_while_its_event_goes_on(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    play(monkeypatch, moving_frames(10))
    sink = RecordingSink()
    async with WatchedInference(FakeEngine(surprising_at(4, 5))) as inference, asyncio.timeout(30):
        await make_pipeline(config, inference, sink).run()
    assert sink.phases == ["start", "end"]
    assert inference.priorities == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0], "it starts with segment 4 and ends two after 5"
    assert inference.patient == {True}, "a file loses no footage"


async def test_a_live_camera_leaves_out_still_segments_while_others_wait(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    play_live(monkeypatch, moving_frames(100_000, moves=False, before=lambda _: threading.Event().wait(0.01)))
    sink = RecordingSink()
    async with InferenceService(FakeEngine(lambda _: wait_for_queue(CALM)), EngineStats()) as inference:
        pipeline = make_pipeline(config, inference, sink)
        running = asyncio.create_task(pipeline.run())
        async with asyncio.timeout(30):
            while not pipeline.stats.dropped_segments["still"]:
                await asyncio.sleep(0.005)
            pipeline.stop()
            await running
    assert 0 in sink.indices and 1 in sink.indices, "it takes three to call it still"
    assert len(sink.observations) + pipeline.stats.dropped_segments.total() == pipeline.stats.segments


async def test_a_file_is_never_behind_and_its_still_segments_are_scored(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    play(monkeypatch, moving_frames(20, moves=False))
    sink = RecordingSink()
    pipeline = await watch(config, FakeEngine(lambda _: wait_for_queue(CALM)), sink)
    assert pipeline.stats.still_segments > 0 and not pipeline.stats.dropped_segments
    assert sink.indices == list(range(20))


def wait_for_queue(answer: Answer) -> Answer:
    """So slow that the reader fills the channel meanwhile."""
    threading.Event().wait(0.02)
    return answer


async def test_a_still_picture_is_scored_as_long_as_nobody_waits(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    sink = RecordingSink()
    play(monkeypatch, moving_frames(10, moves=False, before=in_step(sink)))
    pipeline = await watch(config, FakeEngine(), sink)
    assert sink.indices == list(range(10)) and not pipeline.stats.dropped_segments
    assert pipeline.stats.still_segments > 0
    assert "still" in sink.states_of("a")


async def test_start_and_update_bring_a_keyframe_and_the_end_none(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    play(monkeypatch, moving_frames(10))
    answers = {5: MILD, 6: STARTLING}
    sink = RecordingSink()
    await watch(config, FakeEngine(lambda request: answers.get(request.index, CALM)), sink)
    assert sink.phases == ["start", "update", "end"]
    (start, first), (update, second), (end, third) = sink.alerts
    assert first is not None and second is not None and third is None
    assert (first.index, second.index) == (0, 1) and first.event_id == second.event_id == start.event_id == end.event_id
    assert (first.width_px, first.height_px) == (64, 36)  # never scaled up
    brightness = [float(np.mean(decode_keyframe(keyframe))) for keyframe in (first, second)]
    assert brightness == pytest.approx([160, 60], abs=12)  # segment 5 is a bright one, segment 6 a dark one
    assert first.taken_at == 1000.0 + 5.5 * 0.25
    assert (start.onset_index, update.peak_index, end.peak_index) == (5, 6, 6)
    assert end.end_at == 1000.0 + 7 * 0.25
    assert dict(end.expected) == pytest.approx({"nothing changes": 0.99, "somebody walks in": 0.01})
    assert [text for text, _ in end.believed] == ["somebody walks in", "nothing changes"]
    assert end.saw == "somebody walks in"


async def test_states_are_told_in_order(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    sink = RecordingSink()
    play(monkeypatch, moving_frames(9, before=in_step(sink)))
    pipeline = await watch(config, FakeEngine(), sink)
    assert sink.states_of("a") == ["connecting", "learning", "watching", "finished"]
    assert pipeline.stats.state == "finished"


class SlowSink(RecordingSink):
    """As one that writes states to a disk, while everything else is quick."""

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        await asyncio.sleep(0.05)
        await super().report_state(camera_id, state, reason)


async def test_a_slow_sink_keeps_no_news_from_the_next_one(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    slow, last = SlowSink(), RecordingSink()

    def at_rest_before_the_end(number: int) -> None:
        wait_in_thread(lambda: number < 8 or "watching" in last.states_of("a"))

    play(monkeypatch, moving_frames(8, before=at_rest_before_the_end))
    await watch(config, FakeEngine(surprising_at(4, 5)), slow, last)
    assert slow.states == last.states and last.states_of("a")[-1] == "finished"
    assert slow.alerts == last.alerts and last.phases == ["start", "end"]


async def test_an_event_ends_when_its_file_does(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    play(monkeypatch, moving_frames(6))
    sink = RecordingSink()
    await watch(config, FakeEngine(surprising_at(4, 5)), sink)
    assert sink.phases == ["start", "end"]
    assert sink.alerts[-1][0].end_at == 1000.0 + 6 * 0.25


async def test_stopping_ends_the_event_that_goes_on(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    sink = RecordingSink()
    play_live(monkeypatch, moving_frames(100_000, before=in_step(sink)))
    engine = FakeEngine(lambda request: STARTLING if request.index >= 5 else CALM)
    async with InferenceService(engine, EngineStats()) as inference, asyncio.timeout(30):
        pipeline = make_pipeline(config, inference, sink)
        running = asyncio.create_task(pipeline.run())
        while not sink.alerts:
            await asyncio.sleep(0.005)
        pipeline.stop()
        await running
    assert sink.phases == ["start", "end"]
    assert sink.indices == list(range(pipeline.stats.segments)), "what was read before is scored"


async def test_a_lost_connection_ends_the_event_and_starts_a_new_epoch(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    sink = RecordingSink()

    def lost() -> Iterator[Frame | Exception]:
        yield from moving_frames(6, before=in_step(sink))
        yield SourceError("unplugged")

    def back() -> Iterator[Frame | Exception]:
        # The camera stays away until the end of the event was told, as it would for longer than an instant.
        wait_in_thread(lambda: len(sink.alerts) >= 2)
        yield from moving_frames(100_000, before=in_step(sink, already=5))

    play_live(monkeypatch, lost(), back())
    engine = FakeEngine(surprising_at(4, 5))
    async with InferenceService(engine, EngineStats()) as inference, asyncio.timeout(30):
        pipeline = make_pipeline(config, inference, sink)
        running = asyncio.create_task(pipeline.run())
        while len(sink.observations) < 9:
            await asyncio.sleep(0.005)
        pipeline.stop()
        await running
    assert sink.phases == ["start", "end"]
    assert [o.epoch for o in sink.observations[:9]] == [0] * 6 + [1] * 3
    assert sink.indices[:9] == list(range(9)), "indices count over all epochs"
    ((picture, same),) = engine.requests[6].window
    assert picture is same is engine.requests[6].observation[0], "a window never spans two epochs"
    assert sink.states_of("a")[-1] == "watching" and "offline" in sink.states_of("a")
    assert any("unplugged; next attempt" in reason for _, _, reason in sink.states)


class HeldEngine:
    """Answers a segment only when it is released; implements `core.Engine`."""

    name = "held@0"

    def __init__(self, inner: FakeEngine, held_index: int) -> None:
        self._inner = inner
        self._held_index = held_index
        self.release = threading.Event()

    def assess(self, request: Request) -> Assessment:
        if request.index == self._held_index:
            assert self.release.wait(20)
        return self._inner.assess(request)

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        return [self.assess(request) for request in requests]

    def check_integrity(self) -> None:
        """Nothing is remembered."""


async def test_what_was_seen_before_the_loss_still_belongs_to_the_event(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    sink = RecordingSink()

    def lost() -> Iterator[Frame | Exception]:
        yield from moving_frames(6, before=in_step(sink))
        yield SourceError("unplugged")

    play_live(monkeypatch, lost())
    answers = {4: MILD, 5: STARTLING}
    engine = HeldEngine(FakeEngine(lambda request: answers.get(request.index, CALM)), held_index=5)
    async with InferenceService(engine, EngineStats()) as inference, asyncio.timeout(30):
        pipeline = make_pipeline(config, inference, sink)
        running = asyncio.create_task(pipeline.run())
        while "offline" not in sink.states_of("a"):
            await asyncio.sleep(0.005)
        engine.release.set()  # the camera is gone already; its last segment was with the model
        while "end" not in sink.phases:
            await asyncio.sleep(0.005)
        pipeline.stop()
        await running
    assert sink.phases == ["start", "update", "end"]
    assert sink.alerts[-1][0].peak_index == 5


async def test_a_covered_lens_ends_the_event(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    def covered() -> Iterator[Frame]:
        yield from moving_frames(6)
        for number, half in itertools.product(range(6, 14), (0.0, 0.5)):
            at = (number + half) * 0.25
            yield Frame(np.zeros((36, 64, 3), np.uint8), at, 1000.0 + at)

    play(monkeypatch, covered())
    sink = RecordingSink()
    engine = FakeEngine(lambda request: STARTLING if request.index >= 5 else CALM)
    pipeline = await watch(config, engine, sink)  # reads ahead: others wait when the verdict falls
    assert "blind" in sink.states_of("a") and pipeline.stats.blind_segments > 0
    end = next(event for event, _ in sink.alerts if event.phase == "end")
    assert (end.onset_index, end.end_at) == (5, 1000.0 + 9 * 0.25), "three black segments are needed to call it blind"


async def test_a_bug_of_the_engine_is_not_taken_for_a_failure(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    def script(request: Request) -> Answer:
        if request.index == 2:
            raise ValueError("a bug")
        return CALM

    play(monkeypatch, moving_frames(50))
    sink = RecordingSink()
    with pytest.raises(ExceptionGroup) as caught:
        await watch(config, FakeEngine(script), sink)
    assert [str(error) for error in _leaves(caught.value)] == ["a bug"]
    assert sink.indices == [0, 1]


def _leaves(error: BaseException) -> Sequence[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


async def test_a_sink_that_fails_stops_the_camera(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    class Broken(RecordingSink):
        async def observe(self, observation: Observation) -> None:
            raise RuntimeError("disk gone")

    play(monkeypatch, moving_frames(50))
    with pytest.raises(ExceptionGroup) as caught:
        await watch(config, FakeEngine(), Broken())
    assert [str(error) for error in _leaves(caught.value)] == ["disk gone"]


def test_the_pictures_of_these_tests_are_neither_blind_nor_alike() -> None:
    assert textured(60).std() > 10 and textured(160).mean() - textured(60).mean() > 80
