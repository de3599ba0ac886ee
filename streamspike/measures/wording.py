"""Are the hypotheses any good? How well their probabilities are calibrated, how diverse and how plausible they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from streamspike.belief.hypotheses import sentence_key
from streamspike.measures.estimate import Undefined


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Statements whose probability was in [low, high]."""

    low: float
    high: float
    mean_probability: float
    share_true: float
    count: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from what comes true."""

    error: float
    """Expected calibration error, in [0, 1]; Undefined without statements."""
    bins: tuple[ReliabilityBin, ...]


def calibration(probabilities: ArrayLike, came_true: ArrayLike, num_bins: int = 10) -> Calibration:
    """Expected calibration error over bins of equal mass, and the bins themselves for a diagram.

    Equal mass, as beliefs crowd near 0 and 1, where bins of equal width would hold nearly everything (Nguyen and
    O'Connor 2015; the error is Naeini, Cooper and Hauskrecht's of 2015). Equal probabilities stay in one bin, so there
    may be fewer bins than asked for.

    Args:
        probabilities: (n,) in [0, 1].
        came_true: (n,) of bool.
    """
    values, outcomes = np.asarray(probabilities, float), np.asarray(came_true, float)
    if values.shape != outcomes.shape or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"one probability in [0, 1] per outcome: {values.shape = }, {outcomes.shape = }")
    if not values.size:
        return Calibration(Undefined("no statement"), ())
    edges = np.unique(np.quantile(values, np.linspace(0, 1, num_bins + 1)[1:-1], method="inverted_cdf"))
    places = np.searchsorted(edges, values, side="left")
    bins = []
    for place in np.unique(places):
        inside, true = values[places == place], outcomes[places == place]
        bins.append(
            ReliabilityBin(
                float(inside.min()), float(inside.max()), float(inside.mean()), float(true.mean()), len(inside)
            )
        )
    error = sum(one.count * abs(one.mean_probability - one.share_true) for one in bins) / len(values)
    return Calibration(error, tuple(bins))


def token_diversity(hypotheses: Sequence[str]) -> float:
    """Mean over pairs of 1 - Jaccard index of their words, in [0, 1]; 0 when all say the same (Jaccard 1901).

    Undefined for fewer than two hypotheses.
    """
    words = [frozenset(sentence_key(text).split()) for text in hypotheses]
    if len(words) < 2:
        return Undefined("fewer than two hypotheses")
    return float(np.mean([1 - len(a & b) / len(a | b) if a | b else 0.0 for a, b in combinations(words, 2)]))


def distinct_share(hypotheses: Sequence[str]) -> float:
    """Different sentences per hypothesis, in (0, 1]; undefined without hypotheses."""
    if not hypotheses:
        return Undefined("no hypothesis")
    return len({sentence_key(text) for text in hypotheses}) / len(hypotheses)


@dataclass(frozen=True, slots=True)
class Plausibility:
    """How likely hypotheses were by the simulator's own table."""

    share_possible: float
    """Of the hypotheses, in [0, 1]; Undefined without hypotheses."""
    mass: float
    """Probability of what happened being among the distinct hypotheses, in [0, 1]."""
    mean_nats: float
    """Mean of -log p over those that were possible; Undefined where none was."""


def plausibility(hypotheses: Sequence[str], alternatives: Mapping[str, float]) -> Plausibility:
    """Hypotheses against all sentences that were possible.

    Args:
        alternatives: sentence to probability before the segment, as `dict(truth.alternatives)`.
    """
    if not hypotheses:
        nothing = Undefined("no hypothesis")
        return Plausibility(nothing, 0.0, nothing)
    table = {sentence_key(text): probability for text, probability in alternatives.items()}
    keys = [sentence_key(text) for text in hypotheses]
    nats = [-math.log(table[key]) for key in keys if table.get(key)]
    mass = sum(table.get(key, 0.0) for key in set(keys))
    mean_nats = float(np.mean(nats)) if nats else Undefined("no hypothesis was possible")
    return Plausibility(len(nats) / len(keys), mass, mean_nats)
