"""Dual-branch policy gradients: answers about a clip and about its counterfactual branch, rewarded for how they relate.

For each question both branches are asked the same. The policy over choices is pi(c) = softmax(log-likelihood / T), and
a choice's reward R(c) says whether it is right and how it goes with what is answered about the other branch
(`relation.py`). Per branch

    loss = - log of the sum over choices of pi(c) R(c)  +  beta * KL,

the KL to the reference (adapter off) per token, in the estimate of GRPO: exp(d) - d - 1, d = log reference - log pi.

Deviations from CRPO (arXiv 2605.21988):

1. Answers are choices scored as sentences or letters, not free text with a reasoning part; a small model has none. So
   there are few, and the expected reward can be computed. With `group` answers are drawn instead, as published: their
   advantages A are z-scores in the group (`grpo.advantages`), loss = -mean A log pi(answer). On the built-in model that
   moved the likelihoods of what was right already, seven times further from the reference, and no choice for the better
   (docs/log.md).
2. The logarithm of the expected reward, and not the reward itself: else who is sure of a wrong answer learns nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamspike.errors import ConfigError, DatasetError
from streamspike.refine.crpo.asking import Style, pose_both, weigh
from streamspike.refine.crpo.labels import LABELS, Labels, label_by, majority, verified
from streamspike.refine.crpo.questions import Question
from streamspike.refine.crpo.relation import RewardSettings, relates, reward_answers, reward_choices
from streamspike.refine.crpo.scenes import Item, ItemSource
from streamspike.refine.grpo import GrpoSettings, advantages
from streamspike.refine.packed import PackedRows
from streamspike.refine.policy import Policy
from streamspike.refine.training import Backward, Learnt, draw_example

ADVANTAGE = GrpoSettings()
"""Its way to scale rewards within a group."""
LEAST_REWARD = 1e-4
"""Added to the expected reward: nothing is worse than 9 nats."""


@dataclass(frozen=True, slots=True)
class CrpoSettings:
    """How answers are drawn and weighed."""

    questions: int = 8
    """In an item of the loop; each is a forward and a backward of two rows."""
    group: int = 0
    """Answers drawn for each branch of a question; 0: none, the expectation over all choices is taken."""
    temperature: float = 1.0
    """T above; of nats of whole answers. Drawn ones want a high one, such as 4: a model that is sure of a wrong answer
    would never draw the right one."""
    beta: float = 0.02
    """Weight of the KL to the reference."""
    labels: Labels = "truth"
    rewards: RewardSettings = field(default_factory=RewardSettings)
    style: Style = "sentences"
    seed: int = 0
    cached: int = 1024
    """Questions whose frames' features are kept, as the vision tower does not learn; 36 tokens a segment with the
    built-in model, 0.2 MB a question."""

    def __post_init__(self) -> None:
        if self.questions < 1 or self.group < 0 or self.group == 1 or self.temperature <= 0 or self.beta < 0:
            raise ConfigError(f"one question or more, groups of 0, 2 or more, T above 0, beta not below: {self}")
        if self.labels not in LABELS:
            raise ConfigError(f"labels are {', '.join(LABELS)}, not {self.labels!r}")


@dataclass(frozen=True, slots=True, eq=False)
class _Posed:
    """A question, as far as it stays the same however often it is asked: features, and what the reference says."""

    question: Question
    rows: PackedRows
    """Of the clip and of its branch."""
    reference: Tensor
    """Log-probabilities by the reference, in the order of the rows' targets."""
    truths: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Branch:
    """What the policy makes of one branch of a question."""

    log_pi: Tensor  # (choices,), with gradient
    kl: Tensor
    """(choices,) per token, with gradient."""
    answers: list[int]
    """Drawn ones; else every choice once."""

    @property
    def chances(self) -> list[float]:
        values: list[float] = self.log_pi.detach().double().exp().tolist()
        return values

    def loss(self, rewards: Sequence[float], beta: float) -> Tensor:
        """Of rewards of all choices."""
        chances = self.log_pi.exp()
        expected = (chances * torch.tensor(rewards).to(chances)).sum()
        return beta * (chances.detach() * self.kl).sum() - torch.log(expected + LEAST_REWARD)

    def loss_of_drawn(self, rewards: Sequence[float], beta: float) -> Tensor:
        """Of rewards of the answers drawn."""
        drawn = torch.tensor(self.answers)
        advantage = torch.from_numpy(advantages(rewards, ADVANTAGE)).to(self.log_pi)
        return beta * self.kl[drawn].mean() - (advantage * self.log_pi[drawn]).mean()


