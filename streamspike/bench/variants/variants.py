"""Ways to turn log-likelihoods into surprise: pure functions of what was recorded, the default and all that compete.

Most differ in one thing from a reference, which needs nothing but hypotheses and a caption.

Sources: the closed set, per token, with both posteriors, is SPIKE (arXiv 2509.23433) and its published code; surprise
as KL(posterior || prior) is Itti and Baldi's (2005). What the configuration offers is computed by `belief.surprise`
itself; what it does not offer is defined here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from operator import itemgetter
from statistics import fmean
from typing import Any, Literal

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.belief.surprise import LogBelief, kl_nats, measure
from streamspike.bench.variants.places import without_place
from streamspike.bench.variants.recordings import BASE, SegmentRecord
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores

SMALLEST_REMAINDER = 1e-7
"""Probabilities are sums of single-precision logarithms: a smaller remainder is rounding."""

ALL = 1_000
"""More hypotheses than any recording holds."""

Joins = Literal["nothing", "caption", "sightings", "both"]
Score = Callable[[SegmentRecord], float]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of scoring a segment."""

    name: str
    score: Score
    plan: str = BASE.name
    """The recording it is computed from."""


def compose(record: SegmentRecord, num_hypotheses: int, joins: Joins, drawing: str = "default") -> tuple[Scores, ...]:
    """The set among which belief moves: the first hypotheses, and what joins them, no sentence twice."""
    found = {sentence_key(score.text): score for score in record.drawings[drawing][:num_hypotheses]}
    caption = [record.caption] if record.caption and joins in ("caption", "both") else []
    sightings = record.sightings if joins in ("sightings", "both") else ()
    for score in (*caption, *sightings):
        found.setdefault(sentence_key(score.text), score)
    return tuple(found.values())


def closed_set(
    record: SegmentRecord,
    *,
    num_hypotheses: int = 6,
    joins: Joins = "caption",
    drawing: str = "default",
    divergence: Literal["surprise_nats", "jensen_shannon"] = "surprise_nats",
    num_sightings: int = ALL,
    apart: bool = False,
    **settings: Any,
) -> float:
    """Surprise within a set of sentences, as `belief:` defines it.

    Args:
        apart: each sentence that joins is an outcome of its own, as those that were expected are.
        settings: of `belief:`; posterior, length_normalised, tau, doubt.
    """
    record = replace(record, sightings=record.sightings[:num_sightings])
    scores = compose(record, num_hypotheses, joins, drawing)
    num_expected = len(scores) if apart else len(compose(record, num_hypotheses, "nothing", drawing))
    assessment = Assessment(scores[:num_expected], "", sampled=True, sightings=scores[num_expected:])
    value: float = getattr(measure(assessment, _config(**settings)), divergence)
    return value


@cache
def _config(**settings: Any) -> BeliefConfig:
    return BeliefConfig(**settings)


def with_remainder(log_probabilities: Sequence[float]) -> LogBelief:
    """Absolute probabilities of sentences, and last "something else", which has what they leave.

    No tau and no normalisation. Sentences that hold everything, or by rounding a little more, leave
    SMALLEST_REMAINDER, so that a divergence stays finite.
    """
    values = np.asarray(log_probabilities, dtype=np.float64)
    left = max(-math.expm1(min(0.0, float(np.logaddexp.reduce(values)))), SMALLEST_REMAINDER)
    belief = np.append(values, math.log(left))
    return np.asarray(belief - np.logaddexp.reduce(belief), dtype=np.float64)


def something_else(record: SegmentRecord, *, num_hypotheses: int = 6, joins: Joins = "caption") -> float:
    """KL over the sentences and one more outcome, that it was none of them."""
    scores = compose(record, num_hypotheses, joins)
    before = with_remainder([score.log_prior for score in scores])
    return kl_nats(with_remainder([score.log_posterior for score in scores]), before)


def two_looks(record: SegmentRecord, combine: Callable[[Sequence[float]], float]) -> float:
    """Surprise of the whole picture and of its busiest region, combined."""
    looks = (replace(record, drawings={"default": record.drawings[name]}) for name in ("full", "zoom"))
    return combine([closed_set(look, num_hypotheses=ALL, joins="nothing") for look in looks])


def place_summed_out(record: SegmentRecord) -> float:
    """Surprise about what happens, wherever."""
    scores = without_place(record.drawings["places"])
    return measure(Assessment(scores, "", sampled=True), _config()).surprise_nats


