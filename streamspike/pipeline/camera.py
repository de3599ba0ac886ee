"""One camera from its source to its events: read, judge, believe, measure, tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random

from streamspike.belief.events import EventTracker
from streamspike.belief.scorers import NOTHING_ASKED, make_scorer
from streamspike.clock import Clock
from streamspike.config import CameraConfig, Config
from streamspike.core import CameraState, Event, EventPhase, Keyframe, Observation, Segment, Sink
from streamspike.errors import EngineError, RequestShed, SourceError
from streamspike.ingest.channel import Channel
from streamspike.ingest.gate import Gate, Verdict
from streamspike.ingest.reader import CameraReader
from streamspike.ingest.ring import Ring
from streamspike.outputs.clips import ClipArchive
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.pipeline.camera_clips import CameraClips
from streamspike.pipeline.camera_keyframes import CameraKeyframes
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.opener import make_opener
from streamspike.stats import CameraStats

logger = logging.getLogger(__name__)


class CameraPipeline:
    """Everything one camera owns. `run` ends when a file was played, or after `stop`; live cameras go on for ever."""

    def __init__(
        self,
        camera: CameraConfig,
        config: Config,
        inference: InferenceService | None,
        sinks: Sequence[Sink],
        clock: Clock,
        threshold_state: dict[str, object] | None = None,
        archive: ClipArchive | None = None,
    ) -> None:
        """
        Args:
            inference: None only for a scorer that asks no model.
            sinks: told of everything, in this order; the store comes first, so that nothing is published unwritten.
            threshold_state: what the threshold had learned in an earlier run.
            archive: where clips go; None for no clips.

        Raises:
            SourceError, WorldError: the address of the camera is wrong.
            ConfigError: its scorer is only for finished videos.
        """
        self.camera_id = camera.id
        self.stats = CameraStats()
        self.num_scored = 0
        self.events = EventTracker(camera.id, config.events, camera.alerts_per_day)
        if threshold_state is not None:
            self.events.calibrator.restore(threshold_state)
        self._config = config
        self._inference = inference
        self._sinks = sinks
        self._clock = clock
        model_name = inference.name if inference is not None else ""
        self._scorer = make_scorer(camera, config, model_name, lambda: self.events.event is not None)
        self._gate = Gate(self.stats, health=config.health)
        self._channel: Channel[Segment] = Channel(config.segment.max_queued, clock.monotonic)
        ring = Ring(config.ingest.pre_seconds, config.ingest.ring_max_bytes, self.stats)
        opener = make_opener(camera, config.ingest, config.segment, clock, self.stats, ring)
        self._is_live = opener.is_live
        self._clips = CameraClips(ring, archive, config.clips, is_patient=not opener.is_live)
        self.keyframes = CameraKeyframes(camera.id, config.keyframes, config.store.keyframe_width_px, sinks)
        self._reader = CameraReader(
            camera,
            opener.connect,
            is_live=opener.is_live,
            ingest=config.ingest,
            segment=config.segment,
            channel=self._channel,
            ring=ring,
            stats=self.stats,
            clock=clock,
            random=Random(f"{config.model.seed}/{camera.id}"),  # spreads reconnects
            report=self._hear_reader,
        )
        self._reader_state = (CameraState.CONNECTING, "")
        self._verdict = Verdict(CameraState.WATCHING)
        self._reported: tuple[CameraState, str] | None = None
        self._changed = asyncio.Event()
        self._scoring = False
        self._finished = False
        self._failed_before = False
        self._telling = asyncio.Lock()  # two tasks may have news of the same event; each sink gets them in order

    @property
    def failure(self) -> SourceError | None:
        """Why a file could not be played."""
        return self._reader.failure

    def stop(self) -> None:
        """End after the segment that is being read; what was read before is still scored."""
        self._reader.stop()

    async def run(self) -> None:
        """Read and score until the end; the last event is ended, the last state reported."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reader.run(), name=f"camera[{self.camera_id}].ingest")
            group.create_task(self._report_states(), name=f"camera[{self.camera_id}].state")
            group.create_task(self._clips.run(), name=f"camera[{self.camera_id}].clips")
            await self._score_segments()
            self._clips.stop()
            # Asked to end and not cancelled: half of the sinks would have heard the news it is telling.
            self._finished = True
            self._changed.set()
        await self._end_event()
        await self._clips.finish("end")
        await self.keyframes.finish()
        await self._report_state()

    async def _score_segments(self) -> None:
        async for segment in self._channel:
            self.stats.queued_segments = len(self._channel)
            self._scoring = True
            await self._score(segment)
            await self._clips.follow(segment)
            self._scoring = False
            await self._end_event_unseen()

    async def _score(self, segment: Segment) -> None:
        self._judge(segment)
        observation = await self._observe(segment)
        if observation is None:
            return
        self.num_scored += 1
        observation = self.events.weigh(observation)
        for sink in self._sinks:
            await sink.observe(observation)
        async with self._telling:
            await self._tell_event(self.events.update(observation), segment)
        await self.keyframes.offer(segment, observation)

    def _judge(self, segment: Segment) -> None:
        self._verdict = self._gate.judge(segment)
        self._changed.set()

    async def _observe(self, segment: Segment) -> Observation | None:
        """None when the segment was left out."""
        request = self._scorer.request(segment)
        if request is None:
            return await asyncio.to_thread(self._scorer.observe, segment, NOTHING_ASKED)
        if self._verdict.state is CameraState.STILL and len(self._channel) > 0:
            # Behind, and nothing moves: of all segments this is the one that costs least to leave out.
            self._leave_out(segment, "still")
            return None
        assert self._inference is not None, "whoever asks a model gives the pipeline one"
        priority = 1 if self.events.event is not None else 0
        try:
            # A file waits for the model, and none of its footage may be lost.
            assessment = await self._inference.assess(
                request, priority, self._channel.put_at, patient=not self._is_live
            )
        except RequestShed:
            self._leave_out(segment, "skipped")  # not logged: with too many cameras it never ends
            return None
        except EngineError as error:
            if not self._failed_before:
                logger.error("camera %s: segments go unscored: %s", self.camera_id, error)
            self._failed_before = True
            self._leave_out(segment, "engine_failed")
            return None
        self._failed_before = False
        return self._scorer.observe(segment, assessment)

    def _leave_out(self, segment: Segment, reason: str) -> None:
        """Counted, and remembered as seen."""
        self.stats.dropped_segments[reason] += 1
        self._scorer.skip(segment)

    async def _end_event_unseen(self) -> None:
        """An event does not go on behind a covered lens or a lost connection, once what was seen is scored."""
        state = self._state()[0]
        lost = state is CameraState.OFFLINE and not len(self._channel)  # known before what was read is scored
        if not self._scoring and (lost or state is CameraState.BLIND):
            await self._end_event()
            if lost:
                await self._clips.finish("connection")

    async def _end_event(self) -> None:
        async with self._telling:
            await self._tell_event(self.events.close(self._clock.now()), None)

    async def _tell_event(self, event: Event | None, segment: Segment | None) -> None:
        if event is None:
            return
        keyframe = self._choose_keyframe(event, segment) if segment is not None else None
        for sink in self._sinks:
            await sink.alert(event, keyframe)
        await self._clips.hear(event, segment)

    def _choose_keyframe(self, event: Event, segment: Segment) -> Keyframe | None:
        """The newest frame of a segment that is the peak so far; the end of an event brings no new one."""
        if event.phase is EventPhase.END:
            return None
        frame = segment.frames[-1]
        return encode_keyframe(
            frame.pixels,
            camera_id=self.camera_id,
            event_id=event.event_id,
            index=event.revision,
            taken_at=frame.arrived_at,
            max_width_px=self._config.store.keyframe_width_px,
        )

    def _hear_reader(self, state: CameraState, reason: str) -> None:
        self._reader_state = (state, reason)
        self._changed.set()

    async def _report_states(self) -> None:
        """Tell the sinks of each change; several changes at once are told as the last one."""
        while not self._finished:
            await self._report_state()
            await self._end_event_unseen()
            await self._changed.wait()
            self._changed.clear()

    async def _report_state(self) -> None:
        current = self._state()
        self.stats.state = current[0].value  # the reader writes it too, and knows less
        if current == self._reported:
            return
        self._reported = current
        for sink in self._sinks:
            await sink.report_state(self.camera_id, *current)

    def _state(self) -> tuple[CameraState, str]:
        """What a user should know first: no connection, then no sight, then no experience, then nothing to see."""
        state, reason = self._reader_state
        if state is not CameraState.WATCHING:
            return state, reason
        if self._verdict.state in (CameraState.BLIND, CameraState.MOVED):
            return self._verdict.state, self._verdict.reason
        if self.events.calibrator.learning:
            return CameraState.LEARNING, ""
        return self._verdict.state, self._verdict.reason
