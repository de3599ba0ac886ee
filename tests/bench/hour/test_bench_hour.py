"""The whole hour, in two minutes: a broker, four simulated cameras, and an engine that knows what will happen."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from streamspike.bench.hour.broker import own_broker
from streamspike.bench.hour.listener import Arrival
from streamspike.bench.hour.measurement import check_delivery, measure_hour
from streamspike.bench.hour.page import render_page
from streamspike.bench.hour.plan import SURPRISES, CameraPlan, HourSettings, plan_hour
from streamspike.bench.hour.recording import Recording, configure_hour, record_hour
from streamspike.bench.hour.text import render_text
from streamspike.config import Config
from streamspike.core import Request
from streamspike.errors import BrokerError, WorldError
from streamspike.progress import Advance
from tests.support.fake_engine import CALM, STARTLING, Answer, FakeEngine
from tests.support.messages import make_event

SETTINGS = HourSettings(2.0, 0.25, alerts_per_hour=3600.0, seed=1, picture="size=96x64&fps=4")
NUM_SEGMENTS = 120
SETTINGS_OF_EVENTS = {"extreme_nats": 3.0, "quiet_segments": 1, "cooldown_seconds": 0.0}


@contextlib.contextmanager
def silence(title: str, total: float | None, unit: str) -> Iterator[Advance]:
    yield lambda done, words="", /: None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[CameraPlan], Recording, dict[str, Any]]:
    """The engine is startled by all surprises but the last of each camera, and once on the street by nothing."""
    folder = tmp_path_factory.mktemp("hour")
    config = Config.model_validate({"events": SETTINGS_OF_EVENTS, "health": {"notice_moves": False}})
    plans = plan_hour(SETTINGS, 1.0)
    startling = {(plan.camera_id, index) for plan in plans for index in plan.scripted[:-1]}
    startling.add(("street", street_alarm(plans)))

    def answer(request: Request) -> Answer:
        return STARTLING if (request.camera_id, request.index) in startling else CALM

    engines = iter((FakeEngine(), FakeEngine(answer)))
    with own_broker() as url:
        watched = configure_hour(config, SETTINGS, folder, url)
        recording = asyncio.run(record_hour(watched, SETTINGS, plans, lambda: next(engines), silence))
    return plans, recording, measure_hour(recording, SETTINGS)


def street_alarm(plans: list[CameraPlan]) -> int:
    """A segment of the street that is nowhere near a surprise."""
    scripted = plans[0].scripted
    return next(index for index in range(1, NUM_SEGMENTS) if min(abs(index - other) for other in scripted) > 5)


def test_a_plan_has_its_surprises_where_it_says_and_nowhere_else() -> None:
    for plan in plan_hour(SETTINGS, 1.0):
        assert len(plan.truths) == NUM_SEGMENTS and len(plan.scripted) == SURPRISES
        assert [truth.index for truth in plan.truths if truth.surprising] == list(plan.scripted)
    with pytest.raises(WorldError, match="too many"):
        plan_hour(HourSettings(0.5), 1.0)


@pytest.mark.slow
def test_what_happened_is_counted_and_nothing_is_lost(
    run: tuple[list[CameraPlan], Recording, dict[str, Any]],
) -> None:
    plans, _, result = run
    totals = result["totals"]
    assert (totals["surprises"], totals["hits"], totals["misses"]) == (24, 20, 4)
    assert (totals["alerts"], totals["false_alarms"], totals["again"], totals["warmup_alerts"]) == (21, 1, 0, 0)
    assert totals["budget"] == 4 * 3600 * 2 / 60
    assert set(result["lost"].values()) == {0}
    delivery = totals["delivery"]
    assert delivery == {
        "stored": 42, "arrived": 42, "repeated": 0, "missing": 0, "unknown": 0, "gaps": 0, "disordered": 0
    }  # fmt: skip
    for plan in plans:
        camera = result["cameras"][plan.camera_id]
        assert [row["index"] for row in camera["surprises"]] == list(plan.scripted)
        assert [row["hit"] for row in camera["surprises"]] == [True] * 5 + [False]
        segments = camera["segments"]
        assert segments["expected"] == segments["cut"] == segments["scored"] == segments["stored"] == NUM_SEGMENTS
        assert segments["dropped"] == {} and segments["unaccounted"] == 0
    [alarm] = result["cameras"]["street"]["false"]
    assert alarm["index"] == street_alarm(plans)
    truth = plans[0].truths[alarm["index"]]
    assert (alarm["happened"], alarm["improbable"]) == (truth.sentence, truth.surprise_nats >= 3.0)


@pytest.mark.slow
def test_delays_are_those_of_the_stream_and_of_the_wall(
    run: tuple[list[CameraPlan], Recording, dict[str, Any]],
) -> None:
    _, recording, result = run
    assert result["delays"]["stream_seconds"] == {"p50": 1.0, "p95": 1.0}
    assert 0.0 < result["delays"]["wall_seconds"]["p50"] < sum(recording.wall_seconds.values())
    assert result["delays"]["live_seconds"] == {"p50": None, "p95": None}
    starts = [camera.began_at for camera in recording.cameras]
    assert len(set(starts)) == 1 and starts[0] % 3600 == 0, "all begin with the same hour of the stream"
    assert [len(camera.events) for camera in recording.cameras] == [6, 5, 5, 5]


@pytest.mark.slow
def test_the_reports_say_it(run: tuple[list[CameraPlan], Recording, dict[str, Any]]) -> None:
    _, recording, result = run
    machine = {"processor": "p", "cores": 2, "accelerator": None, "versions": {}, "load_average": [1.0]}
    result = {**json.loads(json.dumps(result)), "commit": "abc", "machine": machine}
    text, page = render_text(result), render_page(result, recording)
    assert "nothing lost" in text and "480 cut of 480, 480 scored" in text and text.count("0:01:") >= 4
    assert "20 of 24 surprises were told" in page and page.count("<svg") == 4
    assert page.count("<article") == 24 and page.count("data:image/jpeg") >= 20


def test_delivery_counts_what_is_missing_twice_unknown_and_out_of_order() -> None:
    events = [[replace(make_event(), event_id="a", revision=revision) for revision in range(3)]]

    def arrival(event_id: str, revision: int, sequence: int) -> Arrival:
        return Arrival("door", event_id, revision, sequence, 0.0, 0.0)

    whole = [arrival("a", 0, 1), arrival("a", 1, 2), arrival("a", 1, 2), arrival("a", 2, 3)]
    found = check_delivery(events, whole)
    assert (found["stored"], found["arrived"], found["repeated"]) == (3, 3, 1)
    assert not any(found[key] for key in ("missing", "unknown", "gaps", "disordered"))
    broken = check_delivery(events, [arrival("a", 2, 3), arrival("a", 0, 1), arrival("b", 0, 4)])
    assert (broken["missing"], broken["unknown"], broken["gaps"], broken["disordered"]) == (1, 1, 1, 1)


def test_without_a_mosquitto_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(BrokerError, match=r"apt install mosquitto.*--mqtt"), own_broker():
        pass
