"""One camera from its source to its events: read, judge, believe, measure, tell."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Mapping, Sequence
from random import Random

from streamspike.belief.events import EventTracker
from streamspike.belief.scorers import NOTHING_ASKED, Scorer, make_scorer
from streamspike.clock import Clock
from streamspike.config import MODEL_SCORERS, CameraConfig, Config
from streamspike.core import CameraState, Event, EventPhase, Frame, Keyframe, Observation, Segment, Sink
from streamspike.errors import EngineError, RequestShed, SourceError
from streamspike.ingest.channel import Channel
from streamspike.ingest.gate import Gate, Verdict
from streamspike.ingest.reader import CameraReader
from streamspike.ingest.ring import Ring
from streamspike.outputs.clips import ClipArchive
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.pipeline.camera_clips import CameraClips
from streamspike.pipeline.camera_keyframes import CameraKeyframes
from streamspike.pipeline.controls import CameraControl
from streamspike.pipeline.fallback import REASON as DEGRADED
from streamspike.pipeline.fallback import Fallback
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.moved import moved_event
from streamspike.pipeline.opener import make_opener
from streamspike.pipeline.outage import Outage
from streamspike.pipeline.shift import ShiftWatch
from streamspike.stats import CameraStats

logger = logging.getLogger(__name__)

LATEST_SECONDS = 10.0
"""Of stream time; a frame that is older than this is not what the camera sees."""


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
        self.refine = camera.refine
        self.stats = CameraStats()
        self.num_scored = 0
        self.events = EventTracker(camera.id, config.events, camera.alerts_per_day)
        if threshold_state is not None:
            self.events.calibrator.restore(threshold_state)
        self._camera = camera
        self._config = config
        self._inference = inference
        self._sinks = sinks
        self._clock = clock
        self._scorer = self._make_scorer()
        asks = config.scorer_of(camera) in MODEL_SCORERS
        self._fallback = Fallback(camera, config, self.stats) if asks else None
        self._retuned: tuple[Config, CameraConfig] | None = None
        self._shift = ShiftWatch()
        self._gate = Gate(self.stats, health=config.health)
        self._channel: Channel[Segment] = Channel(config.segment.max_queued, clock.monotonic)
        self._ring = ring = Ring(config.ingest.pre_seconds, config.ingest.ring_max_bytes, self.stats)
        opener = make_opener(camera, config.ingest, config.segment, clock, self.stats, ring)
        self._is_live = opener.is_live
        ordinary_of = camera.id if camera.refine else None
        self._clips = CameraClips(ring, archive, config.clips, is_patient=not opener.is_live, ordinary_of=ordinary_of)
        self.keyframes = CameraKeyframes(camera.id, config.keyframes, config.store.keyframe_width_px, sinks)
        self._reader = CameraReader(
            camera,
            opener.connect,
            is_live=opener.is_live,
            ingest=config.ingest,
            segment=config.segment,
            looks=config.looks_of(camera),
            channel=self._channel,
            ring=ring,
            stats=self.stats,
            clock=clock,
            random=Random(f"{config.model.seed}/{camera.id}"),  # spreads reconnects
            report=self._hear_reader,
        )
        self._reader_state = CameraState.CONNECTING
        self._outage = Outage(config.health.offline_after_seconds if opener.is_live else 0.0)
        self._verdict = Verdict(CameraState.WATCHING)
        self._reported: tuple[CameraState, str, float] | None = None
        self._changed = asyncio.Event()
        self.control = CameraControl(
            camera.id,
            lambda: [tracker.calibrator for tracker in self._trackers],
            lambda: self._camera.alerts_per_day or self._config.events.alerts_per_day,
            config.store.keyframe_width_px,
            self._changed.set,
        )
        self._scoring = False
        self._finished = False
        self._telling = asyncio.Lock()  # two tasks may have news of the same event; each sink gets them in order

    @property
    def failure(self) -> SourceError | None:
        """Why a file could not be played."""
        return self._reader.failure

    @property
    def latest_frame(self) -> Frame | None:
        """The newest frame that was sampled of this connection; None before the first."""
        frames = self._ring.frames_since(LATEST_SECONDS)
        return frames[-1] if frames else None

    @property
    def level(self) -> float:
        """What the next surprise is compared with, nats."""
        return self._tracker.calibrator.level

    def retune(self, config: Config, camera: CameraConfig) -> None:
        """Take over `events` and `belief` of a config and this camera's budget, as soon as no event goes on.

        What the thresholds learned stays. A changed `belief` begins a new window.
        """
        self._retuned = config, camera

    def export_usual(self) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
        """For `restore_usual` after a restart, beside the state of the threshold: the scorer's, and the fallback's."""
        return self._scorer.export(), None if self._fallback is None else self._fallback.export()

    def restore_usual(self, own: Mapping[str, object] | None, fallback: Mapping[str, object] | None) -> None:
        """Continue from an `export_usual`, before `run`. Raises ValueError: it is none."""
        if own is not None:
            self._scorer.restore(own)
        if fallback is not None and self._fallback is not None:
            self._fallback.restore(fallback)

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
        if self.control.paused:
            self.stats.dropped_segments["paused"] += 1
            self._clips.hide(segment)
            self._scorer.skip(segment)
            return
        self.control.see(segment.frames[-1])
        self._take_over()
        await self._judge(segment)
        tracker = self._tracker
        observation = await self._observe(segment)
        if tracker is not self._tracker:
            await self._end_event()  # of whoever had its say until now: the other one has seen nothing of it
            self._changed.set()
        if observation is None:
            return
        self.num_scored += 1
        observation = self._tracker.weigh(observation)
        for sink in self._sinks:
            await sink.observe(observation)
        async with self._telling:
            await self._tell_event(self._tracker.update(observation), segment)
        await self.keyframes.offer(segment, observation)
        if self._tracker is self.events:
            await self._heed_swap(observation)

    async def _heed_swap(self, observation: Observation) -> None:
        """Learn again when the model is another one and is surprised in another way; see `shift.py`."""
        shift = self._shift.note(observation)
        if shift is None:
            return
        logger.warning("camera %s: %s", self.camera_id, shift.sentence)
        if shift.relearn:
            await self._end_event()
            shift.teach(self.events.calibrator)
            self._changed.set()

    async def _judge(self, segment: Segment) -> None:
        self._verdict = await asyncio.to_thread(self._gate.judge, segment)
        self._changed.set()
        if self._verdict.moved_at is not None:
            await self._start_anew(segment, self._verdict.moved_at)

    async def _start_anew(self, segment: Segment, moved_at: float) -> None:
        """The camera looks at something else: what was expected and what was usual is of no use any more."""
        await self._end_event()
        self.events.calibrator.reset()
        if self._fallback is not None:
            self._fallback.start_anew()
        self._scorer = self._make_scorer()
        logger.warning("camera %s: it was moved, and learns again", self.camera_id)
        async with self._telling:
            for event in moved_event(segment, moved_at):
                await self._tell_event(event, segment)

    async def _observe(self, segment: Segment) -> Observation | None:
        """None when the segment was left out."""
        if self._fallback is None:
            return await asyncio.to_thread(self._scorer.observe, segment, NOTHING_ASKED)
        plain = await asyncio.to_thread(self._fallback.watch, segment)
        observation = await self._ask(segment, self._fallback)
        if not self._fallback.active:
            self._fallback.learn(plain)
        elif observation is None:
            self.stats.degraded_segments += 1
            return plain
        return observation

    async def _ask(self, segment: Segment, fallback: Fallback) -> Observation | None:
        """By the model; None when it has no answer."""
        request = self._scorer.request(segment)
        assert request is not None and self._inference is not None, "whoever asks a model gives the pipeline one"
        if not fallback.asks_model(segment.started_at):
            self._scorer.skip(segment)
            return None
        if self._verdict.state is CameraState.STILL and self._is_live and len(self._channel) > 0:
            # Behind, and nothing moves: of all segments this is the one that costs least to leave out. A file is never
            # behind.
            self._leave_out(segment, "still")
            return None
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
            fallback.hear_failure(error, segment.started_at)
            self._leave_out(segment, "engine_failed")
            return None
        fallback.hear_answer()
        return self._scorer.observe(segment, assessment)

    def _leave_out(self, segment: Segment, reason: str) -> None:
        """Counted, unless motion alone is scored instead, and remembered as seen."""
        if self._fallback is None or not self._fallback.active:
            self.stats.dropped_segments[reason] += 1
        self._scorer.skip(segment)

    async def _end_event_unseen(self) -> None:
        """No event goes on behind a covered lens, a lost connection or in a pause, once what was seen is scored."""
        lost = self._reader_state is CameraState.OFFLINE and not len(
            self._channel
        )  # known before what was read is scored
        blind = self._verdict.state is CameraState.BLIND
        if not self._scoring and (lost or blind or self.control.paused):
            await self._end_event()
            if lost or self.control.paused:
                await self._clips.finish("connection" if lost else "paused")

    async def _end_event(self) -> None:
        async with self._telling:
            for tracker in self._trackers:
                await self._tell_event(tracker.close(self._clock.now()), None)

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
            surprise_nats=event.surprise_nats,
            saw=event.saw,
        )

    def _hear_reader(self, state: CameraState, reason: str) -> None:
        self._reader_state = state
        self._outage.hear(state, reason, self._clock.monotonic())
        self._changed.set()

    async def _report_states(self) -> None:
        """Tell the sinks of each change, of the budget too; several changes at once are told as the last one."""
        while not self._finished:
            await self._report_state()
            await self._end_event_unseen()
            due_seconds = self._outage.due_seconds(self._clock.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(due_seconds) else due_seconds):
                    await self._changed.wait()
            self._changed.clear()

    async def _report_state(self) -> None:
        state, reason = self.control.state(self._state())
        self.stats.state = state.value  # the reader writes it too, and knows less
        current = state, reason, self.control.alerts_per_day
        if current == self._reported:
            return
        self._reported = current
        for sink in self._sinks:
            await sink.report_state(self.camera_id, state, reason)

    def _state(self) -> tuple[CameraState, str]:
        """What a user should know first: no connection, then no sight, then no experience, then nothing to see."""
        state, reason = self._outage.told(self._clock.monotonic())
        if state is not CameraState.WATCHING:
            return state, reason
        if self._verdict.state in (CameraState.BLIND, CameraState.MOVED):
            return self._verdict.state, self._verdict.reason
        reason = DEGRADED if self.stats.degraded else ""
        if self._tracker.calibrator.learning:
            return CameraState.LEARNING, reason
        return self._verdict.state, reason

    @property
    def _tracker(self) -> EventTracker:
        """Of the score that counts now."""
        return self._trackers[-1] if self._fallback is not None and self._fallback.active else self.events

    @property
    def _trackers(self) -> list[EventTracker]:
        return [self.events] if self._fallback is None else [self.events, self._fallback.events]

    def _make_scorer(self) -> Scorer:
        model_name = self._inference.name if self._inference is not None else ""
        return make_scorer(self._camera, self._config, model_name, lambda: self.events.event is not None)

    def _take_over(self) -> None:
        """What `retune` brought, between two events."""
        if self._retuned is None or any(tracker.event is not None for tracker in self._trackers):
            return
        before, (self._config, self._camera) = self._config, self._retuned
        self._retuned = None
        self.events = _retuned(self.events, self._config, self._camera)
        if self._fallback is not None:
            self._fallback.events = _retuned(self._fallback.events, self._config, self._camera)
        self.control.renew()
        if self._config.belief != before.belief:
            usual = self._scorer.export()
            self._scorer = self._make_scorer()
            if usual is not None:
                self._scorer.restore(usual)


def _retuned(tracker: EventTracker, config: Config, camera: CameraConfig) -> EventTracker:
    """The same with other settings, and with all it learned and counted."""
    successor = EventTracker(camera.id, config.events, camera.alerts_per_day)
    successor.calibrator.restore(tracker.calibrator.export())
    successor.counts = tracker.counts
    return successor
