"""Where is the peak? Measures of one clip's surprise over time against its labels, and rank correlation.

A clip is scored by segment: `scores` is (n,) and every other array of segments has its order. Ties count as if their
order were drawn by lot, so that a score that is constant gets chance and not luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamspike.measures.estimate import Undefined
from streamspike.measures.interval import Interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HALF_WINDOW_SECONDS = 0.5
"""What the paper puts around a peak and around a labelled moment before it compares them."""


def overlap_seconds(starts: ArrayLike, ends: ArrayLike, intervals: Sequence[Interval]) -> Floats:
    """How much of each segment [start, end) is labelled; where labels overlap each other, time counts once.

    Args:
        starts: (n,) seconds of stream time.
        ends: (n,)

    Returns:
        (n,) seconds.
    """
    first, last = np.asarray(starts, float), np.asarray(ends, float)
    total = np.zeros(first.shape)
    for low, high in merge(intervals):
        total += np.clip(np.minimum(last, high) - np.maximum(first, low), 0.0, None)
    return total


def touches(starts: ArrayLike, ends: ArrayLike, intervals: Sequence[Interval]) -> Bools:
    """(n,) whether each segment [start, end) shares time with an interval, or holds a moment that has no length."""
    first, last = np.asarray(starts, float)[:, None], np.asarray(ends, float)[:, None]
    low = np.array([one.start_seconds for one in intervals])
    high = np.array([one.end_seconds for one in intervals])
    shares = (first < high) & (low < last)
    holds = (low == high) & (first <= low) & (low < last)
    return np.asarray((shares | holds).any(axis=1), dtype=np.bool_)


def merge(intervals: Sequence[Interval]) -> list[tuple[float, float]]:
    """The union of intervals as separate ones, in order."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted((one.start_seconds, one.end_seconds) for one in intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def hit_at_k(scores: ArrayLike, labelled: ArrayLike, k: int, threshold: float = -math.inf) -> float:
    """Probability that one of the k highest scores above the threshold is a labelled segment (SPIKE, published code).

    Args:
        scores: (n,)
        labelled: (n,) of bool.
    """
    sure, tied, draws = _top(scores, k, threshold)
    label = np.asarray(labelled, bool)
    if label[sure].any():
        return 1.0
    misses = int((~label[tied]).sum())
    return 1.0 - (math.comb(misses, draws) / math.comb(len(tied), draws) if len(tied) else 1.0)


def precision_at_k(scores: ArrayLike, labelled: ArrayLike, k: int, threshold: float = -math.inf) -> float:
    """Labelled share of the k highest scores above the threshold, or of all above it if fewer (SPIKE, published code).

    Undefined where no score is above the threshold.
    """
    sure, tied, draws = _top(scores, k, threshold)
    chosen = len(sure) + draws
    return _expected_hits(labelled, sure, tied, draws) / chosen if chosen else Undefined("no score above the threshold")


def recall_at_k(scores: ArrayLike, labelled: ArrayLike, k: int, threshold: float = -math.inf) -> float:
    """Share of the labelled segments among the k highest scores above the threshold (SPIKE, published code).

    Undefined where no segment is labelled.
    """
    num_labelled = int(np.asarray(labelled, bool).sum())
    if not num_labelled:
        return Undefined("no labelled segment")
    return _expected_hits(labelled, *_top(scores, k, threshold)) / num_labelled


