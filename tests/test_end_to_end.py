"""The whole: a camera over RTSP, a broker over MQTT, both killed while it runs, and every event delivered."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
import pytest
from rich.console import Console

from streamspike.app import RunReport, run_watch
from streamspike.config import Config
from streamspike.core import Engine, Request
from streamspike.outputs.store import Store
from tests.support.checkpoints import save_checkpoint
from tests.support.clips import AccessUnit, encode, paint
from tests.support.fake_engine import CALM, OTHER, STARTLING, Answer, FakeEngine
from tests.support.mosquitto import Mosquitto
from tests.support.pipeline import quick_config
from tests.support.rtsp import RtspServer

PASSWORD = "pa55word"
FPS = 20
BRIGHT = 140


@pytest.fixture
def lasting_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that keeps what it has acknowledged, so that a subscriber may lose it as well."""
    folder = tmp_path / "broker"
    folder.mkdir()
    mosquitto = Mosquitto(folder, persistent=True)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


def flashing_clip() -> list[AccessUnit]:
    """1.5 s in which a square walks; at the end a lamp is on for 0.4 s. Played again and again."""
    pictures = []
    for number in range(30):
        pixels = paint(number).astype(np.int16) // 2
        pictures.append((pixels + 110 * (number >= 22)).clip(0, 255).astype(np.uint8))
    return encode(pictures, fps=FPS, gop=5)


def startled_by_light(request: Request) -> Answer:
    return STARTLING if max(float(frame.mean()) for frame in request.observation) > BRIGHT else CALM


@dataclass
class Listener:
    """A subscriber with a session that outlives the broker."""

    events: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    status: list[str] = field(default_factory=list)

    async def run(self, broker: Mosquitto) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):  # it loses the broker as well
                async with aiomqtt.Client(
                    "127.0.0.1", broker.port, identifier="listener", clean_session=False
                ) as client:
                    await client.subscribe("spike/#", qos=1)
                    async for message in client.messages:
                        self._take(str(message.topic), bytes(message.payload))  # type: ignore[arg-type]
            await asyncio.sleep(0.01)

    def _take(self, topic: str, payload: bytes) -> None:
        """Pictures are none of these, and no text."""
        if topic == "spike/status":
            self.status.append(payload.decode())
        elif topic.endswith("/event"):
            self.events.append(json.loads(payload))
        elif topic.endswith("/state"):
            self.states.append(json.loads(payload))

    def num_ends(self) -> int:
        return sum(event["phase"] == "end" for event in self.events)

    def state_names(self) -> list[str]:
        return [state["state"] for state in self.states]


async def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"not within {seconds:.0f} s: {what}")


@asynccontextmanager
async def watching(config: Config, engine: Engine, console: Console) -> AsyncIterator[asyncio.Task[RunReport]]:
    task = asyncio.create_task(run_watch(config, console, engine=engine))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def count_unsent(config: Config) -> int:
    with contextlib.closing(sqlite3.connect(config.store.path)) as database:
        return int(database.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()[0])


