"""Cameras that share one engine in the benchmark: how many hold, what is dropped, and a soak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamspike.bench.speed.cameras import Fleet, measure_cameras
from streamspike.bench.speed.film import shoot_film
from streamspike.bench.speed.report import render_report
from streamspike.bench.speed.soak import measure_soak
from streamspike.config import BeliefConfig, Config, EngineConfig, SegmentConfig
from streamspike.core import Assessment, Request, Segment
from streamspike.engine.model import LoadedModel
from streamspike.errors import EngineError
from tests.bench.speed.conftest import CONFIG, TINY
from tests.support.fake_engine import FakeEngine, always_calm


def nothing(done: float, words: str = "", /) -> None:
    """Progress that nobody watches."""


class Ticks:
    """Time that passes when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.num_sleeps = 0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        assert seconds >= 0
        self.now += seconds
        self.num_sleeps += 1


class WorkingEngine(FakeEngine):
    """Takes time for every step and for every request in it."""

    def __init__(self, ticks: Ticks, step_seconds: float, request_seconds: float = 0.0) -> None:
        super().__init__(always_calm)
        self.steps: list[int] = []
        self._ticks = ticks
        self._seconds = (step_seconds, request_seconds)

    def assess_batch(self, requests: Any) -> list[Assessment | Exception]:
        self.steps.append(len(requests))
        self._ticks.now += self._seconds[0] + self._seconds[1] * len(requests)
        return super().assess_batch(requests)


CAMERAS = Config(
    belief=BeliefConfig(window_segments=2), engine=EngineConfig(max_batch=4), segment=SegmentConfig(max_queued=2)
)


@pytest.fixture(scope="module")
def films() -> list[list[Segment]]:
    return [shoot_film(SegmentConfig(frames=1), 4, seed) for seed in range(2)]


def cameras_of(count: int) -> dict[str, Any]:
    """What the command makes of a run."""
    ticks = Ticks()
    segments = [shoot_film(SegmentConfig(frames=1), 4, 0)]
    runs = list(measure_cameras(CAMERAS, lambda _: WorkingEngine(ticks, 0.1), segments, [count], 5.0, ticks))
    held = max((run["cameras"] for run in runs if run["held"]), default=None)
    return {"mode": "steady", "seconds": 5.0, "segment_seconds": 1.0, "runs": runs, "largest_that_held": held}


def test_one_camera_waits_for_each_segment_to_end(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    engine = WorkingEngine(ticks, 0.25)
    fleet = Fleet(CAMERAS, engine, films, 1, ticks)
    fleet.warm_up()
    assert [len(request.window) for request in engine.requests] == [2, 2]
    report = fleet.run(10.0)
    assert report["scored"] == 11, "one ends with each second from 0 to 10"
    assert report["latency_seconds"] == pytest.approx({"p50": 0.25, "p95": 0.25, "p99": 0.25})
    assert (report["dropped"], report["late"], report["failed"], report["held"]) == (0, 0, 0, True)
    assert report["segments_per_second"] == pytest.approx(11 / 10.25)
    indices = [request.index for request in engine.requests]
    assert indices == list(range(2, 2 + 13)), "no segment is left out, those that filled the window come before"


def test_cameras_are_staggered_and_share_steps(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    engine = WorkingEngine(ticks, 0.45)
    fleet = Fleet(CAMERAS, engine, films, 4, ticks)
    report = fleet.run(20.0)
    assert report["held"] and report["dropped"] == 0 and 1.5 < report["mean_batch"] <= 2.0
    assert max(engine.steps) <= 4
    # Alone a segment would take 0.45 s; the one that ended just after a step began waits for that step too.
    assert 0.45 < report["latency_seconds"]["p50"] < report["latency_seconds"]["p95"] < 0.9 + 1e-9
    assert {request.camera_id for request in engine.requests} == {f"camera-{number}" for number in range(4)}
    pictures = {id(request.observation[0]) for request in engine.requests}
    assert len(pictures) <= 8, "painted once"


def test_an_engine_that_is_too_slow_drops_the_oldest_and_counts_them(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    engine = WorkingEngine(ticks, 0.0, 0.5)  # two requests a second for eight cameras
    report = Fleet(CAMERAS, engine, films, 8, ticks).run(20.0)
    assert report["dropped"] > 0 and not report["held"] and report["late"] > 0
    assert report["scored"] + report["dropped"] == 8 * 20 + 1, "staggered: the first camera has one more"
    assert report["segments_per_second"] == pytest.approx(2.0, rel=0.05)
    by_camera = [sum(r.camera_id == f"camera-{n}" for r in engine.requests) for n in range(8)]
    assert max(by_camera) - min(by_camera) <= 2, "whoever was served longest ago goes first"


def test_the_number_is_raised_until_it_does_not_hold(films: list[list[Segment]]) -> None:
    ticks = Ticks()
    made: list[int] = []

    def make(count: int) -> WorkingEngine:
        made.append(count)
        return WorkingEngine(ticks, 0.0, 0.2)

    runs = list(measure_cameras(CAMERAS, make, films, [1, 4, 16, 64], 20.0, ticks))
    assert made == [1, 4, 16] and [run["held"] for run in runs] == [True, True, False]
    assert ticks.num_sleeps > 10


def test_failures_are_counted_and_do_not_hold(films: list[list[Segment]]) -> None:
    ticks = Ticks()

    class Failing(WorkingEngine):
        def assess(self, request: Request) -> Assessment:
            if request.index % 2:
                raise EngineError("out of memory")
            return super().assess(request)

    report = Fleet(CAMERAS, Failing(ticks, 0.1), films, 2, ticks).run(10.0)
    assert report["failed"] > 0 and report["scored"] > 0 and not report["held"]


def test_a_soak_watches_the_memory_of_an_engine_whose_windows_are_full(
    models: dict[str, LoadedModel], films: list[list[Segment]], result: dict[str, Any]
) -> None:
    soak = measure_soak(CONFIG, models[TINY[0]], films[0], 30, nothing)
    assert [look["segments"] for look in soak["looks"]] == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]
    # Full is what the window is, and the memory of what left it.
    first, *full = [(look["cache_bytes"], look["feature_bytes"]) for look in soak["looks"][5:]]
    assert first[0] > 0 and first[1] > 0 and set(full) == {first}
    assert all(look["process_bytes"] > 10_000_000 for look in soak["looks"])
    assert "memory over 30 segments" in render_report({**result, "soak": soak})


def test_a_film_is_the_same_for_the_same_seed_and_without_gaps() -> None:
    one, two, other = (shoot_film(SegmentConfig(), 3, seed) for seed in (4, 4, 5))
    assert [segment.start_seconds for segment in one] == [0, 1, 2] == [segment.index for segment in one]
    assert all(
        np.array_equal(a.pixels, b.pixels)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(left.frames, right.frames, strict=True)
    )
    assert not np.array_equal(one[0].frames[0].pixels, other[0].frames[0].pixels)
    assert [frame.stream_seconds for frame in one[1].frames] == [1.25, 1.75]
    twice = shoot_film(SegmentConfig(), 2, 4, looks=2)
    assert [frame.stream_seconds for frame in twice[1].frames] == [1.25, 1.75] and not one[1].again
    assert [frame.stream_seconds for frame in twice[1].again[0]] == [1.3125, 1.8125]
