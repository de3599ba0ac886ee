"""What a large model is asked while it talks to itself, word for word, and how its answers are read."""

from __future__ import annotations

import re
from typing import Literal

from streamspike.belief.prompts import parse_sentence

QuestionKind = Literal["spatial", "temporal"]
KINDS: tuple[QuestionKind, ...] = ("spatial", "temporal")

ASK: dict[QuestionKind, str] = {
    "spatial": "Ask one short question about this video that can be answered by looking closely at where things are: "
    "which objects there are, how many, on which side, in front of or behind what. Write the question only.",
    "temporal": "Ask one short question about this video that can be answered by watching closely what happens when: "
    "which happens first, what happens after what, which way something moves. Write the question only.",
}
STOCK: dict[QuestionKind, str] = {
    "spatial": "What is on the left, and what is on the right?",
    "temporal": "What happens first, and what happens after it?",
}
"""Asked where the model did not manage to ask."""
ANSWER = "{question} Answer in one short sentence."
CRITIQUE = (
    "Question about the video: {question} Answer given: {answer}. Look at all frames again. Say in one short sentence "
    "what is wrong or missing in this answer: objects, places, directions, order of events. Say that it is right if it "
    "is."
)
REVISE = (
    "Question about the video: {question} First answer: {answer}. Critique of it: {critique}. Look at all frames again "
    "and answer the question better, in one short sentence."
)
JUDGE = "Question about the video: {question} Answer given: {answer}. Is this answer right? Answer yes or no."
MAX_WORDS = 40
"""Of a question or an answer that is quoted to the model."""


def render_ask(kind: QuestionKind) -> str:
    """Ask for a question of this kind."""
    return ASK[kind]


def parse_question(answer: str) -> str:
    """The question itself; empty if the answer holds none."""
    match = re.search(r"[^.!?:]*\?", parse_sentence(answer))
    return _quoted(match.group()) if match else ""


def render_answer(question: str) -> str:
    return ANSWER.format(question=question)


def render_critique(question: str, answer: str) -> str:
    return CRITIQUE.format(question=question, answer=_quoted(answer))


def render_revise(question: str, answer: str, critique: str) -> str:
    return REVISE.format(question=question, answer=_quoted(answer), critique=_quoted(critique))


def render_judge(question: str, answer: str) -> str:
    """The question whether an answer is right, to be answered yes or no."""
    return JUDGE.format(question=question, answer=_quoted(answer))


def _quoted(text: str) -> str:
    plain = parse_sentence(text).replace("{", " ").replace("}", " ")
    return " ".join(plain.split()[:MAX_WORDS])
