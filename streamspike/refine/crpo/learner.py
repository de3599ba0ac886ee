"""Dual-branch GRPO: groups of answers about a clip and about its counterfactual branch, rewarded for how they relate.

For each question both branches are asked the same. The policy over choices is pi(c) = softmax(log-likelihood / T): the
answers are drawn from it, and it is what the loss moves, so the gradient is that of the policy that acted. Per branch
a group of `group` answers, advantage A = (R - mean) / (std + 1e-6) within it, loss = -mean A log pi(answer), plus
beta times the KL to the reference (adapter off) per token of the answers drawn, in the estimate
exp(ref - log) - (ref - log) - 1 (Schulman, "Approximating KL Divergence", 2020), as GRPO has it.

Deviations from CRPO (arXiv 2605.21988):

1. Answers are choices scored as sentences or letters, not free text with a reasoning part; a small model has none.
2. The temperature T is high: a model that is sure of a wrong answer would never draw the right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamspike.errors import ConfigError
from streamspike.refine.crpo.asking import Style, pose_both, weigh
from streamspike.refine.crpo.labels import LABELS, Labels, label_by, majority, verified
from streamspike.refine.crpo.questions import Question
from streamspike.refine.crpo.relation import RewardSettings, relates, reward_answers, share
from streamspike.refine.crpo.scenes import Item, ItemSource
from streamspike.refine.packed import PackedRows
from streamspike.refine.policy import Policy
from streamspike.refine.training import Backward, Learnt, draw_example

EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class CrpoSettings:
    """How answers are drawn and weighed."""

    questions: int = 8
    """In one forward, two rows each."""
    group: int = 8
    """Answers drawn for each branch of a question."""
    temperature: float = 4.0
    """T above; of nats of whole answers."""
    beta: float = 0.02
    """Weight of the KL to the reference."""
    labels: Labels = "truth"
    rewards: RewardSettings = field(default_factory=RewardSettings)
    style: Style = "sentences"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.questions < 1 or self.group < 2 or self.temperature <= 0 or self.beta < 0:
            raise ConfigError(f"one question or more, groups of two or more, T above 0, beta not below: {self}")
        if self.labels not in LABELS:
            raise ConfigError(f"labels are {', '.join(LABELS)}, not {self.labels!r}")


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The answers drawn about one branch."""

    answers: list[int]
    log_pi: Tensor  # (choices,), with gradient
    kl: Tensor
    """(choices,) per token, with gradient."""

    def loss(self, rewards: Sequence[float], beta: float) -> Tensor:
        drawn = torch.tensor(self.answers)
        advantages = z_scores(rewards).to(self.log_pi.device)
        return beta * self.kl[drawn].mean() - (advantages * self.log_pi[drawn]).mean()


