"""The process is killed in the middle of publishing: the next start delivers what is missing, and nothing is lost."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from tests.support.messages import NOON
from tests.support.mosquitto import Mosquitto

REPOSITORY = Path(__file__).parents[2]
NUM_LIVES = 3

CLIENT = """
import asyncio, sys
from pathlib import Path
from streamspike.config import MqttConfig
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from tests.support.messages import NOON, make_event, make_keyframe

async def main():
    url, path, first = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    async with Recorder(Store(path, topic="spike")) as recorder, asyncio.TaskGroup() as group:
        sink = MqttSink(MqttConfig(url=url, topic="spike"), recorder)
        group.create_task(sink.run())
        for number in range(first, first + 10_000):
            event = make_event(number)
            await recorder.alert(event, make_keyframe(event, bytes(20_000)))
            await sink.alert(event, None)
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_every_event_that_was_written_arrives_in_order_after_kills(broker: Mosquitto, tmp_path: Path) -> None:
    path = tmp_path / "spike.db"
    written: list[int] = []
    async with broker.subscribe("spike/door/event") as inbox:
        for life in range(NUM_LIVES):
            words = [f"mqtt://127.0.0.1:{broker.port}", str(path), str(life * 10_000)]
            client = subprocess.Popen(
                [sys.executable, "-c", CLIENT, *words],
                stdout=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(REPOSITORY)},
            )
            assert client.stdout is not None
            lines = [await asyncio.to_thread(client.stdout.readline) for _ in range(40)]
            client.kill()
            lines += await asyncio.to_thread(client.stdout.readlines)
            client.stdout.close()
            client.wait()
            written += [int(line) for line in lines if line.endswith("\n")]
        async with Recorder(Store(path, topic="spike"), clock=lambda: NOON) as recorder:
            sink = MqttSink(broker.config(), recorder, clock=lambda: NOON)
            num_events = int(await recorder.run(recorder.store._database.query_value, "SELECT count(*) FROM events"))
            task = asyncio.create_task(sink.run())
            async with asyncio.timeout(30):
                while await recorder.run(recorder.store.outbox.count_pending):
                    await asyncio.sleep(0.01)
            assert await sink.stop(2.0) == 0
            await task
        got: list[int] = []
        while not got or got[-1] != num_events:
            [message] = await inbox.take(1)
            got.append(json.loads(message.payload)["sequence"])
    assert num_events >= len(written) >= 40 * NUM_LIVES
    once = list(dict.fromkeys(got))
    assert once == list(range(1, num_events + 1)), "each event, in order; what came twice came again"
    assert len(got) - len(once) <= NUM_LIVES, "at most the one that was in flight at each kill"
