"""A camera whose model fails, or that somebody turns: alerts go on, marked, and it comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config
from streamspike.core import EventKind, Frame, Request
from streamspike.errors import SourceError
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.fallback import FAILURES, REASON, SCORER
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.moved import MODEL
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.fake_engine import CALM, STARTLING, Answer, FakeEngine, surprising_at
from tests.support.pipeline import RecordingSink, ScriptedSource, connect_to, quick_config, textured, wait_in_thread

SECONDS = 1.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return quick_config(
        tmp_path,
        "lavfi:testsrc2",  # its source is replaced by connect_to
        segment={"seconds": SECONDS},
        events={"learning_seconds": 10.0, "floor_nats": 1.0},
    )


def flickering(num_segments: int, bright_at: int = -1) -> Iterator[Frame]:
    """Two frames a segment that change alike from each segment to the next, but for one that is much brighter."""
    for number in range(num_segments):
        for half in (0.0, 0.5):
            at = (number + half) * SECONDS
            level = 230 if number == bright_at else 100 + 30 * (number % 2)
            yield Frame(textured(level), at, 1000.0 + at)


async def watch(
    monkeypatch: pytest.MonkeyPatch, config: Config, engine: FakeEngine, frames: Iterator[Frame]
) -> tuple[CameraPipeline, RecordingSink, EngineStats]:
    connect_to(monkeypatch, lambda: ScriptedSource(frames, is_live=False), is_live=False)
    sink, stats = RecordingSink(), EngineStats()
    async with InferenceService(engine, stats) as inference, asyncio.timeout(60):
        pipeline = CameraPipeline(config.cameras[0], config, inference, [sink], SystemClock())
        await pipeline.run()
    return pipeline, sink, stats


async def test_motion_alone_is_watched_while_the_model_fails_and_the_model_comes_back(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    engine = FakeEngine(fails_at=range(30, 45))
    pipeline, sink, _ = await watch(monkeypatch, config, engine, flickering(80))
    models = {observation.index: observation.model for observation in sink.observations}
    unscored, alone = [30, 31], range(30 + FAILURES - 1, 46)
    assert sorted(models) == [index for index in range(80) if index not in unscored]
    assert [index for index, model in models.items() if model == SCORER] == list(alone)
    assert pipeline.stats.dropped_segments == {"engine_failed": 2}
    # Asked again 2 s after the third failure, then 4 s, then 8 s after that, when it answers.
    asked = [request.index for request in engine.requests if 30 <= request.index < 50]
    assert asked == [30, 31, 32, 34, 38, 46, 47, 48, 49]
    stats = pipeline.stats
    assert (stats.degraded_segments, stats.model_retries, stats.degraded) == (14, 3, False)
    assert [len(engine.requests[n].window) for n in (-1, 31)] == [8, 8], (
        "what it did not score it has seen all the same"
    )


async def test_the_state_says_that_it_is_degraded(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    sinks: list[RecordingSink] = []

    def frames() -> Iterator[Frame]:
        for number, frame in enumerate(flickering(40)):
            wait_in_thread(lambda number=number: not sinks or len(sinks[0].observations) >= number // 2 - 4)
            yield frame

    engine = FakeEngine(fails_at=range(15, 24))
    connect_to(monkeypatch, lambda: ScriptedSource(frames(), is_live=False), is_live=False)
    sinks.append(RecordingSink())
    async with InferenceService(engine, EngineStats()) as inference, asyncio.timeout(60):
        await CameraPipeline(config.cameras[0], config, inference, sinks, SystemClock()).run()
    reasons = [reason for _, _, reason in sinks[0].states]
    assert REASON in reasons and reasons[-2] == ""


async def test_what_moves_while_the_model_is_down_is_an_event_marked_as_such(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    engine = FakeEngine(fails_at=range(30, 200))
    _, sink, _ = await watch(monkeypatch, config, engine, flickering(60, bright_at=50))
    assert sink.phases == ["start", "end"]
    start, keyframe = sink.alerts[0]
    assert start.onset_index == 50 and keyframe is not None
    assert start.kind is sink.alerts[-1][0].kind is EventKind.MOTION
    assert start.model == SCORER and start.saw.startswith(f"{SCORER} ") and start.expected == ()


async def test_what_motion_is_usual_is_still_known_after_a_restart(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    async def run(engine: FakeEngine, frames: Iterator[Frame]) -> RecordingSink:
        connect_to(monkeypatch, lambda: ScriptedSource(frames, is_live=False), is_live=False)
        sink = RecordingSink()
        async with (
            asyncio.timeout(60),
            Recorder(Store(Path(config.store.path))) as recorder,
            InferenceService(engine, EngineStats()) as inference,
        ):
            supervisor = Supervisor(config, inference, recorder, [sink], None, SystemClock())
            await supervisor.prepare()
            await supervisor.run()
        return sink

    assert (await run(FakeEngine(), flickering(40))).alerts == []
    sink = await run(FakeEngine(fails_at=range(200)), flickering(8, bright_at=6))
    assert [observation.index for observation in sink.observations] == [2, 3, 4, 5, 6, 7]
    [start, _] = [event for event, _ in sink.alerts]
    assert (start.kind, start.onset_index) == (EventKind.MOTION, 6)
    # Of its own eight segments nothing could be rarer than ln 8, and it would have been learning.
    assert start.surprise_nats > 3.5 and start.p_value < 0.1


async def test_an_event_of_the_model_ends_when_the_model_does(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    def script(request: Request) -> Answer:
        return STARTLING if request.index in range(27, 30) else CALM

    engine = FakeEngine(script, fails_at=range(30, 200))
    _, sink, _ = await watch(monkeypatch, config, engine, flickering(40))
    assert sink.phases == ["start", "end"]
    assert {event.model for event, _ in sink.alerts} == {"fake@0"}
    assert sink.alerts[-1][0].end_at == 1030.0, "the last that the model saw"


async def test_a_single_failure_is_no_reason_to_ask_less(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    engine = FakeEngine(surprising_at(25), fails_at={10, 11, 20})
    pipeline, sink, _ = await watch(monkeypatch, config, engine, flickering(40))
    assert len(engine.requests) == 40 and pipeline.stats.degraded_segments == 0
    assert {event.model for event, _ in sink.alerts} == {"fake@0"}


def place(number: int, shift_px: int) -> np.ndarray:
    texture = np.kron(np.random.default_rng(7).integers(60, 190, (18, 40, 1)), np.ones((10, 10, 3)))
    noise = np.random.default_rng([number, 8]).normal(0, 3, (180, 320, 3))
    picture = np.clip(texture[:, shift_px : shift_px + 320] + noise, 0, 255).astype(np.uint8)
    left = 10 * (number % 20)
    picture[80:100, left : left + 20] = 255  # somebody walks about, so that it is not still
    return picture


def turned_at(turn: int, num_segments: int) -> Iterator[Frame]:
    for number in range(num_segments):
        for half in (0.0, 0.5):
            at = (number + half) * SECONDS
            yield Frame(place(2 * number + round(2 * half), 40 if number >= turn else 0), at, 1000.0 + at)


async def test_a_camera_that_was_turned_says_so_and_learns_again(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    engine = FakeEngine(surprising_at(20))
    pipeline, sink, _ = await watch(monkeypatch, config, engine, turned_at(20, 50))
    surprise, move = (
        [event for event, _ in sink.alerts if event.kind is kind] for kind in (EventKind.SURPRISE, EventKind.MOVED)
    )
    assert len(surprise) + len(move) == len(sink.alerts) and {event.model for event in move} == {MODEL}
    assert [event.phase.value for event in surprise] == [event.phase.value for event in move] == ["start", "end"]
    start, end = move
    assert start.saw == "the camera was moved" and start.event_id == end.event_id != surprise[0].event_id
    assert (start.surprise_nats, start.threshold_nats, start.expected) == (0.0, 0.0, ())
    assert (start.onset_at, end.end_at) == (1020.0, 1025.0)
    windows = [len(request.window) for request in engine.requests]
    assert windows[23:27] == [8, 1, 1, 2], "it is asked as if it had just begun"
    assert engine.requests[24].summary == "" and sink.indices == list(range(50))
    assert pipeline.stats.camera_moves == 1


async def test_a_moved_camera_is_moved_then_learning_then_watching(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    sink = RecordingSink()

    def in_step() -> Iterator[Frame]:
        for number, frame in enumerate(turned_at(20, 60)):
            wait_in_thread(lambda number=number: len(sink.observations) >= number // 2 - 1)
            yield frame

    patient = config.model_copy(update={"events": config.events.model_copy(update={"learning_seconds": 18.0})})
    connect_to(monkeypatch, lambda: ScriptedSource(in_step(), is_live=False), is_live=False)
    async with InferenceService(FakeEngine(), EngineStats()) as inference, asyncio.timeout(60):
        await CameraPipeline(patient.cameras[0], patient, inference, [sink], SystemClock()).run()
    states = sink.states_of("a")
    assert states[states.index("moved") :] == ["moved", "learning", "watching", "finished"]


async def test_a_short_drop_is_not_told_and_a_lost_camera_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = quick_config(tmp_path, "lavfi:testsrc2", health={"offline_after_seconds": 1.0})
    sink = RecordingSink()

    def connection() -> Iterator[Frame | Exception]:
        yield from flickering(4)
        yield SourceError("unplugged")

    waiting = iter([connection(), connection()])

    def connect() -> ScriptedSource:
        script = next(waiting, None)
        if script is None:
            raise SourceError("nobody there")
        return ScriptedSource(script, is_live=True)

    connect_to(monkeypatch, connect, is_live=True)
    async with InferenceService(FakeEngine(), EngineStats()) as inference, asyncio.timeout(60):
        pipeline = CameraPipeline(config.cameras[0], config, inference, [sink], SystemClock())
        running = asyncio.create_task(pipeline.run())
        while "offline" not in sink.states_of("a"):
            await asyncio.sleep(0.01)
        pipeline.stop()
        await running
    told = [(state.value, reason) for _, state, reason in sink.states if state.value in ("offline", "connecting")]
    assert told[0][0] == "connecting"
    assert all("unplugged" not in reason for _, reason in told), "the first drop was over within its second"
    assert pipeline.stats.epochs == 2 and pipeline.stats.reconnects >= 2
