"""Trajectories: SPIKE over a clip, several times, by the fast engine with the weights as they are.

A trajectory is what the monitor does (`BeliefTracker` in paper mode): new hypotheses for every segment, beliefs before
and after, surprise. Then frames are sampled, the more the more surprising, and the clip is captioned from them. The M
trajectories of a clip are M cameras of one engine, answered together.

Two kinds of models caption differently. A large one is asked in the paper's words about the sampled frames. The
built-in one knows only the questions of `belief/prompts.py`, so its caption is what it said it saw in the sampled
segments, in order. Which kind a model is follows from the size of its vocabulary, not from its name.

Deviations from the paper: hypotheses are drawn until N differ (`engine/reference.py`, 3), with temperature and top_p
of their own each; frames come in pairs as the model is used to, at the times of a clip that has no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamspike.belief.tracker import BeliefTracker
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Engine, Frame, Observation, Pixels, Request, Sampling, Segment
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import NOTHING_READABLE
from streamspike.refine.examples import Example
from streamspike.refine.policy import Policy
from streamspike.select.sampling import frames_at, sample_times

QUESTION = "Describe this video in 20 words."
CAPTION = Sampling(
    max_hypothesis_tokens=40, temperature=0.8, temperature_spread=0.0, top_p=0.9, top_p_spread=0.0
)  # fmt: skip
FEWEST_WORDS = 2000
"""Tokens of a vocabulary that is made for more than one world's sentences; the built-in model has a few hundred."""
LEAST_SHARE = 1e-12
"""A belief that underflowed is still one."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What was expected of one segment."""

    index: int
    """Of the segment."""
    num_window: int
    """Segments before it that the model saw."""
    summary: str
    hypotheses: tuple[str, ...]
    """As they were drawn; what was seen is not among them, unless it was asked to join."""
    prior: tuple[float, ...]
    """Of these alone; positive, sums to 1."""
    surprise_nats: float


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One run over a clip."""

    expectations: tuple[Expectation, ...]
    """Of every segment but the first."""
    surprise_nats: tuple[float, ...]
    """Per segment, 0 for the first."""
    seen: tuple[str, ...]
    """What the model said it saw in each segment."""
    caption: str = ""
    """Of the clip, from its sampled frames; empty if nobody asked for one."""


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How a clip is run through."""

    num_trajectories: int = 3
    """M."""
    frame_budget: int = 8
    """Frames that are sampled for the caption (the paper's 64 are of minutes of video)."""
    tau: float = 0.7
    """tau_s: towards 0 only the most surprising segment is seen."""


def knows_question(loaded: LoadedModel) -> bool:
    """Whether the model understands more than our own questions: the built-in one has a vocabulary for no other."""
    return len(loaded.tokenizer) >= FEWEST_WORDS


def roll_out(
    policy: Policy,
    example: Example,
    belief: BeliefConfig,
    settings: RolloutSettings,
    seed: int,
    *,
    caption: bool,
    join: bool = False,
) -> list[Trajectory]:
    """M trajectories over a clip; the same seed and weights give the same ones.

    Args:
        belief: how hypotheses are drawn and surprise is computed; its mode, sightings and opening do not matter.
        caption: whether the clip is captioned.
        join: what was seen joins the hypotheses where it is not among them (ADR 13).

    Raises:
        EngineError: the model failed.
    """
    changes = {"mode": "paper", "complete": belief.complete or join, "sightings": 0}
    belief = belief.model_copy(update={**changes, "opening": 0.0})  # a picture alone lets expect too little
    names = [f"{example.example_id}#{number}" for number in range(settings.num_trajectories)]
    found: list[list[Expectation]] = [[] for _ in names]
    observed: list[list[Observation]] = [[] for _ in names]
    with policy.merged():
        engine = policy.engine(segment_seconds=example.segment_seconds)
        trackers = [BeliefTracker(name, belief, policy.loaded.name, seed) for name in names]
        for index in range(len(example.segments)):
            segments = [_segment(example, index, name) for name in names]
            requests = [tracker.request(segment) for tracker, segment in zip(trackers, segments, strict=True)]
            for number, answer in enumerate(_answers(engine, requests)):
                observation = trackers[number].observe(segments[number], answer)
                observed[number].append(observation)
                if answer.scores:
                    count = len(answer.scores) - (answer.joined and not join)
                    found[number].append(_expectation(observation, len(requests[number].window), count))
    trajectories = []
    for number, (expectations, observations) in enumerate(zip(found, observed, strict=True)):
        surprise = tuple(observation.surprise_nats for observation in observations)
        seen = tuple(observation.caption for observation in observations)
        rng = np.random.default_rng([seed, number])
        words = describe(policy, example, surprise, seen, settings, rng) if caption else ""
        trajectories.append(Trajectory(tuple(expectations), surprise, seen, words))
    return trajectories


