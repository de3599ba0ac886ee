"""By what an adapter is compared with the one in service, and how sure the difference is.

Every difference is a paired bootstrap over clips: both models are measured on the same draw, so that what makes a clip
hard for both drops out. Differences are turned so that more is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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

Statistic = Callable[[Sequence[Viewing]], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to look at what a model said."""

    words: str
    statistic: Statistic
    is_better: int
    """1: more is better; -1: less is."""
    is_relative: bool = False
    """Its difference is a share of the value of the one in service."""


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


def localisation(viewings: Sequence[Viewing]) -> float:
    """Does surprise find what surprises? Where the truth is known: share of clips whose most surprising segment is one
    in which something surprising happens (hit@1). Else: the chance that a clip drawn from an event peaks higher than an
    ordinary one (AUROC). The first segment has no prior and is left out."""
    known = [each for each in viewings if each.told.surprises]
    if known:
        hits = [
            hit_at_k(_surprise(each), [index in each.told.surprises for index in range(1, len(each.views))], 1)
            for each in known
        ]
        return float(np.mean(hits))
    peaks = [max(_surprise(each), default=0.0) for each in viewings]
    return auroc(peaks, [each.told.is_surprising for each in viewings])


def calibrate(viewings: Sequence[Viewing]) -> Calibration:
    """Probabilities of all hypotheses that were there before a segment, against what happened in it."""
    pairs = [
        (math.exp(min(0.0, log_prior)), sentence_key(text) == sentence_key(sentence))
        for each in viewings
        for view, sentence in zip(each.views, each.told.sentences, strict=True)
        if sentence
        for text, log_prior in zip(view.hypotheses, view.log_priors, strict=True)
    ]
    return calibration([probability for probability, _ in pairs], [came_true for _, came_true in pairs])


def caption_agreement(viewings: Sequence[Viewing]) -> float:
    """Words that captions share with what happened, in order (ROUGE-L), mean over segments."""
    values = [
        rouge_l(view.caption, sentence)
        for each in viewings
        for view, sentence in zip(each.views, each.told.sentences, strict=True)
        if sentence
    ]
    return float(np.mean(values)) if values else Undefined("no clip has captions")


def seen_nats(viewings: Sequence[Viewing]) -> float:
    """Log-probability of what happened after it was seen, per token."""
    return _per_token(viewings, lambda view: view.seen_nats)


def next_nats(viewings: Sequence[Viewing]) -> float:
    """Log-probability of what happened before it was seen, per token."""
    return _per_token(viewings, lambda view: view.next_nats)


def diversity(viewings: Sequence[Viewing]) -> float:
    """Of the hypotheses of one segment, mean over segments."""
    values = [token_diversity(view.hypotheses) for each in viewings for view in each.views if len(view.hypotheses) > 1]
    return float(np.mean(values)) if values else Undefined("no segment has two hypotheses")


def latency(viewings: Sequence[Viewing]) -> float:
    """Seconds of the model per segment; the middle one of all, as others may use the machine too."""
    return float(np.median([view.seconds for each in viewings for view in each.views]))


MEASURES: Mapping[GateMeasure, Measure] = {
    "localisation": Measure("surprise finds what surprises", localisation, 1),
    "calibration": Measure("error of the probabilities", lambda some: calibrate(some).error, -1),
    "caption_agreement": Measure("words captions share with those there are", caption_agreement, 1),
    "caption_nats": Measure("likelihood of the captions there are, nats per token", seen_nats, 1),
    "next_nats": Measure("likelihood of what came next, nats per token", next_nats, 1),
    "diversity": Measure("diversity of hypotheses", diversity, 1),
    "latency": Measure("seconds a segment", latency, -1, is_relative=True),
}


def compare(before: Sequence[Viewing], after: Sequence[Viewing], seed: int = 0) -> dict[GateMeasure, Comparison]:
    """All measures of the one in service and of the candidate, on the same clips in the same order."""
    pairs = list(zip(before, after, strict=True))
    return {name: _compare(measure, pairs, seed) for name, measure in MEASURES.items()}


def _compare(measure: Measure, pairs: Sequence[tuple[Viewing, Viewing]], seed: int) -> Comparison:
    def gain(some: Sequence[tuple[Viewing, Viewing]]) -> float:
        old, new = (measure.statistic([pair[side] for pair in some]) for side in (0, 1))
        if math.isnan(old) or math.isnan(new):
            return old if math.isnan(old) else new
        return measure.is_better * (new - old) / ((old or 1.0) if measure.is_relative else 1.0)

    sides = [bootstrap([pair[side] for pair in pairs], measure.statistic, seed, NUM_DRAWS // 4) for side in (0, 1)]
    return Comparison(measure.words, sides[0], sides[1], bootstrap(pairs, gain, seed, NUM_DRAWS))


def _surprise(viewing: Viewing) -> list[float]:
    return [view.surprise_nats for view in viewing.views[1:]]


def _per_token(viewings: Sequence[Viewing], nats_of: Callable[[View], float]) -> float:
    views = [view for each in viewings for view in each.views if view.sentence_tokens]
    if not views:
        return Undefined("no clip has captions")
    return math.fsum(map(nats_of, views)) / sum(view.sentence_tokens for view in views)
