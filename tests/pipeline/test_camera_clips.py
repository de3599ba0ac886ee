"""Cameras and their clips: from an event to a file that plays, beside the scoring and never in its way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config
from streamspike.core import Engine, Frame
from streamspike.errors import SourceError
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.clips import ClipArchive, ClipCounts, name_clip
from streamspike.outputs.keyframes import decode_keyframe
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.clips import encode, paint
from tests.support.fake_engine import CALM, STARTLING, FakeEngine, surprising_at
from tests.support.footage import B_FRAMES, HEIGHT, WIDTH, play, write_movie
from tests.support.pipeline import (
    RecordingSink,
    ScriptedSource,
    connect_to,
    moving_frames,
    quick_config,
    wait_in_thread,
)
from tests.support.rtsp import RtspServer

AROUND = {
    "pre_seconds": 1.0,
    "post_seconds": 0.5,
    "min_free_bytes": 0,
    "keep_days": 1e6,
}  # scripted cameras live in 1970


@dataclass
class Run:
    supervisor: Supervisor
    recorder: Recorder
    archive: ClipArchive
    sink: RecordingSink

    @property
    def counts(self) -> ClipCounts:
        return self.archive.counts

    async def clips(self) -> list[Clip]:
        return await self.recorder.run(self.recorder.store.clips.list_oldest_first)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.archive.folder.iterdir())

    def path(self, clip: Clip) -> Path:
        return self.archive.folder / clip.file_name


@asynccontextmanager
async def prepared(config: Config, engine: Engine, sink: RecordingSink | None = None) -> AsyncIterator[Run]:
    """A supervisor with cameras, a store, and clips beside it."""
    sink, clock = sink or RecordingSink(), SystemClock()
    async with (
        asyncio.timeout(60),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(engine, EngineStats()) as inference,
        ClipArchive(config.clips, Path(config.store.path).parent / "clips", recorder, clock) as archive,
    ):
        supervisor = Supervisor(config, inference, recorder, [sink], None, clock, archive)
        await supervisor.prepare()
        yield Run(supervisor, recorder, archive, sink)


def configure(folder: Path, *sources: str | Path, **clips: object) -> Config:
    return quick_config(folder, *sources, clips={**AROUND, **clips})


async def test_an_event_of_a_simulated_camera_has_a_clip_that_shows_its_onset(tmp_path: Path) -> None:
    config = configure(tmp_path, "world:street?seed=3&seconds=10&size=160x90&fps=8")
    async with prepared(config, FakeEngine(surprising_at(20))) as run:
        await run.supervisor.run()
        (clip,) = await run.clips()
        (start, keyframe), (end, _) = run.sink.alerts
        played = play(run.path(clip))
        assert run.files() == [clip.file_name] == [name_clip(start.event_id)]
        assert (clip.event_id, clip.camera_id, clip.codec) == (start.event_id, "a", "h264")
        assert clip.num_bytes == run.path(clip).stat().st_size and run.counts.num_written == 1
        assert not run.counts.num_shortened and not run.counts.num_lost
        assert len(played.times) == pytest.approx(8 * clip.seconds, abs=1), "all of the camera's eight frames a second"
    assert clip.started_at == pytest.approx(start.onset_at - 1.0, abs=0.15)
    # Longer than asked for: that it is over is known two quiet segments later, and three more wait in the queue.
    assert end.end_at is not None and 0.4 < clip.started_at + clip.seconds - end.end_at < 0.5 + 5 * 0.25
    assert clip.seconds == pytest.approx(played.seconds, abs=0.02)
    # The picture in the clip at the time of the keyframe is the one of the keyframe, and no other.
    assert keyframe is not None
    shown = decode_keyframe(keyframe).astype(float)
    with av.open(str(run.path(clip))) as container:
        distances = {
            frame.time: float(np.abs(frame.to_ndarray(format="rgb24") - shown).mean())
            for frame in container.decode(video=0)
        }
    best = min(distances, key=lambda at: distances[at])
    assert clip.started_at + best == pytest.approx(keyframe.taken_at, abs=0.01)


async def test_packets_of_a_camera_are_copied_and_two_events_have_a_clip_each(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "door.mp4", num_frames=70, options=B_FRAMES)
    # Events from 3.0 to 3.25 and from 4.0 to 4.25: what lies between them is in both clips.
    config = configure(tmp_path, movie, pre_seconds=1.5, post_seconds=1.5)
    async with prepared(config, FakeEngine(surprising_at(12, 16))) as run:
        await run.supervisor.run()
        first, second = await run.clips()
        assert run.sink.phases == ["start", "end", "start", "end"]
        assert run.counts.num_written == 2 and not run.counts.num_shortened
    one, other = play(run.path(first)).numbers, play(run.path(second)).numbers
    assert {*range(15, 47)} <= {*one} and one[0] == 10  # a sync frame every second: 1.0 is the last one before 1.5
    assert {*range(25, 57)} <= {*other} and other[0] == 20
    assert max(one) <= 51 and max(other) <= 61


async def test_a_file_that_starts_again_ends_the_clip_at_the_break(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "door.mp4", num_frames=30)
    tree = configure(tmp_path, movie, post_seconds=2.0).model_dump()
    tree["cameras"][0]["loop"] = True
    config = Config.model_validate(tree)
    async with prepared(config, FakeEngine(surprising_at(11))) as run:
        running = asyncio.create_task(run.supervisor.run())
        while not run.counts.num_written:
            await asyncio.sleep(0.01)
        run.supervisor.stop()
        await running
        (clip,) = await run.clips()
        assert run.counts.num_shortened["connection"] == 1
    assert play(run.path(clip)).numbers == list(range(10, 30)), "the beginning of the second time is not in it"


async def test_an_event_that_goes_on_has_a_clip_of_the_longest_length_at_once(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "door.mp4", num_frames=70, options={"bf": "0"})
    config = configure(tmp_path, movie, max_clip_seconds=2.0)
    engine = FakeEngine(lambda request: STARTLING)
    async with prepared(config, engine) as run:
        await run.supervisor.run()
        (clip,) = await run.clips()
        assert run.counts.num_shortened == {"bound": 1}
    assert len(play(run.path(clip)).numbers) == 20


def live(monkeypatch: pytest.MonkeyPatch, *epochs: Iterator[Any]) -> None:
    """A live camera without packets: one connection after the other, then it is gone."""
    waiting = iter(epochs)

    def connect() -> ScriptedSource:
        script = next(waiting, None)
        if script is None:
            raise SourceError("refused")
        return ScriptedSource(script, is_live=True)

    connect_to(monkeypatch, connect, is_live=True)


def in_step(sink: RecordingSink) -> Callable[[int], object]:
    """A camera that shows nothing new before the last segment but one was scored."""
    return lambda number: wait_in_thread(lambda: len(sink.observations) >= number - 2)


async def test_a_connection_lost_in_the_middle_of_an_event_ends_its_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = RecordingSink()

    def lost() -> Iterator[Frame | Exception]:
        yield from moving_frames(12, before=in_step(sink))
        yield SourceError("unplugged")

    live(monkeypatch, lost())
    engine = FakeEngine(lambda request: STARTLING if request.index >= 8 else surprising_at()(request))
    async with prepared(configure(tmp_path, "lavfi:testsrc2"), engine, sink) as run:
        running = asyncio.create_task(run.supervisor.run())
        while not run.counts.num_written:
            await asyncio.sleep(0.01)
        assert not running.done(), "the clip is there before the camera comes back"
        run.supervisor.stop()
        await running
        (clip,) = await run.clips()
        assert run.counts.num_shortened == {"connection": 1}
    played = play(run.path(clip))
    assert clip.started_at == 1000.0 + 1.0 and len(played.times) == 2 * 8, "from 1.0 to the loss at 3.0"


@pytest.mark.slow
async def test_the_stream_of_a_real_camera_is_copied_even_when_a_part_of_it_is_lost_on_the_way(tmp_path: Path) -> None:
    sink = RecordingSink()
    units = encode((paint(number, WIDTH, HEIGHT) for number in range(60)), fps=20, gop=10)
    with RtspServer(units, fps=20, drop_rate=0.01) as server:
        config = configure(tmp_path, server.url)
        # Again and again: on a busy machine any single segment may be dropped.
        engine = FakeEngine(lambda request: STARTLING if request.index % 16 in (9, 10) else CALM)
        async with prepared(config, engine, sink) as run:
            running = asyncio.create_task(run.supervisor.run())
            while not run.counts.num_written:
                await asyncio.sleep(0.02)
            run.supervisor.stop()
            await running
            clip = (await run.clips())[0]
            assert not run.counts.num_lost
    with av.open(str(run.path(clip))) as container:
        frames = list(container.decode(video=0))
    (start, _) = sink.alerts[0]
    assert clip.codec == "h264" and frames[0].time == 0.0 and not frames[0].is_corrupt
    assert clip.started_at == pytest.approx(start.onset_at - 1.0, abs=0.6), "a sync frame every half second"
    assert frames[-1].time == pytest.approx(clip.seconds, abs=0.3) and clip.seconds > 1.5


async def test_stopping_closes_the_clip_of_the_event_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = RecordingSink()
    live(monkeypatch, moving_frames(100_000, before=in_step(sink)))
    engine = FakeEngine(lambda request: STARTLING if request.index >= 5 else surprising_at()(request))
    async with prepared(configure(tmp_path, "lavfi:testsrc2"), engine, sink) as run:
        running = asyncio.create_task(run.supervisor.run())
        while len(sink.observations) < 9:
            await asyncio.sleep(0.005)
        run.supervisor.stop()
        await running
        (clip,) = await run.clips()
        assert run.counts.num_shortened == {"end": 1} and run.files() == [clip.file_name]
    assert play(run.path(clip)).seconds > 1.0


async def test_a_slow_disk_holds_up_neither_scoring_nor_the_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, release = RecordingSink(), threading.Event()
    live(monkeypatch, moving_frames(100_000, before=in_step(sink)))
    async with prepared(configure(tmp_path, "lavfi:testsrc2"), FakeEngine(surprising_at(4)), sink) as run:
        running = asyncio.create_task(run.supervisor.run())
        while not sink.alerts:
            await asyncio.sleep(0.005)
        stuck = asyncio.create_task(run.archive.run(release.wait, 20.0))
        while len(sink.observations) < 40:
            await asyncio.sleep(0.005)
        assert await run.clips() == [] and sink.phases == ["start", "end"], "all went on without the clip"
        assert not run.supervisor.cameras[0].stats.dropped_segments
        release.set()
        await stuck
        while not run.counts.num_written:
            await asyncio.sleep(0.005)
        run.supervisor.stop()
        await running


async def test_a_disk_that_fills_up_costs_the_clip_and_nothing_else(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "door.mp4", num_frames=70)
    async with prepared(configure(tmp_path, movie), FakeEngine(surprising_at(12, 20))) as run:
        reserve = run.archive.reserve

        async def reserve_on_full_disk(event_id: str) -> Path | None:
            part = await reserve(event_id)
            if part is not None and not run.sink.phases[1:]:
                part.symlink_to("/dev/full")  # takes no byte, as a disk without a free block
            return part

        run.archive.reserve = reserve_on_full_disk  # type: ignore[method-assign]
        await run.supervisor.run()
        (clip,) = await run.clips()
        assert run.counts.num_lost == {"disk_full": 1} and run.counts.num_written == 1
        assert run.files() == [clip.file_name]
        assert run.sink.phases == ["start", "end", "start", "end"] and len(run.sink.observations) == 28
        events = await run.recorder.run(run.recorder.store.events)
        assert [event.phase.value for event in events] == ["end", "end"], "no event is lost"
    assert play(run.path(clip)).numbers


async def test_events_in_quick_succession_never_have_more_than_four_open_clips(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "door.mp4", num_frames=70)
    config = configure(tmp_path, movie, post_seconds=600.0)
    async with prepared(config, FakeEngine(surprising_at(*range(4, 28, 4)))) as run:
        await run.supervisor.run()
        assert len(await run.clips()) == 6
        assert run.counts.num_shortened == {"crowded": 2, "end": 4}


async def test_what_was_seen_during_a_pause_is_in_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink, resumed = RecordingSink(), threading.Event()

    def step(number: int) -> None:
        if number == 12:  # until here it is paused; the last segment is still on its way
            wait_in_thread(lambda: run.supervisor.cameras[0].stats.dropped_segments["paused"] >= 10)
            loop.call_soon_threadsafe(run.supervisor.cameras[0].control.pause, False)
            loop.call_soon_threadsafe(resumed.set)
            wait_in_thread(resumed.is_set)
        elif number > 12:
            wait_in_thread(lambda: len(sink.observations) >= number - 14)
        else:
            wait_in_thread(lambda: run.supervisor.cameras[0].stats.dropped_segments["paused"] >= number - 2)

    loop = asyncio.get_running_loop()
    live(monkeypatch, moving_frames(100_000, before=step))
    engine = FakeEngine(surprising_at(17))
    async with prepared(configure(tmp_path, "lavfi:testsrc2", pre_seconds=3.0), engine, sink) as run:
        run.supervisor.cameras[0].control.pause(True)
        running = asyncio.create_task(run.supervisor.run())
        while not run.counts.num_written:
            await asyncio.sleep(0.005)
        run.supervisor.stop()
        await running
        (clip,) = await run.clips()
    first_seen = sink.observations[0].started_at
    assert clip.started_at == pytest.approx(first_seen, abs=1e-6) and first_seen > 1000.0 + 17 * 0.25 - 3.0
