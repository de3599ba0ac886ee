"""What a model says of held-out clips, segment by segment, exactly as it would when it watches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamspike.belief.tracker import BeliefTracker
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Frame, Segment
from streamspike.engine.engine import IncrementalEngine
from streamspike.refine.examples import Example


@dataclass(frozen=True, slots=True)
class Told:
    """What one clip is judged by, whoever watches it: known before a model is asked."""

    example_id: str
    sentences: tuple[str, ...]
    """What happened in each segment: the truth where it is known, else the journal's captions; '' where nobody says."""
    surprises: tuple[int, ...]
    """Known truth only."""
    is_surprising: bool
    """By the truth, by what people said of its event, or by how it was drawn."""


@dataclass(frozen=True, slots=True)
class View:
    """One segment."""

    surprise_nats: float
    caption: str
    hypotheses: tuple[str, ...]
    """Those that were drawn before it; empty for the first segment."""
    log_priors: tuple[float, ...]
    """Of these sentences, before the segment was seen."""
    seconds: float
    """Wall time of the model."""
    sentence_tokens: int = 0
    """Of what happened; 0: nobody says, or nothing was asked before the segment."""
    next_nats: float = 0.0
    """Log-probability of what happened, asked what happens next."""
    seen_nats: float = 0.0
    """Log-probability of what happened, asked what just happened."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """One clip as one model sees it."""

    told: Told
    views: tuple[View, ...]


def tell(example: Example) -> Told:
    """What is known of a clip. A verdict of a person counts more than how the clip was drawn."""
    sentences = example.truth or example.captions or ("",) * len(example.segments)
    is_surprising = bool(example.surprises) or (example.surprising if example.verdict == 0 else example.verdict > 0)
    return Told(example.example_id, sentences, example.surprises, is_surprising)


def view_clips(
    engine: IncrementalEngine, examples: Sequence[Example], config: BeliefConfig, seed: int = 0
) -> list[Viewing]:
    """Watch clips side by side, as that many cameras, and not score their first segments. The engine forgets them
    afterwards.

    Raises:
        EngineError: the model failed.
    """
    config = config.model_copy(update={"opening": 0.0})
    trackers = [BeliefTracker(example.example_id, config, engine.name, seed) for example in examples]
    told = [tell(example) for example in examples]
    views: list[list[View]] = [[] for _ in examples]
    for index in range(max((len(example.segments) for example in examples), default=0)):
        numbers = [number for number, example in enumerate(examples) if index < len(example.segments)]
        segments = [cut_segment(examples[number], index) for number in numbers]
        requests = [trackers[number].request(segment) for number, segment in zip(numbers, segments, strict=True)]
        answers = [_raised(answer) for answer in engine.assess_batch(requests)]
        # What happened, as the only hypothesis: its likelihood before and after. The prefix is there already.
        asked = [place for place, number in enumerate(numbers) if index and told[number].sentences[index]]
        extra = [
            replace(
                requests[place],
                hypotheses=(told[numbers[place]].sentences[index],),
                complete=False,
                verify=False,
                num_sightings=0,
            )
            for place in asked
        ]
        scored = dict(zip(asked, map(_raised, engine.assess_batch(extra)), strict=True))
        for place, (number, segment, answer) in enumerate(zip(numbers, segments, answers, strict=True)):
            observation = trackers[number].observe(segment, answer)
            drawn = answer.scores[: len(answer.scores) - answer.joined]
            view = View(
                observation.surprise_nats,
                observation.caption,
                tuple(score.text for score in drawn),
                tuple(score.log_prior for score in drawn),
                sum(answer.stage_seconds.values()),
            )
            if place in scored and scored[place].scores:
                [score] = scored[place].scores
                view = replace(
                    view, sentence_tokens=score.num_tokens, next_nats=score.log_prior, seen_nats=score.log_posterior
                )
            views[number].append(view)
    engine.forget()
    return [Viewing(*pair) for pair in zip(told, map(tuple, views), strict=True)]


def cut_segment(example: Example, index: int) -> Segment:
    """One segment of a clip, as a camera's."""
    seconds, frames = example.segment_seconds, example.segments[index]
    start = index * seconds
    marks = [start + seconds * (number + 0.5) / len(frames) for number in range(len(frames))]
    return Segment(
        example.example_id,
        0,
        index,
        start,
        start + seconds,
        example.started_at + start,
        tuple(Frame(pixels, mark, example.started_at + mark) for pixels, mark in zip(frames, marks, strict=True)),
    )


def _raised(answer: Assessment | Exception) -> Assessment:
    if isinstance(answer, Exception):
        raise answer
    return answer
