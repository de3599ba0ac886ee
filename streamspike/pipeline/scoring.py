"""A finished video, scored as fast as it goes: the same steps as live, one by one, and the same numbers each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streamspike.belief.events import EventTracker
from streamspike.belief.scorers import NOTHING_ASKED, Scorer, make_scorer, score_of
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
    score: float
    """In the scorer's own unit: comparable over the whole video, where nats of a baseline tell what was rare so far."""
    event: Event | None
    keyframe: Keyframe | None
    event_id: str | None = None
    """Of the event that goes on, also where it gave rise to no message."""


class VideoScorer:
    """Scores one video. Blocking; UTC starts at 0, so that ids and results depend on the video and the seed alone."""

    def __init__(self, camera: CameraConfig, config: Config, engine: Engine | None) -> None:
        """
        Args:
            engine: None only for a scorer that asks no model.
        """
        self.stats = CameraStats()
        self._camera = camera
        self._config = config
        self._engine = engine
        self._events = EventTracker(camera.id, config.events, camera.alerts_per_day)

    def run(self) -> Iterator[Scored]:
        """Every segment in order, without gaps.

        Raises:
            SourceError: missing, empty, not a video, or a stream that never ends.
            EngineError: the model failed.
        """
        needs_end = self._config.scorer_of(self._camera) == "middle"
        model_name = self._engine.name if self._engine is not None else ""
        scorer = make_scorer(
            self._camera,
            self._config,
            model_name,
            lambda: self._events.event is not None,
            self._measure_seconds() if needs_end else None,
        )
        segmenter = Segmenter(self._camera.id, self._config.segment, self.stats, self._config.looks_of(self._camera))
        segmenter.start_epoch(0)
        with self._open(self.stats) as source:
            for segment in self._cut(source, segmenter):
                yield self._score(scorer, segment)
        # The event that was going on at the end of the video is ended by whoever reads the list: it has no end segment.

    @contextmanager
    def _open(self, stats: CameraStats) -> Iterator[FrameSource]:
        ring = Ring(0.0, 1 << 20, stats)
        clock = ManualClock(0.0)
        opener = make_opener(self._camera, self._config.ingest, self._config.segment, clock, stats, ring)
        if opener.is_endless:
            raise SourceError(_NO_END)
        source = opener.connect()
        try:
            if source.is_live:
                raise SourceError(_NO_END)
            yield source
        finally:
            source.close()

    def _measure_seconds(self) -> float:
        """Time of the last frame. Read through once, because what containers say of their length is often wrong."""
        with self._open(CameraStats()) as source:
            last_seconds = max((frame.stream_seconds for frame in source), default=0.0)
        return last_seconds or self._config.segment.seconds  # a single picture is its own middle

    @staticmethod
    def _cut(source: FrameSource, segmenter: Segmenter) -> Iterator[Segment]:
        for frame in source:
            yield from segmenter.push(frame)
        yield from segmenter.flush()

    def _score(self, scorer: Scorer, segment: Segment) -> Scored:
        request, assessment = scorer.request(segment), NOTHING_ASKED
        if request is not None:
            assert self._engine is not None, "whoever asks a model gives the scorer one"
            assessment = self._engine.assess(request)
        observation = self._events.weigh(scorer.observe(segment, assessment))
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
                surprise_nats=event.surprise_nats,
                saw=event.saw,
            )
        going_on = self._events.event
        event_id = going_on.event_id if going_on is not None else None
        return Scored(observation, score_of(scorer, observation), event, keyframe, event_id)
