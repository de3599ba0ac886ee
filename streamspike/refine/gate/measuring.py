"""By what an adapter is compared with the one in service, and how sure the difference is.

Every difference is a paired bootstrap over clips: both models are measured on the same draw, so that what makes a clip
hard for both drops out. Differences are turned so that more is better. What a measure needs of a clip is collected
once; a draw only puts it together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.config import GateMeasure
from streamspike.measures.detection import auroc
from streamspike.measures.estimate import Estimate, Undefined, bootstrap
from streamspike.measures.localisation import hit_at_k
from streamspike.measures.wording import Calibration, calibration, token_diversity
from streamspike.refine.gate.viewing import View, Viewing
from streamspike.refine.rewards.words import rouge_l

NUM_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to look at what a model said."""

    words: str
    collect: Callable[[Viewing], Any]
    """All it needs of a clip."""
    statistic: Callable[[Sequence[Any]], float]
    """Of what was collected."""
    is_better: int
    """1: more is better; -1: less is."""
    is_relative: bool = False
    """Its difference is a share of the value of the one in service."""

    def of(self, viewings: Sequence[Viewing]) -> float:
        """Its value."""
        return self.statistic([self.collect(viewing) for viewing in viewings])


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of both."""

    words: str
    before: Estimate
    """Of the one in service."""
    after: Estimate
    """Of the candidate."""
    gain: Estimate
    """Candidate less the one in service, turned so that more is better."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Whether a clip's surprise was found. The first segment has no prior and is left out."""

    hit: float | None
    """Its most surprising segment is one in which something surprising happens; None where no truth is known."""
    peak_nats: float
    is_surprising: bool


def _collect_found(viewing: Viewing) -> _Found:
    nats = [view.surprise_nats for view in viewing.views[1:]]
    surprises = viewing.told.surprises
    hit = hit_at_k(nats, [index in surprises for index in range(1, len(viewing.views))], 1) if surprises else None
    return _Found(hit, max(nats, default=0.0), viewing.told.is_surprising)


def _localisation(found: Sequence[_Found]) -> float:
    """Where the truth is known: share of clips that are hit (hit@1). Else: the chance that a surprising clip peaks
    higher than an ordinary one (AUROC)."""
    hits = [each.hit for each in found if each.hit is not None]
    if hits:
        return float(np.mean(hits))
    return auroc([each.peak_nats for each in found], [each.is_surprising for each in found])


def _collect_statements(viewing: Viewing) -> list[tuple[float, bool]]:
    """Probabilities of the hypotheses that were there before a segment, and whether they happened in it."""
    return [
        (math.exp(min(0.0, log_prior)), sentence_key(text) == sentence_key(sentence))
        for view, sentence in _told(viewing)
        for text, log_prior in zip(view.hypotheses, view.log_priors, strict=True)
    ]


def _calibrate(statements: Sequence[Sequence[tuple[float, bool]]]) -> Calibration:
    pooled = [each for some in statements for each in some]
    return calibration([probability for probability, _ in pooled], [came_true for _, came_true in pooled])


def calibrate(viewings: Sequence[Viewing]) -> Calibration:
    """Probabilities of all hypotheses that were there before a segment, against what happened in it."""
    return _calibrate([_collect_statements(viewing) for viewing in viewings])


def _collect_agreement(viewing: Viewing) -> tuple[float, float]:
    """Words that captions share with what happened, in order (ROUGE-L), summed over segments, and their number."""
    values = [rouge_l(view.caption, sentence) for view, sentence in _told(viewing)]
    return math.fsum(values), len(values)


def _collect_diversity(viewing: Viewing) -> tuple[float, float]:
    """Of the hypotheses of each segment, summed, and the number of segments."""
    values = [token_diversity(view.hypotheses) for view in viewing.views if len(view.hypotheses) > 1]
    return math.fsum(values), len(values)


def _collect_seen(viewing: Viewing) -> tuple[float, float]:
    """Log-probability of what happened after it was seen, and its tokens."""
    return math.fsum(view.seen_nats for view in viewing.views), sum(view.sentence_tokens for view in viewing.views)


def _collect_next(viewing: Viewing) -> tuple[float, float]:
    """Log-probability of what happened before it was seen, and its tokens."""
    return math.fsum(view.next_nats for view in viewing.views), sum(view.sentence_tokens for view in viewing.views)


def _mean(sums: Sequence[tuple[float, float]]) -> float:
    count = sum(each[1] for each in sums)
    return math.fsum(each[0] for each in sums) / count if count else Undefined("no clip says anything of it")


def _collect_seconds(viewing: Viewing) -> list[float]:
    return [view.seconds for view in viewing.views]


def _middle(seconds: Sequence[Sequence[float]]) -> float:
    """The median: others may use the machine too."""
    return float(np.median([each for some in seconds for each in some]))


MEASURES: Mapping[GateMeasure, Measure] = {
    "localisation": Measure("surprise finds what surprises", _collect_found, _localisation, 1),
    "calibration": Measure("error of the probabilities", _collect_statements, lambda some: _calibrate(some).error, -1),
    "caption_agreement": Measure("words captions share with those there are", _collect_agreement, _mean, 1),
    "caption_nats": Measure("likelihood of the captions there are, nats per token", _collect_seen, _mean, 1),
    "next_nats": Measure("likelihood of what came next, nats per token", _collect_next, _mean, 1),
    "diversity": Measure("diversity of hypotheses", _collect_diversity, _mean, 1),
    "latency": Measure("seconds a segment", _collect_seconds, _middle, -1, is_relative=True),
}


def compare(
    before: Sequence[Viewing], after: Sequence[Viewing], seed: int = 0, num_draws: int = NUM_DRAWS
) -> dict[GateMeasure, Comparison]:
    """All measures of the one in service and of the candidate, on the same clips in the same order."""
    return {name: _compare(measure, before, after, seed, num_draws) for name, measure in MEASURES.items()}


def _compare(
    measure: Measure, before: Sequence[Viewing], after: Sequence[Viewing], seed: int, num_draws: int
) -> Comparison:
    sides = [[measure.collect(viewing) for viewing in viewings] for viewings in (before, after)]

    def gain(pairs: Sequence[tuple[Any, Any]]) -> float:
        old, new = (measure.statistic([pair[side] for pair in pairs]) for side in (0, 1))
        if math.isnan(old) or math.isnan(new):
            return old if math.isnan(old) else new
        return measure.is_better * (new - old) / ((old or 1.0) if measure.is_relative else 1.0)

    old, new = (bootstrap(side, measure.statistic, seed, num_draws // 4) for side in sides)
    pairs = list(zip(*sides, strict=True))
    return Comparison(measure.words, old, new, bootstrap(pairs, gain, seed, num_draws))


def _told(viewing: Viewing) -> list[tuple[View, str]]:
    """Segments of which somebody says what happened."""
    return [pair for pair in zip(viewing.views, viewing.told.sentences, strict=True) if pair[1]]
