"""The page as a real server on a free port, in a thread with a loop of its own, fed by the test."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamspike.belief.events import EventTracker
from streamspike.config import EventConfig, WebConfig
from streamspike.core import CameraState, Event, Frame, Keyframe, Observation
from streamspike.errors import StreamspikeError
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.outputs.web.server import WebServer
from streamspike.pipeline.controls import CameraControl
from streamspike.stats import CameraStats
from tests.support.messages import NOON


@dataclass
class FakeCamera:
    """What the page sees of a camera pipeline."""

    camera_id: str
    stats: CameraStats = field(default_factory=CameraStats)
    events: EventTracker = field(init=False)
    control: CameraControl = field(init=False)
    latest_frame: Frame | None = None

    def __post_init__(self) -> None:
        self.events = EventTracker(self.camera_id, EventConfig())
        self.control = CameraControl(
            self.camera_id, lambda: [self.events.calibrator], lambda: EventConfig().alerts_per_day, 480, lambda: None
        )


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class PageRun:
    """A server and the loop it runs on. Its methods may be called from the test's thread."""

    server: WebServer

    def __init__(self, loop: asyncio.AbstractEventLoop, recorder: Recorder) -> None:
        self.recorder = recorder
        self.model_name: str | None = "nano@f57a99d5"
        self._loop = loop

    @property
    def url(self) -> str:
        assert self.server.url is not None
        return self.server.url

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1].strip("/"))

    def observe(self, observation: Observation) -> None:
        self._tell("observe", observation)

    def alert(self, event: Event, keyframe: Keyframe | None = None) -> None:
        self._tell("alert", event, keyframe)

    def show(self, keyframe: Keyframe) -> None:
        self._tell("show", keyframe)

    def report_state(self, camera_id: str, state: CameraState, reason: str = "") -> None:
        self._tell("report_state", camera_id, state, reason)

    def request(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own; the path goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            given = headers or {}
            connection.putrequest(method, path, skip_host="Host" in given)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in given.items():
                connection.putheader(name, value.encode())
            connection.endheaders(body)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, received, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON of a path that answers."""
        reply = self.request(path)
        assert reply.status == 200, reply.body
        return reply.json()

    def open_stream(self, headers: Mapping[str, str] | None = None) -> StreamReader:
        """Listen to server-sent events; returns after the first one, from which on nothing is missed."""
        reader = StreamReader(self.port, headers or {})
        if reader.status == 200:
            assert reader.take() == ("hello", {})
        return reader

    def _tell(self, name: str, *args: Any) -> None:
        async def tell() -> None:
            for sink in (self.recorder, self.server):
                await getattr(sink, name)(*args)

        asyncio.run_coroutine_threadsafe(tell(), self._loop).result(10)


class StreamReader:
    """A browser's end of /api/stream."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._connection.request("GET", "/api/stream", headers=dict(headers))
        self._response = self._connection.getresponse()
        self.status = self._response.status

    def take(self) -> tuple[str, Any]:
        """The next event: its kind and its data."""
        kind = ""
        while True:
            line = self._response.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return kind, json.loads(line.removeprefix("data: "))

    def is_over(self) -> bool:
        """Reads to the end."""
        return self._response.read() is not None and self._response.isclosed()

    def close(self) -> None:
        self._response.close()
        self._connection.close()


@contextmanager
def page_run(folder: Path, *cameras: FakeCamera, config: WebConfig | None = None, **settings: Any) -> Iterator[PageRun]:
    """A page for these cameras, over a store in `folder`; `settings` are of `web`, unless there is a whole config."""
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()
    running: list[PageRun] = []
    failures: list[StreamspikeError] = []

    async def run() -> None:
        store_path = folder / "spike.db"
        chosen = config or WebConfig(**{"port": 0, **settings})
        async with Recorder(Store(store_path), clock=lambda: NOON) as recorder:
            page = PageRun(loop, recorder)
            page.server = WebServer(
                chosen, recorder, store_path, folder / "clips", lambda: cameras, lambda: NOON, lambda: page.model_name
            )
            async with page.server.serve():
                running.append(page)
                started.set()
                await stop.wait()

    def main() -> None:
        try:
            loop.run_until_complete(run())
        except StreamspikeError as error:
            failures.append(error)
        finally:
            loop.close()
            started.set()

    thread = threading.Thread(target=main, name="page")
    thread.start()
    started.wait()
    try:
        if running:
            yield running[0]
    finally:
        if running:
            loop.call_soon_threadsafe(stop.set)
        thread.join(15)
        assert not thread.is_alive(), "the page does not end"
    if failures:
        raise failures[0]


def painted(level: int = 120, width: int = 320, height: int = 180) -> np.ndarray:
    """(height, width, 3): a gradient that says how bright it was meant to be."""
    row = np.linspace(level // 2, level, width, dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def frame_at(seconds: float, level: int = 120) -> Frame:
    """A frame of a camera."""
    return Frame(painted(level), seconds, NOON + seconds)


def real_keyframe(event: Event, index: int = 0, level: int = 120) -> Keyframe:
    """A keyframe that a browser can show."""
    return encode_keyframe(
        painted(level),
        camera_id=event.camera_id,
        event_id=event.event_id,
        index=index,
        taken_at=event.peak_at,
        max_width_px=480,
    )


def budgeted_keyframe(number: int, camera_id: str = "door", surprise_nats: float = 2.5) -> Keyframe:
    """One that was chosen under the hourly budget, a minute after the one before."""
    at = NOON + 60.0 * number
    return encode_keyframe(
        painted(60 + 20 * (number % 9)),
        camera_id=camera_id,
        event_id="",
        index=round(at * 1000),
        taken_at=at,
        max_width_px=320,
        surprise_nats=surprise_nats,
        saw=f"thing {number}",
    )
