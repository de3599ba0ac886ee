"""What the model is asked, word for word, and how its answers are read. Rendering and parsing stand side by side.

One row is `[system, user header][frame block ...][summary, question, answer header][answer]`. Frames come first, so
that a new summary never invalidates what was computed for them. A frame block is one temporal patch:
`<|vision_start|>`, the video tokens, `<|vision_end|>`. The built-in model is trained on exactly these strings; the
large ones get the same.

Deviations from the published prompts: they put the memory before the frames, and ask with longer instructions; the
questions here are short because every one is encoded again for every segment.
"""

from __future__ import annotations

import re

HEADER = "<|im_start|>system\nYou watch a fixed camera.<|im_end|>\n<|im_start|>user\n"
"""Before the first frame block."""

PREDICT = "What happens next? Answer in one short sentence."
OBSERVE = "What just happened? Answer in one short sentence."
VERIFY = "Is this what just happened: {statement}? Answer yes or no."

ANSWER_HEADER = "<|im_end|>\n<|im_start|>assistant\n"
END = "<|im_end|>"
"""Closes every answer; its log-probability is part of the answer's."""

YES, NO = "yes", "no"

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that turn or hide text."""


def render_suffix(summary: str, question: str) -> str:
    """Everything between the last frame block and the answer."""
    memory = f"\nBefore: {summary}" if summary else ""
    return f"{memory}\n{question}{ANSWER_HEADER}"


def render_verify(statement: str) -> str:
    """The question whether a statement is true of the newest segment."""
    return VERIFY.format(statement=statement)


def parse_sentence(answer: str) -> str:
    """A model's answer as one plain sentence: first line, no special tokens, quotes, bullets or final full stop.

    Empty when nothing readable is left.
    """
    text = re.sub(r"<\|[^|<>]*\|>", " ", answer).strip()
    text = text.splitlines()[0] if text else ""
    text = CONTROL.sub(" ", text)  # a caption goes to terminals, pages and pictures
    text = re.sub(r"^\s*(?:[-*\u2022]|\d+[.)])\s+", "", text)
    text = " ".join(text.split()).strip(" \"'\u201c\u201d`")
    return text.rstrip(".").strip()
