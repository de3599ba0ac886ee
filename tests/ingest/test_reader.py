from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamspike.config import IngestConfig
from streamspike.core import Frame
from streamspike.errors import SourceError
from streamspike.ingest.container import SilentSource
from tests.ingest.harness import QUICK, FakeSource, camera_for, make_frame, make_frames, make_rig, wait_until
from tests.support.clips import write_clip

CAMERA = camera_for("lavfi:unused")


def in_turn(*sources: FakeSource | Exception) -> Callable[[], FakeSource]:
    """An opener that hands these out, one per connection."""
    left = list(sources)

    def open_next() -> FakeSource:
        source = left.pop(0)
        if isinstance(source, Exception):
            raise source
        return source

    return open_next


def seconds_of_frames(seconds: float, fps: int = 5) -> list[Frame]:
    return make_frames(number / fps for number in range(int(seconds * fps)))


async def test_a_file_is_played_to_its_end_and_closed() -> None:
    source = FakeSource(seconds_of_frames(10))
    rig = make_rig(CAMERA, in_turn(source))
    segments = await rig.run_to_end()
    assert [segment.index for segment in segments] == list(range(10))
    assert rig.state_names == ["connecting", "watching", "finished"]
    assert rig.stats.state == "finished"
    assert source.closed
    assert rig.reader.failure is None
    assert rig.stats.epochs == 1


async def test_a_file_waits_for_a_slow_consumer_and_loses_nothing() -> None:
    rig = make_rig(CAMERA, in_turn(FakeSource(seconds_of_frames(20))), max_queued=2)
    task = asyncio.create_task(rig.reader.run())
    await asyncio.sleep(0.1)
    assert len(rig.channel) == 2
    taken = [segment.index async for segment in rig.channel]
    await task
    assert taken == list(range(20))
    assert not rig.stats.dropped_segments


async def test_a_live_camera_drops_the_oldest_segments_and_counts_them() -> None:
    gone = threading.Event()
    source = FakeSource([*seconds_of_frames(10), gone.set, lambda: time.sleep(0.05)], is_live=True)
    rig = make_rig(CAMERA, in_turn(source, FakeSource([], is_live=True)), is_live=True, max_queued=3)
    task = asyncio.create_task(rig.reader.run())
    await wait_until(gone.is_set)
    rig.reader.stop()
    await task
    taken = [segment.index async for segment in rig.channel]
    assert taken == [7, 8, 9]
    assert rig.stats.dropped_segments.total() == 7
    assert rig.stats.dropped_segments["queue_full"] >= 6


async def test_a_lost_camera_comes_back_as_a_new_epoch() -> None:
    stopped: list[None] = []
    third = FakeSource([*seconds_of_frames(2), lambda: stopped.append(None), lambda: time.sleep(0.05)], is_live=True)
    rig = make_rig(
        CAMERA,
        in_turn(
            FakeSource(seconds_of_frames(2), is_live=True),
            SourceError("refused"),
            FakeSource([*seconds_of_frames(2), SilentSource("quiet")], is_live=True),
            third,
            *[SourceError("gone")] * 50,
        ),
        is_live=True,
        max_queued=20,
    )
    task = asyncio.create_task(rig.reader.run())
    await wait_until(lambda: stopped)
    rig.reader.stop()
    await task
    segments = [segment async for segment in rig.channel]
    assert [(s.epoch, s.index, s.start_seconds) for s in segments] == [
        (0, 0, 0.0), (0, 1, 1.0), (1, 2, 0.0), (1, 3, 1.0), (2, 4, 0.0), (2, 5, 1.0),
    ]  # fmt: skip
    assert rig.stats.connection_failures == {"read": 1, "open": 1, "silence": 1}
    assert (rig.stats.reconnects, rig.stats.epochs) == (3, 3)
    offline = [reason for state, reason in rig.states if state.value == "offline"]
    assert "the stream ended" in offline[0]
    assert "refused" in offline[1]
    assert "quiet" in offline[2]


async def test_each_wait_is_longer_than_the_last_up_to_a_limit_and_not_the_same_for_all() -> None:
    ingest = QUICK.model_copy(update={"backoff_min_seconds": 0.01, "backoff_max_seconds": 0.08})
    rig = make_rig(CAMERA, in_turn(*[SourceError("no")] * 99), is_live=True, ingest=ingest)
    attempts: list[float] = []
    wait = rig.reader._stop.wait
    rig.reader._stop.wait = lambda seconds: (attempts.append(seconds), wait(seconds))[1]  # type: ignore[method-assign]
    task = asyncio.create_task(rig.reader.run())
    await wait_until(lambda: len(attempts) >= 7)
    rig.reader.stop()
    await task
    ceilings = [0.01, 0.02, 0.04, 0.08, 0.08, 0.08, 0.08]
    assert all(c / 2 <= a <= c for a, c in zip(attempts, ceilings, strict=False))
    assert len(set(attempts[3:])) > 1


async def test_a_file_that_cannot_be_opened_is_not_tried_again() -> None:
    rig = make_rig(CAMERA, in_turn(SourceError("no such file: x.mp4")))
    assert await rig.run_to_end() == []
    assert str(rig.reader.failure) == "no such file: x.mp4"
    assert rig.states[-1][0].value == "offline"
    assert rig.stats.reconnects == 0


async def test_a_looped_file_starts_again_as_a_new_epoch() -> None:
    sources = [FakeSource(seconds_of_frames(1)) for _ in range(99)]
    rig = make_rig(camera_for("lavfi:unused", loop=True), in_turn(*sources))
    task = asyncio.create_task(rig.reader.run())
    taken = [await rig.channel.get() for _ in range(3)]
    rig.reader.stop()
    await task
    assert [segment and segment.epoch for segment in taken] == [0, 1, 2]


