"""Verdicts on events are kept, and heeded exactly once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamspike.outputs.store import Store
from tests.support.messages import NOON, make_event


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "spike.db")
    for event in (make_event(1), make_event(2), make_event(3, "yard")):
        store.record_event(event, None, NOON)
    yield store
    store.close()


def test_a_verdict_waits_for_the_camera_of_its_event(store: Store) -> None:
    assert store.feedback.record(make_event(1).event_id, False, NOON) == "door"
    assert store.feedback.record(make_event(3, "yard").event_id, True, NOON) == "yard"
    [verdict] = store.feedback.pending("door")
    assert (verdict.event_id, verdict.is_useful, verdict.steps) == (make_event(1).event_id, False, -1)
    assert store.feedback.of_event(make_event(1).event_id) is False
    assert store.feedback.of_event(make_event(2).event_id) is None


def test_a_verdict_on_nothing_is_not_written(store: Store) -> None:
    assert store.feedback.record("door-20200101T000000Z-1", True, NOON) is None
    assert store.feedback.pending("door") == []


def test_a_verdict_is_heeded_once_however_often_it_is_given(store: Store) -> None:
    event_id = make_event(1).event_id
    store.feedback.record(event_id, True, NOON)
    store.feedback.mark_heeded(store.feedback.pending("door"), {"saved": 1})
    store.feedback.record(event_id, True, NOON + 1)
    assert store.feedback.pending("door") == []
    assert store.load_threshold("door") == {"saved": 1}


def test_a_changed_mind_takes_back_what_the_first_verdict_did(store: Store) -> None:
    event_id = make_event(1).event_id
    store.feedback.record(event_id, True, NOON)
    store.feedback.record(event_id, False, NOON + 1)
    assert [verdict.steps for verdict in store.feedback.pending("door")] == [-1], "the first was never heeded"
    store.feedback.mark_heeded(store.feedback.pending("door"), {})
    store.feedback.record(event_id, True, NOON + 2)
    assert [verdict.steps for verdict in store.feedback.pending("door")] == [2]


def test_commanded_settings_come_back(store: Store) -> None:
    assert store.load_commanded("door") == store.load_commanded("nobody") == {}
    store.save_commanded("door", {"paused": True, "alerts_per_day": 3.0})
    assert store.load_commanded("door") == {"paused": True, "alerts_per_day": 3.0}
