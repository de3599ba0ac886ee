"""Moves the budgets of cameras by what people say of their events, wherever they say it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from streamspike.belief.calibrate import Calibrator
from streamspike.outputs.recorder import Recorder

LOOK_SECONDS = 5.0
"""How often the store is asked: verdicts of other processes come without a word."""


class VerdictService:
    """Takes verdicts from the store to the calibrators, each exactly once. `run` belongs in the owner's TaskGroup."""

    def __init__(
        self,
        calibrators: Callable[[], Mapping[str, Calibrator]],
        recorder: Recorder,
        on_heeded: Callable[[str], None],
    ) -> None:
        """
        Args:
            calibrators: by camera id, as they are now.
            on_heeded: called with the camera whose budget has moved.
        """
        self._calibrators = calibrators
        self._recorder = recorder
        self._on_heeded = on_heeded
        self._given = asyncio.Event()

    def wake(self) -> None:
        """There is a new verdict in the store."""
        self._given.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._given.clear()
            await self.heed_all()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._given.wait()
            except TimeoutError:
                continue

    async def heed_all(self) -> None:
        """Heed what waits. Only one task may call it: two would heed the same verdict twice."""
        feedback = self._recorder.store.feedback
        for camera_id, calibrator in self._calibrators().items():
            verdicts = await self._recorder.run(feedback.pending, camera_id)
            if verdicts:
                calibrator.heed(sum(verdict.steps for verdict in verdicts))
                await self._recorder.run(feedback.mark_heeded, verdicts, calibrator.export())
                self._on_heeded(camera_id)
