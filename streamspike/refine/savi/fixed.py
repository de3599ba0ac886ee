"""The conversation of a model that knows its fixed questions only: what just happened, and is this what happened.

Questions, first answers and revisions are as VideoSAVi has them; the critique is not a text the model writes, as it
can write none, but what its own answers to other questions say of the first one:

- first answer: drawn warmly, and from the newest segment alone;
- critique: the model's own probability that the statement is true, with the whole window in view, and how likely it
  finds the statement as an answer to "what just happened?"; both once more with the window mirrored and the statement
  turned accordingly, and with half of the window. What is true holds in each of these views, and errors seldom do;
- revision: of the answers drawn with the whole window in view and mirrored, and of the first one, the one that has the
  highest support.

Where an answer cannot be said in the mirror (see `crpo/counterfactual.py`) nobody is judged by the mirror.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from streamspike.belief.hypotheses import distinct
from streamspike.belief.prompts import NO, OBSERVE, YES, render_verify
from streamspike.core import Pixels, Sampling
from streamspike.refine.crpo.counterfactual import flip, turn_segments
from streamspike.refine.examples import Example
from streamspike.refine.packed import Asked, LessonRow, answer_log_probs
from streamspike.refine.policy import Policy
from streamspike.refine.savi.dialogue import Critique, Question, Revision
from streamspike.refine.savi.nearby import nearby_sentences

Segments = Sequence[tuple[Pixels, ...]]
KINDS = ("happening", "statement")
"""What happens in a segment; and whether a statement about it is true."""


@dataclass(frozen=True, slots=True)
class FixedSettings:
    """How much is asked and drawn."""

    questions: int = 8
    """About each clip."""
    statement_share: float = 1.0
    """Of the questions. Of statements that are true, or differ from the truth in one thing, the built-in model judges
    67 % rightly when it is asked, and 87 % by how likely it finds them and their rivals: that it can teach itself. What
    it says of happenings it corrects wrongly too often: with a quarter of such questions it named fewer of them."""
    window_segments: int = 8
    draws: int = 3
    """Candidates for a revision from the window, and as many from its mirror image."""
    temperature: float = 1.4
    """Of first answers."""
    max_tokens: int = 25


@dataclass(frozen=True, slots=True)
class _Window:
    """One view of what a question is about."""

    segments: Segments
    mirrored: bool = False

    def say(self, sentence: str) -> str:
        """What is true here if the sentence is true of the clip; empty if the mirror has no words for it."""
        return (flip(sentence) or "") if self.mirrored else sentence


class FixedDialogue:
    """Implements `Dialogue`."""

    name = "fixed"

    def __init__(self, policy: Policy, settings: FixedSettings) -> None:
        self._policy = policy
        self._settings = settings

    def questions(self, example: Example, seed: int) -> Sequence[Question]:
        rng = np.random.default_rng([seed, 1])
        places = rng.permutation(len(example.segments))[: self._settings.questions].tolist()
        asked = []
        for number, place in enumerate(places):
            start = max(0, place + 1 - self._settings.window_segments)
            share = self._settings.statement_share
            kind = KINDS[int((number + 1) * share) - int(number * share)]
            question = Question(kind, start, place + 1 - start, OBSERVE)
            if question.kind == "statement":
                statement = self._state(example, question, rng)
                if not statement:
                    continue
                question = Question(
                    "statement", start, question.num_segments, render_verify(statement), statement, (YES, NO)
                )
            asked.append(question)
        return asked

    def answer(self, example: Example, question: Question, seed: int) -> str:
        newest = _seen(example, question)[-1:]
        if question.kind == "happening":
            return self._draw(newest, example, 1, self._settings.temperature, seed)[0]
        yes, no = self._policy.choose(newest, "", question.text, (YES, NO), example.segment_seconds)
        chance = 1 / (1 + math.exp(min(500.0, (no - yes) / self._settings.temperature)))
        return YES if np.random.default_rng([seed, 2]).random() < chance else NO

    def critique(self, example: Example, question: Question, answer: str) -> Critique:
        (support,) = self._support(example, question, (answer,))
        if question.kind == "happening":
            odds = self._verify(example, question, (answer,))[0]
            return Critique(f"true with probability {_probability(odds):.2f}, seen from the whole window", support)
        return Critique(f"right with probability {_probability(support):.2f}, seen from all sides", support)

    def revise(self, example: Example, question: Question, answer: str, critique: Critique, seed: int) -> Revision:
        if question.kind == "statement":
            other = NO if answer == YES else YES
            better = other if critique.support_nats < 0 else answer
            return Revision(better, 2 * max(0.0, -critique.support_nats))
        candidates = self._candidates(example, question, answer, seed)
        supports = self._support(example, question, candidates)
        best = int(np.argmax(supports))
        return Revision(candidates[best], supports[best] - supports[0])

    def _state(self, example: Example, question: Question, rng: np.random.Generator) -> str:
        """What the model thinks happened, or nearly that, by lot."""
        draw = self._draw(_seen(example, question), example, 1, 1.0, int(rng.integers(1 << 30)))[0]
        near = nearby_sentences(draw)
        return near[int(rng.integers(len(near)))] if near and rng.random() < 0.5 else draw

    def _candidates(self, example: Example, question: Question, answer: str, seed: int) -> tuple[str, ...]:
        """The first answer, and others that differ from it."""
        count = self._settings.draws
        segments = _seen(example, question)
        drawn = self._draw(segments, example, count, 1.0, seed)
        mirrored = self._draw(_mirror(segments), example, count, 1.0, seed)
        greedy = self._draw(segments, example, 1, 0.0, seed)
        return distinct([answer, *greedy, *drawn, *(flip(text) or "" for text in mirrored)])

    def _support(self, example: Example, question: Question, answers: Sequence[str]) -> list[float]:
        """Of each answer, the mean over views; the views are the same for all of them."""
        statements = answers if question.kind == "happening" else (question.about,)
        rivals = [] if question.kind == "happening" else list(nearby_sentences(question.about))
        windows = [
            window for window in self._windows(example, question) if all(map(window.say, (*statements, *rivals)))
        ]
        rows = [self._row(window, example, statements, rivals) for window in windows]
        with torch.no_grad():
            scored = answer_log_probs(self._policy.loaded, rows)
        values = np.zeros((len(windows), len(statements)))
        for number, (likelihoods, *verified) in enumerate(scored):
            observed = np.array([float(tokens.sum()) for tokens in likelihoods])
            odds = np.array([float(yes.sum() - no.sum()) for yes, no in verified])
            if rivals:
                observed = observed[:1] - np.logaddexp.reduce(observed[1:])
            values[number] = (observed + odds) / 2
        support = values.mean(axis=0)
        if question.kind == "happening":
            return [float(value) for value in support]
        return [float(support[0]) if answer == YES else -float(support[0]) for answer in answers]

    def _verify(self, example: Example, question: Question, statements: Sequence[str]) -> list[float]:
        """Log-odds of each statement, the whole window in view."""
        seen = _seen(example, question)
        pairs = [
            self._policy.choose(seen, "", render_verify(text), (YES, NO), example.segment_seconds)
            for text in statements
        ]
        return [yes - no for yes, no in pairs]

    def _windows(self, example: Example, question: Question) -> list[_Window]:
        """The whole window first: it is there whatever can be said in the mirror."""
        segments = _seen(example, question)
        half = segments[len(segments) // 2 :]
        return [_Window(segments), _Window(_mirror(segments), mirrored=True), _Window(half)]

    def _row(self, window: _Window, example: Example, statements: Sequence[str], rivals: Sequence[str]) -> LessonRow:
        """What just happened, with all statements and rivals as answers; then each statement, true or not."""
        count = len(window.segments)
        said = [window.say(text) for text in statements]
        observe = Asked(count, "", OBSERVE, (*said, *map(window.say, rivals)))
        verify = (Asked(count, "", render_verify(text), (YES, NO)) for text in said)
        return LessonRow(tuple(window.segments), (observe, *verify), example.segment_seconds)

    def _draw(self, segments: Segments, example: Example, count: int, temperature: float, seed: int) -> list[str]:
        sampling = Sampling(
            count, self._settings.max_tokens, temperature=temperature, temperature_spread=0.0, top_p=1.0
        )
        return self._policy.write(segments, "", OBSERVE, count, sampling, seed, example.segment_seconds)


def _seen(example: Example, question: Question) -> Segments:
    return example.segments[question.start : question.start + question.num_segments]


def _mirror(segments: Segments) -> Segments:
    return turn_segments(tuple(segments), "flip")


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(min(500.0, -log_odds)))
