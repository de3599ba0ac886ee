"""Several cameras side by side: none touches another, a bug ends them all, and nothing is published unwritten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config
from streamspike.core import CameraState, Engine, Event, EventPhase, Keyframe, Observation, Request, Sink
from streamspike.errors import SourceError, UnsupportedSource, WorldError
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.clips import write_clip
from tests.support.fake_engine import CALM, Answer, FakeEngine, surprising_at
from tests.support.messages import make_event
from tests.support.pipeline import RecordingSink, quick_config
from tests.support.servers import free_port


@dataclass
class Run:
    """A supervisor that is prepared, and the store it writes."""

    supervisor: Supervisor
    recorder: Recorder
    stats: EngineStats


@asynccontextmanager
async def prepared(
    config: Config, engine: Engine, *sinks: Sink, witness: Callable[[Recorder], Sink] | None = None
) -> AsyncIterator[Run]:
    stats = EngineStats()
    async with (
        asyncio.timeout(60),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(engine, stats) as inference,
    ):
        told = [*sinks, *([witness(recorder)] if witness else [])]
        supervisor = Supervisor(config, inference, recorder, told, None, SystemClock())
        await supervisor.prepare()
        yield Run(supervisor, recorder, stats)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s, hence 12 segments of 0.25 s."""
    return write_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", 30, 10)


@pytest.mark.slow
async def test_four_simulated_cameras_are_scored_to_their_ends_and_nothing_is_dropped(tmp_path: Path) -> None:
    worlds = [f"world:{scene}&seconds=3&size=96x64&fps=8" for scene in ("street?seed=1", "room?seed=2", "yard?seed=3")]
    config = quick_config(tmp_path, *worlds, "world:street?seed=4&seconds=2&size=96x64&fps=8")
    sink, engine = RecordingSink(), FakeEngine()
    async with prepared(config, engine, sink) as run:
        await run.supervisor.run()
        assert run.stats.segments == 12 * 3 + 8 == len(engine.requests)
    for camera, count in zip("abcd", (12, 12, 12, 8), strict=True):
        assert [o.index for o in sink.observations if o.camera_id == camera] == list(range(count))
        assert sink.states_of(camera)[-1] == "finished"
    for pipeline in run.supervisor.cameras:
        assert pipeline.stats.still_segments == 0, "choose other seeds: where nothing moves a segment may be left out"
        assert not pipeline.stats.dropped_segments