def _top(scores: ArrayLike, k: int, threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Indices that are among the k highest for sure, those tied for the last places, and how many of them get one."""
    if k < 1:
        raise ValueError(f"the highest {k = } scores are none")
    values = np.asarray(scores, float)
    above = np.flatnonzero(values > threshold)
    if len(above) <= k:
        return above, above[:0], 0
    last = np.partition(values[above], len(above) - k)[len(above) - k]  # the k-th highest
    sure, tied = above[values[above] > last], above[values[above] == last]
    return sure, tied, k - len(sure)


def _expected_hits(labelled: ArrayLike, sure: NDArray[np.intp], tied: NDArray[np.intp], draws: int) -> float:
    label = np.asarray(labelled, bool)
    share = float(label[tied].mean()) if len(tied) else 0.0
    return float(label[sure].sum()) + draws * share


def coverage(
    starts: ArrayLike, ends: ArrayLike, scores: ArrayLike, surprises: Sequence[Interval], threshold: float = 0.0
) -> float:
    """Share of labelled time that lies in segments with a score above the threshold (SPIKE: with S > 0).

    Labelled time that no segment covers counts as missed. Undefined where nothing has a length.
    """
    labelled = sum(end - start for start, end in merge(surprises))
    if labelled <= 0:
        return Undefined("no labelled time")
    alarmed = np.asarray(scores, float) > threshold
    return float(overlap_seconds(starts, ends, surprises)[alarmed].sum() / labelled)


def peak_accuracy(times: ArrayLike, scores: ArrayLike, onsets: Sequence[float], tolerance_seconds: float) -> float:
    """Acc@d of one clip: is the time of the highest score within d of any labelled moment?

    With several annotators every one's moment counts: so Oops! is measured (Epstein et al. 2020, section 5.3), and
    SPIKE after it. Several highest scores count by the share of them that is right.

    Args:
        times: (n,) seconds; the paper takes the time of the newest frame, segments are best told by their middle.
        scores: (n,)
        onsets: labelled moments of all surprises by all annotators.
        tolerance_seconds: d; the published ones are 0.25 and 1.
    """
    if not onsets:
        return Undefined("no labelled moment")
    distances = np.abs(_peaks(times, scores)[:, None] - np.asarray(onsets, float)).min(axis=1)
    # A touch more than d: 2.25 - 2.0 and 0.25 must compare equal whatever the rounding.
    return float((distances <= tolerance_seconds + 1e-9).mean())


def peak_iou(times: ArrayLike, scores: ArrayLike, spans: Sequence[tuple[float, float]]) -> float:
    """Intersection over union of +-0.5 s around the highest score with the labelled span that fits best (SPIKE).

    Args:
        times: (n,) seconds.
        scores: (n,)
        spans: labelled spans, or `moment_spans` of labelled moments.
    """
    if not spans:
        return Undefined("no labelled span")
    peaks = _peaks(times, scores)[:, None]
    low, high = np.asarray(spans, float).T
    first, last = peaks - HALF_WINDOW_SECONDS, peaks + HALF_WINDOW_SECONDS
    shared = np.clip(np.minimum(last, high) - np.maximum(first, low), 0.0, None)
    union = (last - first) + (high - low) - shared
    return float((shared / union).max(axis=1).mean())


def moment_spans(onsets: Sequence[float]) -> list[tuple[float, float]]:
    """+-0.5 s around each moment."""
    return [(onset - HALF_WINDOW_SECONDS, onset + HALF_WINDOW_SECONDS) for onset in onsets]


def _peaks(times: ArrayLike, scores: ArrayLike) -> Floats:
    """Times of the highest score, one or several."""
    values = np.asarray(scores, float)
    if not values.size:
        raise ValueError("a clip without scores has no peak")
    peaks: Floats = np.asarray(times, float)[values == values.max()]
    return peaks


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Rank correlation, ties sharing their mean rank (Spearman 1904). Undefined where one of them is constant.

    Args:
        a: (n,)
        b: (n,)
    """
    x, y = ranks(a), ranks(b)
    if len(x) != len(y):
        raise ValueError(f"rank correlation is of pairs: {len(x) = }, {len(y) = }")
    if not len(x) or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Undefined("one of the two is constant")
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum()))


def ranks(values: ArrayLike) -> Floats:
    """(n,) from 0, ties sharing their mean rank."""
    _, inverse, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(((ends - counts + ends - 1) / 2)[inverse], dtype=np.float64)
