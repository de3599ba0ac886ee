"""A camera that is commanded over a real broker while it runs: pause, snapshot, budget, verdict."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamspike.clock import SystemClock
from streamspike.config import Config, WebConfig
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.outputs.web.server import WebServer
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.fake_engine import FakeEngine, surprising_at
from tests.support.mosquitto import Inbox, Mosquitto
from tests.support.mqtt_clients import client5, user_properties
from tests.support.pipeline import (
    RecordingSink,
    ScriptedSource,
    connect_to,
    moving_frames,
    quick_config,
    wait_in_thread,
)


@asynccontextmanager
async def watching(
    config: Config, broker: Mosquitto, engine: FakeEngine, *sinks: RecordingSink
) -> AsyncIterator[tuple[Supervisor, WebServer]]:
    """A supervisor that runs, wired as the app does it, until its camera has played; and its page."""
    async with (
        asyncio.timeout(30),
        Recorder(Store(Path(config.store.path), topic="spike")) as recorder,
        InferenceService(engine, EngineStats()) as inference,
    ):
        store_path = Path(config.store.path)
        page = WebServer(WebConfig(port=0), recorder, store_path, store_path.parent, lambda: supervisor.cameras)
        mqtt = MqttSink(broker.config(), recorder)
        supervisor = Supervisor(config, inference, recorder, [page, *sinks], mqtt, SystemClock())
        await supervisor.prepare()
        async with page.serve():
            task = asyncio.create_task(supervisor.run())
            yield supervisor, page
            await task


async def take_until(inbox: Inbox, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first message of which it holds."""
    while True:
        [message] = await inbox.take(1)
        payload: dict[str, Any] = json.loads(message.payload)
        if condition(payload):
            return payload


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_nothing_of_a_paused_camera_is_scored_and_its_event_ends(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, sink = quick_config(tmp_path, "lavfi:testsrc2"), RecordingSink()
    engine = FakeEngine(surprising_at(*range(4, 20)))
    cameras: list[CameraPipeline] = []
    told: list[str] = []  # the state after the pause: the video must not end before

    def in_step(number: int) -> None:
        if number == 19:
            wait_in_thread(lambda: bool(told))
        if number == 9:  # an event goes on
            wait_in_thread(lambda: cameras[0].control.paused)
        if number == 15:
            wait_in_thread(lambda: not cameras[0].control.paused)
        wait_in_thread(
            lambda: not cameras or cameras[0].num_scored + cameras[0].stats.dropped_segments["paused"] >= number - 1
        )

    frames = moving_frames(20, before=in_step)
    connect_to(monkeypatch, lambda: ScriptedSource(frames, is_live=False), is_live=False)
    async with client5(broker, "spike/a/state") as (client, inbox), watching(config, broker, engine, sink) as running:
        cameras += running[0].cameras
        event = await take_until(inbox, lambda state: state["event"] is not None)
        await client.publish("spike/a/set/pause", b"", qos=1)
        paused = await take_until(inbox, lambda state: state["state"] == "paused")
        assert paused["reason"] == "paused by command"
        await until(lambda: cameras[0].stats.dropped_segments["paused"] >= 5)
        await client.publish("spike/a/set/resume", b"", qos=1)
        resumed = await take_until(inbox, lambda state: state["state"] != "paused")
        told.append(resumed["state"])
    assert event["event"] and resumed["state"] in ("watching", "learning")
    num_paused = cameras[0].stats.dropped_segments["paused"]
    assert num_paused >= 5 and len(sink.observations) + num_paused == 20
    assert not {9, 10, 11} & set(sink.indices), "segments of the pause"
    assert sink.phases[:1] == ["start"] and sink.phases.count("end") >= 1
    assert sink.alerts[sink.phases.index("end")][0].end_at is not None


async def test_a_snapshot_a_budget_and_a_verdict_are_answered_while_the_camera_runs(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick_config(tmp_path, "lavfi:testsrc2")
    done: list[str] = []  # steps of the test that the camera waits for
    waits = {6: "the event was told", 10: "all was answered"}

    def in_step(number: int) -> None:
        if number in waits:
            wait_in_thread(lambda: waits[number] in done)

    engine = FakeEngine(surprising_at(4))
    frames = moving_frames(12, before=in_step)
    connect_to(monkeypatch, lambda: ScriptedSource(frames, is_live=False), is_live=False)
    async with (
        client5(broker, "spike/a/state") as (client, states),
        client5(broker, "spike/a/keyframe") as (_, pictures),
        watching(config, broker, engine) as (supervisor, _),
    ):
        try:
            event = await take_until(states, lambda state: state["event"] is not None)
            done.append(waits[6])
            [picture] = await pictures.take(1)
            assert user_properties(picture)["event"] == event["event"]
            await client.publish("spike/a/set/snapshot", b"", qos=1)
            [picture] = await pictures.take(1)
            assert "event" not in user_properties(picture) and bytes(picture.payload)[:2] == b"\xff\xd8"
            await client.publish("spike/a/set/alerts_per_day", b"100", qos=1)
            told = await take_until(states, lambda state: state["alerts_per_day"] == 100)
            assert told["effective_alerts_per_day"] == 100
            await client.publish(f"spike/event/{event['event']}/feedback", b"not_useful", qos=1)
            told = await take_until(states, lambda state: state["effective_alerts_per_day"] < 100)
            assert told["effective_alerts_per_day"] == 90.5
        finally:
            done += waits.values()
    assert supervisor.cameras[0].control.export() == {"paused": False, "alerts_per_day": 100.0}


async def test_a_budget_is_told_at_once_wherever_it_was_set(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, done = quick_config(tmp_path, "lavfi:testsrc2"), asyncio.Event()
    frames = moving_frames(12, before=lambda number: number < 10 or wait_in_thread(done.is_set))
    connect_to(monkeypatch, lambda: ScriptedSource(frames, is_live=False), is_live=False)
    async with (
        client5(broker, "spike/a/state") as (client, states),
        watching(config, broker, FakeEngine()) as (supervisor, page),
    ):
        try:
            before = await take_until(states, lambda state: state["state"] == "watching")
            await asyncio.to_thread(post, f"{page.url}api/cameras/a/control", {"alerts_per_day": 7})
            told = await take_until(states, lambda state: state["alerts_per_day"] == 7)
            assert (told["state"], told["since"]) == ("watching", before["since"]), "nothing else has changed"
            listener = page.hub.open()
            assert listener is not None
            await client.publish("spike/a/set/alerts_per_day", b"9", qos=1)
            async for message in listener.messages():  # another page that is open shows it as well
                if b"event: state" in message:
                    break
            assert json.loads(message.partition(b"data: ")[2])["alerts_per_day"] == 9
            await take_until(states, lambda state: state["alerts_per_day"] == 9)
            # Whoever comes later is told by the broker.
            async with client5(broker, "spike/a/state") as (_, late):
                [retained] = await late.take(1)
            assert json.loads(retained.payload)["alerts_per_day"] == 9
            retuned = config.model_copy(update={"events": config.events.model_copy(update={"alerts_per_day": 11.0})})
            await client.publish("spike/a/set/alerts_per_day", b"default", qos=1)
            await take_until(states, lambda state: state["alerts_per_day"] == config.events.alerts_per_day)
            supervisor.cameras[0].retune(retuned, retuned.cameras[0])
            done.set()  # a new configuration is taken over with the next segment
            await take_until(states, lambda state: state["alerts_per_day"] == 11)
        finally:
            done.set()


def post(url: str, wish: dict[str, object]) -> None:
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(wish).encode(), headers), timeout=10):
        return


async def test_a_pause_outlives_a_restart(broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = quick_config(tmp_path, "lavfi:testsrc2")
    store = Store(Path(config.store.path))
    store.save_commanded("a", {"paused": True, "alerts_per_day": 3.0})
    store.close()
    connect_to(monkeypatch, lambda: ScriptedSource(moving_frames(6), is_live=False), is_live=False)
    sink = RecordingSink()
    async with watching(config, broker, FakeEngine(), sink) as (supervisor, _):
        pass
    assert not sink.observations and supervisor.cameras[0].stats.dropped_segments["paused"] == 6
    assert "paused" in sink.states_of("a")
