"""All cameras of a run side by side, and the order in which everything ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamspike.belief.calibrate import Calibrator
from streamspike.clock import Clock
from streamspike.config import Config
from streamspike.core import Sink
from streamspike.errors import SourceError
from streamspike.outputs.clips import ClipArchive
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.verdicts import VerdictService

FLUSH_SECONDS = 5.0
"""How long the end of a run waits for the broker; what is left stays in the outbox for the next start."""
PRUNE_SECONDS = 3600.0


class Supervisor:
    """Runs the cameras of a config. An error that is no SourceError ends them all: a bug is not a bad camera."""

    def __init__(
        self,
        config: Config,
        inference: InferenceService | None,
        recorder: Recorder,
        sinks: Sequence[Sink],
        mqtt: MqttSink | None,
        clock: Clock,
        archive: ClipArchive | None = None,
    ) -> None:
        """
        Args:
            inference: None when no camera's scorer asks a model.
            archive: where clips go; None for no clips.
        """
        self.cameras: list[CameraPipeline] = []
        self.unsent_events = 0
        """Event messages that wait in the outbox after `run`."""
        self._config = config
        self._inference = inference
        self._recorder = recorder
        self._sinks = [recorder, *sinks, *([mqtt] if mqtt else [])]
        self._mqtt = mqtt
        self._clock = clock
        self.archive = archive
        self._verdicts = VerdictService(self._calibrators, recorder, self._tell_budget)

    async def prepare(self) -> None:
        """Make the cameras, with what they learned and what was commanded earlier. Raises as `CameraPipeline`."""
        store = self._recorder.store
        for camera in self._config.cameras:
            learned = await self._recorder.run(store.load_threshold, camera.id)
            self.cameras.append(
                CameraPipeline(camera, self._config, self._inference, self._sinks, self._clock, learned, self.archive)
            )
            self.cameras[-1].control.restore(await self._recorder.run(store.load_commanded, camera.id))
        if self._mqtt is not None:
            controls = {camera.camera_id: camera.control for camera in self.cameras}
            known = [record.camera_id for record in await self._recorder.run(store.cameras)]
            self._mqtt.attach(controls, gone=[camera_id for camera_id in known if camera_id not in controls])
            self._mqtt.commander.on_feedback = self._verdicts.wake

    def threshold_of(self, camera_id: str) -> float:
        """Current threshold of a camera, nats."""
        return next(camera.events.calibrator.level for camera in self.cameras if camera.camera_id == camera_id)

    def stop(self) -> None:
        """Ask every camera to finish its segment; `run` then ends by itself."""
        for camera in self.cameras:
            camera.stop()

    async def run(self) -> None:
        """Until every file is played, or `stop`. Events go to the store, then to the broker, then the run is over.

        Raises:
            SourceError: a file could not be played and no camera scored anything.
        """
        async with asyncio.TaskGroup() as services:
            if self._mqtt is not None:
                services.create_task(self._mqtt.run(), name="mqtt")
            pruning = services.create_task(self._prune(), name="retention")
            heeding = services.create_task(self._verdicts.run(), name="verdicts")
            for end in await self._recorder.end_abandoned():
                for sink in self._sinks[1:]:
                    await sink.alert(end, None)
            try:
                async with asyncio.TaskGroup() as group:
                    for camera in self.cameras:
                        group.create_task(camera.run(), name=f"camera[{camera.camera_id}]")
            finally:
                pruning.cancel()
                heeding.cancel()
                for camera in self.cameras:
                    state = camera.events.calibrator.export()
                    await self._recorder.run(self._recorder.store.save_threshold, camera.camera_id, state)
                if self._mqtt is not None:
                    self.unsent_events = await self._mqtt.stop(FLUSH_SECONDS)
        self._raise_if_nothing_was_seen()

    def _calibrators(self) -> dict[str, Calibrator]:
        return {camera.camera_id: camera.events.calibrator for camera in self.cameras}

    def _tell_budget(self, camera_id: str) -> None:
        if self._mqtt is not None:
            self._mqtt.refresh(camera_id)

    async def _prune(self) -> None:
        while True:
            await self._recorder.prune(self._config.store.keep_days)
            if self.archive is not None:
                await self.archive.make_room()
            await self._clock.sleep(PRUNE_SECONDS)

    def _raise_if_nothing_was_seen(self) -> None:
        failures = [camera.failure for camera in self.cameras if camera.failure is not None]
        if failures and not any(camera.stats.segments for camera in self.cameras):
            raise SourceError(str(failures[0]))
