"""Keyframes under a budget: chosen from what was scored, told to those who want pictures, kept in the store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from streamspike.clock import SystemClock
from streamspike.config import KeyframeConfig
from streamspike.core import Frame, Keyframe, Segment
from streamspike.errors import StoreError
from streamspike.outputs.keyframes import decode_keyframe
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.camera_keyframes import CameraKeyframes
from streamspike.pipeline.inference import InferenceService
from streamspike.select.online import HOUR_SECONDS
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine, surprising_at
from tests.support.messages import make_event, make_keyframe, make_observation
from tests.support.pipeline import RecordingSink, ScriptedSource, connect_to, moving_frames, quick_config

TEN = 10 * HOUR_SECONDS
"""A full hour, UTC."""


@dataclass
class PictureSink(RecordingSink):
    """One that has a use for pictures."""

    pictures: list[Keyframe] = field(default_factory=list)

    async def show(self, keyframe: Keyframe) -> None:
        self.pictures.append(keyframe)


def make_segment(at: float) -> Segment:
    """One second of noise that looks like no other."""
    rng = np.random.default_rng(round(at * 10))
    frame = Frame(np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((10, 10, 1))).astype(np.uint8), at, at)
    return Segment("door", 0, 0, at, at + 1.0, at, (frame,))


async def offer(keyframes: CameraKeyframes, at: float, surprise_nats: float) -> None:
    await keyframes.offer(make_segment(at), replace(make_observation(), surprise_nats=surprise_nats))


async def test_an_hour_has_its_best_pictures_within_its_budget_and_all_others_are_counted() -> None:
    sink = PictureSink()
    keyframes = CameraKeyframes("door", KeyframeConfig(per_hour=12), 120, [RecordingSink(), sink])
    peaks = {TEN + 100.0, TEN + 900.0, TEN + 2000.0, TEN + 3100.0}
    rng = np.random.default_rng(0)
    for number in range(0, 3600, 20):
        at = TEN + number
        before = len(sink.pictures)
        await offer(keyframes, at, 9.0 if at in peaks else float(rng.exponential(0.2)))
        assert all(at - picture.taken_at <= 40.0 for picture in sink.pictures[before:]), "20 s, and what comes next"
    await keyframes.finish()
    assert peaks <= {picture.taken_at for picture in sink.pictures} and len(sink.pictures) <= 12
    counts = keyframes.counts
    assert counts.kept == len(sink.pictures)
    assert counts.kept + counts.alike + counts.unsurprising + counts.over_budget == 180
    best = next(picture for picture in sink.pictures if picture.taken_at == TEN + 900.0)
    assert (best.camera_id, best.event_id, best.index) == ("door", "", round((TEN + 900.0) * 1000))
    assert (best.width_px, best.height_px) == (120, 68)
    small = make_segment(TEN + 900.0).frames[0].pixels.mean()
    assert decode_keyframe(best).mean() == pytest.approx(small, abs=3.0)


async def test_bytes_are_a_budget_too() -> None:
    sink = PictureSink()
    keyframes = CameraKeyframes("door", KeyframeConfig(per_hour=100, bytes_per_hour=20_000), 160, [sink])
    for number in range(0, 3600, 60):
        await offer(keyframes, TEN + number, 5.0)
    await keyframes.finish()
    assert 0 < sum(len(picture.jpeg) for picture in sink.pictures) <= 20_000
    assert keyframes.counts.kept < 10


async def test_pictures_that_show_the_same_are_told_once() -> None:
    sink = PictureSink()
    keyframes = CameraKeyframes("door", KeyframeConfig(), 160, [sink])
    segment = make_segment(TEN)
    for number in range(60):
        frame = replace(segment.frames[0], arrived_at=TEN + number)
        await keyframes.offer(replace(segment, frames=(frame,)), make_observation(0, 3.0))
    await keyframes.finish()
    assert len(sink.pictures) == 1 and keyframes.counts.alike == 59


async def test_a_clock_that_is_set_back_stops_nothing() -> None:
    sink = PictureSink()
    keyframes = CameraKeyframes("door", KeyframeConfig(delay_seconds=0.0), 160, [sink])
    await offer(keyframes, TEN + 600.0, 3.0)
    await offer(keyframes, TEN + 300.0, 4.0)
    await offer(keyframes, TEN + 601.0, 5.0)
    await keyframes.finish()
    assert [picture.taken_at for picture in sink.pictures] == [TEN + 600.0, TEN + 300.0, TEN + 601.0]


@pytest.mark.parametrize(("per_hour", "sink"), [(0, PictureSink()), (30, RecordingSink())])
async def test_without_a_budget_or_anybody_to_tell_nothing_is_done(per_hour: int, sink: RecordingSink) -> None:
    keyframes = CameraKeyframes("door", KeyframeConfig(per_hour=per_hour), 160, [sink])
    await offer(keyframes, TEN, 3.0)
    await keyframes.finish()
    assert keyframes.counts.kept == keyframes.counts.unsurprising == 0


async def test_the_keyframes_of_a_camera_come_to_the_store_and_those_of_its_events_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to(monkeypatch, lambda: ScriptedSource(moving_frames(20), is_live=False), is_live=False)
    config = quick_config(tmp_path, "lavfi:testsrc2")  # its source is the scripted one
    sink = PictureSink()
    async with (
        asyncio.timeout(30),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(FakeEngine(surprising_at(4, 5, 12)), EngineStats()) as inference,
    ):
        pipeline = CameraPipeline(config.cameras[0], config, inference, [recorder, sink], SystemClock())
        await pipeline.run()
        assert await recorder.run(recorder.store.keyframes.budgeted, "a") == sink.pictures
        stored = await recorder.run(recorder.store.keyframes.list_budgeted, "a")
        first, second = await recorder.run(recorder.store.events)
        # Of two pictures that look alike one is kept: bright segments look alike, and so do dark ones.
        assert [frame.taken_at for frame in stored] == [1001.375, 1001.125], "newest first"
        assert [(frame.number, frame.surprise_nats, frame.saw) for frame in reversed(stored)] == [
            (picture.index, picture.surprise_nats, picture.saw) for picture in sink.pictures
        ]
        by_index = {observation.index: observation for observation in sink.observations}
        assert stored[1].surprise_nats == by_index[4].surprise_nats > 2.0 and stored[1].saw == by_index[4].caption
        assert recorder.store.keyframes.jpeg("", stored[0].number, "a") == sink.pictures[-1].jpeg
        assert recorder.store.keyframes.jpeg("", stored[0].number, "b") is None
        [oldest] = await recorder.run(recorder.store.keyframes.list_budgeted, "a", stored[0].number)
        assert oldest == stored[1]
        assert recorder.counts.num_keyframes == 2 == pipeline.keyframes.counts.kept
        for event in (first, second):
            own = await recorder.run(recorder.store.keyframes.of_event, event.event_id)
            assert [keyframe.index for keyframe in own] == [0]


async def test_a_keyframe_that_cannot_be_written_is_counted_and_the_stream_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(keyframe: Keyframe) -> None:
        raise StoreError("the disk is full")

    async with Recorder(Store(tmp_path / "spike.db")) as recorder:
        monkeypatch.setattr(recorder.store, "record_keyframe", refuse)
        for _ in range(3):
            await recorder.show(make_keyframe(make_event()))
        assert recorder.counts.num_keyframes_lost == 3 and recorder.counts.num_keyframes == 0
    assert [record.getMessage() for record in caplog.records] == ["keyframes are lost: the disk is full"]


async def test_old_keyframes_of_the_budget_go_with_the_observations_and_those_of_events_stay(tmp_path: Path) -> None:
    async with Recorder(Store(tmp_path / "spike.db"), lambda: TEN + 20 * 86_400.0) as recorder:
        event = make_event()
        old = replace(make_keyframe(event), taken_at=TEN)
        for keyframe in (
            old,
            replace(old, event_id=""),
            replace(old, event_id="", index=1, taken_at=TEN + 19 * 86_400),
        ):
            await recorder.run(recorder.store.record_keyframe, keyframe)
        await recorder.run(recorder.store.record_keyframe, replace(old, event_id="", camera_id="yard"))
        await recorder.prune(14.0)
        kept = await recorder.run(recorder.store.keyframes.list_budgeted, "door")
        assert [frame.number for frame in kept] == [1]
        assert await recorder.run(recorder.store.keyframes.of_event, event.event_id) == [old]
        assert await recorder.run(recorder.store.keyframes.list_budgeted, "yard") == []
