"""The memory budget: it holds after every step, and what was used last is given up last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.engine.ledger import Eviction, Ledger

CAMERAS = st.sampled_from("abcdef")
SIZES = st.integers(0, 50)
STEPS = st.lists(st.dictionaries(CAMERAS, st.tuples(SIZES, SIZES), max_size=4), max_size=12)
BUDGETS = st.integers(0, 200)

Streams = dict[str, tuple[int, int]]
"""(cache_bytes, feature_bytes) by camera, as an engine would hold them."""


def use(ledger: Ledger, **streams: tuple[int, int]) -> list[Eviction]:
    """One step."""
    for camera_id, (cache_bytes, feature_bytes) in streams.items():
        ledger.settle(camera_id, cache_bytes, feature_bytes)
    return ledger.evictions()


def carry_out(streams: Streams, evictions: list[Eviction]) -> None:
    for eviction in evictions:
        if eviction.keep_features:
            streams[eviction.camera_id] = (0, streams[eviction.camera_id][1])
        else:
            del streams[eviction.camera_id]


def total_bytes(streams: Streams) -> int:
    return sum(map(sum, streams.values()))


def test_within_the_budget_nothing_goes() -> None:
    ledger = Ledger(100)
    assert use(ledger, a=(40, 10)) == use(ledger, b=(40, 10)) == []
    assert (ledger.cache_bytes, ledger.feature_bytes, ledger.total_bytes) == (80, 20, 100)
    assert not ledger.evicted


def test_keys_of_the_longest_idle_stream_go_first_and_features_stay() -> None:
    ledger = Ledger(100)
    use(ledger, a=(30, 5))
    use(ledger, b=(30, 5))
    use(ledger, a=(30, 5))  # now b is the one that was used longest ago
    assert use(ledger, c=(30, 5)) == [Eviction("b", keep_features=True)]
    assert (ledger.total_bytes, ledger.evicted) == (75, {"keys": 1})


def test_whole_streams_go_when_keys_are_not_enough() -> None:
    ledger = Ledger(100)
    use(ledger, a=(10, 30))
    use(ledger, b=(10, 30))
    assert use(ledger, c=(10, 55)) == [Eviction("a", keep_features=False), Eviction("b", keep_features=True)]
    assert (ledger.total_bytes, ledger.evicted) == (95, {"stream": 1, "keys": 1})


def test_a_stream_of_this_step_goes_only_when_all_others_are_gone() -> None:
    ledger = Ledger(100)
    use(ledger, a=(20, 20))
    assert use(ledger, b=(60, 30), c=(20, 30)) == [
        Eviction("a", keep_features=False),
        Eviction("b", keep_features=True),
    ]
    assert (ledger.total_bytes, ledger.evicted) == (80, {"stream": 1, "in_use": 1})


def test_even_a_stream_alone_does_not_exceed_the_budget() -> None:
    ledger = Ledger(100)
    assert use(ledger, a=(10, 101)) == [Eviction("a", keep_features=False)]
    assert (ledger.total_bytes, ledger.evicted) == (0, {"in_use": 1})


def test_what_was_forgotten_takes_no_part() -> None:
    ledger = Ledger(100)
    use(ledger, a=(60, 0))
    ledger.forget("a")
    ledger.forget("never seen")
    assert use(ledger, b=(100, 0)) == [] and ledger.total_bytes == 100


def test_less_than_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="cache_bytes=-1"):
        Ledger(100).settle("a", -1, 0)


@given(BUDGETS, STEPS)
def test_the_budget_holds_after_every_step(budget_bytes: int, steps: list[Streams]) -> None:
    ledger, streams = Ledger(budget_bytes), Streams()
    num_evicted = 0
    for step in steps:
        streams |= step
        evictions = use(ledger, **step)
        carry_out(streams, evictions)
        num_evicted += len(evictions)
        ledger.check_integrity()
        assert total_bytes(streams) == ledger.total_bytes <= budget_bytes
    assert ledger.evicted.total() == num_evicted


@given(BUDGETS, STEPS)
def test_nothing_is_taken_that_need_not_be_and_what_is_in_use_goes_last(
    budget_bytes: int, steps: list[Streams]
) -> None:
    ledger, streams = Ledger(budget_bytes), Streams()
    last_used: dict[str, int] = {}
    for number, step in enumerate(steps):
        streams |= step
        last_used |= dict.fromkeys(step, number)
        before = dict(streams)
        evictions = use(ledger, **step)
        carry_out(streams, evictions)
        if evictions:
            assert total_bytes(before) > budget_bytes
            taken = min(sum(before[e.camera_id]) - sum(streams.get(e.camera_id, (0, 0))) for e in evictions)
            assert taken > 0, "an eviction that frees nothing"
        if any(eviction.camera_id in step for eviction in evictions):
            assert not any(sum(size) for camera_id, size in streams.items() if camera_id not in step)
        whole = {e.camera_id for e in evictions if not e.keep_features and e.camera_id not in step}
        if whole:  # then no idle stream has keys left, and none that was used before those has features
            idle = {camera_id: size for camera_id, size in streams.items() if camera_id not in step}
            assert not any(cache_bytes for cache_bytes, _ in idle.values())
            newest = max(last_used[camera_id] for camera_id in whole)
            assert not any(features for camera_id, (_, features) in idle.items() if last_used[camera_id] < newest)


@given(STEPS)
def test_the_last_eviction_was_needed(steps: list[Streams]) -> None:
    """Keys alone: had the last stream kept its own, the budget would be exceeded."""
    ledger, streams = Ledger(100), Streams()
    for step in steps:
        keys = {camera_id: (cache_bytes, 0) for camera_id, (cache_bytes, _) in step.items()}
        streams |= keys
        before = dict(streams)
        evictions = use(ledger, **keys)
        carry_out(streams, evictions)
        if evictions:
            assert total_bytes(streams) + before[evictions[-1].camera_id][0] > 100
