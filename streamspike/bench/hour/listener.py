"""Somebody at the broker who hears every event message, and when."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from streamspike.config import MqttConfig
from streamspike.errors import BrokerError
from streamspike.outputs.broker import Connection, connect
from streamspike.outputs.topics import Topics


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event message as it came in."""

    camera_id: str
    event_id: str
    revision: int
    sequence: int
    at: float
    """UTC by the clock of the machine."""
    monotonic_seconds: float


@dataclass(slots=True)
class Inbox:
    """What came, in order."""

    arrivals: list[Arrival] = field(default_factory=list)
    num_overflows: int = 0
    """Messages that were dropped because they came faster than they were read."""
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, count: int, seconds: float) -> None:
        """Until so many have come, or that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.arrivals) < count:
                    self._came.clear()
                    await self._came.wait()

    async def fill(self, connection: Connection) -> None:
        """For ever."""
        async for _, payload in connection.listen():
            now, monotonic_seconds = time.time(), time.monotonic()
            event = json.loads(payload)
            self.arrivals.append(
                Arrival(event["camera"], event["id"], event["revision"], event["sequence"], now, monotonic_seconds)
            )
            self._came.set()

    def count_overflow(self) -> None:
        self.num_overflows += 1


@contextlib.asynccontextmanager
async def listen(config: MqttConfig) -> AsyncIterator[Inbox]:
    """A client of its own that listens to the events of all cameras with QoS 1.

    Raises:
        BrokerError: it cannot be reached, refuses, or was lost meanwhile.
    """
    inbox = Inbox()
    alone = config.model_copy(update={"client_id": None})  # two clients of one name would throw each other out
    async with connect(alone, on_overflow=inbox.count_overflow) as connection:
        pattern = Topics(config.topic).event("+")
        if await connection.subscribe([pattern]):
            raise BrokerError(f"the broker does not let us listen to {pattern}; check its access rules")
        filling = asyncio.create_task(inbox.fill(connection), name="hour.listener")
        try:
            yield inbox
        finally:
            filling.cancel()
            outcomes = await asyncio.gather(filling, return_exceptions=True)
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]