@pytest.mark.slow
async def test_camera_and_broker_are_killed_and_every_event_is_delivered(
    lasting_broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broker, listener, printed = lasting_broker, Listener(), io.StringIO()
    server = RtspServer(flashing_clip(), fps=FPS, login=("joe", PASSWORD), drop_rate=0.02, max_rtp_bytes=400)
    listening = asyncio.create_task(listener.run(broker))
    with server:
        config = quick_config(
            tmp_path,
            f"{server.url}",
            events={"quiet_segments": 1},
            health={"offline_after_seconds": 0.0},
            mqtt=broker.config(timeout_seconds=1.0, backoff_max_seconds=0.5).model_dump(),
        )
        async with watching(config, FakeEngine(startled_by_light), Console(file=printed, width=200)) as task:
            seen = lambda epoch: any(event["epoch"] >= epoch for event in listener.events)  # noqa: E731
            await until(lambda: seen(0) and "watching" in listener.state_names(), "an event")

            server.kill()
            await until(lambda: listener.state_names()[-1:] == ["offline"], "the loss of the camera")
            server.restart()
            await until(lambda: seen(1), "an event after the camera came back")

            server.stall()
            await until(lambda: listener.state_names()[-1:] == ["offline"], "the silence of the camera")
            server.resume()
            await until(lambda: seen(2), "an event after the camera spoke again")

            num_ends = listener.num_ends()
            await until(lambda: listener.num_ends() > num_ends, "the end of an event")
            await until(lambda: not count_unsent(config), "everything at the broker")
            await asyncio.sleep(0.1)  # a broker saves what it has acknowledged only when it has nothing else to do
            broker.kill()
            await until(lambda: count_unsent(config) >= 2, "events that wait for the broker")
            broker.start()
            await until(lambda: not count_unsent(config), "the waiting events at the broker")

            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(20):
                report = await task
    await until(lambda: listener.status[-1:] == ["offline"], "the farewell")
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)

    assert report.unsent_events == 0 and report.num_segments > 10
    assert set(report.num_dropped) <= {"partial", "queue_full", "skipped", "still", "stopped"}
    store = Store(Path(config.store.path))
    written = [revision for event in store.events("a") for revision in store.revisions(event.event_id)]
    store.close()
    assert report.num_events == len(written) >= 8
    # At least once, in order: what came twice is the same again.
    first: dict[tuple[str, int], dict[str, Any]] = {}
    for event in listener.events:
        assert first.setdefault((event["id"], event["revision"]), event) == event
    assert list(first) == [(record.event_id, record.revision) for record in written]
    first_time = list(first.values())
    assert [event["sequence"] for event in first_time] == list(range(1, len(written) + 1))
    assert {event["camera"] for event in first_time} == {"a"}
    for event, record in zip(first_time, written, strict=True):
        assert event["phase"] == record.phase.value and event["epoch"] == record.epoch
        assert event["saw"] == OTHER and event["surprise_nats"] == pytest.approx(record.surprise_nats, abs=1e-3)
        expected = event["expected"][0]
        assert expected["text"] == "nothing changes"
        # In the first segment of a connection only half as surely: odds of 99 to 1, and their root.
        assert expected["probability"] in (0.99, pytest.approx(99**0.5 / (99**0.5 + 1), abs=1e-4))
        assert event["believed_after"][0] == {"text": "somebody walks in", "probability": 0.99}
    assert [record.phase.value for record in written] == ["start", "end"] * (len(written) // 2), "none is left open"
    assert {record.epoch for record in written} >= {0, 1, 2}
    names = listener.state_names()
    assert names.index("learning") < names.index("watching") < names.index("offline")
    spoken = caplog.text + printed.getvalue() + json.dumps(listener.states + listener.events)
    assert "offline" in spoken and "***@127.0.0.1" in spoken and PASSWORD not in spoken
    assert PASSWORD.encode() not in Path(config.store.path).read_bytes()


CONFIG = """
segment: {seconds: 0.5}
belief: {num_hypotheses: 3, max_hypothesis_tokens: 4, max_caption_tokens: 4, window_segments: 2}
events: {floor_nats: 0.0, extreme_nats: 0.0}
ingest: {hardware_decode: "off", silence_timeout_seconds: 2.0}
model: {device: cpu, threads: 1}
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_installed_command_watches_until_it_is_told_to_end(broker: Mosquitto, tmp_path: Path) -> None:
    """A real process with a real model, of random weights: everything surprises it, so one event goes on and on."""
    save_checkpoint(tmp_path / "model", "qwen2_5_vl")
    (tmp_path / "spike.yaml").write_text(CONFIG)
    command = Path(sys.executable).with_name("streamspike")
    assert command.exists(), f"{command} is missing: install the package, as `make test` does"
    with RtspServer(flashing_clip(), fps=FPS, login=("joe", PASSWORD)) as server:
        words = ["watch", f"door={server.url}", "--config", "spike.yaml", "--model", "model", "--for", "250"]
        outputs = ["--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--store", "spike.db", "--events", "events.jsonl"]
        async with broker.subscribe("streamspike/door/event") as inbox:
            process = await asyncio.create_subprocess_exec(
                command, "--verbose", *words, *outputs, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            try:
                [start] = await inbox.take(1, seconds=180)
                process.send_signal(signal.SIGTERM)
                printed, logged = (text.decode() for text in await process.communicate())
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            store = Store(tmp_path / "spike.db")
            written = [revision for event in store.events("door") for revision in store.revisions(event.event_id)]
            received = [json.loads(message.payload) for message in [start, *await inbox.take(len(written) - 1)]]
            assert store.outbox.count_pending() == 0
            store.close()
    assert process.returncode == 0, logged
    assert written[-1].phase == "end", "the event that went on was ended"
    keys = [(record.event_id, record.revision) for record in written]
    assert [(event["id"], event["revision"]) for event in received] == keys
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(line["id"], line["revision"]) for line in lines] == keys
    assert received[0]["model"].startswith("model@") and received[0]["expected"] and received[0]["believed_after"]
    async with broker.subscribe("streamspike/status") as inbox:
        [status] = await inbox.take(1)
    assert (status.payload, status.retain) == (b"offline", True)
    assert "segments scored" in printed and "Traceback" not in logged and "connected to the broker" in logged
    assert PASSWORD not in printed + logged
