"""The nouns every package shares, and the protocols that keep packages apart.

Plain frozen dataclasses: no torch, no I/O, so that an engine may move to another process without anybody noticing.
Units are in the names: `_seconds` is stream or wall duration, `_at` is UTC epoch seconds, surprise is in nats.
Intervals are half-open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB


class CameraState(StrEnum):
    """What a user sees of a camera. One at a time; `degraded` is a property of the model and is reported beside it."""

    CONNECTING = "connecting"
    LEARNING = "learning"
    WATCHING = "watching"
    STILL = "still"
    OFFLINE = "offline"
    BLIND = "blind"
    MOVED = "moved"
    PAUSED = "paused"
    FINISHED = "finished"
    """A file that has been played to its end; live cameras never get here."""


MARGIN = 1 / 40
"""Share of a picture's height above and below, and of its width left and right, that a closer look leaves out."""


@dataclass(frozen=True, slots=True)
class Frame:
    pixels: Pixels
    """(height, width, 3) uint8 RGB, not to be written to."""
    stream_seconds: float
    """Since the first frame of the epoch, which has 0.0; strictly increasing within an epoch."""
    arrived_at: float
    """UTC. For a file: the time the file started to play plus stream_seconds."""
    corrupt: bool = False
    """The decoder concealed errors in this frame."""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"a frame is (height, width, 3) uint8: {self.pixels.shape = }, {self.pixels.dtype = }")

    @property
    def seen(self) -> Pixels:
        """What the model is shown of it: its own pixels, unless cues are drawn in (see `ingest/cues.py`)."""
        return self.pixels

    def closer(self) -> Frame:
        """What the model is shown of it without MARGIN on each side; a view, nothing is copied."""
        down, across = (round(MARGIN * length) for length in self.seen.shape[:2])
        inner = self.seen[down : self.seen.shape[0] - down, across : self.seen.shape[1] - across]
        return Frame(inner, self.stream_seconds, self.arrived_at, self.corrupt)


def further_looks(frames: Sequence[Frame], later: Sequence[Frame], num_looks: int) -> tuple[tuple[Frame, ...], ...]:
    """What looks after the first are shown of a segment, what differs most from it first.

    Args:
        frames: what the first look is shown.
        later: taken a moment after them.
        num_looks: with the first; at most four.
    """
    closer, later_and_closer = (tuple(frame.closer() for frame in each) for each in (frames, later))
    return (later_and_closer, closer, tuple(later))[: num_looks - 1]


