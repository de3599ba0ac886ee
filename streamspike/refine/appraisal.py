"""What trajectories over a clip are worth: builds what the rewards are told, and asks them.

Nothing here comes from the policy's own view of what happened: captions are the witness's, and the likelihood of a
hypothesis after the fact is the reference's (adapter off). What the reference would have expected is not asked for: it
moves the rewards of all trajectories alike, so nothing that is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from streamspike.belief.prompts import OBSERVE, PREDICT
from streamspike.measures.localisation import Floats
from streamspike.refine.examples import Example
from streamspike.refine.packed import Asked, Features, PackedRows, portions, share_windows
from streamspike.refine.policy import Policy
from streamspike.refine.rewards.context import RewardContext
from streamspike.refine.rewards.rewards import Rewards
from streamspike.refine.rewards.similarity import Similarity
from streamspike.refine.rollout import Expectation, Trajectory
from streamspike.refine.witness import Witness

MAX_DECOYS = 12
"""Captions of other clips that a hypothesis is compared with."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What the trajectories over one clip are worth, all in [0, 1]."""

    totals: tuple[float, ...]
    """Of each trajectory."""
    sets: tuple[tuple[float, ...], ...]
    """Of each trajectory and expectation, by the rewards of hypotheses alone: the set."""
    hypotheses: tuple[tuple[tuple[float, ...], ...], ...]
    """Of each trajectory, expectation and hypothesis, by the same."""
    parts: dict[str, float]
    """By reward, the mean over trajectories."""


def ask(runs: Sequence[Trajectory], question: str = PREDICT) -> Iterator[tuple[int, Asked]]:
    """The hypotheses of all trajectories as answers: before what they are about (PREDICT), or after it (OBSERVE).

    Segment by segment, and trajectory by trajectory within: the order of rows that share their windows.
    """
    seen = int(question == OBSERVE)
    for moment in zip(*(run.expectations for run in runs), strict=True):
        for each in moment:
            answers = each.hypotheses
            yield each.index - each.num_window, Asked(each.num_window + seen, each.summary, question, answers)


class Appraiser:
    """Asks the rewards."""

    def __init__(
        self,
        policy: Policy,
        rewards: Rewards,
        similarity: Similarity,
        num_wanted: int,
        seed: int,
        *,
        likelihoods: bool,
        rows_per_pass: int,
    ) -> None:
        """
        Args:
            similarity: of sentences, for diversity as a measure.
            num_wanted: hypotheses that are asked for.
            likelihoods: tell the rewards how likely the reference finds each hypothesis after it has seen.
        """
        self._policy = policy
        self._rewards = rewards
        self._similarity = similarity
        self._num_wanted = num_wanted
        self._seed = seed
        self._likelihoods = likelihoods
        self._rows_per_pass = rows_per_pass

    def appraise(
        self, number: int, example: Example, runs: Sequence[Trajectory], witness: Witness, features: Features
    ) -> Appraisal:
        """
        Args:
            number: of the example in its source.
            features: see `PackedRows`.
        """
        rewards = self._rewards
        judged = self._judge_afterwards(example, runs, features) if self._likelihoods else []
        captions = witness.captions(number, example)
        decoys = witness.elsewhere(number)
        clip = self._clip_context(number, example, witness)
        totals, sets, hypotheses, parts = [], [], [], []
        for place, run in enumerate(runs):
            seen = judged[place :: len(runs)] or [[] for _ in run.expectations]
            pairs = [
                (each.hypotheses, self._context(number, example, captions, each, decoys, tokens))
                for each, tokens in zip(run.expectations, seen, strict=True)
            ]
            caption = run.caption if rewards.needs_reference else None
            parts.append(rewards.explain(pairs, caption, clip))
            totals.append(rewards.total(parts[-1]))
            scores = [rewards.score(texts, context, "hypotheses") for texts, context in pairs]
            hypotheses.append(tuple(map(tuple, scores)))
            sets.append(tuple(self._worth(texts, context) for texts, context in pairs))
        means = {name: float(np.mean([each[name] for each in parts])) for name in parts[0]}
        return Appraisal(tuple(totals), tuple(sets), tuple(hypotheses), means)

    def look_back(self, example: Example, runs: Sequence[Trajectory], features: Features) -> list[list[list[float]]]:
        """Of each trajectory, expectation and hypothesis: log-probability by the reference after it has seen."""
        judged = self._judge_afterwards(example, runs, features)
        return [
            [[float(tokens.sum()) for tokens in hypotheses] for hypotheses in judged[place :: len(runs)]]
            for place in range(len(runs))
        ]

    def diversity(self, runs: Sequence[Trajectory]) -> float:
        """Mean over sets and pairs of 1 - similarity (SPIKE, diversity); sets of one count as 0."""
        values = []
        for run in runs:
            for each in run.expectations:
                alike = self._similarity.compare(each.hypotheses, each.hypotheses)
                pairs = [1 - float(alike[a, b]) for a, b in combinations(range(len(each.hypotheses)), 2)]
                values.append(float(np.mean(pairs)) if pairs else 0.0)
        return float(np.mean(values)) if values else 0.0

    def _worth(self, texts: Sequence[str], context: RewardContext) -> float:
        """One set, by the rewards of hypotheses alone; 0 if there are none."""
        parts = [part for part in self._rewards.parts if part.reward.subject == "hypotheses"]
        total = sum(part.weight for part in parts)
        return sum(part.weight / total * part.reward.value(texts, context) for part in parts)

    def _judge_afterwards(self, example: Example, runs: Sequence[Trajectory], features: Features) -> list[list[Floats]]:
        """Per expectation, in the order of `ask`, and hypothesis: log-probabilities of its tokens, by the reference."""
        rows = share_windows(example.segments, ask(runs, OBSERVE), example.segment_seconds)
        found: list[list[Floats]] = []
        with torch.no_grad(), self._policy.reference():
            for part in portions(rows, self._rows_per_pass):
                packed = PackedRows(self._policy.loaded, part, features)
                for row in packed.split(packed.log_probs()):
                    found += [[np.minimum(0.0, tokens.double().cpu().numpy()) for tokens in answers] for answers in row]
        return found

    def _clip_context(self, number: int, example: Example, witness: Witness) -> RewardContext:
        """Without decoys a caption that is the same for every clip would win part of each reward."""
        if not self._rewards.needs_reference:
            return RewardContext(reference=example.reference)
        others = [text for text in witness.references_elsewhere(number) if text != example.reference]
        return RewardContext(reference=example.reference, decoys=self._draw(others, number))

    def _draw(self, others: Sequence[str], *which: int) -> tuple[str, ...]:
        """The same for all trajectories: else one would be lucky in what it is compared with."""
        drawn = np.random.default_rng([self._seed, *which]).permutation(len(others))[:MAX_DECOYS]
        return tuple(others[place] for place in drawn)

    def _context(
        self,
        number: int,
        example: Example,
        captions: Sequence[str],
        each: Expectation,
        decoys: Sequence[str],
        after: Sequence[Floats],
    ) -> RewardContext:
        index = each.index
        others = [text for text in decoys if text != captions[index]]
        return RewardContext(
            caption=captions[index],
            previous_caption=captions[index - 1],
            next_captions=tuple(captions[index + 1 :]),
            decoys=self._draw(others, number, index),
            num_wanted=self._num_wanted,
            prior=each.prior,
            posterior_nats=tuple(float(tokens.mean()) for tokens in after),
            verdict=example.verdict,
        )
