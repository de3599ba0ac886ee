"""Is surprise a detector? How well scores part labelled from other time, and what recall costs in false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from streamspike.measures.estimate import Undefined
from streamspike.measures.interval import Interval
from streamspike.measures.localisation import Floats, touches


def auroc(scores: ArrayLike, positive: ArrayLike, negative: ArrayLike | None = None) -> float:
    """Probability that a labelled unit scores higher than another one, ties counting half (Hanley and McNeil 1982).

    By segment: `positive` is true or false. By frame: the numbers (or seconds) of labelled and of other frames in each
    segment, which share its score; the result is that of listing every frame.

    Args:
        scores: (n,)
        positive: (n,) weights of the labelled, not negative.
        negative: (n,) weights of the others; 1 - positive by default.
    """
    labelled, others = _weights(scores, positive, negative)
    if not labelled.sum() or not others.sum():
        return Undefined("nothing is labelled" if not labelled.sum() else "everything is labelled")
    below = np.cumsum(others) - others
    return float((labelled * (below + others / 2)).sum() / (labelled.sum() * others.sum()))


def average_precision(scores: ArrayLike, positive: ArrayLike, negative: ArrayLike | None = None) -> float:
    """Mean of the precision at each score, weighted by the recall gained there; equal scores are one threshold.

    No interpolation (Davis and Goadrich 2006); arguments as for `auroc`. Undefined where nothing is labelled.
    """
    labelled, others = _weights(scores, positive, negative)
    if not labelled.sum():
        return Undefined("nothing is labelled")
    caught, alarmed = np.cumsum(labelled[::-1]), np.cumsum((labelled + others)[::-1])
    precision = np.divide(caught, alarmed, out=np.zeros_like(caught), where=alarmed > 0)
    return float((labelled[::-1] * precision).sum() / labelled.sum())


def _weights(scores: ArrayLike, positive: ArrayLike, negative: ArrayLike | None) -> tuple[Floats, Floats]:
    """Weights of labelled and of others at each distinct score, the lowest first."""
    values, labelled = np.asarray(scores, float), np.asarray(positive, float)
    others = 1.0 - labelled if negative is None else np.asarray(negative, float)
    if not values.shape == labelled.shape == others.shape or np.isnan(values).any():
        raise ValueError(f"one number per score: {values.shape = }, {labelled.shape = }, {others.shape = }")
    if (labelled < 0).any() or (others < 0).any():
        raise ValueError("weights are not negative")
    distinct, inverse = np.unique(values, return_inverse=True)
    size = len(distinct)
    by_score = (np.bincount(inverse, weights, size) for weights in (labelled, others))
    summed, summed_others = (np.asarray(weights, dtype=np.float64) for weights in by_score)
    return summed, summed_others


@dataclass(frozen=True, slots=True)
class Track:
    """The scores of one clip over time, with its surprises."""

    starts: Floats
    """(n,) of the scored segments [start, end), in seconds; segments that cannot be scored are not among them."""
    ends: Floats
    scores: Floats
    surprises: tuple[Interval, ...]

    def __post_init__(self) -> None:
        if not self.starts.shape == self.ends.shape == self.scores.shape or np.isnan(self.scores).any():
            raise ValueError(f"one score per segment: {self.starts.shape = }, {self.scores.shape = }")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from a labelled onset an alarm may be to be about it; labels are no more exact than this."""

    before_seconds: float = 0.5
    after_seconds: float = 1.5


@dataclass(frozen=True, slots=True)
class Curve:
    """What every threshold gives, one for all clips, the strictest first. An alarm is a score at or above it."""

    thresholds: Floats
    """(m,) falling; the first is infinite, and nothing alarms."""
    recall: Floats
    """(m,) share of the onsets that alarm."""
    false_alarms_per_hour: Floats
    """(m,) alarmed segments of ordinary time, by its hours. Neighbours are not merged to one alarm, as a monitor would
    do: that would make a score that is always high look as if it raised a single one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the curve is made of, of one clip: collect it once, then draw clips from it as often as you like."""

    onset_scores: Floats
    """(num_onsets,) the highest score near each onset; -inf where no segment is."""
    ordinary_scores: Floats
    """(num_segments,) of the segments that touch no surprise."""
    ordinary_hours: float


