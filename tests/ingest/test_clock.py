import asyncio
import time

import pytest

from streamspike.clock import Clock, ManualClock, SystemClock


async def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(started_at=100.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 0.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1.0)


async def test_sleepers_wake_in_order_and_chains_of_sleeps_work_out() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def tick(name: str, seconds: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(seconds)
            woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(tick("slow", 3.0, 1))
        tasks.create_task(tick("fast", 2.0, 2))
        await clock.run_for(10.0)
    assert woken == [("fast", 2.0), ("slow", 3.0), ("fast", 4.0)]
    assert clock.monotonic() == 10.0


async def test_a_cancelled_sleeper_is_left_alone() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    clock.advance(2.0)
    assert task.cancelled()


async def test_the_system_clock_is_the_machines() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
    assert abs(clock.now() - time.time()) < 1.0
