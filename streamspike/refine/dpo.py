"""Direct preference optimisation: of two answers to the same question, the preferred one becomes more likely.

loss = -log sigmoid(beta * ((log pi - log ref)(preferred) - (log pi - log ref)(dispreferred))), sums over the tokens of
an answer, its end included; the reference is the model with its adapter off (Rafailov et al. 2023, equation 7). Loss
and gradients equal those of TRL's DPOTrainer (tested). Both answers stand in one packed row, behind the same prefix;
TRL trains text only where a row has a video, and would encode the prefix twice.

In addition, `anchor` times the mean negative log-likelihood of the preferred answer, as RPO has it (Liu et al. 2024):
without it both answers may become less likely, the dispreferred one more so. And `hold` times the KL of the reference
to the policy, per token, over answers to another question that shall stay as it is (ours): a small model that learns to
judge statements forgets how to make them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from streamspike.belief.prompts import OBSERVE
from streamspike.errors import ConfigError, DatasetError
from streamspike.refine.examples import ExampleSource
from streamspike.refine.packed import Asked, Features, LessonRow, PackedRows, portions
from streamspike.refine.policy import Policy
from streamspike.refine.training import Backward, Learnt, draw_example


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers to one question about a clip, one of them better."""

    example: int
    """Number of the clip in its source."""
    start: int
    """The first segment of the window that is seen."""
    num_segments: int
    question: str
    preferred: str
    dispreferred: str
    summary: str = ""
    held: tuple[str, ...] = ()
    """What the reference may say to OBSERVE here; how likely that is shall not change."""


@dataclass(frozen=True, slots=True)
class DpoSettings:
    """How preferences are learned."""

    beta: float = 0.1
    """How dearly it is paid to leave the reference; the larger, the nearer."""
    anchor: float = 0.0
    """Weight of the likelihood of preferred answers, per token."""
    hold: float = 3.0
    """Weight of the KL over held answers, where there are any."""
    pairs: int = 8
    """In an item of the loop."""
    rows_per_pass: int = 8
    """Pairs in one forward and backward."""

    def __post_init__(self) -> None:
        if self.beta <= 0 or min(self.anchor, self.hold) < 0 or min(self.pairs, self.rows_per_pass) < 1:
            raise ConfigError(f"beta is positive, anchor and hold not negative, counts are 1 or more: {self}")


def dpo_margins(log_probs: Tensor, reference: Tensor) -> Tensor:
    """How much more the policy prefers the first answer than the reference does, nats, (num_pairs,).

    Args:
        log_probs: (num_pairs, 2) of whole answers by the policy: preferred, dispreferred.
        reference: (num_pairs, 2) by the reference.
    """
    ratios = log_probs - reference
    return ratios[:, 0] - ratios[:, 1]


def dpo_losses(log_probs: Tensor, reference: Tensor, beta: float) -> Tensor:
    """One loss per pair, (num_pairs,); arguments as those of `dpo_margins`."""
    return -F.logsigmoid(beta * dpo_margins(log_probs, reference))


class DpoLearner:
    """Implements `training.Learner`."""

    def __init__(
        self,
        policy: Policy,
        examples: ExampleSource,
        preferences: Sequence[Preference],
        settings: DpoSettings,
        seed: int,
        method: str = "dpo",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            data: what clips and preferences are, as JSON; a run is continued only with the same.

        Raises:
            DatasetError: there are no preferences.
        """
        if not preferences:
            raise DatasetError("there is no pair of answers to learn from")
        self.method = method
        self.policy = policy
        self._examples = examples
        self._preferences = preferences
        self._settings = settings
        self._seed = seed
        self._data = data or {}

    def describe(self) -> Mapping[str, Any]:
        """Settings, and what the data are."""
        return {**asdict(self._settings), **self._data, "num_pairs": len(self._preferences), "seed": self._seed}

    def learn(self, number: int, backward: Backward) -> Learnt:
        """The mean loss of `pairs` pairs."""
        settings = self._settings
        places = range(number * settings.pairs, (number + 1) * settings.pairs)
        drawn = [self._preferences[draw_example(self._seed, place, len(self._preferences))] for place in places]
        known: Features = {}
        # The frames must outlive `known`, which goes by their ids.
        rows = [self._row(preference) for preference in drawn]
        margins: list[float] = []
        preferred: list[float] = []
        with self.policy.training():
            for part in portions(rows, settings.rows_per_pass):
                packed = PackedRows(self.policy.loaded, part, known)
                with torch.no_grad(), self.policy.reference():
                    before = packed.log_probs()
                now = packed.log_probs()
                reference, log_probs = sum_pairs(packed, before), sum_pairs(packed, now)
                losses = dpo_losses(log_probs, reference, settings.beta)
                if settings.anchor:
                    counts = [len(row[0][0]) for row in packed.split(now)]
                    losses = losses - settings.anchor * log_probs[:, 0] / torch.tensor(counts, device=now.device)
                if settings.hold:
                    losses = losses + settings.hold * held_kl(packed, now, before)
                backward(losses.sum() / len(rows))
                margins += dpo_margins(log_probs, reference).tolist()
                preferred += (log_probs - reference)[:, 0].tolist()
        values = {
            "margin_nats": sum(margins) / len(margins),
            "preferred_nats": sum(preferred) / len(preferred),
            "right": sum(margin > 0 for margin in margins) / len(margins),
        }
        return Learnt(values, f"{drawn[0].preferred!r} rather than {drawn[0].dispreferred!r}")

    def _row(self, preference: Preference) -> LessonRow:
        example = self._examples[preference.example]
        window = example.segments[preference.start : preference.start + preference.num_segments]
        answers = (preference.preferred, preference.dispreferred)
        asked = [Asked(preference.num_segments, preference.summary, preference.question, answers)]
        if self._settings.hold and preference.held:
            asked.append(Asked(preference.num_segments, preference.summary, OBSERVE, preference.held))
        return LessonRow(tuple(window), tuple(asked), example.segment_seconds)


def sum_pairs(packed: PackedRows, values: Tensor) -> Tensor:
    """Log-probabilities of tokens as those of whole answers, (num_pairs, 2): to the first question of each row."""
    answers = [tokens.sum() for row in packed.split(values) for tokens in row[0]]
    return torch.stack(answers).view(-1, 2)


def held_kl(packed: PackedRows, log_probs: Tensor, reference: Tensor) -> Tensor:
    """KL(reference || policy) per token over the held answers, (num_pairs,), nats; 0 where there are none.

    Estimated from answers of the reference as r - 1 - log r, r the ratio of policy to reference: never negative.
    """
    change = log_probs - reference
    rows = packed.split(torch.expm1(change) - change)
    return torch.stack([torch.cat(held[0]).mean() if held else change.new_zeros(()) for _, *held in rows])
