"""A private mosquitto that tests may kill: the real broker, on loopback, as a child process.

A missing binary fails the test with what to install; it never skips, because a skipped broker test proves nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from streamspike.config import MqttConfig
from tests.support.servers import binary, free_port, make_certificate

CONNECT_SECONDS = 5.0


class Mosquitto:
    """One broker on one port, which keeps the port over a restart.

    Args:
        folder: for its files.
        login: (user, password); None lets everybody in.
        tls: listen with a certificate of its own, `ca_file`.
        persistent: keep retained messages and sessions over a restart. False is a broker that forgets when killed.
    """

    def __init__(
        self, folder: Path, login: tuple[str, str] | None = None, *, tls: bool = False, persistent: bool = False
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.login = login
        self.ca_file = folder / "cert.pem" if tls else None
        self._process: subprocess.Popen[bytes] | None = None
        self._write_config(persistent)

    def start(self) -> None:
        """Returns when it accepts connections."""
        assert self._process is None
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary("mosquitto", "mosquitto"), "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        give_up = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    pytest.fail("mosquitto does not start: " + (self.folder / "mosquitto.log").read_text())
                time.sleep(0.01)

    def kill(self) -> None:
        """As the power switch does it."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """For the end of a test, whatever it did to the broker; its own farewell would take a tenth of a second."""
        if self._process is not None:
            self.kill()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def config(self, **changes: object) -> MqttConfig:
        """How streamspike gets there; quick to give up and to try again."""
        user = f"{self.login[0]}:{self.login[1]}@" if self.login else ""
        scheme = "mqtts" if self.ca_file else "mqtt"
        settings: dict[str, object] = {
            "url": f"{scheme}://{user}127.0.0.1:{self.port}",
            "ca_file": str(self.ca_file) if self.ca_file else None,
            "topic": "spike",
            "timeout_seconds": 2.0,
        }
        return MqttConfig.model_validate(settings | changes)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Inbox]:
        """A subscriber with QoS 1."""
        user, password = self.login or (None, None)
        async with aiomqtt.Client("127.0.0.1", self.port, username=user, password=password) as client:
            await client.subscribe(topic, qos=1)
            yield Inbox(client)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(5)
        self._process = None

    def _write_config(self, persistent: bool) -> None:
        lines = ["per_listener_settings false", f"allow_anonymous {'false' if self.login else 'true'}"]
        if os.getuid() == 0:
            lines.append("user root")  # it would become `mosquitto` and could not write its files
        if self.login:
            passwords = self.folder / "passwd"
            subprocess.run(
                [binary("mosquitto_passwd", "mosquitto"), "-b", "-c", str(passwords), *self.login],
                check=True,
                capture_output=True,
            )
            lines.append(f"password_file {passwords}")
        if persistent:
            database = self.folder / "db"
            database.mkdir(exist_ok=True)
            lines += ["persistence true", f"persistence_location {database}/"]
            lines += ["autosave_interval 1", "autosave_on_changes true"]
        lines.append(f"listener {self.port} 127.0.0.1")
        if self.ca_file:
            _, key = make_certificate(self.folder)
            lines += [f"cafile {self.ca_file}", f"certfile {self.ca_file}", f"keyfile {key}"]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")


class Inbox:
    """What a subscriber got."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def take(self, count: int, seconds: float = 10.0) -> list[aiomqtt.Message]:
        """Exactly `count` messages, in the order they came; fails when they do not come in time."""
        taken: list[aiomqtt.Message] = []
        try:
            async with asyncio.timeout(seconds):
                async for message in self._client.messages:
                    taken.append(message)
                    if len(taken) == count:
                        return taken
        except TimeoutError:
            pytest.fail(f"{len(taken)} of {count} messages after {seconds} s: {[str(m.topic) for m in taken]}")
        raise AssertionError("the iterator of messages never ends")

    async def take_until(self, payload: str, seconds: float = 10.0) -> list[str]:
        """Payloads up to and with this one."""
        texts: list[str] = []
        while not texts or texts[-1] != payload:
            [message] = await self.take(1, seconds)
            assert isinstance(message.payload, bytes)
            texts.append(message.payload.decode())
        return texts
