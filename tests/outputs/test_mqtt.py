import asyncio
import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamspike.config import MqttConfig
from streamspike.core import CameraState
from streamspike.errors import BrokerError
from streamspike.outputs.broker import parse_address, probe
from streamspike.outputs.mailbox import MAX_NEWS
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from tests.support.messages import NOON, end_of, make_event, make_observation
from tests.support.mosquitto import Mosquitto
from tests.support.servers import free_port

REPOSITORY = Path(__file__).parents[2]


@asynccontextmanager
async def running(config: MqttConfig, folder: Path) -> AsyncIterator[tuple[Recorder, MqttSink]]:
    """A recorder and a sink that publishes, as the app wires them."""
    async with Recorder(Store(folder / "spike.db", topic=config.topic), clock=lambda: NOON) as recorder:
        sink = MqttSink(config, recorder, clock=lambda: NOON)
        task = asyncio.create_task(sink.run())
        try:
            yield recorder, sink
        finally:
            await sink.stop(2.0)
            await task


async def until_connected(sink: MqttSink, wanted: bool = True) -> None:
    async with asyncio.timeout(10):
        while sink.counts.connected != wanted:
            await asyncio.sleep(0.005)


def ids(payloads: list[bytes]) -> list[tuple[str, int]]:
    return [(message["id"], message["sequence"]) for message in map(json.loads, payloads)]


async def test_event_reaches_a_subscriber_and_leaves_the_outbox(broker: Mosquitto, tmp_path: Path) -> None:
    async with broker.subscribe("spike/+/event") as inbox, running(broker.config(), tmp_path) as (recorder, sink):
        await recorder.alert(make_event(), None)
        await sink.alert(make_event(), None)
        [message] = await inbox.take(1)
        assert json.loads(message.payload)["sentence"].endswith("saw: the gate falls over")
        assert (str(message.topic), message.qos, message.retain) == ("spike/door/event", 1, False)
        assert await sink.stop(2.0) == 0
        assert sink.counts.num_events_published == 1


