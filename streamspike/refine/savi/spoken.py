"""The conversation of a model that can be asked anything, as VideoSAVi has it (arXiv 2412.00624): all in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamspike.belief.prompts import NO, YES
from streamspike.core import Pixels, Sampling
from streamspike.refine.examples import Example
from streamspike.refine.policy import Policy
from streamspike.refine.savi.dialogue import Critique, Question, Revision
from streamspike.refine.savi.prompts import (
    KINDS,
    STOCK,
    parse_question,
    render_answer,
    render_ask,
    render_critique,
    render_judge,
    render_revise,
)


@dataclass(frozen=True, slots=True)
class SpokenSettings:
    """How much is said, and how warmly."""

    max_segments: int = 16
    """Segments that are shown, the first of the clip."""
    max_tokens: int = 60
    temperature: float = 1.0
    """Of questions and first answers; critique and revision are greedy."""


class SpokenDialogue:
    """Implements `Dialogue`. First answers see every other segment only.

    The model is asked yes or no whether an answer is right; the difference of the log-odds of both answers is what a
    revision gains. Words alone tell nothing that could be compared.
    """

    name = "spoken"

    def __init__(self, policy: Policy, settings: SpokenSettings) -> None:
        self._policy = policy
        self._settings = settings

    def questions(self, example: Example, seed: int) -> Sequence[Question]:
        shown = min(len(example.segments), self._settings.max_segments)
        asked = []
        for place, kind in enumerate(KINDS):
            (text,) = self._write(example.segments[:shown], example, render_ask(kind), self._warm(), seed + place)
            question = parse_question(text) or STOCK[kind]
            asked.append(Question(kind, 0, shown, render_answer(question), question))
        return asked

    def answer(self, example: Example, question: Question, seed: int) -> str:
        some = example.segments[: question.num_segments][::2]
        (text,) = self._write(some, example, question.text, self._warm(), seed)
        return text

    def critique(self, example: Example, question: Question, answer: str) -> Critique:
        (words,) = self._write(
            self._seen(example, question), example, render_critique(question.about, answer), self._cold(), 0
        )
        return Critique(words, self._support(example, question, answer))

    def revise(self, example: Example, question: Question, answer: str, critique: Critique, seed: int) -> Revision:
        prompt = render_revise(question.about, answer, critique.words)
        (text,) = self._write(self._seen(example, question), example, prompt, self._cold(), seed)
        return Revision(text, self._support(example, question, text) - critique.support_nats)

    def _support(self, example: Example, question: Question, answer: str) -> float:
        prompt = render_judge(question.about, answer)
        seen = self._seen(example, question)
        yes, no = self._policy.choose(seen, "", prompt, (YES, NO), example.segment_seconds)
        return yes - no

    def _seen(self, example: Example, question: Question) -> Sequence[tuple[Pixels, ...]]:
        return example.segments[question.start : question.start + question.num_segments]

    def _write(
        self, segments: Sequence[tuple[Pixels, ...]], example: Example, prompt: str, sampling: Sampling, seed: int
    ) -> list[str]:
        return self._policy.write(segments, "", prompt, 1, sampling, seed, example.segment_seconds)

    def _warm(self) -> Sampling:
        settings = self._settings
        return Sampling(1, settings.max_tokens, temperature=settings.temperature, temperature_spread=0.0)

    def _cold(self) -> Sampling:
        return Sampling(1, self._settings.max_tokens, temperature=0.0, temperature_spread=0.0)
