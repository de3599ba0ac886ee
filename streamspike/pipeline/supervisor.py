"""All cameras of a run side by side, and the order in which everything ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from streamspike.belief.calibrate import Calibrator
from streamspike.clock import Clock
from streamspike.config import CameraConfig, Config
from streamspike.core import CameraState, Sink
from streamspike.errors import SourceError, StreamspikeError
from streamspike.outputs.clips import ClipArchive
from streamspike.outputs.mqtt import MqttSink
from streamspike.outputs.recorder import Recorder
from streamspike.pipeline.adapters import AdapterService
from streamspike.pipeline.camera import CameraPipeline
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.reload import Plan, Reloader, ReloadStatus, plan_reload
from streamspike.pipeline.verdicts import VerdictService
from streamspike.stats import CameraStats

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
        """Those that run; always the same list."""
        self.departed: list[tuple[int, CameraStats]] = []
        """Of cameras that were taken out or replaced while the others ran: segments scored, and what was counted."""
        self.unsent_events = 0
        """Event messages that wait in the outbox after `run`."""
        self._config = config
        self._model_scorers = config.model_scorers
        self._inference = inference
        self._recorder = recorder
        self._sinks = [recorder, *sinks, *([mqtt] if mqtt else [])]
        self._mqtt = mqtt
        self._clock = clock
        self.archive = archive
        self._stopping = False
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by camera
        self._reloader: Reloader | None = None
        self._adapters = (
            AdapterService(config, inference, recorder, clock, self._tell_model) if inference is not None else None
        )
        self._verdicts = VerdictService(self._calibrators, recorder, self._tell_budget)

    async def prepare(self) -> None:
        """Make the cameras, with what they learned and what was commanded earlier, and put on the model's adapter.

        Raises as `CameraPipeline`, and ModelError: the adapter that the config names is not there or does not fit.
        """
        if self._adapters is not None:
            await self._adapters.begin()
            self._tell_model(self._adapters.name)
        for camera in self._config.cameras:
            self.cameras.append(self._make(camera, self._config))
            await self._recall(self.cameras[-1])
        await self._attach()

    def watch_config(
        self, path: Path, load: Callable[[], Config], on_status: Callable[[ReloadStatus], None] = lambda _: None
    ) -> Reloader:
        """Have a configuration file looked after while `run` goes on; call it before. See `Reloader`."""
        self._reloader = Reloader(path, load, self.reconfigure, self._clock, on_status)
        return self._reloader

    def threshold_of(self, camera_id: str) -> float:
        """Current threshold of a camera, nats; 0.0 when there is none of that name any more."""
        return next((camera.level for camera in self.cameras if camera.camera_id == camera_id), 0.0)

    def look_again(self) -> None:
        """Read the configuration again, if a file is looked after, and look for another adapter; SIGHUP calls it."""
        if self._reloader is not None:
            self._reloader.request()
        if self._adapters is not None:
            self._adapters.wake()

    def stop(self) -> None:
        """Ask every camera to finish its segment; `run` then ends by itself."""
        self._stopping = True
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
            reloading = services.create_task(self._reload(), name="reload")
            adapting = services.create_task(self._adapt(), name="adapters")
            try:
                async with asyncio.TaskGroup() as self._group:
                    for camera in self.cameras:
                        self._start(camera)
            finally:
                reloading.cancel()
                adapting.cancel()
                pruning.cancel()
                heeding.cancel()
                for camera in self.cameras:
                    await self._save(camera)
                if self._mqtt is not None:
                    self.unsent_events = await self._mqtt.stop(FLUSH_SECONDS)
        self._raise_if_nothing_was_seen()

    async def reconfigure(self, config: Config) -> Plan:
        """Make another configuration hold, and touch no camera that it does not change. One call at a time.

        Raises:
            StreamspikeError: what it says cannot be done; nothing is changed.
        """
        if self._stopping or all(task.done() for task in self._tasks.values()):
            raise StreamspikeError("the run is about to end")
        plan = plan_reload(self._config, config, self._model_scorers)
        # All that can be wrong is found before the first camera is touched.
        fresh = {camera.id: self._make(camera, plan.config) for camera in (*plan.added, *plan.replaced)}
        adapter_changed = plan.config.model.adapter != self._config.model.adapter
        self._config = plan.config
        if adapter_changed and self._adapters is not None:
            self._adapters.reconfigure(plan.config)
        running = {camera.camera_id: camera for camera in self.cameras}
        for camera in plan.retuned:
            running[camera.id].retune(plan.config, camera)
        swaps = [
            self._group.create_task(self._swap(running.get(camera_id), fresh.get(camera_id)), name=f"swap[{camera_id}]")
            for camera_id in (*fresh, *plan.removed)
        ]
        if swaps:
            await asyncio.wait(swaps)  # what one of them raises stops the run, as whatever a camera raises
            await self._attach()
        return plan

    async def _swap(self, old: CameraPipeline | None, new: CameraPipeline | None) -> None:
        """One camera ends as at the end of a run, and then another begins."""
        if old is not None:
            old.stop()
            await asyncio.wait([self._tasks.pop(old.camera_id)])
            await self._save(old)
            self.cameras.remove(old)
            self.departed.append((old.num_scored, old.stats))
        if new is None:
            assert old is not None, "a swap has two sides"
            for sink in self._sinks:
                await sink.report_state(old.camera_id, CameraState.OFFLINE, "taken out of the configuration")
            return
        await self._recall(new)
        if not self._stopping:
            self.cameras.append(new)
            self._start(new)

    def _make(self, camera: CameraConfig, config: Config) -> CameraPipeline:
        return CameraPipeline(camera, config, self._inference, self._sinks, self._clock, None, self.archive)

    def _start(self, camera: CameraPipeline) -> None:
        name = f"camera[{camera.camera_id}]"
        self._tasks[camera.camera_id] = self._group.create_task(camera.run(), name=name)

    async def _recall(self, camera: CameraPipeline) -> None:
        """What it learned and what was commanded of it in an earlier run; whether models may learn from it is noted."""
        store = self._recorder.store
        await self._recorder.run(store.save_refine, camera.camera_id, camera.refine)
        learned = await self._recorder.run(store.load_threshold, camera.camera_id)
        if learned is not None:
            camera.events.calibrator.restore(learned)
        camera.restore_usual(*await self._recorder.run(store.load_usual, camera.camera_id))
        camera.control.restore(await self._recorder.run(store.load_commanded, camera.camera_id))

    async def _save(self, camera: CameraPipeline) -> None:
        store, state = self._recorder.store, camera.events.calibrator.export()
        await self._recorder.run(store.save_threshold, camera.camera_id, state)
        await self._recorder.run(store.save_usual, camera.camera_id, *camera.export_usual())

    async def _attach(self) -> None:
        """Tell the broker which cameras there are."""
        if self._mqtt is not None:
            controls = {camera.camera_id: camera.control for camera in self.cameras}
            known = [record.camera_id for record in await self._recorder.run(self._recorder.store.cameras)]
            self._mqtt.attach(controls, gone=[camera_id for camera_id in known if camera_id not in controls])
            self._mqtt.commander.on_feedback = self._verdicts.wake

    async def _adapt(self) -> None:
        if self._adapters is not None:
            await self._adapters.run()

    def _tell_model(self, name: str) -> None:
        if self._mqtt is not None:
            self._mqtt.tell_model(name)

    async def _reload(self) -> None:
        if self._reloader is not None:
            await self._reloader.run()

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
            for camera in list(self.cameras):
                await self._save(camera)  # a crash costs what was learned since then, not since the start

    def _raise_if_nothing_was_seen(self) -> None:
        failures = [camera.failure for camera in self.cameras if camera.failure is not None]
        if failures and not any(camera.stats.segments for camera in self.cameras):
            raise SourceError(str(failures[0]))
