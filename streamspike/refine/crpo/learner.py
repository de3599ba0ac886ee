"""Dual-branch GRPO: groups of answers about a clip and about its counterfactual branch, rewarded for how they relate.

For each question both branches are asked the same. The policy over choices is pi(c) = softmax(log-likelihood / T): the
answers are drawn from it, and it is what the loss moves, so the gradient is that of the policy that acted. Per branch a
group of `group` answers, its advantages A (`grpo.advantages`), loss = -mean A log pi(answer), plus beta times the KL to
the reference (adapter off) per token of the answers drawn, in the estimate of GRPO: exp(d) - d - 1, d = log reference -
log pi.

Deviations from CRPO (arXiv 2605.21988):

1. Answers are choices scored as sentences or letters, not free text with a reasoning part; a small model has none.
2. The temperature T is high: a model that is sure of a wrong answer would never draw the right one.
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
from streamspike.refine.crpo.relation import RewardSettings, relates, reward_answers, share
from streamspike.refine.crpo.scenes import Item, ItemSource
from streamspike.refine.grpo import GrpoSettings, advantages
from streamspike.refine.packed import PackedRows
from streamspike.refine.policy import Policy
from streamspike.refine.training import Backward, Learnt, draw_example

ADVANTAGE = GrpoSettings()
"""Its way to scale rewards within a group."""


@dataclass(frozen=True, slots=True)
class CrpoSettings:
    """How answers are drawn and weighed."""

    questions: int = 8
    """In an item of the loop; each is a forward and a backward of two rows."""
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
    cached: int = 1024
    """Questions whose frames' features are kept, as the vision tower does not learn; 16 tokens a segment with the
    built-in model, 0.1 MB a question."""

    def __post_init__(self) -> None:
        if self.questions < 1 or self.group < 2 or self.temperature <= 0 or self.beta < 0:
            raise ConfigError(f"one question or more, groups of two or more, T above 0, beta not below: {self}")
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
class _Group:
    """The answers drawn about one branch."""

    answers: list[int]
    log_pi: Tensor  # (choices,), with gradient
    kl: Tensor
    """(choices,) per token, with gradient."""

    def loss(self, rewards: Sequence[float], beta: float) -> Tensor:
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
                clip, branch = (self._draw(answers[row], per_token[row], rng) for row in (0, 1))
                drawn = clip.answers, branch.answers
                rewards = reward_answers(posed.question, drawn, posed.truths, settings.rewards)
                losses = clip.loss(rewards[0], settings.beta), branch.loss(rewards[1], settings.beta)
                backward(torch.stack(losses).mean() / settings.questions)
                seen.add(posed, (clip, branch), rewards)
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

    def _draw(
        self, answers: Sequence[Sequence[Tensor]], kl: Sequence[Sequence[Tensor]], rng: np.random.Generator
    ) -> _Group:
        log_pi = torch.log_softmax(weigh(answers) / self._settings.temperature, dim=-1)
        chances = log_pi.detach().double().exp().cpu().numpy()
        drawn = rng.choice(len(chances), size=self._settings.group, p=chances / chances.sum())
        per_token = [torch.cat(tokens).mean() for tokens in zip(*kl, strict=True)]
        return _Group(drawn.tolist(), log_pi, torch.stack(per_token))


class _Means:
    """Means for the curve, and the first question in words."""

    def __init__(self) -> None:
        self.words = ""
        self._values: dict[str, list[float]] = {}

    def add(self, posed: _Posed, groups: Sequence[_Group], rewards: Sequence[Sequence[float]]) -> None:
        question = posed.question
        self.words = self.words or describe_draw(question, (groups[0].answers, groups[1].answers))
        firsts = [int(group.log_pi.argmax()) for group in groups]
        right = [first == answer for first, answer in zip(firsts, posed.truths, strict=True)]
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


def describe_draw(question: Question, drawn: tuple[Sequence[int], Sequence[int]]) -> str:
    """One question and what was answered most about each branch, for who watches."""
    said = [
        view.choices[max(set(answers), key=list(answers).count)]
        for view, answers in zip(question.views, drawn, strict=True)
    ]
    turned = "mirrored" if question.branch == "flip" else "reversed"
    return f"{question.text} {said[0]}; {turned}: {said[1]}"
