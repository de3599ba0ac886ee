"""The live selector: never over its budget, never late, no two alike, and nearly as good as who knows the future."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.select.online import (
    HOUR_SECONDS,
    Candidate,
    OnlineSelector,
    SelectorLimits,
    Signature,
    difference,
    sign,
)
from tests.support.streams import simulate_week

PICTURE_BYTES = 40_000
PLENTY = 1 << 40
WEEK_SEGMENT_SECONDS = 10.0


def limits(keyframes: int = 5, num_bytes: int = PLENTY, delay: float = 30.0, **others: float) -> SelectorLimits:
    return SelectorLimits(keyframes, num_bytes, delay, **others)


def look(level: float) -> Signature:
    return np.full((18, 32), level, np.float32)


def run(selector: OnlineSelector, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Everything that is kept; checks that nothing comes late or twice."""
    kept: list[Candidate] = []
    for candidate in candidates:
        kept += selector.offer(candidate)
    kept += selector.flush()
    counts = selector.counts
    assert counts.kept == len(kept) == len({id(candidate) for candidate in kept})
    assert counts.kept + counts.alike + counts.unsurprising + counts.over_budget == len(candidates)
    return kept


def every(seconds: float, surprises: Sequence[float], num_bytes: int = PICTURE_BYTES) -> list[Candidate]:
    return [Candidate(number * seconds, nats, num_bytes) for number, nats in enumerate(surprises)]


