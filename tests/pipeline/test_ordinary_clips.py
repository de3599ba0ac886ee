"""Ordinary footage: drawn at random, the same after a restart, never of an event, never of a camera that opted out."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.clips import ClipArchive, ClipCounts
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.ordinary import OrdinaryDraw
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine, surprising_at
from tests.support.footage import play
from tests.support.messages import NOON
from tests.support.pipeline import RecordingSink, quick_config

DAY = 86_400.0


def moments(draw: OrdinaryDraw, start_at: float, end_at: float, step: float) -> list[float]:
    """What somebody finds who asks segment by segment."""
    found = []
    while start_at < end_at:
        moment = draw.begins_in(start_at, start_at + step)
        found += [] if moment is None else [moment]
        start_at += step
    return found


def test_stretches_are_as_many_as_asked_for_spread_evenly_and_the_same_for_any_length_of_segment() -> None:
    draw = OrdinaryDraw("door", per_hour=6.0, seconds=10.0)
    found = moments(draw, NOON, NOON + 5 * DAY, 30.0)
    assert len(found) == pytest.approx(6 * 24 * 5, abs=2)
    assert all(later - earlier >= 10.0 for earlier, later in itertools.pairwise(found))
    assert set(moments(draw, NOON, NOON + DAY, 70.0)) == {moment for moment in found if moment < NOON + DAY}
    parts = [moment % 600.0 / 590.0 for moment in found]
    for quarter in range(4):  # 180 expected in each, sigma 11.6
        assert 130 < sum(quarter / 4 <= part < (quarter + 1) / 4 for part in parts) < 230
    assert moments(OrdinaryDraw("yard", 6.0, 10.0), NOON, NOON + DAY, 30.0) != moments(draw, NOON, NOON + DAY, 30.0)
    assert moments(OrdinaryDraw("door", 0.0, 10.0), NOON, NOON + DAY, 60.0) == []


class NoonClock(SystemClock):
    """Files begin to play at noon, so that the same stretches are drawn each time."""

    def now(self) -> float:
        return NOON


async def watch(config: Config, engine: FakeEngine) -> tuple[list[Clip], ClipCounts, RecordingSink, frozenset[str]]:
    """A run to its end: the clips, what was counted, what was told, and who may not be learned from."""
    sink, clock = RecordingSink(), NoonClock()
    folder = Path(config.store.path).parent / "clips"
    async with (
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(engine, EngineStats()) as inference,
        ClipArchive(config.clips, folder, recorder, clock) as archive,
    ):
        supervisor = Supervisor(config, inference, recorder, [sink], None, clock, archive)
        await supervisor.prepare()
        await supervisor.run()
        clips = await recorder.run(recorder.store.clips.list_oldest_first)
        return clips, archive.counts, sink, await recorder.run(recorder.store.kept_from_refine)


def configure(folder: Path, seconds: int = 80, **camera: object) -> Config:
    clips = {"pre_seconds": 1.0, "post_seconds": 0.5, "ordinary_per_hour": 360, "ordinary_seconds": 3.0}
    source = f"world:street?seed=3&seconds={seconds}&size=128x72&fps=4"
    tree = quick_config(folder, source, clips=clips, segment={"seconds": 0.5}).model_dump()
    tree["cameras"][0].update(camera, source=source)
    return Config.model_validate(tree)


async def test_a_camera_logs_ordinary_footage_that_never_overlaps_the_clip_of_an_event(tmp_path: Path) -> None:
    config = configure(tmp_path)
    clips, counts, sink, kept = await watch(config, FakeEngine(surprising_at(60, 61, 110)))
    ordinary = [clip for clip in clips if clip.kind == "ordinary"]
    events = [clip for clip in clips if clip.kind == "event"]
    assert len(events) == 2 and not kept
    for clip in ordinary:
        # From the frame at or before the drawn moment, of 4 a second, to the last one before its end.
        assert 2.7 < clip.seconds < 3.6 and play(tmp_path / "clips" / clip.file_name).seconds > 2.5
        for event in events:
            assert (
                clip.started_at + clip.seconds <= event.started_at
                or clip.started_at >= event.started_at + event.seconds
            )
    # 80 s are 8 slots; each stretch was kept, or dropped with its reason.
    assert counts.num_written == len(clips) and 2 <= len(ordinary) <= 8
    assert 7 <= len(ordinary) + sum(counts.num_ordinary_dropped.values()) <= 9
    assert set(counts.num_ordinary_dropped) <= {"event", "end"} and not counts.num_shortened and not counts.num_lost
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == sorted(clip.file_name for clip in clips)
    assert {event.event_id for event, _ in sink.alerts} == {clip.event_id for clip in events}


async def test_a_stretch_in_which_an_event_begins_is_deleted(tmp_path: Path) -> None:
    config = configure(tmp_path)
    clips, counts, _, _ = await watch(config, FakeEngine(surprising_at(*range(8, 160, 8))))
    # An event every 4 s, and each drives away what ended less than 10 s before it.
    assert [clip for clip in clips if clip.kind == "ordinary"] == []
    assert counts.num_ordinary_dropped["event"] >= 6 and counts.num_written == len(clips) >= 15


async def test_a_camera_that_opted_out_has_clips_of_its_events_alone_and_the_store_remembers(tmp_path: Path) -> None:
    config = configure(tmp_path, seconds=40, refine=False)
    clips, counts, _, kept = await watch(config, FakeEngine(surprising_at(60)))
    assert [clip.kind for clip in clips] == ["event"] and not counts.num_ordinary_dropped
    assert kept == {"a"}