class CrpoLearner:
    """Implements `training.Learner`."""

    method = "crpo"

    def __init__(self, policy: Policy, items: ItemSource, settings: CrpoSettings, data: Mapping[str, Any]) -> None:
        """
        Args:
            data: what the items are, as JSON; a run is continued only with the same.
        """
        if not len(items):
            raise ConfigError("there is nothing to ask about: the dataset has no clip with a question in it")
        self.policy = policy
        self._items = items
        self._settings = settings
        self._data = data

    def describe(self) -> Mapping[str, Any]:
        return {**asdict(self._settings), "data": dict(self._data)}

    def learn(self, number: int, backward: Backward) -> Learnt:
        """The losses of both branches of `questions` questions, in one forward."""
        settings = self._settings
        places = range(number * settings.questions, (number + 1) * settings.questions)
        items = [self._items[draw_example(settings.seed, place, len(self._items))] for place in places]
        rows = PackedRows(self.policy.loaded, [row for item in items for row in pose_both(item, settings.style)])
        with torch.no_grad(), self.policy.reference():
            reference = rows.log_probs()
        known = rows.split(reference)
        truths = [self._truths(item, weigh(known[2 * k]).tolist()) for k, item in enumerate(items)]
        with self.policy.training():
            log_probs = rows.log_probs()
            ratio = reference - log_probs
            answers, kl = rows.split(log_probs), rows.split(torch.exp(ratio) - ratio - 1)
            rng = np.random.default_rng([settings.seed, number])
            losses, counts = [], _Counts()
            for k, item in enumerate(items):
                groups = self._draw(answers[2 * k], kl[2 * k], rng), self._draw(answers[2 * k + 1], kl[2 * k + 1], rng)
                drawn = groups[0].answers, groups[1].answers
                rewards = reward_answers(item.question, drawn, truths[k], settings.rewards)
                losses += [group.loss(r, settings.beta) for group, r in zip(groups, rewards, strict=True)]
                counts.add(item, groups, truths[k], rewards)
            backward(torch.stack(losses).mean())
        return Learnt(counts.means(), counts.words)

    def _draw(
        self, answers: Sequence[Sequence[Tensor]], kl: Sequence[Sequence[Tensor]], rng: np.random.Generator
    ) -> _Group:
        log_pi = torch.log_softmax(weigh(answers) / self._settings.temperature, dim=-1)
        chances = log_pi.detach().double().exp().cpu().numpy()
        drawn = rng.choice(len(chances), size=self._settings.group, p=chances / chances.sum())
        num_choices = len(kl[0])
        per_token = [torch.cat([asked[choice] for asked in kl]).mean() for choice in range(num_choices)]
        return _Group(drawn.tolist(), log_pi, torch.stack(per_token))

    def _truths(self, item: Item, reference_scores: Sequence[float]) -> tuple[int, int]:
        if self._settings.labels == "truth":
            return item.question.answers
        answer = majority(reference_scores) if self._settings.labels == "majority" else verified(self.policy, item)
        return label_by(item.question, answer)


class _Counts:
    """Means for the curve, and the first question in words."""

    def __init__(self) -> None:
        self.words = ""
        self._values: dict[str, list[float]] = {}

    def add(
        self, item: Item, groups: Sequence[_Group], truths: tuple[int, int], rewards: Sequence[Sequence[float]]
    ) -> None:
        question = item.question
        self.words = self.words or describe_draw(question, (groups[0].answers, groups[1].answers))
        firsts = [int(group.log_pi.argmax()) for group in groups]
        right = [first == answer for first, answer in zip(firsts, truths, strict=True)]
        pairs = [
            relates(question, one, two, "transform") for one, two in zip(*(g.answers for g in groups), strict=True)
        ]
        name = "dynamic" if question.dynamic else "static"
        for key, value in (
            ("reward", float(np.mean(rewards))),
            (f"{name}_pairs_right", float(all(right))),
            (f"{name}_related", share(pairs)),
            ("kl", float(torch.stack([group.kl.detach()[group.answers].mean() for group in groups]).mean())),
            ("decided", share(len(set(group)) == 1 for group in rewards)),
        ):
            self._values.setdefault(key, []).append(value)

    def means(self) -> dict[str, float]:
        return {key: float(np.mean(values)) for key, values in self._values.items()}


def z_scores(rewards: Sequence[float]) -> Tensor:
    """Advantages within a group, (answers,); all 0 where all rewards are the same."""
    values = torch.tensor(list(rewards))
    return (values - values.mean()) / (values.std(unbiased=False) + EPSILON)


def describe_draw(question: Question, drawn: tuple[Sequence[int], Sequence[int]]) -> str:
    """One question and what was answered most about each branch, for who watches."""
    said = [
        view.choices[max(set(answers), key=list(answers).count)]
        for view, answers in zip(question.views, drawn, strict=True)
    ]
    turned = "mirrored" if question.branch == "flip" else "reversed"
    return f"{question.text} {said[0]}; {turned}: {said[1]}"
