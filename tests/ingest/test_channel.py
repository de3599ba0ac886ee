import asyncio
import threading

import pytest

from streamspike.ingest.channel import Channel


async def test_a_full_channel_drops_the_oldest_and_says_which() -> None:
    channel: Channel[int] = Channel(2)
    assert [channel.offer(n) for n in range(4)] == [None, None, 0, 1]
    channel.close()
    assert [item async for item in channel] == [2, 3]


async def test_a_thread_that_puts_waits_for_the_consumer_and_loses_nothing() -> None:
    channel: Channel[int] = Channel(2)
    fills: list[int] = []

    def produce() -> None:
        for number in range(200):
            assert channel.put(number, threading.Event())
            fills.append(len(channel))
        channel.close()

    thread = threading.Thread(target=produce)
    thread.start()
    taken = []
    async for item in channel:
        taken.append(item)
        if item % 50 == 0:
            await asyncio.sleep(0.005)
    thread.join()
    assert taken == list(range(200))
    assert max(fills) <= 2


async def test_an_item_wakes_a_consumer_that_waits() -> None:
    channel: Channel[str] = Channel(1)
    waiting = asyncio.create_task(channel.get())
    await asyncio.sleep(0)
    threading.Thread(target=channel.offer, args=("late",)).start()
    assert await asyncio.wait_for(waiting, 2) == "late"


async def test_a_producer_gives_up_when_told() -> None:
    channel: Channel[int] = Channel(1)
    channel.offer(0)
    give_up = threading.Event()
    putting = asyncio.create_task(asyncio.to_thread(channel.put, 1, give_up))
    await asyncio.sleep(0.02)
    assert not putting.done()
    give_up.set()
    assert await asyncio.wait_for(putting, 2) is False
    assert len(channel) == 1


async def test_closing_ends_the_consumer_and_refuses_more() -> None:
    channel: Channel[int] = Channel(1)
    waiting = asyncio.create_task(channel.get())
    await asyncio.sleep(0)
    channel.close()
    channel.close()
    assert await asyncio.wait_for(waiting, 2) is None
    assert channel.offer(7) == 7
    assert channel.put(7, threading.Event()) is False


async def test_a_cancelled_get_takes_nothing() -> None:
    channel: Channel[int] = Channel(1)
    waiting = asyncio.create_task(channel.get())
    await asyncio.sleep(0)
    channel.offer(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await channel.get() == 1


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Channel(0)


async def test_it_tells_since_when_the_item_that_was_taken_last_had_waited() -> None:
    ticks = iter([1.0, 4.0, 9.0])
    channel: Channel[str] = Channel(2, lambda: next(ticks))
    assert channel.offer("a") is None and channel.offer("b") is None and channel.offer("c") == "a"
    assert [(await channel.get(), channel.put_at) for _ in range(2)] == [("b", 4.0), ("c", 9.0)]
