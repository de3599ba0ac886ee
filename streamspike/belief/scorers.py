"""What gives a camera's segments their score: the model's surprise, a baseline, or the model's own rating.

Surprise is in nats by its nature, and so is Itti-Baldi's: both are divergences of beliefs. All others are turned into
their rarity for this camera (see `rarity.py`), so that `events.floor_nats` and the threshold mean the same for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from streamspike.belief.baselines import COMPARISONS, make_baseline
from streamspike.belief.rarity import Rarity
from streamspike.belief.rating import expected_rating
from streamspike.belief.tracker import BeliefTracker
from streamspike.belief.unrest import Unrest
from streamspike.config import CameraConfig, Config, ScorerName
from streamspike.core import Assessment, EventKind, Observation, Request, Segment
from streamspike.errors import ConfigError

IN_NATS: tuple[ScorerName, ...] = ("surprise", "itti-baldi")
RARITY_SEGMENTS = 86_400
"""So many scores are remembered: what is seen once a day among seconds must be rarer than what is seen twice."""
NOTHING_ASKED = Assessment((), "", sampled=False)
"""In place of an answer, for those who ask nothing."""


class Scorer(Protocol):
    """One camera's, from segment to segment: `request` and then `observe`, or `skip`. Not thread-safe."""

    def request(self, segment: Segment) -> Request | None:
        """What to ask the engine; None: nothing. This operation will not modify the scorer."""
        ...

    def observe(self, segment: Segment, assessment: Assessment) -> Observation:
        """Score a segment.

        Args:
            assessment: the answer to `request(segment)`, or NOTHING_ASKED.
        """
        ...

    def skip(self, segment: Segment) -> None:
        """The segment is seen but not scored."""
        ...

    def export(self) -> Mapping[str, object] | None:
        """What is usual of this camera, for the next start; None where nothing is learned of it."""
        ...

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`; that of another scorer says nothing here and is passed over. Raises ValueError."""
        ...


class RatedScorer:
    """A `Scorer` without hypotheses; `score` is that of the last segment in its own unit."""

    def __init__(
        self,
        name: ScorerName,
        config: Config,
        rate: Callable[[Segment, Assessment], float],
        in_event: Callable[[], bool],
    ) -> None:
        """
        Args:
            rate: the score of the next segment, given what the engine answered; never negative.
            in_event: whether an event goes on, whose scores are not to become what is usual.
        """
        self.score = 0.0
        self._name = name
        self._rate = rate
        self._in_event = in_event
        self._unrest = Unrest()
        self._rarity = None if name in IN_NATS else Rarity(RARITY_SEGMENTS)

    def request(self, segment: Segment) -> Request | None:
        return None

    def observe(self, segment: Segment, assessment: Assessment) -> Observation:
        self.score = self._rate(segment, assessment)
        surprise_nats = self._nats()
        return Observation(
            camera_id=segment.camera_id,
            epoch=segment.epoch,
            index=segment.index,
            start_seconds=segment.start_seconds,
            end_seconds=segment.end_seconds,
            started_at=segment.started_at,
            hypotheses=(),
            prior=(),
            posterior=(),
            surprise_nats=surprise_nats,
            jensen_shannon=0.0,
            caption=f"{self._name} {self.score:.4g}",
            summary="",
            motion=segment.motion,
            model=self._name,
            stage_seconds=assessment.stage_seconds,
            kind=EventKind.MOTION if self._name in COMPARISONS else EventKind.SURPRISE,
            unrest_nats=self._unrest.nats(segment, surprise_nats),
        )

    def skip(self, segment: Segment) -> None:
        self._rate(segment, NOTHING_ASKED)
        self._unrest.nats(segment, 0.0)

    def export(self) -> dict[str, object] | None:
        return None if self._rarity is None else {"scorer": self._name, "scores": self._rarity.export()}

    def restore(self, state: Mapping[str, object]) -> None:
        if self._rarity is not None and state.get("scorer") == self._name:
            self._rarity.restore(state.get("scores"))

    def _nats(self) -> float:
        if self._rarity is None:
            return self.score
        nats = self._rarity.nats(self.score)
        if not self._in_event():
            self._rarity.admit(self.score)
        return nats


class ZeroShotScorer(RatedScorer):
    """Asks the model with the window that surprise is asked with, but without the memory, which is made of captions."""

    def __init__(self, config: Config, tracker: BeliefTracker, in_event: Callable[[], bool]) -> None:
        super().__init__("zero-shot", config, lambda _, assessment: expected_rating(assessment), in_event)
        self._tracker = tracker

    def request(self, segment: Segment) -> Request | None:
        return self._tracker.request(segment)

    def observe(self, segment: Segment, assessment: Assessment) -> Observation:
        self._tracker.skip(segment)  # it enters the window; there is no caption to remember
        return super().observe(segment, assessment)

    def skip(self, segment: Segment) -> None:
        self._tracker.skip(segment)
        self._unrest.nats(segment, 0.0)


def make_scorer(
    camera: CameraConfig,
    config: Config,
    model_name: str,
    in_event: Callable[[], bool],
    video_seconds: float | None = None,
) -> Scorer:
    """The scorer of a camera, with no past.

    Args:
        model_name: as it appears in observations of the model's surprise.
        in_event: whether an event of this camera goes on.
        video_seconds: the length of a video that is scored as a whole; None for whatever is watched as it comes.

    Raises:
        ConfigError: the scorer must know where the video ends, and nobody knows.
    """
    name = config.scorer_of(camera)
    if name in ("surprise", "zero-shot"):
        belief = config.belief if name == "surprise" else config.belief.model_copy(update={"looks": 1})
        tracker = BeliefTracker(camera.id, belief, model_name, config.model.seed)
        return tracker if name == "surprise" else ZeroShotScorer(config, tracker, in_event)
    if name == "middle" and video_seconds is None:
        raise ConfigError(
            f"scorer 'middle' of camera {camera.id!r} must know where the video ends: "
            "use streamspike score FILE --scorer middle"
        )
    baseline = make_baseline(name, video_seconds)
    return RatedScorer(name, config, lambda segment, _: baseline.score(segment), in_event)


def score_of(scorer: Scorer, observation: Observation) -> float:
    """The score of the segment observed last in the scorer's own unit; that of surprise is nats."""
    return scorer.score if isinstance(scorer, RatedScorer) else observation.surprise_nats