@dataclass(frozen=True, slots=True)
class Segment:
    """A fixed slice of stream time, the unit of scoring."""

    camera_id: str
    epoch: int
    """Number of the connection, from 0. A window never spans two epochs."""
    index: int
    """Counts segments of this camera from 0, over all epochs, without gaps."""
    start_seconds: float  # [start, end) of stream time within the epoch
    end_seconds: float
    started_at: float
    """UTC of start_seconds."""
    frames: tuple[Frame, ...]
    """`frames_per_segment` of them, evenly spaced; a frame is repeated when the camera delivered fewer."""
    motion: float = 0.0
    """Mean absolute pixel difference between the frames of the segment and the frame before it, in [0, 1]."""
    opening: Frame | None = None
    """The first picture of the epoch that is not corrupt: before `frames`, unless those before it are. Only the first
    segment of an epoch has it."""
    again: tuple[tuple[Frame, ...], ...] = ()
    """Further looks, each of as many as `frames` (`further_looks`). Empty: looked at once."""

    def __post_init__(self) -> None:
        if not self.frames:
            raise ValueError("a segment has at least one frame")
        if self.end_seconds <= self.start_seconds:
            raise ValueError(f"empty interval [{self.start_seconds}, {self.end_seconds})")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How hypotheses are drawn (published: N = 3, 25 tokens, temperature 1.0 +- 0.1, top_p 0.9 +- 0.05)."""

    num_hypotheses: int = 3
    max_hypothesis_tokens: int = 25
    max_caption_tokens: int = 30
    temperature: float = 1.0
    temperature_spread: float = 0.1
    top_p: float = 0.9
    top_p_spread: float = 0.05
    diversity: Literal["temperature", "distinct", "groups"] = "temperature"
    """How sentences are made to differ. temperature: each drawn with its own temperature and top_p until N differ;
    distinct: drawn without replacement; groups: not drawn, but searched for side by side (see `engine/beams.py`)."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything an engine needs for one segment of one camera. Plain data."""

    camera_id: str
    epoch: int
    index: int
    window: tuple[tuple[Pixels, ...], ...]
    """W_t: the frames of each segment still in the window, oldest first; may be empty only for the first segment."""
    observation: tuple[Pixels, ...]
    """O_t: the frames of the new segment."""
    summary: str
    """H_t, or the empty string."""
    hypotheses: tuple[str, ...]
    """Cached hypotheses to score again; empty means: sample new ones."""
    sampling: Sampling
    seed: int
    """Seeds the sampling of this request alone; same request, same answer."""
    complete: bool
    """Score the caption of O_t as one more hypothesis, so that what nobody expected can gain mass."""
    verify: bool
    """Also ask whether each hypothesis is true (the published code's posterior)."""
    previous: tuple[str, ...] = ()
    """The last hypotheses of this epoch, stale or not: what is scored when there is no time to sample."""
    opening: bool = False
    """W_t is no past but a still of what came first: O_t is captioned without it."""
    num_sightings: int = 0
    """Sentences to draw about what was seen, as they come: temperature 1, the whole vocabulary, repeats and all."""
    again: tuple[tuple[tuple[Pixels, ...], ...], ...] = ()
    """Further looks, each at the segments of W_t and at O_t in their order; beliefs are those of all looks. Empty:
    there is one look."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Log-likelihoods of one hypothesis. Log-probabilities are sums over tokens, in nats, end token included."""

    text: str
    num_tokens: int
    log_prior: float
    """log pi(b | H_t, W_t)"""
    log_posterior: float
    """log pi(b | H_t, W_t, O_t)"""
    log_likelihood: float | None = None
    """log P(yes | b, H_t, W_t, O_t), renormalised over {yes, no}; only when the request asked to verify."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an engine answers to a request."""

    scores: tuple[Scores, ...]
    """One per distinct hypothesis; with `complete`, the caption's own comes last unless it was a hypothesis already."""
    caption: str
    sampled: bool
    """The hypotheses were drawn anew for this request."""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time by stage: vision, prefill, sample, caption, score. The reference has other stages."""
    drift_nats: float | None = None
    """Fast windows: how far the prefix had drifted, where this request measured it by a refill."""
    sightings: tuple[Scores, ...] = ()
    """One per readable sentence drawn about what was seen, repeats and all; without likelihoods."""
    joined: bool = False
    """With `complete`: the caption was no hypothesis, so it is the last of `scores`."""
    model: str = ""
    """Who answered: name and version, with those of an adapter; empty where it is always the same one."""


class EventKind(StrEnum):
    """What a score, and an event that it starts, is about."""

    SURPRISE = "surprise"
    """Something was not expected: beliefs moved."""
    MOTION = "motion"
    """The picture changed unusually much, and nobody knows what it shows: by a comparison of pixels alone, which also
    stands in for a model that fails."""
    MOVED = "moved"
    """The camera looks elsewhere: somebody turned it. Never of a score."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The belief of one camera about one segment: before, after, and how far it moved."""

    camera_id: str
    epoch: int
    index: int
    start_seconds: float  # [start, end)
    end_seconds: float
    started_at: float
    hypotheses: tuple[str, ...]
    prior: tuple[float, ...]
    """Sums to 1, same order as hypotheses."""
    posterior: tuple[float, ...]
    surprise_nats: float
    """How far the belief moved (`belief.surprise.belief_shift`) and `change_nats`, never negative."""
    jensen_shannon: float
    """In [0, 1] (base 2)."""
    caption: str
    """The likeliest reading: the engine's caption, or a sighting that is believed more."""
    summary: str
    """H_t as it was when the segment was scored."""
    motion: float
    model: str
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    p_value: float = 1.0
    """Share of the camera's recent segments that were at least as surprising; set when the segment is weighed."""
    threshold_nats: float = 0.0
    """What the surprise was compared with."""
    kind: EventKind = EventKind.SURPRISE
    change_nats: float = 0.0
    """The part of the surprise that comes from how much the picture changed, whatever happened in it."""
    unrest_nats: float = 0.0
    """The surprise, what lasts of earlier ones, and how much moves (`belief.unrest`)."""


class EventPhase(StrEnum):
    START = "start"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class Event:
    """Surprise above the threshold: one message of its life. The id stays, the revision grows."""

    event_id: str
    camera_id: str
    revision: int
    """0 for start, then 1, 2, ... for each update and the end."""
    phase: EventPhase
    epoch: int
    onset_at: float
    peak_at: float
    end_at: float | None
    """UTC of the end of the last surprising segment; None while the event goes on."""
    onset_index: int
    peak_index: int
    surprise_nats: float
    """At the peak."""
    threshold_nats: float
    expected: tuple[tuple[str, float], ...]
    """(hypothesis, prior) at the peak, most likely first."""
    believed: tuple[tuple[str, float], ...]
    """(hypothesis, posterior) at the peak, most likely first."""
    saw: str
    """The caption at the peak."""
    model: str
    p_value: float = 1.0
    """At the peak: share of the camera's recent segments that were at least as surprising."""
    kind: EventKind = EventKind.SURPRISE
    """Stays from start to end."""
    change_nats: float = 0.0
    """Of `surprise_nats`, what comes from how much the picture changed."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A frame chosen for the user, as JPEG."""

    camera_id: str
    event_id: str
    index: int
    taken_at: float
    width_px: int
    height_px: int
    jpeg: bytes
    surprise_nats: float | None = None
    """Of its segment, by which it was chosen; None for a snapshot, which nobody chose."""
    saw: str = ""
    """The caption of its segment."""


class Engine(Protocol):
    """A Video-LLM that can be asked what it expects. Blocking; one thread calls it at a time."""

    name: str
    """Model name and version, as it appears in events."""

    def assess(self, request: Request) -> Assessment:
        """Answer one request.

        Raises:
            EngineError: the model cannot answer (out of memory, broken weights); the stream goes on without it.
        """
        ...

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """Answer requests of different cameras together, in their order.

        An EngineError stands in the place of an answer that could not be given; the others are not touched by it.
        """
        ...

    def check_integrity(self) -> None:
        """Assert what must hold of all that is remembered between requests; called when there is time for it."""
        ...


class Sink(Protocol):
    """Somewhere messages go. Called on the loop; must not block it."""

    async def observe(self, observation: Observation) -> None: ...

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None: ...

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None: ...
