"""A finished video, scored as fast as it goes: the same steps as live, one by one, and the same numbers each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamspike.belief.events import EventTracker
from streamspike.belief.tracker import BeliefTracker
from streamspike.clock import ManualClock
from streamspike.config import CameraConfig, Config
from streamspike.core import Engine, Event, EventPhase, Keyframe, Observation, Segment
from streamspike.errors import SourceError
from streamspike.ingest.frames import FrameSource
from streamspike.ingest.ring import Ring
from streamspike.ingest.segmenter import Segmenter
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.pipeline.opener import make_opener
from streamspike.stats import CameraStats

_NO_END = "this source never ends, so it cannot be scored as a whole: watch it, or give a simulated camera &seconds=60"


@dataclass(frozen=True, slots=True)
class Scored:
    """One segment of a video, with the event message it gave rise to."""

    observation: Observation
    threshold_nats: float
    event: Event | None
    keyframe: Keyframe | None


class VideoScorer:
    """Scores one video. Blocking; UTC starts at 0, so that ids and results depend on the video and the seed alone."""

    def __init__(self, camera: CameraConfig, config: Config, engine: Engine) -> None:
        self.stats = CameraStats()
        self._camera = camera
        self._config = config
        self._engine = engine
        self._beliefs = BeliefTracker(camera.id, config.belief, engine.name, config.model.seed)
        self._events = EventTracker(camera.id, config.events)

    def run(self) -> Iterator[Scored]:
        """Every segment in order, without gaps.

        Raises:
            SourceError: missing, empty, not a video, or a stream that never ends.
            EngineError: the model failed.
        """
        clock = ManualClock(0.0)
        ring = Ring(0.0, 1 << 20, self.stats)
        opener = make_opener(self._camera, self._config.ingest, self._config.segment, clock, self.stats, ring)
        if opener.is_endless:
            raise SourceError(_NO_END)
        segmenter = Segmenter(self._camera.id, self._config.segment, self.stats)
        segmenter.start_epoch(0)
        source = opener.connect()
        try:
            if source.is_live:
                raise SourceError(_NO_END)
            for segment in self._cut(source, segmenter):
                yield self._score(segment)
        finally:
            source.close()
        # The event that was going on at the end of the video is ended by whoever reads the list: it has no end segment.

    @staticmethod
    def _cut(source: FrameSource, segmenter: Segmenter) -> Iterator[Segment]:
        for frame in source:
            yield from segmenter.push(frame)
        yield from segmenter.flush()

    def _score(self, segment: Segment) -> Scored:
        observation = self._beliefs.observe(segment, self._engine.assess(self._beliefs.request(segment)))
        level = self._events.threshold.level
        event = self._events.update(observation)
        keyframe = None
        if event is not None and event.phase is not EventPhase.END:
            keyframe = encode_keyframe(
                segment.frames[-1].pixels,
                camera_id=self._camera.id,
                event_id=event.event_id,
                index=event.revision,
                taken_at=segment.frames[-1].arrived_at,
                max_width_px=self._config.store.keyframe_width_px,
            )
        return Scored(observation, level, event, keyframe)
