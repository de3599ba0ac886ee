"""Who says which answer is right: the truth, the reference model's own first choice, or its yes and no.

Footage that nobody labelled has no truth. Then the answer about the clip as it was filmed is taken from the reference
model (the adapter off: a policy in training could prove itself right), and that about its branch follows by rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from streamspike.belief.prompts import NO, YES, render_verify
from streamspike.refine.crpo.questions import UNKNOWN, Question
from streamspike.refine.crpo.scenes import Item
from streamspike.refine.packed import Asked, LessonRow, PackedRows
from streamspike.refine.policy import Policy

Labels = Literal["truth", "majority", "verify"]
LABELS: tuple[Labels, ...] = ("truth", "majority", "verify")


def label_by(question: Question, answer: int) -> tuple[int, int]:
    """The answers about both branches, if that is the one about the clip."""
    return (answer, UNKNOWN if answer == UNKNOWN else question.goes_with[answer])


def majority(scores: Sequence[float]) -> int:
    """What most answers would be if many were drawn: the likeliest choice.

    Args:
        scores: log-likelihoods of the choices about the clip.
    """
    return max(range(len(scores)), key=scores.__getitem__)


@torch.no_grad()
def verified(policy: Policy, item: Item) -> int:
    """The choice whose claims the reference holds most likely to be true, asked about each by itself (VERIFY)."""
    view, example = item.question.original, item.example
    asked = tuple(
        Asked(claim.num_segments, "", render_verify(claim.sentence), (YES, NO))
        for claims in view.claims
        for claim in claims
    )
    with policy.reference():
        rows = PackedRows(policy.loaded, [LessonRow(example.segments, asked, example.segment_seconds)])
        (answers,) = rows.split(rows.log_probs())
    both = torch.stack([torch.stack([tokens.sum() for tokens in pair]) for pair in answers])  # (claims, 2)
    beliefs = torch.log_softmax(both, dim=-1)[:, 0].view(len(view.claims), -1).sum(dim=-1)
    return int(beliefs.argmax())
