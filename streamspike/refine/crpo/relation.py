"""What an answer is worth: whether it is right, and whether it goes with the answers about the other branch.

The relation is the idea of CRPO (arXiv 2605.21988): a model that looks at shapes and not at what happens answers alike
about a video and its reversal, and a relation reward tells it so whether or not anybody knows the right answer. Two
forms, by name:

- `differ`: answers about the branches differ if the question is dynamic, and agree if it is static (the paper's);
- `transform`: the answer about the branch is the one that goes with the answer about the clip. Stronger wherever there
  are more than two choices: two different wrong answers do not relate.

An answer is compared with every answer of the other branch's group; the share of those that it goes with is its reward,
which is what pairing them at random would give on average, with less noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from streamspike.errors import ConfigError
from streamspike.refine.crpo.questions import Question

Relation = Literal["differ", "transform"]
RELATIONS: tuple[Relation, ...] = ("differ", "transform")


@dataclass(frozen=True, slots=True)
class RewardSettings:
    """How much each part counts."""

    correctness: float = 1.0
    relation: float = 1.0
    rule: Relation = "transform"

    def __post_init__(self) -> None:
        if min(self.correctness, self.relation) < 0 or self.correctness + self.relation <= 0:
            raise ConfigError(f"weights of rewards are not negative, and not all 0: {self}")
        if self.rule not in RELATIONS:
            raise ConfigError(f"a relation is one of {', '.join(RELATIONS)}, not {self.rule!r}")


def relates(question: Question, original: int, turned: int, rule: Relation) -> bool:
    """Whether an answer about the clip and one about its branch go together."""
    if rule == "transform":
        return question.goes_with[original] == turned
    return (original != turned) == question.dynamic


def reward_answers(
    question: Question,
    answers: tuple[Sequence[int], Sequence[int]],
    truths: tuple[int, int],
    settings: RewardSettings,
) -> tuple[list[float], list[float]]:
    """Rewards in [0, 1] of the answers about the clip and about its branch.

    Args:
        answers: numbers of choices, a group for each branch; neither is empty.
        truths: the right choice in each branch; UNKNOWN: nobody's answer is right.
    """
    about_clip, about_branch = answers
    relations = (
        [share(relates(question, answer, other, settings.rule) for other in about_branch) for answer in about_clip],
        [share(relates(question, other, answer, settings.rule) for other in about_clip) for answer in about_branch],
    )
    total = settings.correctness + settings.relation
    clip, branch = (
        [
            (settings.correctness * (answer == truth) + settings.relation * related) / total
            for answer, related in zip(group, related_group, strict=True)
        ]
        for group, related_group, truth in zip(answers, relations, truths, strict=True)
    )
    return clip, branch


def share(flags: Iterable[bool]) -> float:
    """Of those that are true, of one or more."""
    values = list(flags)
    return sum(values) / len(values)
