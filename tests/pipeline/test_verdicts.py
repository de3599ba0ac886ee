"""Verdicts move the budget of their camera once, wherever they were given."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamspike.belief.calibrate import Calibrator
from streamspike.config import EventConfig
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.verdicts import VerdictService
from tests.support.messages import NOON, make_event


class Watched:
    """Two cameras, a store with events of both, and the service between them."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.calibrators = {name: Calibrator(EventConfig(), 10.0) for name in ("door", "yard")}
        self.heeded: list[str] = []
        self.service = VerdictService(lambda: self.calibrators, recorder, self.heeded.append)

    async def say(self, number: int, camera_id: str, is_useful: bool) -> None:
        event_id = make_event(number, camera_id).event_id
        await self.recorder.run(self.recorder.store.feedback.record, event_id, is_useful, NOON)

    @property
    def budgets(self) -> dict[str, float]:
        return {name: round(each.effective_alerts_per_day, 2) for name, each in self.calibrators.items()}


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with Recorder(Store(tmp_path / "spike.db")) as recorder:
        for event in (make_event(1), make_event(2), make_event(3, "yard")):
            await recorder.alert(event, None)
        yield Watched(recorder)


async def test_each_verdict_counts_once_for_its_camera(watched: Watched) -> None:
    await watched.say(1, "door", False)
    await watched.say(2, "door", False)
    await watched.say(3, "yard", True)
    for _ in range(3):
        await watched.service.heed_all()
    assert watched.budgets == {"door": 8.19, "yard": 11.05}
    assert watched.heeded == ["door", "yard"]


async def test_a_changed_mind_counts_as_if_it_had_been_said_at_once(watched: Watched) -> None:
    await watched.say(1, "door", False)
    await watched.service.heed_all()
    await watched.say(1, "door", True)
    await watched.service.heed_all()
    assert watched.budgets["door"] == 11.05


async def test_a_restart_neither_forgets_nor_repeats_a_verdict(watched: Watched) -> None:
    await watched.say(1, "door", False)
    await watched.service.heed_all()
    again = Watched(watched.recorder)
    state = await again.recorder.run(again.recorder.store.load_threshold, "door")
    assert state is not None
    again.calibrators["door"].restore(state)
    await again.service.heed_all()
    assert again.budgets["door"] == 9.05 and again.heeded == []


async def test_what_is_said_while_it_runs_is_heeded_when_it_is_woken(watched: Watched) -> None:
    task = asyncio.create_task(watched.service.run())
    await watched.say(3, "yard", False)
    watched.service.wake()
    async with asyncio.timeout(10):
        while not watched.heeded:
            await asyncio.sleep(0.005)
    assert watched.budgets == {"door": 10.0, "yard": 9.05}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
