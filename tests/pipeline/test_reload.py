"""A configuration changes while cameras run: only those it names notice, and a mistake changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamspike.clock import ManualClock, SystemClock
from streamspike.config import Config
from streamspike.config_file import load_config, parse_config
from streamspike.errors import StreamspikeError
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.reload import POLL_SECONDS, Plan, Reloader, ReloadStatus, plan_reload
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine
from tests.support.pipeline import QUICK, RecordingSink, shown_by

SURPRISE = ("surprise",)


def tree_of(*cameras: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"cameras": list(cameras), **sections}


def config_of(*cameras: dict[str, Any], **sections: Any) -> Config:
    return parse_config(tree_of(*cameras, **sections), "test")


def camera(camera_id: str, source: str = "lavfi:testsrc2=size=96x64:rate=8", **more: Any) -> dict[str, Any]:
    return {"id": camera_id, "source": source, **more}


def plan(before: Config, after: Config) -> Plan:
    return plan_reload(before, after, before.model_scorers)


def test_cameras_are_told_apart_by_what_happened_to_them() -> None:
    before = config_of(camera("stays"), camera("goes"), camera("turns"), camera("budget"), camera("way"))
    after = config_of(
        camera("stays"),
        camera("turns", "lavfi:smptebars"),
        camera("budget", alerts_per_day=3),
        camera("way", transport="udp"),
        camera("new"),
    )
    made = plan(before, after)
    assert [each.id for each in made.added] == ["new"] and made.removed == ("goes",)
    assert [each.id for each in made.replaced] == ["turns", "way"]
    assert [each.id for each in made.retuned] == ["budget"]
    assert made.refused == () and made.config == after
    assert made.sentence == "added new; removed goes; restarted turns, way; changed settings of budget"
    cameras = camera("surprise"), camera("pixels", scorer="optical-flow")
    made = plan(config_of(*cameras), config_of(*cameras, belief={"looks": 1}))
    assert made.sentence == "restarted surprise; changed settings of pixels", "frames of a second look are read"


def test_the_same_configuration_is_nothing_to_do() -> None:
    made = plan(config_of(camera("a")), config_of(camera("a")))
    assert (made.added, made.removed, made.replaced, made.retuned, made.refused) == ((), (), (), (), ())
    assert made.sentence == "nothing to change"


@pytest.mark.parametrize("section", [{"events": {"floor_nats": 1.0}}, {"belief": {"tau": 2.0}}])
def test_events_and_beliefs_are_taken_over_by_running_cameras(section: dict[str, Any]) -> None:
    made = plan(config_of(camera("a"), camera("b")), config_of(camera("a"), camera("b"), **section))
    assert [each.id for each in made.retuned] == ["a", "b"] and not made.replaced and not made.refused


@pytest.mark.parametrize(
    "section",
    [
        {"model": {"seed": 1}},
        {"segment": {"seconds": 2.0}},
        {"store": {"keep_days": 1.0}},
        {"health": {"notice_moves": False}},
        {"mqtt": {"url": "mqtt://joe:pa55word@broker"}},
    ],
)
def test_what_needs_a_restart_is_refused_with_a_sentence_and_the_rest_is_taken_over(section: dict[str, Any]) -> None:
    before = config_of(camera("a"))
    after = config_of(camera("a"), camera("b"), **section)
    made = plan(before, after)
    (name,) = section
    assert made.refused == (f"{name}: changes when streamspike is started again",)
    assert getattr(made.config, name) == getattr(before, name)
    assert [each.id for each in made.added] == ["b"]
    assert plan(made.config, after).refused == made.refused, "it is said again until somebody does it"


def test_a_scorer_may_change_to_one_the_process_can_serve() -> None:
    before = config_of(camera("a"), camera("b"))
    made = plan(before, config_of(camera("a"), camera("b", scorer="optical-flow")))
    assert [each.id for each in made.replaced] == ["b"]
    back = plan_reload(made.config, before, before.model_scorers)
    assert [each.id for each in back.replaced] == ["b"] and not back.refused


def test_a_scorer_that_needs_a_model_nobody_loaded_is_refused() -> None:
    made = plan(config_of(camera("a"), scorer="frame-difference"), config_of(camera("a"), camera("b")))
    assert len(made.refused) == 2 and "camera a: scorer 'surprise' needs another model" in made.refused[0]
    assert [made.config.scorer_of(each) for each in made.config.cameras] == ["frame-difference"]
    assert not made.added and not made.replaced and not made.removed


class Rig:
    """A reloader whose file, clock and application belong to the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.applied: list[Config] = []
        self.told: list[ReloadStatus] = []
        path.write_text("cameras: []\n")
        self.reloader = Reloader(path, lambda: load_config(path), self._apply, self.clock, self.told.append)

    async def _apply(self, config: Config) -> Plan:
        if any(each.id == "impossible" for each in config.cameras):
            raise StreamspikeError("there is no such camera")
        self.applied.append(config)
        return plan_reload(Config(), config, SURPRISE)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        later = self.path.stat().st_mtime_ns + 10**9 * (1 + len(self.told) + len(text))
        os.utime(self.path, ns=(later, later))

    async def poll(self, times: int = 1) -> None:
        """Let the reloader look that often, give or take one that was not ready to."""
        for _ in range(times):
            self.clock.advance(POLL_SECONDS)
            for _ in range(20):
                await asyncio.sleep(0.002)  # a look takes a thread

    async def poll_until_told(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.told) < count:
                await self.poll()


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Rig]:
    rig = Rig(path)
    task = asyncio.create_task(rig.reloader.run())
    await asyncio.sleep(0)
    try:
        yield rig
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_file_is_read_again_when_it_changed_and_stood_still(tmp_path: Path) -> None:
    async with running(tmp_path / "c.yaml") as rig:
        await rig.poll(3)
        assert rig.told == []
        rig.write("cameras: [{id: a, source: 'lavfi:testsrc2'}]\n")
        await rig.poll()
        assert rig.told == [], "somebody may still be writing it"
        await rig.poll_until_told(1)
        assert [each.id for each in rig.applied[-1].cameras] == ["a"]
        assert rig.told[0].accepted and rig.told[0].sentence == "added a" and rig.told[0] == rig.reloader.status
        await rig.poll(3)
        assert len(rig.told) == 1