class Witness(RecordingSink):
    """Looks into the store whenever it is told something."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self.unwritten: list[object] = []

    async def observe(self, observation: Observation) -> None:
        store = self._recorder.store
        known = await self._recorder.run(store.observations, observation.camera_id, 0.0, 1e18)
        if observation.index not in [other.index for other in known]:
            self.unwritten.append(observation)
        await super().observe(observation)

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        written = await self._recorder.run(self._recorder.store.revisions, event.event_id)
        frames = await self._recorder.run(self._recorder.store.keyframes.of_event, event.event_id)
        if event not in written or (keyframe is not None and keyframe not in frames):
            self.unwritten.append(event)
        await super().alert(event, keyframe)

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        [record] = [r for r in await self._recorder.run(self._recorder.store.cameras) if r.camera_id == camera_id]
        if record.state is not state:
            self.unwritten.append((camera_id, state))
        await super().report_state(camera_id, state, reason)


async def test_the_store_has_everything_before_anybody_is_told(tmp_path: Path, clip: Path) -> None:
    witnesses: list[Witness] = []

    def bring(recorder: Recorder) -> Witness:
        witnesses.append(Witness(recorder))
        return witnesses[0]

    engine = FakeEngine(surprising_at(5, 8))
    async with prepared(quick_config(tmp_path, clip), engine, witness=bring) as run:
        await run.supervisor.run()
        assert run.recorder.counts.num_observations == 12 and run.recorder.counts.num_events == 4
    [witness] = witnesses
    assert witness.phases == ["start", "end"] * 2 and len(witness.observations) == 12 and witness.states
    assert witness.unwritten == []


async def test_what_the_threshold_learned_survives_a_restart(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, clip, events={"floor_nats": 0.1, "extreme_nats": 1.0})
    half = Answer((("a", 0.9, 0.3), ("b", 0.1, 0.7)), "b")  # 1.03 nats each time
    async with prepared(config, FakeEngine(lambda _: half)) as run:
        assert run.supervisor.cameras[0].events.calibrator.learning
        await run.supervisor.run()
        level = run.supervisor.threshold_of("a")
        assert level > 0.5
    sink = RecordingSink()
    async with prepared(config, FakeEngine(), sink) as run:
        assert not run.supervisor.cameras[0].events.calibrator.learning
        assert run.supervisor.threshold_of("a") == pytest.approx(level, abs=1e-5)
        await run.supervisor.run()
    assert "learning" not in sink.states_of("a")


async def test_a_camera_that_cannot_be_opened_never_touches_another(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, f"rtsp://joe:pa55word@127.0.0.1:{free_port()}/cam", clip)
    sink = RecordingSink()
    async with prepared(config, FakeEngine(), sink) as run:
        running = asyncio.create_task(run.supervisor.run())
        lost, healthy = run.supervisor.cameras
        while "finished" not in sink.states_of("b") or lost.stats.reconnects < 3:
            await asyncio.sleep(0.01)
        assert not running.done()
        run.supervisor.stop()
        await running
    assert [o.index for o in sink.observations if o.camera_id == "b"] == list(range(12))
    assert not healthy.stats.dropped_segments and healthy.stats.reconnects == 0
    assert set(sink.states_of("a")) == {"connecting", "offline"}
    reasons = [reason for camera, state, reason in sink.states if camera == "a" and state is CameraState.OFFLINE]
    assert reasons and all("refused" in reason and "pa55word" not in reason for reason in reasons)


async def test_a_file_that_is_no_video_never_touches_another(tmp_path: Path, clip: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video at all\n" * 50)
    sink = RecordingSink()
    async with prepared(quick_config(tmp_path, text, clip), FakeEngine(), sink) as run:
        await run.supervisor.run()
        assert isinstance(run.supervisor.cameras[0].failure, SourceError)
    assert [o.index for o in sink.observations] == list(range(12))
    assert sink.states_of("a")[-1] == "offline"


async def test_a_run_that_saw_nothing_fails(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video at all\n" * 50)
    async with prepared(quick_config(tmp_path, text), FakeEngine()) as run:
        with pytest.raises(SourceError, match=r"notes\.mp4"):
            await run.supervisor.run()


@pytest.mark.parametrize(
    ("source", "error"),
    [("/nowhere/at/all.mp4", SourceError), ("gopher://hole", UnsupportedSource), ("world:moon", WorldError)],
)
async def test_a_wrong_address_is_told_before_anything_runs(
    tmp_path: Path, source: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with prepared(quick_config(tmp_path, source), FakeEngine()):
            pytest.fail("it was accepted")


async def test_a_bug_stops_the_run_and_is_not_swallowed(tmp_path: Path, clip: Path) -> None:
    def script(request: Request) -> Answer:
        if request.camera_id == "a" and request.index == 3:
            raise ValueError("a bug")
        return CALM

    config = quick_config(tmp_path, clip, "lavfi:testsrc2=size=96x64:rate=10")  # the second one never ends
    async with prepared(config, FakeEngine(script)) as run:
        with pytest.raises(ExceptionGroup) as caught:
            await run.supervisor.run()
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        assert len(error.exceptions) == 1
        error = error.exceptions[0]
    assert isinstance(error, ValueError) and str(error) == "a bug"


async def test_stopping_before_the_start_ends_at_once(tmp_path: Path) -> None:
    async with prepared(quick_config(tmp_path, "lavfi:testsrc2=size=96x64:rate=10"), FakeEngine()) as run:
        run.supervisor.stop()
        async with asyncio.timeout(10):
            await run.supervisor.run()


async def test_events_of_a_killed_run_are_ended_before_cameras_start(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, clip)
    left_open = make_event(camera_id="gone")
    store = Store(Path(config.store.path))
    store.record_event(left_open, None, 0.0)
    store.close()
    sink = RecordingSink()
    async with prepared(config, FakeEngine(), sink) as run:
        await run.supervisor.run()
        assert run.recorder.store.open_events() == []
    [(end, keyframe)] = sink.alerts
    assert (end.event_id, end.phase, end.revision, keyframe) == (left_open.event_id, EventPhase.END, 1, None)
