"""`streamspike feedback`: verdicts reach the store, and mistakes are one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.outputs.store import Store
from tests.support.cli import Call, make_call
from tests.support.messages import NOON, make_event

EVENT = make_event(7)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    return make_call(monkeypatch, capfd)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one event of the camera door."""
    store = Store(tmp_path / "spike.db")
    store.record_event(EVENT, None, NOON)
    store.close()
    return tmp_path / "spike.db"


def verdict_in(path: Path) -> bool | None:
    store = Store(path)
    try:
        return store.feedback.of_event(EVENT.event_id)
    finally:
        store.close()


def test_a_verdict_is_written_and_may_be_changed(call: Call, path: Path) -> None:
    said = call("feedback", EVENT.event_id, "not-useful", "--store", path)
    assert said.code == 0 and "was not useful; door will alert a little less often" in said.out
    assert verdict_in(path) is False
    assert "more often" in call("feedback", EVENT.event_id, "useful", "--store", path).out
    assert verdict_in(path) is True


def test_the_store_can_come_from_a_config(call: Call, path: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"store: {{path: '{path}'}}\n")
    assert call("feedback", EVENT.event_id, "useful", "--config", tmp_path / "config.yaml").code == 0
    assert verdict_in(path) is True


def test_an_unknown_event_is_said(call: Call, path: Path) -> None:
    outcome = call("feedback", "door-20200101T000000Z-1", "useful", "--store", path)
    assert outcome.code == 8 and "there is no event 'door-20200101T000000Z-1'" in outcome.error()


def test_a_store_that_is_not_there_is_not_made(call: Call, tmp_path: Path) -> None:
    outcome = call("feedback", EVENT.event_id, "useful", "--store", tmp_path / "none.db")
    assert outcome.code == 8 and "there is no store" in outcome.error()
    assert not (tmp_path / "none.db").exists()


def test_another_verdict_is_bad_usage(call: Call, path: Path) -> None:
    assert call("feedback", EVENT.event_id, "great", "--store", path).code == 2
    assert verdict_in(path) is None