def placeless_gain(record: SegmentRecord) -> float:
    """Information gain of the caption, wherever; 0 without one."""
    if record.caption is None:
        return 0.0
    (said,) = without_place([record.caption])
    return gain_nats(next(score for score in without_place(record.drawings["places"]) if score.text == said.text))


def sampled_kl_nats(sightings: Sequence[Scores]) -> float:
    """KL over all sentences there are, by Monte Carlo: the mean of log posterior - log prior over sentences drawn from
    the posterior. Unbiased, so it can be negative; 0 without any."""
    if not sightings:
        return 0.0
    return float(np.mean([score.log_posterior - score.log_prior for score in sightings]))


def gain_nats(caption: Scores | None) -> float:
    """Information gain of the caption, log posterior - log prior; can be negative; 0 without a caption."""
    return caption.log_posterior - caption.log_prior if caption else 0.0


def prior_nats(caption: Scores | None) -> float:
    """-log prior of the caption: what surprise is once the caption takes all belief."""
    return -caption.log_prior if caption else 0.0


def _closed(name: str, plan: str = BASE.name, **settings: Any) -> Variant:
    return Variant(name, partial(closed_set, **settings), plan)


REFERENCE = _closed("reference: 6 hypotheses and the caption, summed, tau 1, doubt 0.001")
DEFAULT = _closed("default: 8 drawn after seeing join, too", joins="both")
PAPER: dict[str, Any] = {"num_hypotheses": 3, "joins": "nothing", "length_normalised": True, "doubt": 0.0}

VARIANTS = (
    REFERENCE,
    DEFAULT,
    _closed("2 drawn after seeing join, too", joins="both", num_sightings=2),
    _closed("4 drawn after seeing join, too", joins="both", num_sightings=4),
    _closed("8 drawn after seeing join, too, each apart", joins="both", apart=True),
    _closed("paper: 3 hypotheses alone, per token", **PAPER),
    _closed("published code: the same, verify", **PAPER, posterior="verify"),
    _closed("verify", posterior="verify"),
    _closed("verify, nothing joins", posterior="verify", joins="nothing"),
    _closed("per token", length_normalised=True),
    _closed("nothing joins", joins="nothing"),
    _closed("16 hypotheses, nothing joins", joins="nothing", num_hypotheses=16),
    _closed("8 drawn after seeing join, and no caption", joins="sightings"),
    *(_closed(f"N {count}", num_hypotheses=count) for count in (2, 3, 4, 8, 12, 16)),
    *(_closed(f"tau {tau:g}", tau=tau) for tau in (0.5, 0.7, 1.5, 2.0, 4.0)),
    *(_closed(f"doubt {doubt:g}", doubt=doubt) for doubt in (0.0, 0.0001, 0.01)),
    _closed("Jensen-Shannon", divergence="jensen_shannon"),
    Variant("something else", something_else),
    Variant("something else, nothing joins", partial(something_else, joins="nothing")),
    Variant("something else, 8 drawn after seeing join", partial(something_else, joins="sightings")),
    Variant("open set, Monte Carlo", lambda record: sampled_kl_nats(record.sightings)),
    Variant("information gain of the caption", lambda record: gain_nats(record.caption)),
    Variant("-log prior of the caption", lambda record: prior_nats(record.caption)),
    _closed("drawn without replacement", "drawings", drawing="distinct"),
    _closed("without replacement, nothing joins", "drawings", drawing="distinct", joins="nothing"),
    _closed("diverse beam search", "drawings", drawing="groups"),
    _closed("diverse beam search, nothing joins", "drawings", drawing="groups", joins="nothing"),
    _closed("temperature 0.7", "drawings", drawing="cold"),
    _closed("temperature 1.5", "drawings", drawing="hot"),
    _closed("top_p 1", "drawings", drawing="whole"),
    *(
        _closed(name, name)
        for name in ("window 2", "window 4", "window 4, no memory", "1 frame", "4 frames")
    ),
    Variant("zoom: the busiest region alone", partial(two_looks, combine=itemgetter(1)), "zoom"),
    Variant("zoom: the larger of both", partial(two_looks, combine=max), "zoom"),
    Variant("zoom: the smaller of both", partial(two_looks, combine=min), "zoom"),
    Variant("zoom: the mean of both", partial(two_looks, combine=fmean), "zoom"),
    Variant("place summed out", place_summed_out, "places"),
    Variant("information gain of the caption, place summed out", placeless_gain, "places"),
)  # fmt: skip
