"""What stands in for the model of one camera while it fails: a score of motion alone, with a threshold of its own.

It watches all the time, so that it knows what is usual when it is needed, and what it learned outlives a restart. A
difference of frames says how much changed and not what; its observations and events say so by their kind. The model is
asked again after RETRY_MIN_SECONDS, then after twice as long each time, and the first answer ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from streamspike.belief.events import EventTracker
from streamspike.belief.scorers import NOTHING_ASKED, RatedScorer, make_scorer
from streamspike.config import CameraConfig, Config, ScorerName
from streamspike.core import Observation, Segment
from streamspike.errors import EngineError
from streamspike.stats import CameraStats

logger = logging.getLogger(__name__)

SCORER: ScorerName = "frame-difference"
FAILURES = 3
"""In a row: a single one may lie in its request."""
STATE_VERSION = 1
RETRY_MIN_SECONDS = 2.0
RETRY_MAX_SECONDS = 60.0
REASON = f"degraded: the model fails; {SCORER} alone is watched"


class Fallback:
    """One camera's. Time is that of the segments. Not thread-safe."""

    def __init__(self, camera: CameraConfig, config: Config, stats: CameraStats) -> None:
        self.events = EventTracker(camera.id, config.events, camera.alerts_per_day)
        """Of motion alone."""
        self._stats = stats
        self._config = config
        self._camera = camera.model_copy(update={"scorer": SCORER})
        self._scorer = self._make_scorer()
        self._num_failures = 0
        self._wait_seconds = RETRY_MIN_SECONDS
        self._retry_at = 0.0

    @property
    def active(self) -> bool:
        """It stands in for the model now."""
        return self._num_failures >= FAILURES

    def asks_model(self, now: float) -> bool:
        """Whether the model should be asked about a segment that starts at `now`, UTC."""
        return not self.active or now >= self._retry_at

    def hear_failure(self, error: EngineError, now: float) -> None:
        """The model failed at the segment that starts at `now`."""
        self._num_failures += 1
        if self._num_failures == 1:
            logger.error("camera %s: segments go unscored: %s", self._camera.id, error)
        if not self.active:
            return
        if self._num_failures == FAILURES:
            logger.error("camera %s: the model fails, %s stands in for it", self._camera.id, SCORER)
            self._stats.degraded = True
            self._wait_seconds = RETRY_MIN_SECONDS
        else:
            self._stats.model_retries += 1
            self._wait_seconds = min(2.0 * self._wait_seconds, RETRY_MAX_SECONDS)
        self._retry_at = now + self._wait_seconds

    def hear_answer(self) -> None:
        """The model is back, or never was away."""
        if self.active:
            logger.warning("camera %s: the model is back after %d failures", self._camera.id, self._num_failures)
            self._stats.model_retries += 1
            self._stats.degraded = False
        self._num_failures = 0

    def watch(self, segment: Segment) -> Observation:
        """Score the next segment; each exactly once. Then either `learn` it, or tell it and hand it to `events`."""
        return self._scorer.observe(segment, NOTHING_ASKED)

    def learn(self, observation: Observation) -> None:
        """An observation of `watch` that nobody is told of."""
        seconds = observation.end_seconds - observation.start_seconds
        self.events.calibrator.admit(observation.surprise_nats, observation.started_at, seconds)

    def start_anew(self) -> None:
        """The camera looks at something else: what moved there says nothing of what moves here."""
        self.events.calibrator.reset()
        self._scorer = self._make_scorer()

    def export(self) -> dict[str, object]:
        """What it learned, for the next start, as plain JSON values."""
        return {"version": STATE_VERSION, "calibrator": self.events.calibrator.export(), "usual": self._scorer.export()}

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`. Raises ValueError: not one of this version."""
        calibrator, usual = state.get("calibrator"), state.get("usual")
        if state.get("version") != STATE_VERSION or not isinstance(calibrator, dict) or not isinstance(usual, dict):
            raise ValueError(f"not the state of a fallback, version {STATE_VERSION}: {str(state)[:80]}")
        # Both or none: a threshold that was learned from ranks among many scores is out of reach for ranks among few.
        self._scorer.restore(usual)
        self.events.calibrator.restore(calibrator)

    def _make_scorer(self) -> RatedScorer:
        scorer = make_scorer(self._camera, self._config, "", lambda: self.events.event is not None)
        assert isinstance(scorer, RatedScorer), "a comparison of pixels has no hypotheses"
        return scorer