async def test_a_file_that_is_asked_for_is_read_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / "c.yaml") as rig:
        rig.reloader.request()
        await until(lambda: rig.told)
        assert rig.told[0].sentence == "nothing to change"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cameras: [", "not valid YAML"),
        ("camera: []", "did you mean 'cameras'?"),
        ("cameras: [{id: impossible, source: 'lavfi:testsrc2'}]", "there is no such camera"),
    ],
)
async def test_a_mistake_changes_nothing_is_logged_and_can_be_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, reason: str
) -> None:
    async with running(tmp_path / "c.yaml") as rig:
        rig.write(text)
        rig.reloader.request()
        await until(lambda: rig.told)
        assert not rig.told[0].accepted and reason in rig.told[0].sentence
        assert "the old configuration stays" in rig.told[0].sentence and rig.applied == []
        assert reason in caplog.records[-1].getMessage()
        rig.write("cameras: [{id: a, source: 'lavfi:testsrc2'}]\n")
        await rig.poll_until_told(2)
        assert rig.told[1].accepted and len(rig.applied) == 1


async def test_a_file_that_is_gone_for_a_moment_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "c.yaml") as rig:
        rig.path.unlink()
        await rig.poll(3)
        assert rig.told == []


async def test_a_bug_in_what_it_applies_comes_out(tmp_path: Path) -> None:
    async def broken(_: Config) -> Plan:
        raise ValueError("a bug")

    path = tmp_path / "c.yaml"
    path.write_text("{}\n")
    reloader = Reloader(path, lambda: load_config(path), broken, ManualClock())
    reloader.request()
    with pytest.raises(ValueError, match="a bug"):
        await reloader.run()


# With real pipelines and simulated cameras, in real time: the file changes while they run.

