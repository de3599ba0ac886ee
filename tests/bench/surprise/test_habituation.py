"""Whether surprise wears off: lives in which something repeats, and labels of one kind within a video."""

from __future__ import annotations

import numpy as np
import pytest

from streamspike.bench.footage import Footage
from streamspike.bench.surprise.habituation import (
    MAX_GAP_SEGMENTS,
    MAX_TIMES,
    _in_a_row,
    find_lives,
    measure_lives,
    measure_repetitions,
)
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.measures.interval import Interval


def clip(name: str, scores: list[float]) -> ScoredClip:
    segments = tuple(ScoredSegment(float(k), k + 1.0, score) for k, score in enumerate(scores))
    return ScoredClip(name, "", segments, 0.0, {})


def test_a_run_ends_where_the_window_no_longer_sees_the_time_before() -> None:
    far = MAX_GAP_SEGMENTS + 1
    assert _in_a_row([1, 3, 5]) == [1, 3, 5]
    assert _in_a_row([1, 1 + far, 3 + far]) == [1 + far, 3 + far]
    assert _in_a_row([]) == []


@pytest.mark.slow
def test_a_life_has_the_same_arrival_often_enough_and_no_surprise() -> None:
    (life,) = find_lives(1, 0, 1.0)
    assert find_lives(1, 0, 1.0) == [life] and len(life.times) == MAX_TIMES
    simulation = life.simulate()
    truths = [simulation.step() for _ in range(30)]
    assert all(truths[index].sentence == life.arrival for index in life.times)
    assert all(later - earlier <= MAX_GAP_SEGMENTS for earlier, later in zip(life.times, life.times[1:], strict=False))
    assert not any(truth.surprising for truth in truths)
    segments = [segment for segment, _ in life.play(2)]
    assert len(segments) == 30 and all(len(segment.frames) == 2 for segment in segments)
    scores = np.zeros(30)
    scores[list(life.times)] = [4.0, 3.0, 2.0, 1.0]
    table = measure_lives([life], {"surprise": [clip(life.name, scores.tolist())]}, "ideal-observer", 0)
    assert [row["mean"]["mean"] for row in table["scorers"]["surprise"]] == [4.0, 3.0, 2.0, 1.0]
    assert table["scorers"]["surprise"][-1]["against_first"]["mean"] == -3.0
    nats = truths[life.times[0]].surprise_nats
    assert table["scorers"]["ideal-observer"][0]["mean"]["mean"] == pytest.approx(nats)


def test_the_peak_in_each_passage_is_compared_with_the_first() -> None:
    passes = tuple(Interval(start, start + 1.5, "", "car_pass") for start in (1.0, 4.0, 6.0))
    once = Interval(8.0, 9.0, "", "fall")
    footage = Footage("road", "home", "road.mp4", (once,), passes)
    table = measure_repetitions([footage], {"surprise": [clip("road", [9, 5, 2, 0, 3, 1, 1, 2, 7])]}, 0)
    assert list(table) == ["car_pass"], "what happens once cannot wear off"
    rows = table["car_pass"]["scorers"]["surprise"]
    assert [row["mean"]["mean"] for row in rows] == [5.0, 3.0, 2.0]
    assert [row["against_first"]["mean"] for row in rows] == [0.0, -2.0, -3.0]
