"""What a conversation of the model with itself consists of, whatever kind of model it is.

question -> first answer -> critique -> revision; a pair (revision preferred, first answer dispreferred) where the
critique supports the revision clearly more, and they say different things. Nobody's captions are needed.

Of questions with two possible answers those that were answered rightly are learned from as well (VideoSAVi has no such
pairs). From corrections alone the built-in model learned to say no: it is too credulous, so nearly all of its
corrections are from yes to no, and after a hundred of them it denied what was true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from streamspike.belief.hypotheses import readable, sentence_key
from streamspike.refine.dpo import Preference
from streamspike.refine.examples import Example
from streamspike.refine.savi.nearby import nearby_sentences

MAX_HELD = 4
"""The statement in question, which the model said or nearly said, and some that differ from it in one thing."""
Verdict = Literal["kept", "confirmed", "same", "unclear", "unreadable"]
VERDICTS: tuple[Verdict, ...] = ("kept", "confirmed", "same", "unclear", "unreadable")
"""kept: a pair; confirmed: a pair too, as of two possible answers the critique clearly supports the first one given;
same: the revision says what the first answer said; unclear: the critique hardly prefers either."""


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
    choices: tuple[str, ...] = ()
    """The two possible answers, if there are no others."""


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
    def preference(self) -> Preference | None:
        """What is to be learned from it, if anything."""
        if self.verdict not in ("kept", "confirmed"):
            return None
        question, worse = self.question, self.first
        if self.verdict == "confirmed":
            (worse,) = (choice for choice in question.choices if choice != self.first)
        held = (question.about, *nearby_sentences(question.about))[:MAX_HELD] if question.kind == "statement" else ()
        return Preference(
            self.example, question.start, question.num_segments, question.text, self.revised, worse, held=held
        )


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
                revision.gain_nats, _judge(question, first, critique, revision, min_gain_nats),
            )
        )  # fmt: skip
    return exchanges


def _judge(question: Question, first: str, critique: Critique, revision: Revision, min_gain_nats: float) -> Verdict:
    if not list(readable([revision.text])):
        return "unreadable"
    if sentence_key(first) == sentence_key(revision.text):
        # Log-odds are twice as far from the other answer as from none.
        is_clear = question.choices and 2 * critique.support_nats >= min_gain_nats
        return "confirmed" if is_clear else "same"
    return "kept" if revision.gain_nats >= min_gain_nats else "unclear"
