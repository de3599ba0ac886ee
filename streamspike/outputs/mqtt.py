"""Publishes to an MQTT broker: events at least once and in order, states retained, surprise as it comes.

    {topic}/status             retained  online, or offline (also the last will)
    {topic}/{camera}/state     retained  QoS 1, published again on every connection: a killed broker forgets
    {topic}/{camera}/event               QoS 1, from the outbox, marked when the broker has acknowledged it
    {topic}/{camera}/surprise            QoS 0, one per segment; while there is no connection dropped and counted

A reader runs beside the publisher only to notice at once that the connection is gone; a publish alone would wait for
its timeout.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt

from streamspike.config import MqttConfig
from streamspike.core import CameraState, Event, Keyframe, Observation
from streamspike.errors import BrokerError
from streamspike.outputs import messages
from streamspike.outputs.broker import connect, parse_address
from streamspike.outputs.recorder import Recorder

BACKOFF_MIN_SECONDS = 0.5
FAREWELL_SECONDS = 1.0
"""To say offline, and again to disconnect."""
MAX_QUEUED_SURPRISES = 256

log = logging.getLogger(__name__)


@dataclass(slots=True)
class MqttCounts:
    """For the metrics."""

    connected: bool = False
    num_connections: int = 0
    num_failures: int = 0
    """Connections that could not be made or were lost."""
    num_events_published: int = 0
    """Acknowledged by the broker."""
    num_surprises_published: int = 0
    num_surprises_dropped: int = 0
    """No connection, or more than MAX_QUEUED_SURPRISES waited."""
    last_error: str = ""


class MqttSink:
    """A sink beside a running task. `run()` belongs in the owner's TaskGroup; `stop()` ends it in good order.

    Tell the recorder first: `alert` here only says that the outbox has something.
    """

    def __init__(self, config: MqttConfig, recorder: Recorder, clock: Callable[[], float] = time.time) -> None:
        """Raises BrokerError when the address is wrong; a broker that is away is no error, see `broker.probe`."""
        self.counts = MqttCounts()
        self._config = config
        self._address = parse_address(config)
        self._recorder = recorder
        self._clock = clock
        self._wake = asyncio.Event()
        self._states: dict[str, str] = {}  # camera id to payload; one per camera, hence bounded
        self._unsent_states: dict[str, str] = {}
        self._surprises: deque[tuple[str, str]] = deque()
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._connected_at = math.inf  # loop time; infinite while it has not been

    async def observe(self, observation: Observation) -> None:
        if not self.counts.connected:
            self.counts.num_surprises_dropped += 1
            return
        if len(self._surprises) == MAX_QUEUED_SURPRISES:
            self._surprises.popleft()
            self.counts.num_surprises_dropped += 1
        topic = f"{self._config.topic}/{observation.camera_id}/surprise"
        self._surprises.append((topic, messages.surprise_payload(observation)))
        self._wake.set()

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        self._wake.set()

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        payload = messages.state_payload(camera_id, state, reason, self._clock())
        self._states[camera_id] = self._unsent_states[camera_id] = payload
        self._wake.set()

    async def run(self) -> None:
        """Stay connected, and publish, until `stop`. Returns normally then; never raises for a broker that is away."""
        try:
            async with asyncio.timeout(None) as self._limit:
                await self._stay_connected()
        except TimeoutError:
            log.warning("the broker %s took too long to say goodbye", self._address)
        finally:
            self._drop_surprises()
            self._finished.set()

    async def stop(self, timeout_seconds: float) -> int:
        """Publish what waits, say offline and disconnect, within the limit and two seconds of farewell.

        Returns:
            Number of event messages that stay in the outbox; the next start delivers them.
        """
        self._stopping.set()
        self._wake.set()
        if self._limit is not None and not self._finished.is_set():
            self._limit.reschedule(asyncio.get_running_loop().time() + timeout_seconds)
            await self._finished.wait()
        return await self._recorder.run(self._recorder.store.outbox.count_pending)

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        wait_seconds = BACKOFF_MIN_SECONDS
        while not self._stopping.is_set():
            self._connected_at = math.inf
            try:
                await self._session()
            except BrokerError as error:
                if _is_cancelled():  # the farewell failed as well
                    raise asyncio.CancelledError from error
                self._note_failure(str(error))
            # A connection that is taken away at once (somebody else has our client id) must not be made twice a second.
            if loop.time() - self._connected_at > wait_seconds:
                wait_seconds = BACKOFF_MIN_SECONDS
            await self._sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, self._config.backoff_max_seconds)

    async def _session(self) -> None:
        """One connection from start to end. Raises BrokerError when it could not be made or was lost."""
        will = aiomqtt.Will(self._status_topic, messages.OFFLINE, qos=1, retain=True)
        async with connect(self._config, will) as client:
            self._connected_at = asyncio.get_running_loop().time()
            self.counts.num_connections += 1
            self.counts.connected = True
            self.counts.last_error = ""
            log.info("connected to the broker %s", self._address)
            self._unsent_states = dict(self._states)
            reader = asyncio.create_task(_wait_for_loss(client), name="mqtt.reader")
            publisher = asyncio.create_task(self._publish_all(client), name="mqtt.publisher")
            try:
                await asyncio.wait((reader, publisher), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.counts.connected = False
                self._drop_surprises()
                for task in (reader, publisher):
                    task.cancel()
                outcomes = await asyncio.gather(reader, publisher, return_exceptions=True)
                failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
                if not failures:  # we go by our own will, and a clean disconnect sends no last will
                    client.timeout = min(client.timeout, FAREWELL_SECONDS)
                    await client.publish(self._status_topic, messages.OFFLINE, qos=1, retain=True)
            if failures:
                raise failures[0]

    async def _publish_all(self, client: aiomqtt.Client) -> None:
        """Whatever waits, until nothing does and `stop` was called."""
        outbox = self._recorder.store.outbox
        await client.publish(self._status_topic, messages.ONLINE, qos=1, retain=True)
        while True:
            self._wake.clear()
            await self._publish_states(client)
            pending = await self._recorder.run(outbox.pending)
            for message in pending:
                await client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
                await self._recorder.run(outbox.mark_published, message.row_id, self._clock())
                self.counts.num_events_published += 1
            while self._surprises:
                topic, payload = self._surprises.popleft()
                await client.publish(topic, payload, qos=0)
                self.counts.num_surprises_published += 1
            if pending or self._unsent_states:
                continue
            if self._stopping.is_set():
                return
            await self._wake.wait()

    async def _publish_states(self, client: aiomqtt.Client) -> None:
        while self._unsent_states:
            camera_id, payload = next(iter(self._unsent_states.items()))
            await client.publish(f"{self._config.topic}/{camera_id}/state", payload, qos=1, retain=True)
            if self._unsent_states.get(camera_id) == payload:  # it may have changed meanwhile
                del self._unsent_states[camera_id]

    async def _sleep(self, seconds: float) -> None:
        """Until the time is over or `stop` is called."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _note_failure(self, sentence: str) -> None:
        self.counts.num_failures += 1
        if sentence != self.counts.last_error:  # once, not at every attempt
            log.warning("%s; events wait in the store, trying again", sentence)
        self.counts.last_error = sentence

    def _drop_surprises(self) -> None:
        self.counts.num_surprises_dropped += len(self._surprises)
        self._surprises.clear()

    @property
    def _status_topic(self) -> str:
        return f"{self._config.topic}/status"


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _wait_for_loss(client: aiomqtt.Client) -> None:
    """Returns never; raises MqttError the moment the connection is gone. Nothing is subscribed to."""
    async for _ in client.messages:
        pass
