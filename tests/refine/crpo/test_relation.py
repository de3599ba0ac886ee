"""Rewards across branches: the truth wins, and nobody wins by answering alike whatever is shown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from streamspike.errors import ConfigError
from streamspike.refine.crpo.counterfactual import BRANCHES
from streamspike.refine.crpo.labels import label_by
from streamspike.refine.crpo.questions import DYNAMIC, STATIC, UNKNOWN, Claim, Question, View, ask_all
from streamspike.refine.crpo.relation import RewardSettings, relates, reward_answers

SENTENCES = (
    "the room is quiet",
    "a person enters from the left",
    "on the left a person walks to the right",
    "in the middle a person sits down",
    "in the middle a person sits beside a cat",
    "in the middle a person gets up",
    "on the right a person walks to the right",
)


def asked() -> list[Question]:
    rng = np.random.default_rng(0)
    return [question for kind in (*DYNAMIC, *STATIC) for question in ask_all(SENTENCES, (kind,), BRANCHES, rng)[:4]]


def mean_reward(answer, truths, settings: RewardSettings) -> float:  # type: ignore[no-untyped-def]
    """Of a policy that gives `answer(question, branch number)`, over all questions and both branches."""
    rewards = []
    for question in asked():
        groups = tuple([answer(question, branch)] * 4 for branch in range(2))
        rewards += [value for group in reward_answers(question, groups, truths(question), settings) for value in group]
    return sum(rewards) / len(rewards)


@pytest.mark.parametrize("rule", ["transform", "differ"])
@pytest.mark.parametrize("labels", ["truth", "its own"])
def test_no_policy_wins_without_looking(rule: str, labels: str) -> None:
    """Constant answers agree on static questions and are lost on dynamic ones; even where nobody knows the truth, so
    that the answer about the clip counts as right."""
    settings = RewardSettings(rule=rule)  # type: ignore[arg-type]

    def truthful(question: Question, branch: int) -> int:
        return question.answers[branch]

    for constant in range(2):

        def stubborn(question: Question, branch: int, constant: int = constant) -> int:
            return constant

        def truths(question: Question, constant: int = constant) -> tuple[int, int]:
            return question.answers if labels == "truth" else label_by(question, constant)

        assert mean_reward(truthful, lambda question: question.answers, settings) == pytest.approx(1.0)
        assert mean_reward(stubborn, truths, settings) < 0.8


def test_guessing_is_worth_less_than_looking() -> None:
    rng = np.random.default_rng(1)
    guess = mean_reward(
        lambda question, branch: int(rng.integers(len(question.original.choices))),
        lambda question: question.answers,
        RewardSettings(),
    )
    assert guess < 0.6


def test_the_stronger_relation_refuses_two_wrong_answers_that_differ() -> None:
    claims = tuple((Claim(1, text),) for text in ("left", "right", "still"))
    view = View(("left", "right", "still"), claims, 0)
    question = Question("direction", "", "flip", "", view, View(view.choices, claims, 1), (1, 0, 2))
    related = {
        rule: {pair for pair in itertools.product(range(3), repeat=2) if relates(question, *pair, rule)}
        for rule in ("transform", "differ")
    }  # type: ignore[arg-type]
    assert related["transform"] == {(0, 1), (1, 0), (2, 2)}
    assert related["differ"] == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}


def test_an_answer_is_compared_with_all_of_the_other_group() -> None:
    question = next(question for question in asked() if question.kind == "direction")
    clip, branch = question.answers
    rewards = reward_answers(question, ([clip] * 4, [branch, branch, branch, clip]), question.answers, RewardSettings())
    assert rewards[0] == pytest.approx([(1 + 0.75) / 2] * 4)
    assert rewards[1] == pytest.approx([1, 1, 1, 0])
    unknown = reward_answers(question, ([clip], [branch]), (UNKNOWN, UNKNOWN), RewardSettings())
    assert unknown == ([0.5], [0.5])


def test_weights_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError):
        RewardSettings(correctness=0, relation=0)