async def test_a_bug_in_the_thread_comes_out_of_run() -> None:
    source = FakeSource([*make_frames([0.0]), KeyError("bug")], is_live=True)
    rig = make_rig(CAMERA, in_turn(source), is_live=True)
    with pytest.raises(KeyError, match="bug"):
        await rig.reader.run()
    assert source.closed
    assert await rig.channel.get() is None


async def test_a_file_at_its_own_pace_takes_as_long_as_it_lasts() -> None:
    rig = make_rig(
        camera_for("lavfi:unused", pace="realtime"), in_turn(FakeSource(seconds_of_frames(0.6))), seconds=0.2
    )
    began = time.monotonic()
    segments = await rig.run_to_end()
    assert 0.35 < time.monotonic() - began < 5.0
    assert len(segments) == 3


async def test_stop_interrupts_a_file_that_waits_for_its_pace() -> None:
    frames = [make_frame(0.0), make_frame(3600.0)]
    rig = make_rig(camera_for("lavfi:unused", pace="realtime"), in_turn(FakeSource(frames)), seconds=60.0)
    task = asyncio.create_task(rig.reader.run())
    await wait_until(lambda: rig.states and rig.states[-1][0].value == "watching")
    rig.reader.stop()
    await asyncio.wait_for(task, 5.0)


async def test_stop_emits_the_segment_that_was_open() -> None:
    reached = threading.Event()

    def endless() -> Iterator[Frame]:
        number = 0
        while True:
            yield make_frame(number / 10)
            number += 1
            if number > 8:
                reached.set()
                time.sleep(0.01)

    rig = make_rig(CAMERA, lambda: FakeSource(endless(), is_live=True), is_live=True, seconds=60.0)
    task = asyncio.create_task(rig.reader.run())
    await wait_until(reached.is_set)
    rig.reader.stop()
    await asyncio.wait_for(task, 5.0)
    # 0.9 s of 60 s are less than half: a live camera's rest is not worth scoring, and it is counted.
    assert await rig.channel.get() is None
    assert rig.stats.dropped_segments == {"partial": 1}

    file_rig = make_rig(CAMERA, lambda: FakeSource(endless()), seconds=60.0)
    reached.clear()
    task = asyncio.create_task(file_rig.reader.run())
    await wait_until(reached.is_set)
    file_rig.reader.stop()
    await asyncio.wait_for(task, 5.0)
    segment = await file_rig.channel.get()
    assert segment is not None and 0.9 <= segment.end_seconds < 60.0


async def test_stop_does_not_wait_for_a_consumer_that_is_gone() -> None:
    rig = make_rig(CAMERA, in_turn(FakeSource(seconds_of_frames(50))), max_queued=1)
    task = asyncio.create_task(rig.reader.run())
    await wait_until(lambda: len(rig.channel) == 1)
    rig.reader.stop()
    await asyncio.wait_for(task, 5.0)
    assert rig.stats.dropped_segments["stopped"] >= 1


async def test_a_cancelled_run_stops_the_thread_first() -> None:
    release = threading.Event()
    source = FakeSource([*make_frames([0.0]), lambda: release.wait(0.3), *make_frames([0.1])], is_live=True)
    rig = make_rig(CAMERA, in_turn(source), is_live=True)
    task = asyncio.create_task(rig.reader.run())
    await wait_until(lambda: rig.stats.state == "watching")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed


async def test_a_read_that_hangs_is_shown_as_offline_and_then_as_back() -> None:
    """As a webcam does, whose driver knows no timeout."""
    ingest = IngestConfig(silence_timeout_seconds=0.1, open_timeout_seconds=0.5, backoff_min_seconds=0.01)
    release = threading.Event()
    script = [*make_frames([0.0]), lambda: release.wait(5), *make_frames([0.1]), lambda: time.sleep(0.1)]
    rig = make_rig(CAMERA, in_turn(FakeSource(script, is_live=True)), is_live=True, ingest=ingest)
    task = asyncio.create_task(rig.reader.run())
    await wait_until(lambda: rig.stats.state == "offline")
    assert "no frame for" in rig.states[-1][1]
    release.set()
    await wait_until(lambda: rig.stats.state == "watching")
    rig.reader.stop()
    await task


@pytest.mark.slow
async def test_a_thread_that_hangs_for_good_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    ingest = IngestConfig(silence_timeout_seconds=0.1, open_timeout_seconds=0.1)
    release = threading.Event()
    rig = make_rig(CAMERA, in_turn(FakeSource([lambda: release.wait(20)], is_live=True)), is_live=True, ingest=ingest)
    task = asyncio.create_task(rig.reader.run())
    await asyncio.sleep(0.05)
    rig.reader.stop()
    await asyncio.wait_for(task, 8.0)
    assert "hangs in FFmpeg" in caplog.text
    release.set()


async def test_sampled_frames_reach_the_ring_once() -> None:
    rig = make_rig(CAMERA, in_turn(FakeSource(make_frames([0.0, 1.0, 4.0, 5.0]))))
    segments = await rig.run_to_end()
    assert len(segments) == 6
    assert [frame.stream_seconds for frame in rig.ring.frames_since(60.0)] == [0.0, 1.0, 4.0, 5.0]


async def test_a_real_file_fills_ring_and_channel(tmp_path: Path) -> None:
    rig = make_rig(camera_for(write_clip(tmp_path / "a.mp4", num_frames=25)))
    segments = await rig.run_to_end()
    assert [(s.start_seconds, pytest.approx(s.end_seconds)) for s in segments] == [(0.0, 1.0), (1.0, 2.0), (2.0, 2.5)]
    assert segments[1].motion > 0.001
    footage = rig.ring.snapshot(0, 0.0)
    assert footage is not None and len(footage.packets) == 25
