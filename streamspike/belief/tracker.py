"""One camera's belief from segment to segment: its window, its memory and its hypotheses."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamspike.belief.change import Change
from streamspike.belief.experience import Experience
from streamspike.belief.hypotheses import HypothesisCache, believed, likeliest_reading
from streamspike.belief.summary import Summary
from streamspike.belief.surprise import measure
from streamspike.belief.unrest import Unrest
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Frame, Observation, Pixels, Request, Sampling, Segment, further_looks


@dataclass(frozen=True, slots=True)
class _Seen:
    """A segment in the window."""

    looks: tuple[tuple[Pixels, ...], ...]
    """What each is shown of it, as many as are configured."""
    caption: str


class BeliefTracker:
    """Turns segments into requests, and assessments into observations. Not thread-safe: one owner per camera.

    For each segment, `request` and then `observe`, or `skip` when nobody could answer. Window and memory are forgotten
    at a new epoch: nobody knows how long the camera was away. What it has shown so far is not (`experience.py`).

    The first segment of an epoch has no past but the first picture, held still: that is its window, and what is
    expected from it counts less (`opening`; ADR 17), or a fall in the first second could not surprise.
    """

    def __init__(self, camera_id: str, config: BeliefConfig, model_name: str, seed: int) -> None:
        """
        Args:
            model_name: as it appears in observations.
            seed: of the configuration; together with camera and segment it seeds each request.
        """
        self._camera_id = camera_id
        self._config = config
        self._model_name = model_name
        self._seed = seed
        self._epoch: int | None = None
        self._window: deque[_Seen] = deque()
        self._summary = Summary(config.summary_words)
        self._cache = HypothesisCache(config)
        self._experience = Experience()
        self._change = Change()
        self._unrest = Unrest()
        self._sampling = Sampling(
            num_hypotheses=config.num_hypotheses,
            max_hypothesis_tokens=config.max_hypothesis_tokens,
            max_caption_tokens=config.max_caption_tokens,
            temperature=config.temperature,
            temperature_spread=config.temperature_spread,
            top_p=config.top_p,
            top_p_spread=config.top_p_spread,
        )

    def request(self, segment: Segment) -> Request:
        """What to ask about a segment. This operation will not modify the tracker.

        Without `opening` the window is empty for the first segment of an epoch: there is no prior, and the engine only
        captions.
        """
        same = segment.epoch == self._epoch
        joins = self._config.complete
        # Whoever begins in the middle of an epoch, as after a camera was turned, has only the segment's own frames.
        first = segment.opening or segment.frames[0]
        opens = not same and self._config.opening > 0
        window = tuple(self._window) if same else (self._still(first, len(segment.frames)),) if opens else ()
        # The judge of `verify` knows hypotheses alone, and beside its own still a segment is seen less well (ADR 17).
        draws = joins and same and self._config.posterior == "nll"
        (*past, now), *again = zip(*(seen.looks for seen in (*window, self._see(segment, ""))), strict=True)
        return Request(
            camera_id=self._camera_id,
            epoch=segment.epoch,
            index=segment.index,
            window=tuple(past),
            observation=now,
            summary=self._summary.text if same else "",
            hypotheses=self._cache.current(segment.epoch),
            sampling=self._sampling,
            seed=request_seed(self._seed, self._camera_id, segment.index),
            complete=joins,
            verify=self._config.posterior == "verify",
            previous=self._cache.previous(segment.epoch),
            opening=opens,
            num_sightings=self._config.sightings if draws else 0,
            again=tuple(again) if segment.again else (),
        )

    def observe(self, segment: Segment, assessment: Assessment) -> Observation:
        """Update the belief with the engine's answer to `request(segment)`; the segment enters the window."""
        opens = segment.epoch != self._epoch
        self._enter(segment.epoch)
        scores = believed(assessment)
        often = self._experience.frequencies(score.text for score in scores)
        certainty = (self._config.opening or 1.0) if opens else 1.0
        measured = measure(assessment, self._config, often, certainty)
        change_nats = self._change_nats(segment)
        surprise_nats = measured.surprise_nats + change_nats
        caption = likeliest_reading(assessment, measured.posterior)
        observation = Observation(
            camera_id=self._camera_id,
            epoch=segment.epoch,
            index=segment.index,
            start_seconds=segment.start_seconds,
            end_seconds=segment.end_seconds,
            started_at=segment.started_at,
            hypotheses=tuple(score.text for score in scores),
            prior=measured.prior,
            posterior=measured.posterior,
            surprise_nats=surprise_nats,
            jensen_shannon=measured.jensen_shannon,
            caption=caption,
            summary=self._summary.text,
            motion=segment.motion,
            model=assessment.model or self._model_name,
            stage_seconds=assessment.stage_seconds,
            change_nats=change_nats,
            unrest_nats=self._unrest.nats(segment, surprise_nats),
        )
        if assessment.scores and not opens:
            self._cache.store(segment.epoch, assessment, measured.surprise_nats)
        self._remember(self._see(segment, caption))
        self._experience.add(caption)
        return observation

    def skip(self, segment: Segment) -> None:
        """The segment enters the window unscored and without a caption: the gate held it back, or the model is down."""
        self._enter(segment.epoch)
        self._change_nats(segment)
        self._unrest.nats(segment, 0.0)
        self._remember(self._see(segment, ""))

    def export(self) -> dict[str, object]:
        """What this camera has shown, for the next start."""
        return {"scorer": "surprise", **self._experience.export(), "change": self._change.export()}

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`; that of another scorer says nothing here and is passed over. Raises ValueError."""
        if state.get("scorer") == "surprise":
            self._experience.restore(state)
            if "change" in state:  # what an earlier version exported has none
                self._change.restore(state["change"])

    def _change_nats(self, segment: Segment) -> float:
        """Weighted; a weight of 0 spares the work."""
        weight = self._config.change
        return weight * self._change.nats(segment) if weight else 0.0

    def _see(self, segment: Segment, caption: str) -> _Seen:
        """Every look is shown the same of a segment that has nothing for further ones."""
        again = segment.again or (segment.frames,) * (self._config.looks - 1)
        return self._seen((segment.frames, *again), caption)

    def _still(self, frame: Frame, num_frames: int) -> _Seen:
        """A picture that does not move, as a segment."""
        frames = (frame,) * num_frames
        return self._seen((frames, *further_looks(frames, frames, self._config.looks)), caption="")

    def _seen(self, looks: Sequence[Sequence[Frame]], caption: str) -> _Seen:
        return _Seen(tuple(tuple(frame.seen for frame in look) for look in looks[: self._config.looks]), caption)

    def _enter(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._window.clear()
        self._summary.clear()

    def _remember(self, seen: _Seen) -> None:
        self._window.append(seen)
        if len(self._window) > self._config.window_segments + self._config.window_growth_segments:
            while len(self._window) > self._config.window_segments:
                self._summary.append(self._window.popleft().caption)


def request_seed(seed: int, camera_id: str, index: int) -> int:
    """A seed for one segment of one camera, in [0, 2**32): the same in every process, unlike `hash`."""
    return zlib.crc32(f"{seed}/{camera_id}/{index}".encode())