def collect(track: Track, tolerance: Tolerance = Tolerance()) -> Evidence:  # frozen
    """Part a clip into its onsets and its ordinary time.

    An onset may alarm within the tolerance. Ordinary is what touches no surprise, from the tolerance before its onset
    to its end: a long surprise that alarms late is neither found nor a false alarm.
    """
    ordinary = np.ones(track.scores.shape, dtype=bool)
    onsets = []
    for one in track.surprises:
        before, after = one.start_seconds - tolerance.before_seconds, one.start_seconds + tolerance.after_seconds
        near = _between(track, before, after)
        onsets.append(float(track.scores[near].max()) if near.any() else -math.inf)
        ordinary &= ~_between(track, before, max(after, one.end_seconds))
    hours = float((track.ends - track.starts)[ordinary].sum()) / 3600.0
    return Evidence(np.array(onsets, dtype=np.float64), track.scores[ordinary], hours)


def trace_curve(evidence: Sequence[Evidence]) -> Curve:
    """Onset recall against false alarms per hour, over all thresholds that change anything.

    Without onsets recall is NaN; without ordinary time, false alarms are.
    """
    onsets = _joined([one.onset_scores for one in evidence])
    ordinary = _joined([one.ordinary_scores for one in evidence])
    hours = sum(one.ordinary_hours for one in evidence)
    finite = np.concatenate((onsets[np.isfinite(onsets)], ordinary))
    thresholds = np.concatenate(([math.inf], np.unique(finite)[::-1]))
    found = _count_at_least(onsets, thresholds)
    alarms = _count_at_least(ordinary, thresholds)
    nothing = np.full(thresholds.shape, math.nan)
    return Curve(
        thresholds,
        found / len(onsets) if len(onsets) else nothing,
        alarms / hours if hours > 0 else nothing,
    )


def threshold_at(curve: Curve, false_alarms_per_hour: float) -> float:
    """The lowest threshold that raises no more false alarms than this; infinite where only silence does."""
    allowed = np.flatnonzero(curve.false_alarms_per_hour <= false_alarms_per_hour)
    if not len(allowed):
        return Undefined("no ordinary time to raise a false alarm in")
    return float(curve.thresholds[allowed[-1]])


def recall_at(curve: Curve, false_alarms_per_hour: float) -> float:
    """Onset recall at no more than so many false alarms per hour."""
    if np.isnan(curve.recall).all():
        return Undefined("no labelled onset")
    threshold = threshold_at(curve, false_alarms_per_hour)
    if math.isnan(threshold):
        return threshold
    return float(curve.recall[curve.thresholds == threshold][0])


def detection_delays(tracks: Sequence[Track], threshold: float, tolerance: Tolerance = Tolerance()) -> Floats:
    """Seconds from each onset to the end of the first segment that alarms about it; NaN where none does.

    An alarm can be raised no sooner than the segment is over. What alarms within the tolerance before the onset has no
    delay; what alarms later than the tolerance, but before the surprise has ended, is late and counts here.

    Returns:
        (num_onsets,) never negative. Take the median of what is not NaN together with the share that is.
    """
    delays = []
    for track in tracks:
        for one in track.surprises:
            late = max(one.end_seconds, one.start_seconds + tolerance.after_seconds)
            near = _between(track, one.start_seconds - tolerance.before_seconds, late)
            alarms = track.ends[near & (track.scores >= threshold)]
            delays.append(max(0.0, float(alarms.min()) - one.start_seconds) if len(alarms) else math.nan)
    return np.array(delays, dtype=np.float64)


def _between(track: Track, start: float, end: float) -> np.ndarray:
    """(n,) segments that share time with [start, end)."""
    return touches(track.starts, track.ends, (Interval(max(0.0, start), max(0.0, end)),))


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)


def _count_at_least(values: Floats, thresholds: Floats) -> Floats:
    return np.asarray(len(values) - np.searchsorted(np.sort(values), thresholds, side="left"), dtype=np.float64)
