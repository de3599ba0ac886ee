"""SPIKE-RL: policy gradients on hypotheses, in groups of trajectories over a clip (arXiv 2509.23433; GRPO 2402.03300).

    loss = - mean over trajectories of A * sum over hypotheses of log pi(b | H, W)  +  beta * KL(pi || reference)

A is the reward's z-score in the group; the KL is per token, averaged over each hypothesis, and estimated from the
drawn tokens as TRL does (k3: exp(d) - d - 1, d = log reference - log pi). The reference is the model, adapter off.

Choices beyond the paper:
1. `per`: the paper gives all hypotheses of a trajectory its one reward. With a reward of sets (hindsight) a set can be
   compared with the other sets of the same segment (`segment`), or each hypothesis with all others there
   (`hypothesis`): the same expected direction, far less of other segments' luck in it. `belief`, ours and the default,
   draws no lots at all: see `belief_shifts`. On the built-in model the first three lost reward at rates at which they
   moved anything (docs/refine.md).
2. `normalise`: `sum` is the paper's; `hypothesis` is the mean over hypotheses, so that long clips do not count more;
   `token` also divides each by its length, which is TRL's loss_type "grpo" (tested to be equal, with gradients).
3. `scale`: `group` is the z-score; `none` leaves out the division (Dr. GRPO, arXiv 2503.20783), which otherwise makes
   much of tiny differences where nothing happens. A floor stands between the two: see `least_spread`.
4. One step per rollout, so no ratio is ever clipped. What is drawn from a nucleus is scored by the whole softmax.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from streamspike.config import BeliefConfig
from streamspike.errors import ConfigError, DatasetError
from streamspike.measures.localisation import Floats
from streamspike.refine.appraisal import Appraisal, Appraiser, ask
from streamspike.refine.examples import Example, ExampleSource
from streamspike.refine.packed import Features, PackedRows, portions, share_windows
from streamspike.refine.policy import Policy
from streamspike.refine.rewards.rewards import Rewards
from streamspike.refine.rewards.similarity import Similarity
from streamspike.refine.rollout import RolloutSettings, Trajectory, roll_out
from streamspike.refine.training import Backward, Learnt, draw_example
from streamspike.refine.witness import Witness, Words

Per = Literal["belief", "trajectory", "segment", "hypothesis"]
Normalise = Literal["sum", "hypothesis", "token"]
Granted = tuple[list[float], dict[str, float], str]
"""The advantage of each hypothesis in the order of `ask`, values for the curve, and an example in words."""
TINY = 1e-6


@dataclass(frozen=True, slots=True)
class GrpoSettings:
    """What is rewarded, and how it becomes a loss."""

    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    beta: float = 0.02
    per: Per = "belief"
    normalise: Normalise = "hypothesis"
    scale: Literal["group", "none"] = "group"
    least_spread: float = 0.05
    """Advantages are divided by the standard deviation of their group, and never by less than this (0: the paper)."""
    words: Words = "given"
    likelihoods: bool = True
    """Hypotheses are also judged by how likely the reference finds them after it has seen: finer than words."""
    rows_per_pass: int = 8
    """Windows in one forward and backward."""


def advantages(rewards: Sequence[float], settings: GrpoSettings) -> Floats:
    """(R - mean) / (std + 1e-6) of one group; the standard deviation is the sample's, as torch and TRL have it."""
    values = np.asarray(rewards, dtype=np.float64)
    if len(values) < 2:
        return np.zeros(len(values))
    centred = values - values.mean()
    if settings.scale == "none":
        return np.asarray(centred)
    return np.asarray(centred / (max(float(values.std(ddof=1)), settings.least_spread) + TINY))


def belief_shifts(prior: Sequence[float], after_nats: Sequence[float]) -> list[float]:
    """How far belief in each of N hypotheses rises, times N: N (q - p).

    p is the prior over the set; q, the posterior, the softmax of the reference's log-probabilities after it has seen.
    With these as advantages the gradient is that of SPIKE's own surprise KL(q || p), downwards: the policy becomes such
    that what it sees here would have surprised it less. Every hypothesis is weighed with its probability, so that no
    luck of sampling is left in it. What nobody thought of is not in the set, so it stays as surprising as it was.
    """
    nats = np.asarray(after_nats, dtype=np.float64)
    posterior = np.exp(nats - nats.max())
    shifts = posterior / posterior.sum() - np.asarray(prior, dtype=np.float64)
    return [float(len(shifts) * shift) for shift in shifts]