STREET = "world:street?seed=4&size=96x64&fps=8"
YARD = "world:yard?seed=3&size=96x64&fps=8"


class Run:
    """A supervisor whose cameras run, and the file it looks after."""

    def __init__(self, supervisor: Supervisor, recorder: Recorder, path: Path, sink: RecordingSink) -> None:
        self.supervisor, self.recorder, self.sink, self._path = supervisor, recorder, sink, path
        self.told: list[ReloadStatus] = []
        self.reloader = supervisor.watch_config(path, lambda: load_config(path), self.told.append)

    async def write(self, tree: dict[str, Any]) -> ReloadStatus:
        """Change the file, as SIGHUP would have it read."""
        self._path.write_text(yaml.safe_dump(tree))
        count = len(self.told)
        self.reloader.request()
        await until(lambda: len(self.told) > count)
        return self.told[-1]

    def camera(self, camera_id: str) -> CameraPipeline:
        return next(each for each in self.supervisor.cameras if each.camera_id == camera_id)

    def scored(self, camera_id: str) -> list[tuple[int, int]]:
        """(epoch, index) of each observation."""
        return [(each.epoch, each.index) for each in self.sink.observations if each.camera_id == camera_id]

    async def more(self, camera_id: str, count: int = 4) -> None:
        """Wait until so many more segments of a camera are scored."""
        goal = len(self.scored(camera_id)) + count
        await until(lambda: len(self.scored(camera_id)) >= goal)


@asynccontextmanager
async def watching(tmp_path: Path, tree: dict[str, Any]) -> AsyncIterator[Run]:
    path = tmp_path / "cameras.yaml"
    path.write_text(yaml.safe_dump(tree))
    config = load_config(path)
    async with (
        asyncio.timeout(90),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(FakeEngine(), EngineStats()) as inference,
    ):
        sink = RecordingSink()
        supervisor = Supervisor(config, inference, recorder, [sink], None, SystemClock())
        run = Run(supervisor, recorder, path, sink)
        await supervisor.prepare()
        task = asyncio.create_task(supervisor.run())
        try:
            yield run
        finally:
            supervisor.stop()
            await task