class CrpoLearner:
    """Implements `training.Learner`."""

    method = "crpo"

    def __init__(self, policy: Policy, items: ItemSource, settings: CrpoSettings, data: Mapping[str, Any]) -> None:
        """
        Args:
            data: what the items are, as JSON; a run is continued only with the same.

        Raises:
            DatasetError: there are no items.
        """
        if not len(items):
            raise DatasetError("there is nothing to ask about: no clip of the dataset has a question in it")
        self.policy = policy
        self._items = items
        self._settings = settings
        self._data = data
        self._pose = lru_cache(settings.cached)(self._pose_anew)

    def describe(self) -> Mapping[str, Any]:
        """Settings, and what the data are."""
        described = asdict(self._settings)
        del described["cached"]
        return {**described, "data": dict(self._data)}

    def learn(self, number: int, backward: Backward) -> Learnt:
        """The losses of both branches of each of `questions` questions."""
        settings = self._settings
        rng = np.random.default_rng([settings.seed, number])
        seen = _Means()
        with self.policy.training():
            for place in range(number * settings.questions, (number + 1) * settings.questions):
                posed = self._pose(draw_example(settings.seed, place, len(self._items)))
                log_probs = posed.rows.log_probs()
                ratio = posed.reference - log_probs
                per_token = posed.rows.split(torch.exp(ratio) - ratio - 1)
                answers = posed.rows.split(log_probs)
                clip, branch = (self._weigh(answers[row], per_token[row], rng) for row in (0, 1))
                if settings.group:
                    drawn = clip.answers, branch.answers
                    rewards = reward_answers(posed.question, drawn, posed.truths, settings.rewards)
                    losses = [
                        one.loss_of_drawn(r, settings.beta) for one, r in zip((clip, branch), rewards, strict=True)
                    ]
                    earned = [float(np.mean(values)) for values in rewards]
                else:
                    chances = clip.chances, branch.chances
                    rewards = reward_choices(posed.question, chances, posed.truths, settings.rewards)
                    losses = [one.loss(r, settings.beta) for one, r in zip((clip, branch), rewards, strict=True)]
                    earned = [float(np.dot(*pair)) for pair in zip(rewards, chances, strict=True)]
                backward(torch.stack(losses).mean() / settings.questions)
                seen.add(posed, (clip, branch), earned)
        return Learnt(seen.means(), seen.words)

    def _pose_anew(self, place: int) -> _Posed:
        item = self._items[place]
        rows = PackedRows(self.policy.loaded, pose_both(item, self._settings.style))
        with torch.no_grad(), self.policy.reference():
            reference = rows.log_probs()
        return _Posed(item.question, rows, reference, self._find_truths(item, rows.split(reference)[0]))

    def _find_truths(self, item: Item, reference: Sequence[Sequence[Tensor]]) -> tuple[int, int]:
        if self._settings.labels == "truth":
            return item.question.answers
        if self._settings.labels == "majority":
            return label_by(item.question, majority(weigh(reference).tolist()))
        return label_by(item.question, verified(self.policy, item))

    def _weigh(
        self, answers: Sequence[Sequence[Tensor]], kl: Sequence[Sequence[Tensor]], rng: np.random.Generator
    ) -> _Branch:
        log_pi = torch.log_softmax(weigh(answers) / self._settings.temperature, dim=-1)
        per_token = [torch.cat(tokens).mean() for tokens in zip(*kl, strict=True)]
        drawn = list(range(len(log_pi)))
        if self._settings.group:
            chances = log_pi.detach().double().exp().cpu().numpy()
            drawn = rng.choice(len(chances), size=self._settings.group, p=chances / chances.sum()).tolist()
        return _Branch(log_pi, torch.stack(per_token), drawn)


class _Means:
    """Means for the curve, and the first question in words."""

    def __init__(self) -> None:
        self.words = ""
        self._values: dict[str, list[float]] = {}

    def add(self, posed: _Posed, branches: Sequence[_Branch], earned: Sequence[float]) -> None:
        """`earned` is the mean reward in either branch."""
        question = posed.question
        firsts = [int(branch.log_pi.argmax()) for branch in branches]
        self.words = self.words or describe_choice(question, (firsts[0], firsts[1]))
        right = [first == answer for first, answer in zip(firsts, posed.truths, strict=True)]
        name = "dynamic" if question.dynamic else "static"
        kls = [branch.kl.detach()[branch.answers].mean() for branch in branches]
        for key, value in (
            ("reward", float(np.mean(earned))),
            (f"{name}_pairs_right", float(all(right))),
            (f"{name}_related", float(relates(question, firsts[0], firsts[1], "transform"))),
            ("kl", float(torch.stack(kls).mean())),
        ):
            self._values.setdefault(key, []).append(value)

    def means(self) -> dict[str, float]:
        return {key: float(np.mean(values)) for key, values in self._values.items()}


def describe_choice(question: Question, chosen: tuple[int, int]) -> str:
    """One question and what is chosen about each branch, for who watches."""
    said = [view.choices[choice] for view, choice in zip(question.views, chosen, strict=True)]
    turned = "mirrored" if question.branch == "flip" else "reversed"
    return f"{question.text} {said[0]}; {turned}: {said[1]}"