def credit(appraisal: Appraisal, settings: GrpoSettings) -> list[float]:
    """The advantage of each hypothesis: moment by moment, trajectory by trajectory within, as `ask` has them."""
    by_run = advantages(appraisal.totals, settings)
    found: list[float] = []
    for moment in range(len(appraisal.sets[0])):
        sets = [run[moment] for run in appraisal.hypotheses]
        if settings.per == "hypothesis":
            found += advantages([score for scores in sets for score in scores], settings).tolist()
            continue
        values = (
            by_run if settings.per == "trajectory" else advantages([run[moment] for run in appraisal.sets], settings)
        )
        found += [float(value) for value, scores in zip(values, sets, strict=True) for _ in scores]
    return found


def grpo_loss(
    log_probs: Tensor,
    reference: Tensor,
    advantage: Tensor,
    lengths: Sequence[int],
    beta: float,
    normalise: Normalise,
    num_groups: float,
) -> tuple[Tensor, Tensor]:
    """The loss of hypotheses that lie end to end, and the KL of each.

    Args:
        log_probs: (num_tokens,) of the policy, with gradient.
        reference: (num_tokens,) of the reference.
        advantage: (num_hypotheses,).
        lengths: tokens of each hypothesis, end included.
        num_groups: what the sum over hypotheses is divided by: trajectories for `sum`, else hypotheses.
    """
    counts = torch.tensor(lengths, device=log_probs.device)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=log_probs.device), counts)

    def total(values: Tensor) -> Tensor:
        return torch.zeros(len(lengths), device=values.device).index_add(0, owner, values)

    difference = reference - log_probs
    kl = total(torch.exp(difference) - difference - 1) / counts
    # The ratio to itself is 1 and has the gradient of log pi: its values can be compared with TRL's.
    gain = total(torch.exp(log_probs - log_probs.detach()))
    if normalise == "token":
        gain = gain / counts
    return (-advantage * gain + beta * kl).sum() / num_groups, kl.detach()