def quick(tmp_path: Path, *cameras: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {**QUICK, "store": {"path": str(tmp_path / "spike.db")}, "cameras": list(cameras), **sections}


async def test_cameras_come_and_go_and_the_others_lose_no_segment(tmp_path: Path) -> None:
    street, yard = camera("a", STREET), camera("b", YARD)
    async with watching(tmp_path, quick(tmp_path, street)) as run:
        await run.more("a")
        first = run.camera("a")
        status = await run.write(quick(tmp_path, street, yard))
        assert status.accepted and status.sentence == "added b"
        await run.more("b")
        await run.write(quick(tmp_path, street, camera("b", "world:room?seed=2&size=96x64&fps=8")))
        await run.more("b")
        changed = run.camera("b")
        await run.write(quick(tmp_path, street))
        await run.more("a")
        assert run.camera("a") is first and [each.camera_id for each in run.supervisor.cameras] == ["a"]
        assert run.scored("a") == [(0, index) for index in range(len(run.scored("a")))]
        assert not first.stats.dropped_segments and first.stats.epochs == 1
        indices = [index for _, index in run.scored("b")]
        assert indices.count(0) == 2, "what was changed began again, once"
        assert run.sink.states[-1][0] == "b" and run.sink.states[-1][2] == "taken out of the configuration"
        assert run.supervisor.departed[-1] == (changed.num_scored, changed.stats)
        assert len(run.supervisor.departed) == 2 and run.supervisor.threshold_of("b") == 0.0


async def test_the_only_camera_can_be_replaced(tmp_path: Path) -> None:
    async with watching(tmp_path, quick(tmp_path, camera("a", STREET))) as run:
        await run.more("a")
        await run.write(quick(tmp_path, camera("b", YARD)))
        await run.more("b")
        assert [each.camera_id for each in run.supervisor.cameras] == ["b"]


async def test_a_mistake_in_the_file_touches_no_camera(tmp_path: Path) -> None:
    async with watching(tmp_path, quick(tmp_path, camera("a", STREET))) as run:
        await run.more("a")
        first = run.camera("a")
        for broken in (
            quick(tmp_path, camera("a", "world:moon")),
            quick(tmp_path, camera("b", YARD), camera("c", "gopher://hole")),
            quick(tmp_path, camera("a", YARD, scorer="middle")),
            {"cameras": 3},
        ):
            status = await run.write(broken)
            assert not status.accepted and "the old configuration stays" in status.sentence
        await run.more("a")
        assert run.supervisor.cameras == [first] and not first.stats.dropped_segments and first.stats.epochs == 1


async def test_thresholds_change_in_a_running_camera_and_what_it_learned_stays(tmp_path: Path) -> None:
    street = camera("a", STREET)
    async with watching(tmp_path, quick(tmp_path, street)) as run:
        await run.more("a", 6)
        first = run.camera("a")
        watched = first.events.calibrator.progress
        assert watched > 0
        events = {**QUICK["events"], "floor_nats": 9.0}
        status = await run.write(quick(tmp_path, {**street, "alerts_per_day": 7.0}, events=events))
        assert status.sentence == "changed settings of a"
        await run.more("a", 2)
        assert run.camera("a") is first and first.events.calibrator.alerts_per_day == 7.0
        assert first.level >= 9.0 and first.events.calibrator.progress >= watched
        assert run.scored("a") == [(0, index) for index in range(len(run.scored("a")))]


async def test_changed_beliefs_begin_a_new_window(tmp_path: Path) -> None:
    street, alone = camera("a", STREET), {"opening": 0.0}
    async with watching(tmp_path, quick(tmp_path, street, belief=alone)) as run:
        await run.more("a", 6)
        status = await run.write(quick(tmp_path, street, belief={**alone, "window_segments": 2}))
        assert status.accepted and status.refused == ()
        await run.more("a", 6)
        hypotheses = [each.hypotheses for each in run.sink.observations]
        assert sum(not each for each in hypotheses) == 2, "only the first of a window has none"
        assert shown_by(run.camera("a")) == pytest.approx(len(hypotheses), abs=2), "no sentence is forgotten"


async def test_what_needs_a_restart_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    street = camera("a", STREET)
    async with watching(tmp_path, quick(tmp_path, street)) as run:
        await run.more("a")
        status = await run.write(quick(tmp_path, street, camera("b", YARD), model={"seed": 5}))
        assert status.accepted and status.refused == ("model: changes when streamspike is started again",)
        assert any("model: changes when" in record.getMessage() for record in caplog.records)
        await run.more("b")


async def test_what_a_camera_learned_is_kept_when_it_is_changed(tmp_path: Path) -> None:
    async with watching(tmp_path, quick(tmp_path, camera("a", STREET), camera("b", YARD))) as run:
        await until(lambda: run.camera("a").events.calibrator.progress > 0.5)
        watched = run.camera("a").events.calibrator.progress
        await run.write(quick(tmp_path, camera("a", STREET, transport="udp"), camera("b", YARD)))
        assert run.camera("a").events.calibrator.progress >= watched


async def test_nothing_is_changed_when_the_run_ends(tmp_path: Path) -> None:
    async with watching(tmp_path, quick(tmp_path, camera("a", STREET))) as run:
        await run.more("a")
        run.supervisor.stop()
        with pytest.raises(StreamspikeError, match="about to end"):
            await run.supervisor.reconfigure(config_of(camera("b", YARD)))


def test_a_password_never_stands_in_what_is_told() -> None:
    before = config_of(camera("a", "rtsp://joe:pa55word@192.0.2.1/x"), mqtt={"url": "mqtt://joe:pa55word@broker"})
    after = config_of(camera("a", "rtsp://joe:other@192.0.2.1/x"), mqtt={"url": "mqtt://joe:other@broker"})
    made = plan(before, after)
    assert [each.id for each in made.replaced] == ["a"]
    assert "pa55word" not in made.sentence + repr(made) and "other" not in made.sentence + "".join(made.refused)