async def test_events_of_a_dead_broker_arrive_after_its_restart_in_order(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(broker.config(), tmp_path) as (recorder, sink):
        async with broker.subscribe("spike/status") as inbox:
            await inbox.take(1)  # from here on the publisher rests: only the reader can notice the loss
        broker.kill()
        await until_connected(sink, wanted=False)
        written = [make_event(number, camera) for number in range(20) for camera in ("door", "yard")]
        for event in written:
            for revision in (event, end_of(event)):
                await recorder.alert(revision, None)
                await sink.alert(revision, None)
        assert await recorder.run(recorder.store.outbox.count_pending) == 80
        broker.start()
        async with broker.subscribe("spike/+/event") as inbox:
            messages = [json.loads(message.payload) for message in await inbox.take(80)]
    for camera in ("door", "yard"):
        mine = [message for message in messages if message["camera"] == camera]
        assert [message["sequence"] for message in mine] == list(range(1, 41))
        assert [message["phase"] for message in mine] == ["start", "end"] * 20


async def test_events_published_while_the_broker_is_killed_again_and_again_all_arrive(
    broker: Mosquitto, tmp_path: Path
) -> None:
    config = broker.config(timeout_seconds=0.5)
    seen: list[tuple[str, int]] = []

    async def listen() -> None:
        while True:
            with contextlib.suppress(Exception):  # the subscriber loses the broker as well
                async with broker.subscribe("spike/door/event") as inbox:
                    while True:
                        [message] = await inbox.take(1, seconds=60)
                        seen.extend(ids([message.payload]))
            await asyncio.sleep(0.005)

    listener = asyncio.create_task(listen())
    async with running(config, tmp_path) as (recorder, sink):
        for number in range(60):
            await recorder.alert(make_event(number), None)
            await sink.alert(make_event(number), None)
            if number % 20 == 10:
                broker.kill()
                await asyncio.sleep(0.02)
                broker.start()
            await asyncio.sleep(0.002)
        async with asyncio.timeout(10):
            while await recorder.run(recorder.store.outbox.count_pending):
                await asyncio.sleep(0.01)
        assert sink.counts.num_connections >= 2
        # The broker acknowledged each of them; the order in which it did is the order of the outbox.
        rows = await recorder.run(recorder.store._database.query, "SELECT sequence FROM outbox ORDER BY id")
        assert [row[0] for row in rows] == list(range(1, 61))
        assert sink.counts.num_events_published == 60
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    sequences = [sequence for _, sequence in seen]
    assert list(dict.fromkeys(sequences)) == sorted(set(sequences)) and sequences[-1] == 60


async def test_events_left_in_the_outbox_are_delivered_by_the_next_start(broker: Mosquitto, tmp_path: Path) -> None:
    broker.kill()
    async with running(broker.config(), tmp_path) as (recorder, sink):
        await recorder.alert(make_event(1), None)
        assert await sink.stop(0.5) == 1
    broker.start()
    async with broker.subscribe("spike/door/event") as inbox, running(broker.config(), tmp_path):
        [message] = await inbox.take(1)
    assert json.loads(message.payload)["id"] == make_event(1).event_id


async def test_status_and_states_are_retained_and_come_back_with_a_forgetful_broker(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with running(broker.config(), tmp_path) as (_, sink):
        await sink.report_state("door", CameraState.CONNECTING, "")
        await sink.report_state("door", CameraState.WATCHING, "all is well")
        async with broker.subscribe("spike/#") as inbox:
            await inbox.take(2)
        broker.kill()
        await until_connected(sink, wanted=False)
        broker.start()
        async with broker.subscribe("spike/#") as inbox:
            got = {str(message.topic): message for message in await inbox.take(2)}
        assert got["spike/status"].payload == b"online"
        assert json.loads(got["spike/door/state"].payload)["state"] == "watching"


async def test_states_are_retained_for_who_comes_later(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(broker.config(), tmp_path) as (_, sink):
        await sink.report_state("door", CameraState.BLIND, "the lens is covered")
        async with broker.subscribe("spike/door/state") as early:
            await early.take(1)
        async with broker.subscribe("spike/door/state") as late:
            [message] = await late.take(1)
        assert message.retain and json.loads(message.payload)["reason"] == "the lens is covered"


async def test_clean_stop_says_offline_after_the_last_event(broker: Mosquitto, tmp_path: Path) -> None:
    async with broker.subscribe("spike/#") as inbox:
        async with running(broker.config(), tmp_path) as (recorder, sink):
            await until_connected(sink)
            for number in range(5):
                await recorder.alert(make_event(number), None)
        topics = [str(message.topic) for message in await inbox.take(7)]
    assert topics == ["spike/status", *["spike/door/event"] * 5, "spike/status"]
    async with broker.subscribe("spike/status") as inbox:
        [message] = await inbox.take(1)
        assert message.payload == b"offline" and message.retain


async def test_cancelled_sink_says_offline_too(broker: Mosquitto, tmp_path: Path) -> None:
    async with Recorder(Store(tmp_path / "spike.db", topic="spike")) as recorder:
        sink = MqttSink(broker.config(), recorder)
        task = asyncio.create_task(sink.run())
        async with broker.subscribe("spike/status") as inbox:
            assert await inbox.take_until("online") == ["online"]
            task.cancel()
            assert await inbox.take_until("offline") == ["offline"]
        with pytest.raises(asyncio.CancelledError):
            await task


CLIENT = """
import asyncio, sys
from pathlib import Path
from streamspike.config import MqttConfig
from streamspike.outputs.mailbox import MAX_NEWS
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
async def main():
    async with Recorder(Store(Path(sys.argv[2]), topic="spike")) as recorder:
        await MqttSink(MqttConfig(url=sys.argv[1], topic="spike"), recorder).run()
asyncio.run(main())
"""


@pytest.mark.slow
async def test_last_will_of_a_killed_client_says_offline(broker: Mosquitto, tmp_path: Path) -> None:
    async with broker.subscribe("spike/status") as inbox:
        url = f"mqtt://127.0.0.1:{broker.port}"
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, url, str(tmp_path / "spike.db")], env={"PYTHONPATH": str(REPOSITORY)}
        )
        try:
            assert await inbox.take_until("online", seconds=30) == ["online"]
            client.send_signal(signal.SIGKILL)
            assert await inbox.take_until("offline") == ["offline"]
        finally:
            client.kill()
            client.wait()


async def test_surprise_is_published_per_segment_and_dropped_with_a_count_while_offline(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with broker.subscribe("spike/door/surprise") as inbox, running(broker.config(), tmp_path) as (_, sink):
        await sink.observe(make_observation(0))
        assert sink.counts.num_surprises_dropped == 1  # not connected yet
        await until_connected(sink)
        for index in range(1, 4):
            await sink.observe(make_observation(index))
        assert [json.loads(message.payload)["index"] for message in await inbox.take(3)] == [1, 2, 3]
        assert sink.counts.num_surprises_published == 3


async def test_surprises_that_pile_up_drop_the_oldest(broker: Mosquitto, tmp_path: Path) -> None:
    async with broker.subscribe("spike/door/surprise") as inbox, running(broker.config(), tmp_path) as (_, sink):
        await until_connected(sink)
        for index in range(MAX_NEWS + 10):  # without yielding to the publisher
            await sink.observe(make_observation(index))
        assert sink.counts.num_surprises_dropped == 10
        [first] = await inbox.take(1)
        assert json.loads(first.payload)["index"] == 10


@pytest.mark.slow
async def test_frozen_broker_cannot_hold_up_the_shutdown(broker: Mosquitto, tmp_path: Path) -> None:
    async with running(broker.config(timeout_seconds=60.0), tmp_path) as (recorder, sink):
        await until_connected(sink)
        await asyncio.sleep(0.05)
        broker.freeze()
        await recorder.alert(make_event(), None)
        await sink.alert(make_event(), None)
        began = time.monotonic()
        assert await sink.stop(0.2) == 1
        assert time.monotonic() - began < 10
        broker.thaw()


async def test_wrong_password_is_one_sentence_without_the_password(
    guarded_broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = guarded_broker.config(url=f"mqtt://spike:wr0ng-pass@127.0.0.1:{guarded_broker.port}")
    with pytest.raises(BrokerError, match="refuses the user 'spike'; check") as caught:
        await probe(wrong)
    async with running(wrong, tmp_path) as (recorder, sink):
        await recorder.alert(make_event(), None)
        async with asyncio.timeout(10):
            while sink.counts.num_failures < 2:
                await asyncio.sleep(0.01)
        assert await sink.stop(1.0) == 1
    assert caplog.text.count("refuses the user") == 1  # not at every attempt
    for text in (str(caught.value), "".join(traceback.format_exception(caught.value)), caplog.text, repr(wrong)):
        assert "wr0ng-pass" not in text


async def test_right_password_from_a_file(guarded_broker: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret-w0rd\n")
    config = guarded_broker.config(
        url=f"mqtt://127.0.0.1:{guarded_broker.port}", username="spike", password_file=str(tmp_path / "password")
    )
    await probe(config)
    await probe(guarded_broker.config())


async def test_login_that_is_missing_is_said(guarded_broker: Mosquitto) -> None:
    with pytest.raises(BrokerError, match="refuses a login without a user name"):
        await probe(guarded_broker.config(url=f"mqtt://127.0.0.1:{guarded_broker.port}"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to the GC
async def test_tls_broker_is_reached_with_its_authority_and_refused_without(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path, tls=True)
    mosquitto.start()
    try:
        await probe(mosquitto.config())
        with pytest.raises(BrokerError, match=r"is not trusted; give its authority in mqtt\.ca_file"):
            await probe(mosquitto.config(ca_file=None))
    finally:
        mosquitto.stop()


async def test_nobody_listening_is_said() -> None:
    with pytest.raises(BrokerError, match=r"nothing listens at mqtt://127\.0\.0\.1"):
        await probe(MqttConfig.model_validate({"url": f"mqtt://127.0.0.1:{free_port()}"}))


async def test_port_that_never_answers_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = {"url": f"mqtt://127.0.0.1:{server.getsockname()[1]}", "timeout_seconds": 0.1}
        with pytest.raises(BrokerError, match="does not answer"):
            await probe(MqttConfig.model_validate(config))


@pytest.mark.parametrize(
    "url", [None, "http://broker", "mqtt://", "mqtt://u:hunter2@host:notaport", "mqtt://[u:hunter2"]
)
def test_bad_address_is_said_without_quoting_it(url: str | None) -> None:
    with pytest.raises(BrokerError) as caught:
        parse_address(MqttConfig.model_validate({"url": url}))
    assert "mqtt://" in str(caught.value) and "hunter2" not in str(caught.value)


def test_address_knows_its_default_ports_and_decodes_the_login() -> None:
    address = parse_address(MqttConfig.model_validate({"url": "mqtts://me:p%40ss@host"}))
    assert (address.host, address.port, address.tls) == ("host", 8883, True)
    assert (address.username, address.password) == ("me", "p@ss")
    assert "p@ss" not in repr(address) + str(address)
