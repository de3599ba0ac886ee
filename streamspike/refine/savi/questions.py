"""Multiple-choice questions whose answer is known, and how many of them a model gets right. For evaluation only.

About each segment of a clip of known truth: who is it, in which place, which way, how fast (the true sentence against
those that differ in that alone), and which of these happened (against sentences of other segments of the clip). The
model's answer is the choice it finds likeliest after "what just happened?" at that segment, with the window in view.
And for each sentence, true or nearly true: is this what just happened?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from streamspike.belief.prompts import NO, OBSERVE, YES, render_verify
from streamspike.engine.model import LoadedModel
from streamspike.measures.estimate import Estimate, Undefined, bootstrap
from streamspike.refine.examples import Example, ExampleSource
from streamspike.refine.packed import Asked, LessonRow, answer_log_probs
from streamspike.refine.savi.nearby import nearby, nearby_sentences

NUM_CHOICES = 4
KINDS = ("who", "place", "direction", "speed", "which", "statement")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Choice:
    """One question."""

    kind: str
    num_segments: int
    """Segments of the clip up to the one it is about."""
    question: str
    choices: tuple[str, ...]
    """The first one is right."""


@dataclass(frozen=True, slots=True)
class Score:
    """One question as a model answered it."""

    kind: str
    right: float
    """1, 0, or its share where choices tie."""


def ask_known(example: Example, rng: np.random.Generator) -> list[Choice]:
    """Questions about all segments of a clip whose truth is known."""
    asked = []
    for index, truth in enumerate(example.truth):
        for aspect, others in nearby(truth).items():
            asked.append(Choice(aspect, index + 1, OBSERVE, (truth, *_some(others, rng))))
        elsewhere = [text for text in dict.fromkeys(example.truth) if text != truth]
        if elsewhere:
            asked.append(Choice("which", index + 1, OBSERVE, (truth, *_some(elsewhere, rng))))
        near = nearby_sentences(truth)
        asked.append(Choice("statement", index + 1, render_verify(truth), (YES, NO)))
        if near:
            asked.append(Choice("statement", index + 1, render_verify(near[int(rng.integers(len(near)))]), (NO, YES)))
    return asked


def _some(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [texts[int(k)] for k in rng.permutation(len(texts))[: NUM_CHOICES - 1]]


def answer_known(loaded: LoadedModel, example: Example, asked: Sequence[Choice], window_segments: int) -> list[Score]:
    """A model's answers, by constrained likelihood. No gradient."""
    scores: list[Score] = []
    for end in dict.fromkeys(choice.num_segments for choice in asked):
        start = max(0, end - window_segments)
        about = [choice for choice in asked if choice.num_segments == end]
        questions = tuple(Asked(end - start, "", choice.question, choice.choices) for choice in about)
        row = LessonRow(tuple(example.segments[start:end]), questions, example.segment_seconds)
        with torch.no_grad():
            [scored] = answer_log_probs(loaded, [row])
        for choice, answers in zip(about, scored, strict=True):
            values = [float(tokens.sum()) for tokens in answers]
            best = max(values)
            scores.append(Score(choice.kind, (values[0] == best) / values.count(best)))
    return scores


def examine(
    loaded: LoadedModel,
    examples: ExampleSource,
    window_segments: int,
    seed: int,
    progress: Callable[[float], None] = lambda done: None,
) -> list[list[Score]]:
    """All questions about all clips of known truth, the same ones every time; one list per clip."""
    found = []
    for number in range(len(examples)):
        example = examples[number]
        asked = ask_known(example, np.random.default_rng([seed, number]))
        found.append(answer_known(loaded, example, asked, window_segments))
        progress(number + 1)
    return found


def accuracy(scores: Sequence[Sequence[Score]], kind: str, seed: int = 0) -> Estimate:
    """Share of right answers of one kind, or of ALL, with the bootstrap over clips."""
    return bootstrap(scores, lambda clips: _share(clips, kind), seed)


def difference(
    before: Sequence[Sequence[Score]], after: Sequence[Sequence[Score]], kind: str, seed: int = 0
) -> Estimate:
    """After minus before, clip by clip."""
    pairs = list(zip(before, after, strict=True))

    def statistic(clips: Sequence[tuple[Sequence[Score], Sequence[Score]]]) -> float:
        return _share([late for _, late in clips], kind) - _share([early for early, _ in clips], kind)

    return bootstrap(pairs, statistic, seed)


def _share(clips: Sequence[Sequence[Score]], kind: str) -> float:
    values = [score.right for scores in clips for score in scores if kind in (ALL, score.kind)]
    return float(np.mean(values)) if values else Undefined(f"no question of the kind {kind}")