@given(
    st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(0.0, 20.0), st.integers(1, 60_000)), max_size=80),
    st.integers(1, 6),
    st.integers(20_000, 200_000),
    st.floats(0.0, 120.0),
)
def test_no_hour_costs_more_than_its_budget_and_nothing_is_decided_late(
    steps: list[tuple[float, float, int]], keyframes: int, num_bytes: int, delay: float
) -> None:
    selector = OnlineSelector(limits(keyframes, num_bytes, delay))
    now, kept = 0.0, []
    for step, nats, size in steps:
        waited = selector.advance(now + step)
        # A frame that is decided only now, after a gap, is one that could not be decided before.
        kept += waited
        now += step
        chosen = selector.offer(Candidate(now, nats, size))
        assert all(candidate.at_seconds >= now - delay - 1e-6 for candidate in chosen)
        kept += chosen
    kept += selector.flush()
    frames: Counter[float] = Counter()
    size_of_hour: Counter[float] = Counter()
    for candidate in kept:
        frames[candidate.at_seconds // HOUR_SECONDS] += 1
        size_of_hour[candidate.at_seconds // HOUR_SECONDS] += candidate.num_bytes
    assert all(count <= keyframes for count in frames.values())
    assert all(size <= num_bytes for size in size_of_hour.values())


def test_a_decision_takes_no_longer_than_the_delay() -> None:
    selector = OnlineSelector(limits(delay=30.0))
    assert selector.offer(Candidate(0.0, 9.0, 1)) == []
    assert selector.advance(29.9) == []
    (kept,) = selector.advance(30.0)
    assert kept.surprise_nats == 9.0


def test_without_a_delay_a_frame_is_decided_at_once() -> None:
    selector = OnlineSelector(limits(delay=0.0))
    assert [candidate.surprise_nats for candidate in selector.offer(Candidate(0.0, 9.0, 1))] == [9.0]


def test_at_the_end_the_best_that_wait_are_kept() -> None:
    selector = OnlineSelector(limits(2, delay=60.0))
    for candidate in every(1.0, [1.0, 4.0, 2.0, 3.0]):
        assert selector.offer(candidate) == []
    assert [candidate.surprise_nats for candidate in selector.flush()] == [4.0, 3.0]


def test_a_new_hour_has_a_budget_of_its_own() -> None:
    peaks = [9.0 if number % 600 == 5 else 0.1 for number in range(3 * 3600)]
    kept = run(OnlineSelector(limits(6)), every(1.0, peaks))
    assert [candidate.surprise_nats for candidate in kept].count(9.0) >= 14, "of the 18 there are"
    assert len(kept) <= 18


def test_what_does_not_surprise_is_never_kept_however_much_room_there_is() -> None:
    assert run(OnlineSelector(limits()), every(1.0, [0.0] * 7200)) == []
    assert run(OnlineSelector(limits(floor_nats=2.0)), every(1.0, [1.9] * 7200)) == []


def test_bytes_bind_as_frames_do() -> None:
    calm = np.random.default_rng(0).exponential(0.2, 3600).tolist()
    kept = run(OnlineSelector(limits(100, 7 * PICTURE_BYTES)), every(1.0, calm))
    assert 5 <= len(kept) <= 7
    best = sorted(calm)[-7:]
    assert sum(candidate.surprise_nats for candidate in kept) > 0.8 * sum(best), "and are not wasted on the first ones"


def test_a_picture_that_is_too_large_leaves_room_for_others() -> None:
    selector = OnlineSelector(limits(num_bytes=100, delay=0.0))
    assert selector.offer(Candidate(0.0, 9.0, 101)) == []
    assert len(selector.offer(Candidate(1.0, 9.5, 99))) == 1
    assert selector.counts.over_budget == 1


def test_of_frames_that_look_alike_the_most_surprising_is_kept() -> None:
    selector = OnlineSelector(limits(min_difference=0.05))
    burst = [Candidate(float(number), nats, 1, look(0.5)) for number, nats in enumerate((3.0, 6.0, 5.0))]
    other = Candidate(3.0, 2.0, 1, look(0.9))
    assert run(selector, [*burst, other]) == [burst[1], other]
    assert selector.counts.alike == 2


def test_what_looks_like_a_kept_frame_is_kept_again_only_after_a_while() -> None:
    selector = OnlineSelector(limits(delay=0.0, min_difference=0.05, alike_seconds=100.0))
    same = [Candidate(at, 5.0, 1, look(0.5)) for at in (0.0, 50.0, 99.0, 100.0)]
    assert run(selector, same) == [same[0], same[3]]


def test_signatures_see_what_moved_and_not_the_noise() -> None:
    rng = np.random.default_rng(0)
    floor = rng.integers(60, 120, (180, 320, 1)).repeat(3, axis=2)
    noisy = [np.clip(floor + rng.integers(-8, 9, floor.shape), 0, 255).astype(np.uint8) for _ in range(2)]
    visited = noisy[1].copy()
    visited[60:120, 100:125] = 230
    assert sign(noisy[0]).shape == (18, 32)
    assert difference(sign(noisy[0]), sign(noisy[1])) < 0.01 < 0.05 < difference(sign(noisy[0]), sign(visited))


def test_time_does_not_go_back_and_limits_make_sense() -> None:
    selector = OnlineSelector(limits())
    selector.offer(Candidate(10.0, 1.0, 1))
    with pytest.raises(ValueError, match="time does not go back"):
        selector.offer(Candidate(9.0, 1.0, 1))
    for wrong in ({"keyframes": 0}, {"num_bytes": 0}, {"delay": -1.0}, {"delay": 3600.0}):
        with pytest.raises(ValueError):
            limits(**wrong)
    for nats in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="surprise is finite"):
            Candidate(0.0, nats, 1)


def best_of_each_hour(surprise: np.ndarray, keyframes: int) -> float:
    """Nats an oracle takes who knows the hour in advance."""
    hours = surprise.reshape(7 * 24, -1)
    return float(np.sort(hours, axis=1)[:, -keyframes:].sum())


@pytest.mark.slow
@pytest.mark.parametrize(("keyframes", "seed", "share"), [(60, 0, 0.90), (30, 1, 0.90), (12, 0, 0.85)])
def test_a_week_keeps_nearly_what_an_oracle_would(keyframes: int, seed: int, share: float) -> None:
    surprise, _ = simulate_week(seed, WEEK_SEGMENT_SECONDS)
    kept = run(OnlineSelector(limits(keyframes)), every(WEEK_SEGMENT_SECONDS, surprise.tolist()))
    mass = sum(candidate.surprise_nats for candidate in kept) / best_of_each_hour(surprise, keyframes)
    print(f"{keyframes} an hour: {mass:.4f} of the oracle's surprise, {len(kept)} frames")
    assert share < mass <= 1.0


def distinct_best(surprise: np.ndarray, events: np.ndarray, keyframes: int) -> float:
    """The same for an oracle that keeps one frame of an event; calm segments all look the same."""
    total = 0.0
    for hour in range(7 * 24):
        span = slice(hour * 360, (hour + 1) * 360)
        best: dict[int, float] = {}
        for event, nats in zip(events[span].tolist(), surprise[span].tolist(), strict=True):
            best[event] = max(nats, best.get(event, 0.0))
        total += sum(sorted(best.values())[-keyframes:])
    return total


@pytest.mark.slow
def test_a_week_without_two_alike_keeps_nearly_what_such_an_oracle_would() -> None:
    surprise, events = simulate_week(2, WEEK_SEGMENT_SECONDS)
    # An event looks like nothing else; between events the picture is always the same.
    rng = np.random.default_rng(0)
    looks = rng.random((events.max() + 1, 8), dtype=np.float32)
    calm = np.zeros(8, np.float32)
    candidates = [
        Candidate(number * WEEK_SEGMENT_SECONDS, nats, PICTURE_BYTES, calm if event < 0 else looks[event])
        for number, (nats, event) in enumerate(zip(surprise.tolist(), events.tolist(), strict=True))
    ]
    selector = OnlineSelector(limits(12, min_difference=0.02, alike_seconds=3500.0))
    kept = run(selector, candidates)
    mass = sum(candidate.surprise_nats for candidate in kept) / distinct_best(surprise, events, 12)
    print(f"no two alike: {mass:.4f} of the oracle's surprise, {len(kept)} frames")
    assert 0.85 < mass <= 1.05
