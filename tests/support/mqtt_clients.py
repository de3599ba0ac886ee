"""MQTT 5 clients for tests of what is published and commanded, beside the plain subscriber of `mosquitto.Mosquitto`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from streamspike.core import Keyframe
from tests.support.messages import NOON
from tests.support.mosquitto import Inbox, Mosquitto


@asynccontextmanager
async def client5(broker: Mosquitto, *patterns: str) -> AsyncIterator[tuple[aiomqtt.Client, Inbox]]:
    """A client that may publish, and what it gets on the patterns."""
    user, password = broker.login or (None, None)
    async with aiomqtt.Client(
        "127.0.0.1", broker.port, username=user, password=password, protocol=aiomqtt.ProtocolVersion.V5
    ) as client:
        for pattern in patterns:
            await client.subscribe(pattern, qos=1)
        yield client, Inbox(client)


def user_properties(message: aiomqtt.Message) -> dict[str, str]:
    return dict(message.properties.UserProperty)  # type: ignore[union-attr]


class FakeControl:
    """A camera that does what it is told."""

    def __init__(self) -> None:
        self.paused = False
        self.alerts_per_day = 5.0
        self.effective_alerts_per_day = 5.0
        self.picture: Keyframe | None = Keyframe("door", "", 1000, NOON, 64, 36, b"\xff\xd8snapshot")

    def pause(self, paused: bool) -> None:
        self.paused = paused

    def set_budget(self, alerts_per_day: float | None) -> None:
        self.alerts_per_day = self.effective_alerts_per_day = 5.0 if alerts_per_day is None else alerts_per_day

    def take_snapshot(self) -> Keyframe | None:
        return None if self.paused else self.picture

    def export(self) -> dict[str, object]:
        return {"paused": self.paused, "alerts_per_day": self.alerts_per_day}
