"""Asks a model a question about one branch, and reads how likely it finds each choice.

Two styles, one interface. `sentences`: each choice is what the model would have said had it been so, in answer to the
question it is asked all day (OBSERVE), after the segment in question; a choice that claims several things is as likely
as they are together. That is all the built-in model understands. `letters`: the question in words with its choices,
to be answered with a letter; for models that follow instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from streamspike.belief.prompts import OBSERVE
from streamspike.engine.model import FEW_PARAMETERS, LoadedModel
from streamspike.refine.crpo.counterfactual import Segments, turn_segments
from streamspike.refine.crpo.questions import View
from streamspike.refine.crpo.scenes import Item
from streamspike.refine.packed import Asked, LessonRow, PackedRows, portions

Style = Literal["sentences", "letters"]
STYLES: tuple[Style, ...] = ("sentences", "letters")
LETTERS = "ABCDEFGH"
LETTER_QUESTION = "{text}\n{choices}\nAnswer with one letter."
MAX_ROWS = 16
"""In one forward."""


def style_of(loaded: LoadedModel) -> Style:
    """What this model understands: one as small as the built-in one knows no questions but its own."""
    return "sentences" if loaded.num_parameters < FEW_PARAMETERS else "letters"


def pose(segments: Segments, text: str, view: View, style: Style, segment_seconds: float = 1.0) -> LessonRow:
    """One view of a question as a row of segments and what is asked about them.

    Args:
        segments: those of the branch the view is on.
    """
    seen = view.num_segments
    if style == "letters":
        choices = "\n".join(f"{letter}. {words}" for letter, words in zip(LETTERS, view.choices, strict=False))
        question = LETTER_QUESTION.format(text=text, choices=choices)
        asked = [Asked(seen, "", question, tuple(LETTERS[: len(view.choices)]))]
    else:
        asked = [
            Asked(claims[0].num_segments, "", OBSERVE, tuple(claim.sentence for claim in claims))
            for claims in zip(*view.claims, strict=True)
        ]
    return LessonRow(segments[:seen], tuple(asked), segment_seconds)


def pose_both(item: Item, style: Style) -> tuple[LessonRow, LessonRow]:
    """The rows of the clip and of its branch."""
    example, question = item.example, item.question
    turned = turn_segments(example.segments, question.branch)
    return (
        pose(example.segments, question.text, question.original, style, example.segment_seconds),
        pose(turned, question.text, question.turned, style, example.segment_seconds),
    )


def weigh(answers: Sequence[Sequence[Tensor]]) -> Tensor:
    """(choices,) log-likelihoods of a row's choices, from the token log-probabilities of each answer to each question
    of the row."""
    return torch.stack([torch.stack([tokens.sum() for tokens in asked]) for asked in answers]).sum(dim=0)


@torch.no_grad()
def choice_scores(loaded: LoadedModel, items: Sequence[Item], style: Style) -> list[tuple[list[float], list[float]]]:
    """For each item the log-likelihoods of the choices, nats: about the clip, and about its branch."""
    rows = [row for item in items for row in pose_both(item, style)]
    scores: list[list[float]] = []
    for part in portions(rows, MAX_ROWS):
        packed = PackedRows(loaded, part)
        scores += [weigh(answers).tolist() for answers in packed.split(packed.log_probs())]
    return list(zip(scores[::2], scores[1::2], strict=True))
