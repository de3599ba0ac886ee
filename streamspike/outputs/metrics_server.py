"""Serves the metrics over HTTP on a thread of its own, and says whether the loop is alive.

/metrics   for Prometheus
/healthz   200 when the loop answers within a few seconds, else 503; for containers and load balancers
"""

from __future__ import annotations

import asyncio
import logging
import socketserver
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import disable_created_metrics, make_wsgi_app

from streamspike.config import MetricsConfig
from streamspike.errors import SinkError
from streamspike.outputs.metrics import Metrics

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HEALTH_SECONDS = 5.0
POLL_SECONDS = 0.1
"""The end of a run waits for the server no longer than this."""

log = logging.getLogger(__name__)


@contextmanager
def serve(config: MetricsConfig) -> Iterator[Metrics | None]:
    """Metrics that are served until the end of the block; None when the port is 0. Enter it on the loop.

    Raises:
        SinkError: the address cannot be listened on.
    """
    if not config.port:
        yield None
        return
    disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each that is there, and nobody reads them
    metrics = Metrics()
    server = _listen(config, _route(metrics, asyncio.get_running_loop()))
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="metrics", daemon=True)
    thread.start()
    log.info("metrics are on http://%s:%d/metrics", config.host, config.port)
    try:
        yield metrics
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listen(config: MetricsConfig, application: WSGIApplication) -> _Server:
    class Server(_Server):
        address_family = AF_INET6 if ":" in config.host else AF_INET

    try:
        server = Server((config.host, config.port), _Handler)
    except OSError as error:
        raise SinkError(
            f"cannot serve metrics on {config.host}:{config.port}: {error.strerror}; "
            "set metrics.host to an address of this machine and metrics.port to a free port, or to 0 for no metrics"
        ) from error
    server.set_app(application)
    return server


def _route(metrics: Metrics, loop: asyncio.AbstractEventLoop) -> WSGIApplication:
    serve_metrics = cast("WSGIApplication", make_wsgi_app(metrics.registry))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return serve_metrics(environ, start_response)
        if path == "/healthz":
            alive = _answers(loop)
            status, text = ("200 OK", "ok\n") if alive else ("503 Service Unavailable", "the loop does not answer\n")
        else:
            status, text = "404 Not Found", "there are /metrics and /healthz\n"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode()]

    return application


def _answers(loop: asyncio.AbstractEventLoop) -> bool:
    answered = threading.Event()
    try:
        loop.call_soon_threadsafe(answered.set)
    except RuntimeError:  # it is closed
        return False
    return answered.wait(HEALTH_SECONDS)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each request: a client that reads slowly holds up nobody."""

    daemon_threads = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the DNS for our name, which may take seconds
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
