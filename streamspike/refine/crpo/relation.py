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

from collections.abc import Sequence
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


def reward_choices(
    question: Question,
    chances: tuple[Sequence[float], Sequence[float]],
    truths: tuple[int, int],
    settings: RewardSettings,
) -> tuple[list[float], list[float]]:
    """Rewards in [0, 1] of every choice about the clip and about its branch.

    Args:
        chances: with which probability each choice is made in either branch.
        truths: the right choice in each branch; UNKNOWN: no choice is right.
    """
    about_clip, about_branch = chances
    rule = settings.rule
    relations = (
        [
            sum(chance for other, chance in enumerate(about_branch) if relates(question, choice, other, rule))
            for choice in range(len(about_clip))
        ],
        [
            sum(chance for other, chance in enumerate(about_clip) if relates(question, other, choice, rule))
            for choice in range(len(about_branch))
        ],
    )
    total = settings.correctness + settings.relation
    clip, branch = (
        [
            (settings.correctness * (choice == truth) + settings.relation * related) / total
            for choice, related in enumerate(row)
        ]
        for row, truth in zip(relations, truths, strict=True)
    )
    return clip, branch


def reward_answers(
    question: Question,
    answers: tuple[Sequence[int], Sequence[int]],
    truths: tuple[int, int],
    settings: RewardSettings,
) -> tuple[list[float], list[float]]:
    """Rewards in [0, 1] of answers that were drawn about the clip and about its branch.

    Args:
        answers: numbers of choices, a group for each branch; neither is empty.
        truths: as in `reward_choices`.
    """
    count = len(question.original.choices)
    shares = [[group.count(choice) / len(group) for choice in range(count)] for group in map(list, answers)]
    clip, branch = reward_choices(question, (shares[0], shares[1]), truths, settings)
    return [clip[answer] for answer in answers[0]], [branch[answer] for answer in answers[1]]