class GrpoLearner:
    """Implements `training.Learner`."""

    method = "spike-rl"

    def __init__(
        self,
        policy: Policy,
        examples: ExampleSource,
        rewards: Rewards,
        similarity: Similarity,
        belief: BeliefConfig,
        settings: GrpoSettings,
        seed: int,
        data_hash: str = "",
    ) -> None:
        """
        Args:
            similarity: of sentences, for diversity as a measure.

        Raises:
            DatasetError: there are no examples.
            ConfigError: the rewards are not about what they shall be given for.
        """
        if not len(examples):
            raise DatasetError("there are no examples to learn from")
        if settings.per != "trajectory" and rewards.needs_reference:
            raise ConfigError(
                f"{rewards.describe()} judges captions of whole clips, so it can only be given per trajectory"
            )
        if settings.per == "trajectory" and settings.rollout.num_trajectories < 2:
            raise ConfigError("trajectories are compared with each other: two or more of a clip, or another --per")
        self.policy = policy
        self.settings = settings
        self._examples = examples
        self._rewards = rewards
        self._belief = belief
        # Whatever surprise is served with, the gradient is that of beliefs in proportion to the policy's probabilities.
        plain = {
            "posterior": "nll", "length_normalised": False, "tau": 1.0, "doubt": 0.0, "experience": 0.0, "change": 0.0,
        }  # fmt: skip
        self._rolled = belief.model_copy(update=plain) if settings.per == "belief" else belief
        self._seed = seed
        self._data_hash = data_hash
        self._witness = self.witness_of(examples)
        self._appraiser = Appraiser(
            policy, rewards, similarity, belief.num_hypotheses, seed,
            likelihoods=settings.likelihoods and rewards.needs_hypotheses, rows_per_pass=settings.rows_per_pass,
        )  # fmt: skip

    def describe(self) -> Mapping[str, Any]:
        """Settings, rewards, and what the data are."""
        return {
            **asdict(self.settings), "belief": self._belief.model_dump(mode="json"), "data": self._data_hash,
            "rewards": self._rewards.describe(), "examples": len(self._examples), "seed": self._seed,
        }  # fmt: skip

    def learn(self, number: int, backward: Backward) -> Learnt:
        """Roll out, reward, compare, and hand over the losses of a few windows each."""
        settings = self.settings
        which = draw_example(self._seed, number, len(self._examples))
        example = self._examples[which]
        # Routine that nobody thought of shall be thought of, also what a person called so; a surprise shall not.
        join = settings.per == "belief" and (example.verdict < 0 or not example.surprising)
        runs = self._roll(example, settings.rollout, self._seed + number, self._rolled, join)
        features: Features = {}
        granted, told, words = (self._by_belief if settings.per == "belief" else self._by_reward)(
            which, example, runs, features
        )
        rows = share_windows(example.segments, ask(runs), example.segment_seconds)
        num_groups = len(runs) if settings.normalise == "sum" else len(granted)
        kls: list[Tensor] = []
        with self.policy.training():
            for part in portions(rows, settings.rows_per_pass):
                packed = PackedRows(self.policy.loaded, part, features)
                with torch.no_grad(), self.policy.reference():
                    reference = packed.log_probs()
                log_probs = packed.log_probs()
                first = sum(map(len, kls))
                own = torch.tensor(granted[first : first + len(packed.lengths)], device=log_probs.device)
                loss, kl = grpo_loss(
                    log_probs, reference, own, packed.lengths, settings.beta, settings.normalise, num_groups
                )
                backward(loss)
                kls.append(kl)
        values = {
            **told,
            "kl": float(torch.cat(kls).mean()) if kls else 0.0,
            "diversity": self._appraiser.diversity(runs),
            "num_hypotheses": float(np.mean([len(each.hypotheses) for run in runs for each in run.expectations])),
        }
        return Learnt(values, words)

    def _by_reward(self, which: int, example: Example, runs: Sequence[Trajectory], features: Features) -> Granted:
        appraisal = self._appraiser.appraise(which, example, runs, self._witness, features)
        values = {
            "reward": float(np.mean(appraisal.totals)),
            "spread": float(np.std(appraisal.totals)),
            **{f"reward_{name}": value for name, value in appraisal.parts.items()},
        }
        captions = self._witness.captions(which, example)
        return credit(appraisal, self.settings), values, tell(runs, appraisal.hypotheses, captions)

    def _by_belief(self, which: int, example: Example, runs: Sequence[Trajectory], features: Features) -> Granted:
        """What a person called routine counts once more; where the surprise was right, beliefs are left as they are."""
        after = self._appraiser.look_back(example, runs, features)
        shifts = [
            [belief_shifts(each.prior, nats) for each, nats in zip(run.expectations, seen, strict=True)]
            for run, seen in zip(runs, after, strict=True)
        ]
        granted = [value for moment in zip(*shifts, strict=True) for shift in moment for value in shift]
        foreseen = [min(1.0, math.fsum(map(math.exp, nats))) for seen in after for nats in seen]
        values = {"foreseen": float(np.mean(foreseen)), "shift": float(np.mean(np.abs(granted)))} if granted else {}
        weight = 1.0 - example.verdict
        return [weight * value for value in granted], values, tell(runs, shifts, runs[0].seen)

    def measure(self, examples: ExampleSource, witness: Witness) -> dict[str, float]:
        """Rewards of other examples, one trajectory each, the same draws every time; and hit@1 where truth is known."""
        one = replace(self.settings.rollout, num_trajectories=1)
        rewards, diversities, hits = [], [], []
        for number in range(len(examples)):
            example = examples[number]
            runs = self._roll(example, one, self._seed, self._belief)
            rewards.append(self._appraiser.appraise(number, example, runs, witness, {}).totals[0])
            diversities.append(self._appraiser.diversity(runs))
            if example.surprises:
                hits.append(int(np.argmax(runs[0].surprise_nats)) in example.surprises)
        values = {"held_out_reward": float(np.mean(rewards)), "held_out_diversity": float(np.mean(diversities))}
        return {**values, "held_out_hit_at_1": float(np.mean(hits))} if hits else values

    def witness_of(self, examples: ExampleSource) -> Witness:
        """Of other examples than those it learns from; it remembers, so keep it."""
        return Witness(self.policy, examples, self._belief, self.settings.words)

    def _roll(
        self, example: Example, rollout: RolloutSettings, seed: int, belief: BeliefConfig, join: bool = False
    ) -> list[Trajectory]:
        caption = self._rewards.needs_reference
        return roll_out(self.policy, example, belief, rollout, seed, caption=caption, join=join)


def tell(runs: Sequence[Trajectory], scores: Sequence[Sequence[Sequence[float]]], captions: Sequence[str]) -> str:
    """The hypothesis that was worth most and the one that was worth least, and what came.

    Args:
        scores: of each trajectory, expectation and hypothesis.
    """
    scored = [
        (score, text, each.index)
        for run, sets in zip(runs, scores, strict=True)
        for each, values in zip(run.expectations, sets, strict=True)
        for text, score in zip(each.hypotheses, values, strict=True)
    ]
    if not scored:
        return ""
    (best, text, index), (worst, other, place) = max(scored), min(scored)
    return f"{best:.2f} {text!r} before {captions[index]!r}; {worst:.2f} {other!r} before {captions[place]!r}"
