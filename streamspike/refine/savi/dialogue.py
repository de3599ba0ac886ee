"""What a conversation of the model with itself consists of, whatever kind of model it is.

question -> first answer -> critique -> revision; a pair (revision preferred, first answer dispreferred) where the
critique supports the revision clearly more, and they say different things. Nobody's captions are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from streamspike.belief.hypotheses import readable, sentence_key
from streamspike.refine.dpo import Preference
from streamspike.refine.examples import Example

Verdict = Literal["kept", "same", "unclear", "unreadable"]
VERDICTS: tuple[Verdict, ...] = ("kept", "same", "unclear", "unreadable")
"""kept: a pair; same: the revision says what the first answer said; unclear: the critique hardly prefers it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask about a window of a clip."""

    kind: str
    start: int
    """The first segment of the window."""
    num_segments: int
    text: str
    """Word for word what the model is asked, and learns to answer."""
    about: str = ""
    """The same without how to answer it, to be quoted in a critique; or the statement that is in question."""


@dataclass(frozen=True, slots=True)
class Critique:
    """What the model says of an answer of its own."""

    words: str
    support_nats: float
    """Log-odds that the answer is right, as far as the model can tell."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What the model answers after its critique."""

    text: str
    gain_nats: float
    """How much more the model supports it than the first answer."""


class Dialogue(Protocol):
    """One model that talks to itself about clips. Same model, clip and seed: same words."""

    name: str

    def questions(self, example: Example, seed: int) -> Sequence[Question]: ...

    def answer(self, example: Example, question: Question, seed: int) -> str:
        """The first answer: from less than what is to be seen, and drawn warmly, so that it may be wrong."""
        ...

    def critique(self, example: Example, question: Question, answer: str) -> Critique: ...

    def revise(self, example: Example, question: Question, answer: str, critique: Critique, seed: int) -> Revision: ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """One conversation, kept or not."""

    example: int
    """Number of the clip in its source."""
    example_id: str
    question: Question
    first: str
    critique: str
    support_nats: float
    revised: str
    gain_nats: float
    verdict: Verdict

    @property
    def preference(self) -> Preference:
        """What is to be learned from it; only of one that is kept."""
        question = self.question
        return Preference(self.example, question.start, question.num_segments, question.text, self.revised, self.first)


def converse(dialogue: Dialogue, number: int, example: Example, min_gain_nats: float, seed: int) -> list[Exchange]:
    """All questions about one clip, each with what came of it.

    Args:
        number: of the example in its source.
        min_gain_nats: what a critique must prefer the revision by.
    """
    exchanges = []
    for place, question in enumerate(dialogue.questions(example, seed)):
        own_seed = seed * 1009 + place + 1
        first = dialogue.answer(example, question, own_seed)
        if not list(readable([first])):
            exchanges.append(Exchange(number, example.example_id, question, first, "", 0.0, "", 0.0, "unreadable"))
            continue
        critique = dialogue.critique(example, question, first)
        revision = dialogue.revise(example, question, first, critique, own_seed)
        exchanges.append(
            Exchange(
                number, example.example_id, question, first, critique.words, critique.support_nats, revision.text,
                revision.gain_nats, _judge(first, revision, min_gain_nats),
            )
        )  # fmt: skip
    return exchanges


def _judge(first: str, revision: Revision, min_gain_nats: float) -> Verdict:
    if not list(readable([revision.text])):
        return "unreadable"
    if sentence_key(first) == sentence_key(revision.text):
        return "same"
    return "kept" if revision.gain_nats >= min_gain_nats else "unclear"
