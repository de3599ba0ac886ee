"""Pages that listen, and those that are too slow."""

from __future__ import annotations

import asyncio

from streamspike.outputs.web.hub import Hub


async def test_a_slow_page_loses_the_oldest_and_is_told_how_many() -> None:
    hub = Hub(max_streams=2, max_queued=3)
    slow = hub.open()
    assert slow is not None
    for number in range(5):
        hub.tell("observation", str(number))
    assert (hub.counts.num_messages, hub.counts.num_dropped) == (5, 2)
    hub.tell("event", "5")  # 2 is lost as well
    messages = slow.messages()
    told = [(await anext(messages)).decode() for _ in range(5)]
    assert told[0].startswith("retry: ") and "event: hello" in told[0]
    assert told[1] == 'event: lost\ndata: {"num_messages": 3}\n\n'
    assert told[2:] == [
        "event: observation\ndata: 3\n\n",
        "event: observation\ndata: 4\n\n",
        "event: event\ndata: 5\n\n",
    ]


async def test_a_slow_page_costs_a_quick_one_nothing() -> None:
    hub = Hub(max_streams=2, max_queued=2)
    slow, quick = hub.open(), hub.open()
    assert slow is not None and quick is not None
    messages = quick.messages()
    await anext(messages)
    for number in range(9):
        hub.tell("observation", str(number))
        assert (await anext(messages)).decode().endswith(f"data: {number}\n\n")
    assert hub.counts.num_dropped == 7


async def test_silence_is_filled_with_a_heartbeat() -> None:
    hub = Hub(max_streams=1)
    stream = hub.open()
    assert stream is not None
    messages = stream.messages(heartbeat_seconds=0.001)
    await anext(messages)
    assert await anext(messages) == b": still here\n\n"


async def test_a_stream_ends_when_the_hub_closes_and_makes_room() -> None:
    hub = Hub(max_streams=1)
    stream = hub.open()
    assert stream is not None and hub.open() is None and hub.counts.num_refused == 1

    async def read() -> int:
        return len([message async for message in stream.messages()])

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    hub.close_all()
    assert await reader == 1 and hub.counts.num_streams == 0
    assert hub.open() is not None