def watch(policy: Policy, example: Example, belief: BeliefConfig) -> tuple[str, ...]:
    """What the model says it sees in each segment, as it is now. Raises EngineError: the model failed."""
    seen = []
    with policy.merged():
        engine = policy.engine(segment_seconds=example.segment_seconds)
        belief = belief.model_copy(update={"sightings": 0})
        tracker = BeliefTracker(example.example_id, belief, policy.loaded.name, seed=0)
        for index in range(len(example.segments)):
            segment = _segment(example, index, example.example_id)
            # A hypothesis that is there already saves the work of drawing some.
            request = replace(tracker.request(segment), hypotheses=(NOTHING_READABLE,))
            (answer,) = _answers(engine, [request])
            seen.append(tracker.observe(segment, answer).caption)
    return tuple(seen)


def describe(
    policy: Policy,
    example: Example,
    surprise_nats: Sequence[float],
    seen: Sequence[str],
    settings: RolloutSettings,
    rng: np.random.Generator,
) -> str:
    """A caption of the clip, from frames sampled by surprise."""
    num_frames = len(example.segments[0])
    bounds = np.arange(len(example.segments) + 1) * example.segment_seconds
    times = sample_times(surprise_nats, bounds, settings.frame_budget, rng, settings.tau)
    shown = frames_at(times, np.arange(len(example.segments) * num_frames) * example.segment_seconds / num_frames)
    if not knows_question(policy.loaded):
        sentences = dict.fromkeys(seen[number // num_frames] for number in shown)
        return "; ".join(filter(None, sentences))
    frames = [frame for segment in example.segments for frame in segment]
    pairs = _in_pairs([frames[number] for number in shown], policy.loaded.frames.temporal_patch)
    (caption,) = policy.write(pairs, "", QUESTION, 1, CAPTION, int(rng.integers(1 << 32)), example.segment_seconds)
    return caption


def _answers(engine: Engine, requests: Sequence[Request]) -> Iterator[Assessment]:
    for answer in engine.assess_batch(requests):
        if isinstance(answer, Exception):
            raise answer
        yield answer


def _expectation(observation: Observation, num_window: int, count: int) -> Expectation:
    prior = np.maximum(np.array(observation.prior[:count]), LEAST_SHARE)
    return Expectation(
        index=observation.index,
        num_window=num_window,
        summary=observation.summary,
        hypotheses=observation.hypotheses[:count],
        prior=tuple((prior / prior.sum()).tolist()),
        surprise_nats=observation.surprise_nats,
    )


def _segment(example: Example, index: int, camera_id: str) -> Segment:
    start, length = index * example.segment_seconds, example.segment_seconds
    pixels = example.segments[index]
    frames = tuple(
        Frame(each, start + number * length / len(pixels), example.started_at) for number, each in enumerate(pixels)
    )
    return Segment(camera_id, 0, index, start, start + length, example.started_at + start, frames)


def _in_pairs(frames: Sequence[Pixels], size: int) -> list[tuple[Pixels, ...]]:
    """Temporal patches; the last frame fills up the last one."""
    filled = [*frames, *[frames[-1]] * (-len(frames) % size)]
    return [tuple(filled[start : start + size]) for start in range(0, len(filled), size)]
