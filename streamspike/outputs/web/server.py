"""Serves the page and its API while cameras are watched: a sink, and an HTTP server on the same loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from streamspike.config import WebConfig
from streamspike.core import CameraState, Event, Keyframe, Observation
from streamspike.errors import SinkError, StoreError
from streamspike.outputs import messages
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.web.answers import event_answer, keyframe_answer, observation_answer
from streamspike.outputs.web.archive import Archive
from streamspike.outputs.web.asked import Mistaken
from streamspike.outputs.web.entry import Entry
from streamspike.outputs.web.guard import Guard
from streamspike.outputs.web.handlers import Handlers, show_document, show_file
from streamspike.outputs.web.hub import Hub
from streamspike.outputs.web.model import ModelInService
from streamspike.outputs.web.openapi import describe_api
from streamspike.outputs.web.operations import OPERATIONS
from streamspike.outputs.web.pictures import Pictures
from streamspike.outputs.web.static_files import read_files
from streamspike.outputs.web.wall import Wall, Watched

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
KEEP_ALIVE_SECONDS = 15
FAREWELL_SECONDS = 2
MAX_HEAD_BYTES = 16 << 10
"""Of the request line and all headers."""


class WebServer:
    """A sink beside a running server. `serve()` around the run; everything on its loop.

    Tell the recorder first: what a page is told of, it may ask for at once.
    """

    def __init__(
        self,
        config: WebConfig,
        recorder: Recorder,
        store_path: Path,
        clips_folder: Path,
        watched: Callable[[], Sequence[Watched]],
        now: Callable[[], float] = time.time,
        model_name: Callable[[], str | None] = lambda: None,
    ) -> None:
        """
        Args:
            store_path: of the recorder's store, which exists.
            clips_folder: where the files of clips are; it may not exist.
            watched: the cameras of this process; asked each time.
            model_name: of the engine, as in events; asked each time. None where no camera asks a model.

        Raises:
            ConfigError: the page could be reached from other machines, and there is no token.
        """
        self.hub = Hub(config.max_streams)
        self.url: str | None = None
        """Where the page is, for a browser of this machine; None while it is not served."""
        self._config = config
        self._now = now
        self._wall = Wall(watched)
        self._model = ModelInService(model_name, now)
        self._pictures = Pictures(self._wall.frame_of, config.picture_width_px)
        self._store_path = store_path
        self._clips_folder = clips_folder
        self._recorder = recorder
        self._entry = Entry(config)

    async def observe(self, observation: Observation) -> None:
        self._wall.observe(observation)
        answer = observation_answer(observation)
        progress = round(self._wall.progress_of(observation.camera_id), 4)
        self.hub.tell("observation", answer.model_copy(update={"learning_progress": progress}).model_dump_json())
        if self._model.look():
            self.hub.tell("model", "{}")

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        self.hub.tell("event", event_answer(event, None if keyframe is None else keyframe.index).model_dump_json())

    async def show(self, keyframe: Keyframe) -> None:
        """A keyframe chosen under the hourly budget."""
        self.hub.tell("keyframe", keyframe_answer(keyframe).model_dump_json())

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        at = self._now()
        self._wall.report_state(camera_id, state, reason, at)
        control = self._wall.control_of(camera_id)
        budget = None if control is None else control.alerts_per_day
        told = json.loads(messages.state_payload(camera_id, state, reason, at, alerts_per_day=budget))
        self.hub.tell("state", json.dumps(told | {"degraded": self._wall.is_degraded(camera_id)}))

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[WebServer]:
        """Answer requests until the block is left; then tell every page goodbye.

        When the port that nobody chose is taken (another streamspike runs), that is logged, and there is no page:
        watching matters more.

        Raises:
            SinkError: the port that was chosen cannot be had.
        """
        try:
            listener = _listen(self._config.host, self._config.port)
        except SinkError as error:
            if "port" in self._config.model_fields_set:
                raise
            log.warning("%s; watching goes on without the page", error)
            yield self
            return
        self.url = _url(listener)
        archive = Archive(self._store_path)
        server = _QuietServer(
            uvicorn.Config(
                self._make_app(archive),
                log_config=None,
                access_log=False,
                log_level="error",  # what strangers send wrong is theirs to know
                lifespan="off",
                ws="none",
                http="h11",
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=FAREWELL_SECONDS,
                server_header=False,
                proxy_headers=False,
            )
        )
        task = asyncio.create_task(server.serve([listener]), name="web")
        try:
            yield self
        finally:
            self.hub.close_all()
            server.should_exit = True
            await task
            await archive.close()
            self.url = None

    def _make_app(self, archive: Archive) -> Guard:
        guard: Guard
        handlers = Handlers(
            archive,
            self._recorder,
            self._wall,
            self.hub,
            self._pictures,
            self._entry,
            self._model,
            self._clips_folder,
            lambda: guard.num_refused,
            self._now,
        )
        routes = [Route(each.path, getattr(handlers, each.name), methods=[each.method]) for each in OPERATIONS]
        routes += [Route(path, show_file(file)) for path, file in read_files().items()]
        routes += [
            Route("/openapi.json", show_document(describe_api())),
            Route("/login", handlers.log_in, methods=["POST"]),
            Route("/logout", handlers.log_out, methods=["POST"]),
        ]
        failures = {Mistaken: handlers.explain_mistake, StoreError: handlers.explain_store}
        app = Starlette(routes=routes, exception_handlers=failures)
        app.router.redirect_slashes = False
        guard = Guard(app, self._entry)
        return guard


class _QuietServer(uvicorn.Server):
    """Signals belong to the run, not to the page."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise SinkError(f"the page cannot listen on {host} port {port} ({reason}); choose another web.port") from error
