"""Publishes to an MQTT broker: events at least once and in order, states retained, surprise as it comes; and obeys.

What is sent where stands in docs/mqtt.md, the names in topics.py. Retained messages are published again on every
connection, because a killed broker forgets. Events come from the outbox and are marked when the broker has
acknowledged them; surprise and errors are dropped and counted while there is no connection.

Pictures have QoS 0: the store has them, an event names them, and the outbox should not hold megabytes.

A listener runs beside the publisher: for commands, and to notice at once that the connection is gone; a publish alone
would wait for its timeout.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import aiomqtt

from streamspike.config import MqttConfig
from streamspike.core import CameraState, Event, EventPhase, Keyframe, Observation
from streamspike.errors import BrokerError
from streamspike.outputs import messages
from streamspike.outputs.broker import Connection, connect, parse_address
from streamspike.outputs.commands import Commander, Control, Refused
from streamspike.outputs.discovery import discovery_payload, discovery_topic
from streamspike.outputs.mailbox import Mailbox, Publication
from streamspike.outputs.outbox import Message
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.topics import Topics

BACKOFF_MIN_SECONDS = 0.5
FAREWELL_SECONDS = 1.0
"""To say offline, and again to disconnect."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class MqttCounts:
    """For the metrics."""

    connected: bool = False
    num_connections: int = 0
    num_failures: int = 0
    """Connections that could not be made or were lost."""
    num_events_published: int = 0
    """Messages from the outbox, acknowledged by the broker."""
    num_surprises_published: int = 0
    num_keyframes_published: int = 0
    num_dropped: Counter[str] = field(default_factory=Counter)
    """By kind. surprise, error (the answer to a refused command): no connection, or more than mailbox.MAX_NEWS waited;
    keyframe: a newer one of the camera came before it was sent."""
    num_commands: Counter[str] = field(default_factory=Counter)
    """Obeyed, by name."""
    num_refused: Counter[str] = field(default_factory=Counter)
    """Commands refused, by reason: topic, too_long, not_text, bad_value, unknown_command, unknown_camera,
    unknown_event, no_picture, overflow (they came faster than they were looked at)."""
    last_error: str = ""

    @property
    def num_surprises_dropped(self) -> int:
        return self.num_dropped["surprise"]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was last reported of a camera."""

    state: CameraState
    reason: str
    since: float
    event_id: str | None = None


class MqttSink:
    """A sink beside a running task. `run()` belongs in the owner's TaskGroup; `stop()` ends it in good order.

    Tell the recorder first: `alert` here only says that the outbox has something.
    """

    def __init__(self, config: MqttConfig, recorder: Recorder, clock: Callable[[], float] = time.time) -> None:
        """Raises BrokerError when the address is wrong; a broker that is away is no error, see `broker.probe`."""
        self.topics = Topics(config.topic)
        self.commander = Commander(self.topics, recorder, clock)
        self._mailbox = Mailbox()
        self.counts = MqttCounts(
            num_dropped=self._mailbox.dropped,
            num_commands=self.commander.num_obeyed,
            num_refused=self.commander.num_refused,
        )
        self._config = config
        self._address = parse_address(config)
        self._recorder = recorder
        self._clock = clock
        self._known: dict[str, _Known] = {}  # one per camera, hence bounded
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._connected_at = math.inf  # loop time; infinite while it has not been

    def attach(self, controls: Mapping[str, Control], gone: Iterable[str] = ()) -> None:
        """Say which cameras there are now: they announce themselves to Home Assistant, and can be commanded.

        Args:
            controls: by camera id.
            gone: cameras that there were once; what the broker retains of them is taken away.
        """
        self.commander.controls = controls
        prefix = self._config.discovery_topic
        for camera_id in gone:
            self._known.pop(camera_id, None)
            for topic in (self.topics.state(camera_id), self.topics.keyframe(camera_id)):
                self._retain(topic, "")
            if prefix is not None:
                self._retain(discovery_topic(prefix, self.topics, camera_id), "")
        for camera_id in controls:
            self.refresh(camera_id)
            if prefix is not None:
                topic = discovery_topic(prefix, self.topics, camera_id)
                self._retain(topic, discovery_payload(self.topics, camera_id))

    async def observe(self, observation: Observation) -> None:
        topic = self.topics.surprise(observation.camera_id)
        self._post(Publication(topic, messages.surprise_payload(observation), kind="surprise"))

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        known = self._known.get(event.camera_id)
        if known is not None:
            ended = event.phase is EventPhase.END
            self._known[event.camera_id] = replace(known, event_id=None if ended else event.event_id)
            self.refresh(event.camera_id)
        if keyframe is not None:
            await self.show(keyframe)
        self._wake.set()

    async def show(self, keyframe: Keyframe) -> None:
        """Any picture: of an event, chosen under the hourly budget, or a snapshot."""
        properties = messages.keyframe_properties(keyframe)
        topic = self.topics.keyframe(keyframe.camera_id)
        self._retain(topic, keyframe.jpeg, 0, "image/jpeg", properties, "keyframe")

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        before = self._known.get(camera_id)
        event_id = before.event_id if before is not None else None
        since = before.since if before is not None and before.state is state else self._clock()
        self._known[camera_id] = _Known(state, reason, since, event_id)
        self.refresh(camera_id)

    def tell_model(self, name: str) -> None:
        """Publish which model is in service from now on; `name` as in events."""
        self._retain(self.topics.model, messages.model_payload(name, self._clock()))

    def refresh(self, camera_id: str) -> None:
        """Publish the state of a camera again: what belongs to it has changed. Nothing before its first report."""
        known, control = self._known.get(camera_id), self.commander.controls.get(camera_id)
        if known is None:
            return
        payload = messages.state_payload(
            camera_id,
            known.state,
            known.reason,
            known.since,
            event_id=known.event_id,
            alerts_per_day=control.alerts_per_day if control is not None else None,
            effective_alerts_per_day=control.effective_alerts_per_day if control is not None else None,
        )
        self._retain(self.topics.state(camera_id), payload)

    async def run(self) -> None:
        """Stay connected, and publish, until `stop`. Returns normally then; never raises for a broker that is away."""
        try:
            async with asyncio.timeout(None) as self._limit:
                await self._stay_connected()
        except TimeoutError:
            log.warning("the broker %s took too long to say goodbye", self._address)
        finally:
            self._mailbox.drop_news()
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
        will = aiomqtt.Will(self.topics.status, messages.OFFLINE, qos=1, retain=True)
        async with connect(self._config, will, self._count_overflow) as connection:
            self._connected_at = asyncio.get_running_loop().time()
            self.counts.num_connections += 1
            self.counts.connected = True
            log.info("connected to the broker %s", self._address)
            self._mailbox.repeat()
            listener = asyncio.create_task(self._listen(connection), name="mqtt.listener")
            publisher = asyncio.create_task(self._publish_all(connection), name="mqtt.publisher")
            try:
                await asyncio.wait((listener, publisher), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.counts.connected = False
                self._mailbox.drop_news()
                for task in (listener, publisher):
                    task.cancel()
                outcomes = await asyncio.gather(listener, publisher, return_exceptions=True)
                failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
                if not failures:  # we go by our own will, and a clean disconnect sends no last will
                    await connection.publish(self._status(messages.OFFLINE), FAREWELL_SECONDS)
            if failures:
                raise failures[0]

    async def _listen(self, connection: Connection) -> None:
        """Returns never; raises MqttError the moment the connection is gone."""
        for pattern in await connection.subscribe(self.topics.subscriptions):
            log.warning("the broker %s does not let us listen to %s; no such command is heard", self._address, pattern)
        async for topic, payload in connection.listen():
            try:
                camera_id, keyframe = await self.commander.obey(topic, payload)
            except Refused as refusal:
                self._answer(refusal)
                continue
            if keyframe is not None:
                await self.show(keyframe)
            if camera_id is not None:
                self.refresh(camera_id)

    async def _publish_all(self, connection: Connection) -> None:
        """Whatever waits, until nothing does and `stop` was called."""
        outbox = self._recorder.store.outbox
        await connection.publish(self._status(messages.ONLINE))
        while True:
            self._wake.clear()
            while (publication := self._mailbox.next_retained()) is not None:
                await connection.publish(publication)
                self._mailbox.sent(publication)
                self.counts.num_keyframes_published += publication.kind == "keyframe"
            pending = await self._recorder.run(outbox.pending)
            for message in pending:
                await self._deliver(connection, message)
            while (publication := self._mailbox.next_news()) is not None:
                await connection.publish(publication)
                self.counts.num_surprises_published += publication.kind == "surprise"
            if not pending:
                self.counts.last_error = ""  # all that waited has been taken
            if pending or not self._mailbox.is_empty:
                continue
            if self._stopping.is_set():
                return
            await self._wake.wait()

    async def _deliver(self, connection: Connection, message: Message) -> None:
        await connection.publish(Publication(message.topic, message.payload, message.qos, message.retain))
        await self._recorder.run(self._recorder.store.outbox.mark_published, message.row_id, self._clock())
        self.counts.num_events_published += 1

    def _answer(self, refusal: Refused) -> None:
        payload = messages.error_payload(
            refusal.camera_id, refusal.command, refusal.reason, str(refusal), self._clock()
        )
        self._post(Publication(self.topics.error(refusal.camera_id), payload, qos=1, kind="error"))

    def _retain(
        self,
        topic: str,
        payload: str | bytes,
        qos: int = 1,
        content_type: str | None = None,
        properties: tuple[tuple[str, str], ...] = (),
        kind: str = "",
    ) -> None:
        self._mailbox.retain(Publication(topic, payload, qos, True, content_type, properties, kind))
        self._wake.set()

    def _post(self, publication: Publication) -> None:
        self._mailbox.post(publication)
        if not self.counts.connected:
            self._mailbox.drop_news()
        self._wake.set()

    def _status(self, payload: str) -> Publication:
        return Publication(self.topics.status, payload, qos=1, retain=True)

    async def _sleep(self, seconds: float) -> None:
        """Until the time is over or `stop` is called."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _count_overflow(self) -> None:
        self.counts.num_refused["overflow"] += 1

    def _note_failure(self, sentence: str) -> None:
        self.counts.num_failures += 1
        if sentence != self.counts.last_error:  # once, not at every attempt
            log.warning("%s; events wait in the store, trying again", sentence)
        self.counts.last_error = sentence


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
