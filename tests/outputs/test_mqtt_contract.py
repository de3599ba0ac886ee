"""On a real broker: pictures with their metadata, commands and their answers, devices for Home Assistant, refusals."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from streamspike.core import CameraState
from streamspike.errors import BrokerError
from streamspike.outputs.broker import MAX_INCOMING, probe
from streamspike.outputs.discovery import discovery_topic
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from tests.support.json_schema import find_faults, load_schema
from tests.support.messages import NOON, end_of, make_event, make_keyframe
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_clients import FakeControl, client5, user_properties
from tests.support.servers import binary, make_certificate


@asynccontextmanager
async def running(
    broker: Mosquitto, folder: Path, gone: tuple[str, ...] = (), **changes: object
) -> AsyncIterator[tuple[Recorder, MqttSink, FakeControl]]:
    """A sink with one camera, door."""
    config = broker.config(**changes)
    async with Recorder(Store(folder / "spike.db", topic=config.topic), clock=lambda: NOON) as recorder:
        sink, control = MqttSink(config, recorder, clock=lambda: NOON), FakeControl()
        sink.attach({"door": control}, gone)
        await sink.report_state("door", CameraState.WATCHING, "")
        task = asyncio.create_task(sink.run())
        try:
            yield recorder, sink, control
        finally:
            await sink.stop(2.0)
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def heard_commands(client: aiomqtt.Client, sink: MqttSink) -> None:
    """Returns when the sink listens: its subscription is there when a nonsense command has come through."""
    async with asyncio.timeout(10):
        while not sink.counts.num_refused["unknown_command"]:
            await client.publish("spike/door/set/nonsense", b"", qos=1)
            await asyncio.sleep(0.02)


async def test_pictures_are_retained_and_say_what_they_are(broker: Mosquitto, tmp_path: Path) -> None:
    event = make_event()
    async with running(broker, tmp_path) as (_, sink, _):
        await sink.alert(event, make_keyframe(event, b"\xff\xd8one"))
        await until(lambda: sink.counts.num_keyframes_published)
        async with client5(broker, "spike/door/keyframe") as (_, inbox):
            [message] = await inbox.take(1)
        assert message.payload == b"\xff\xd8one" and message.retain
        properties = user_properties(message)
        assert properties["event"] == event.event_id
        assert properties["path"] == f"/events/{event.event_id}/keyframes/0.jpg"
        assert not find_faults(properties, load_schema("keyframe"))
        assert message.properties.ContentType == "image/jpeg"  # type: ignore[union-attr]
        assert sink.counts.num_keyframes_published == 1


async def test_pictures_and_devices_come_back_with_a_forgetful_broker(broker: Mosquitto, tmp_path: Path) -> None:
    event = make_event()
    async with running(broker, tmp_path) as (_, sink, _):
        await sink.alert(event, make_keyframe(event))
        await until(lambda: sink.counts.num_keyframes_published)
        broker.kill()
        await until(lambda: not sink.counts.connected)
        broker.start()
        async with client5(broker, "spike/door/keyframe", "homeassistant/#") as (_, inbox):
            topics = {str(message.topic) for message in await inbox.take(2)}
    assert topics == {"spike/door/keyframe", "homeassistant/device/spike-door/config"}


async def test_a_picture_that_is_overtaken_while_the_broker_is_away_is_counted(
    broker: Mosquitto, tmp_path: Path
) -> None:
    broker.kill()
    async with running(broker, tmp_path) as (_, sink, _):
        for number in range(3):
            await sink.show(make_keyframe(make_event(number)))
        assert sink.counts.num_dropped["keyframe"] == 2
        broker.start()
        async with client5(broker, "spike/door/keyframe") as (_, inbox):
            [message] = await inbox.take(1)
    assert user_properties(message)["event"] == make_event(2).event_id


async def test_the_state_says_which_event_goes_on(broker: Mosquitto, tmp_path: Path) -> None:
    event = make_event()
    async with running(broker, tmp_path) as (_, sink, _), client5(broker, "spike/door/state") as (_, inbox):
        states = [json.loads(message.payload) for message in await inbox.take(1)]
        for message in (event, end_of(event)):
            await sink.alert(message, None)
            states += [json.loads(message.payload) for message in await inbox.take(1)]
    assert [state["event"] for state in states] == [None, event.event_id, None]
    assert not any(find_faults(state, load_schema("state")) for state in states)


async def test_commands_are_acknowledged_by_the_state_they_change(broker: Mosquitto, tmp_path: Path) -> None:
    async with (
        running(broker, tmp_path) as (recorder, sink, control),
        client5(broker, "spike/door/state") as (client, inbox),
    ):
        await heard_commands(client, sink)
        await inbox.take(1)
        await client.publish("spike/door/set/alerts_per_day", b"2.5", qos=1)
        [message] = await inbox.take(1)
        assert json.loads(message.payload)["alerts_per_day"] == 2.5
        await client.publish("spike/door/set/pause", b"", qos=1)
        await until(lambda: control.paused)
        await until(lambda: sink.counts.num_commands["pause"])
        saved = await recorder.run(recorder.store.load_commanded, "door")
        assert saved == {"paused": True, "alerts_per_day": 2.5}
        await client.publish("spike/door/set/resume", b"", qos=1)
        await until(lambda: sink.counts.num_commands["resume"])
        assert not control.paused
        assert sink.counts.num_commands == {"alerts_per_day": 1, "pause": 1, "resume": 1}


async def test_a_snapshot_is_answered_with_a_picture_and_without_one_with_an_error(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with (
        running(broker, tmp_path) as (_, sink, control),
        client5(broker, "spike/door/keyframe", "spike/door/error") as (client, inbox),
    ):
        await heard_commands(client, sink)
        await inbox.take(sink.counts.num_refused["unknown_command"])
        await client.publish("spike/door/set/snapshot", b"press", qos=1)
        [message] = await inbox.take(1)
        assert message.payload == b"\xff\xd8snapshot" and "event" not in user_properties(message)
        control.paused = True
        await client.publish("spike/door/set/snapshot", b"press", qos=1)
        [message] = await inbox.take(1)
        error = json.loads(message.payload)
        assert (str(message.topic), error["reason"], error["command"]) == ("spike/door/error", "no_picture", "snapshot")
        assert not find_faults(error, load_schema("error"))


async def test_feedback_goes_to_the_store_and_wakes_who_heeds_it(broker: Mosquitto, tmp_path: Path) -> None:
    event, woken = make_event(), asyncio.Event()
    async with running(broker, tmp_path) as (recorder, sink, _), client5(broker, "spike/error") as (client, inbox):
        sink.commander.on_feedback = woken.set
        await recorder.alert(event, None)
        await heard_commands(client, sink)
        await client.publish(f"spike/event/{event.event_id}/feedback", b"not_useful", qos=1)
        async with asyncio.timeout(10):
            await woken.wait()
        assert await recorder.run(recorder.store.feedback.of_event, event.event_id) is False
        await client.publish("spike/event/door-nobody/feedback", b"useful", qos=1)
        [message] = await inbox.take(1)
        assert json.loads(message.payload)["reason"] == "unknown_event"


HOSTILE = [
    ("spike/door/set/alerts_per_day", b"\xff\xfe\xfd", "not_text"),
    ("spike/door/set/alerts_per_day", b"[" * 5000, "too_long"),
    ("spike/door/set/alerts_per_day", b'{"value": 5}', "bad_value"),
    ("spike/door/set/alerts_per_day", b"nan", "bad_value"),
    ("spike/nobody/set/pause", b"", "unknown_camera"),
    ("spike/../set/pause", b"", "unknown_camera"),
    ("spike/door/set/\u202epause", b"", "unknown_command"),
    ("spike/event/..%2f..%2fdoor/feedback", b"useful", "bad_value"),
]


async def test_hostile_messages_are_counted_and_answered_and_the_next_command_is_obeyed(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with (
        running(broker, tmp_path) as (_, sink, control),
        client5(broker, "spike/+/error", "spike/error") as (client, inbox),
    ):
        await heard_commands(client, sink)
        await inbox.take(sink.counts.num_refused["unknown_command"])
        for topic, payload, reason in HOSTILE:
            before = sink.counts.num_refused[reason]
            await client.publish(topic, payload, qos=1)
            [message] = await inbox.take(1)
            error = json.loads(message.payload)
            assert not find_faults(error, load_schema("error"))
            assert error["reason"] == reason and sink.counts.num_refused[reason] == before + 1
            assert str(message.topic) in ("spike/door/error", "spike/error")
        await client.publish("spike/door/set/alerts_per_day", b"x" * 1_000_000, qos=1)  # stays in the broker
        await client.publish("spike/door/set/alerts_per_day", b"7", qos=1)
        await until(lambda: control.alerts_per_day == 7.0)
        assert sink.counts.num_connections == 1 and sink.counts.num_failures == 0


async def test_a_flood_of_commands_is_bounded_and_counted(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(broker, tmp_path) as (recorder, sink, _), client5(broker) as (client, _):
        await heard_commands(client, sink)
        refused_before = sum(sink.counts.num_refused.values())
        gate = asyncio.Event()
        run = recorder.run

        async def slow(*words: object) -> object:
            await gate.wait()
            return await run(*words)  # type: ignore[arg-type]

        sink.commander._recorder.run = slow  # type: ignore[method-assign, assignment]
        for _ in range(MAX_INCOMING + 20):
            await client.publish("spike/door/set/resume", b"", qos=1)
        await until(lambda: sink.counts.num_refused["overflow"] >= 10)
        gate.set()
        await until(
            lambda: sink.counts.num_commands["resume"] + sink.counts.num_refused["overflow"] == MAX_INCOMING + 20
        )
        assert sum(sink.counts.num_refused.values()) - refused_before == sink.counts.num_refused["overflow"]


async def test_retained_commands_are_old_ones_and_not_obeyed(broker: Mosquitto, tmp_path: Path) -> None:
    async with client5(broker) as (client, _):
        await client.publish("spike/door/set/pause", b"on", qos=1, retain=True)
        async with running(broker, tmp_path) as (_, sink, control):
            await heard_commands(client, sink)
            assert not control.paused and not sink.counts.num_commands


async def test_a_camera_that_is_gone_leaves_nothing_behind(broker: Mosquitto, tmp_path: Path) -> None:
    async with client5(broker) as (client, _):
        for topic in ("homeassistant/device/spike-yard/config", "spike/yard/state", "spike/yard/keyframe"):
            await client.publish(topic, b"old", qos=1, retain=True)
        await client.publish("homeassistant/device/spike-yard/other", b"not ours", qos=1, retain=True)
    async with running(broker, tmp_path, gone=("yard",)) as (_, sink, _):
        async with client5(broker, discovery_topic("homeassistant", sink.topics, "door")) as (_, inbox):
            await inbox.take(1)  # retained in the order of `attach`: the old ones are away by now
        async with client5(broker, "homeassistant/#", "spike/yard/#") as (_, inbox):
            topics = {str(message.topic) for message in await inbox.take(2)}
    assert topics == {"homeassistant/device/spike-yard/other", "homeassistant/device/spike-door/config"}


async def test_without_discovery_nothing_is_announced(broker: Mosquitto, tmp_path: Path) -> None:
    async with client5(broker, "#") as (_, inbox), running(broker, tmp_path, discovery_topic=None):
        topics = {str(message.topic) for message in await inbox.take(2)}
    assert topics == {"spike/status", "spike/door/state"}


async def test_the_model_in_service_is_retained_and_a_swap_replaces_it(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(broker, tmp_path) as (_, sink, _):
        sink.tell_model("nano@f57a99d5")
        async with client5(broker, "spike/model") as (_, inbox):
            [first] = await inbox.take(1)
            sink.tell_model("nano@f57a99d5+night@1a2b3c4d")
            [second] = await inbox.take(1)
        async with client5(broker, "spike/model") as (_, inbox):
            [late] = await inbox.take(1)
    told = [json.loads(message.payload) for message in (first, second, late)]
    assert [each["adapter"] for each in told] == [None, "night@1a2b3c4d", "night@1a2b3c4d"]
    assert late.retain and not any(find_faults(each, load_schema("model")) for each in told)


@pytest.fixture
def strict_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """It lets nobody publish events, and says so."""
    folder = tmp_path / "strict"
    folder.mkdir()
    rules = folder / "acl"
    rules.write_text(
        "topic readwrite spike/status\ntopic readwrite spike/door/state\ntopic readwrite homeassistant/#\n"
    )
    mosquitto = Mosquitto(folder)
    config = folder / "mosquitto.conf"
    config.write_text(config.read_text() + f"acl_file {rules}\n")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


async def test_events_that_the_broker_refuses_stay_in_the_outbox(
    strict_broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(strict_broker, tmp_path) as (recorder, sink, _):
        await recorder.alert(make_event(), None)
        await sink.alert(make_event(), None)
        await until(lambda: sink.counts.num_failures >= 2)
        assert sink.counts.num_events_published == 0
        assert await sink.stop(1.0) == 1
    assert caplog.text.count("refuses messages on spike/door/event (Not authorized); check its access rules") == 1


@pytest.fixture
def mutual_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """It wants a certificate of each client."""
    folder = tmp_path / "mutual"
    folder.mkdir()
    mosquitto = Mosquitto(folder, tls=True)
    config = folder / "mosquitto.conf"
    config.write_text(config.read_text() + "require_certificate true\n")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to the GC
async def test_a_broker_that_wants_a_certificate_gets_one(mutual_broker: Mosquitto) -> None:
    own = {"cert_file": str(mutual_broker.folder / "cert.pem"), "key_file": str(mutual_broker.folder / "key.pem")}
    await probe(mutual_broker.config(**own))
    with pytest.raises(BrokerError, match=r"mqtt\.cert_file"):
        await probe(mutual_broker.config())


async def test_a_certificate_that_cannot_be_used_is_said(mutual_broker: Mosquitto, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _, key = make_certificate(other)
    certificate = str(mutual_broker.folder / "cert.pem")
    for files in ({"cert_file": certificate, "key_file": str(key)}, {"cert_file": str(tmp_path / "none.pem")}):
        with pytest.raises(BrokerError, match=r"cannot use the certificate and key of mqtt\.cert_file"):
            await probe(mutual_broker.config(**files))


async def test_a_key_with_a_password_is_said_and_nobody_is_asked(mutual_broker: Mosquitto, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    words = f"ec -aes128 -passout pass:hunter2 -in {mutual_broker.folder / 'key.pem'} -out {locked}"
    subprocess.run([binary("openssl", "openssl"), *words.split()], check=True, capture_output=True)
    files = {"cert_file": str(mutual_broker.folder / "cert.pem"), "key_file": str(locked)}
    with pytest.raises(BrokerError, match="cannot use the certificate"):
        await probe(mutual_broker.config(**files))
