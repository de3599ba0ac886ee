"""How rare a surprise is for one camera: a sketch of its recent past, and beyond what was seen a fitted tail.

Surprises are counted in bins of equal ratio, older ones with less weight, so that memory is bounded whatever the camera
and however long it runs. Neighbouring surprising segments are one peak: alerts are per event, not per second. Above a
high level the excesses of the peaks follow a generalised Pareto law whatever the surprises themselves do (Pickands,
1975; used for streams as peaks over threshold by Siffer et al., "Anomaly detection in streams with extreme value
theory", KDD 2017). Its two parameters come from probability-weighted moments (Hosking and Wallis, Technometrics 29,
1987), which exist in closed form and are robust for a few dozen peaks, where likelihoods are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]

LEAST_NATS, MOST_NATS = 1e-3, 1e4
BINS_PER_FOLD = 32
"""Bins from one value to e times it: a bin is 3 % wide."""
NUM_BINS = 1 + math.ceil(BINS_PER_FOLD * math.log(MOST_NATS / LEAST_NATS))
EDGES = LEAST_NATS * np.exp(np.arange(NUM_BINS) / BINS_PER_FOLD)
"""Lower edge of bin k + 1; bin 0 has everything below LEAST_NATS."""
CENTRES = np.concatenate([[0.0], EDGES[:-1] * math.exp(0.5 / BINS_PER_FOLD)])

PEAK_QUANTILE = 0.9
"""Segments above this quantile belong to peaks, ..."""
TAIL_PEAKS = 60.0
"""... of which about so many of the highest (by weight) are fitted, ..."""
TAIL_SHARE = 0.5
"""... and never more than this share of all."""
SHAPES = (-0.5, 0.5)
"""A shape beyond these comes from too few peaks: heavier tails have no variance, lighter ones end at the last."""

HOURS = 24
HOUR_PRIOR_DAYS = 0.04
"""Each hour of the day starts with so much time at the camera's mean."""
MOST_BUSY = 5.0
"""An hour counts as at most so many times as busy as the mean, and as at least that part of it."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Peaks above `start_nats` come `per_day` times a day; their excesses are generalised Pareto."""

    start_nats: float
    per_day: float
    scale: float
    shape: float

    def survival(self, nats: float) -> float:
        """Share of the peaks above start_nats that exceed this, in [0, 1]."""
        excess = max(0.0, nats - self.start_nats) / self.scale
        if abs(self.shape) < 1e-6:
            return math.exp(-excess)
        return float(max(0.0, 1.0 + self.shape * excess) ** (-1.0 / self.shape))

    def level(self, per_day: float) -> float:
        """Nats that are exceeded so many times a day, at most `self.per_day` times."""
        fold = max(1.0, self.per_day / per_day)
        if abs(self.shape) < 1e-6:
            return self.start_nats + self.scale * math.log(fold)
        return float(self.start_nats + self.scale / self.shape * (fold**self.shape - 1.0))


class RecentSurprise:
    """What one camera's surprises were lately. No clock, bounded memory.

    Args:
        memory_days: a surprise of so long ago counts for 1/e of a new one; days of watching, not of the calendar.
        gap_segments: so many segments in a row below the peaks' level end a peak.
    """

    def __init__(self, memory_days: float, gap_segments: int) -> None:
        self._memory_days = memory_days
        self._gap_segments = gap_segments
        self._segments: Weights = np.zeros(NUM_BINS)
        self._peaks: Weights = np.zeros(NUM_BINS)
        self._nats_by_hour: Weights = np.zeros(HOURS)  # nats times days
        self._days_by_hour: Weights = np.zeros(HOURS)
        self._growth = 1.0  # weights grow instead of fading, so that a segment costs one addition
        self._peak, self._num_low = -1, 0
        self._entry, self._until_entry = 1, 0
        self.days = 0.0
        """Watched so far, without fading."""

    @property
    def highest(self) -> float:
        """The highest surprise that still counts; 0 before there was any."""
        bins = np.flatnonzero(self._segments)
        return float(EDGES[bins[-1]]) if len(bins) and bins[-1] else 0.0

    def add(self, nats: float, days: float, hour: int, raw_nats: float | None = None) -> None:
        """Count a segment.

        Args:
            nats: its surprise, perhaps against what is usual at this hour.
            days: its length.
            hour: of the day, [0, 24).
            raw_nats: its surprise as it was, from which the hours learn; None: the same.
        """
        self.days += days
        self._growth *= math.exp(days / self._memory_days)
        k = bin_of(nats)
        self._segments[k] += self._growth
        self._days_by_hour[hour] += self._growth * days
        self._nats_by_hour[hour] += self._growth * days * (nats if raw_nats is None else raw_nats)
        if self._until_entry == 0:  # the level moves slowly: looking now and then is enough
            self._entry, self._until_entry = self._peak_entry(), 64
        self._until_entry -= 1
        if k >= self._entry:
            self._peak, self._num_low = max(self._peak, k), 0
        elif self._peak >= 0:
            self._num_low += 1
            if self._num_low >= self._gap_segments:
                self._peaks[self._peak] += self._growth
                self._peak = -1
        if self._growth > 1e12:
            self._rescale()

    def share_above(self, nats: float) -> float:
        """Of recent segments and this one, how many were at least as surprising; by the tail where hardly any was."""
        total = self._segments.sum() + self._growth  # this one counts: nothing is rarer than all that was seen
        tail = self.tail()
        if tail is None or nats <= tail.start_nats:
            return float((self._segments[bin_of(nats) :].sum() + self._growth) / total)
        in_tail = self._segments[bin_of(tail.start_nats) :].sum() + self._growth
        return float(in_tail / total * tail.survival(nats))

    def tail(self) -> Tail | None:
        """The fitted tail; None before there are peaks to fit."""
        total = self._peaks.sum()
        wanted = min(TAIL_PEAKS * self._growth, TAIL_SHARE * total)
        above = np.cumsum(self._peaks[::-1])[::-1]
        enough = np.flatnonzero(above >= wanted)
        if total < 8 * self._growth or not len(enough):
            return None
        first = max(1, int(enough[-1]))
        start = float(EDGES[first - 1])
        scale, shape = fit_pareto(CENTRES[first:] - start, self._peaks[first:])
        return Tail(start, float(above[first] / self._days_by_hour.sum()), scale, shape)

    def level(self, per_day: float) -> float | None:
        """Nats that a peak exceeds so many times a day: counted where there were as many, else by the tail."""
        tail = self.tail()
        if tail is None or per_day < tail.per_day:
            return tail.level(per_day) if tail else None
        above = np.cumsum(self._peaks[::-1])[::-1] / self._days_by_hour.sum()
        return float(EDGES[max(1, int(np.flatnonzero(above >= min(per_day, above[0]))[-1])) - 1])

    def busyness(self, hour: int) -> float:
        """How surprising this hour of the day usually is, as a multiple of the whole day."""
        nats, days = self._nats_by_hour.sum(), self._days_by_hour.sum()
        if nats <= 0:
            return 1.0
        prior, mean = HOUR_PRIOR_DAYS * self._growth, nats / days
        ratio = (self._nats_by_hour[hour] + mean * prior) / (self._days_by_hour[hour] + prior) / mean
        return float(min(max(ratio, 1 / MOST_BUSY), MOST_BUSY))

    def export(self) -> dict[str, object]:
        """All of it as plain JSON values; bins that are empty are left out."""
        self._rescale()
        return {
            "days": self.days,
            "segments": _sparse(self._segments),
            "peaks": _sparse(self._peaks),
            "nats_by_hour": [round(value, 9) for value in self._nats_by_hour.tolist()],
            "days_by_hour": [round(value, 9) for value in self._days_by_hour.tolist()],
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`.

        Raises:
            ValueError, TypeError, KeyError: not an export; nothing is changed.
        """
        days = float(state["days"])  # type: ignore[arg-type]
        segments, peaks = _dense(state["segments"]), _dense(state["peaks"])
        by_hour = [np.asarray(state[name], dtype=np.float64) for name in ("nats_by_hour", "days_by_hour")]
        if not all(
            values.shape == (HOURS,) and np.isfinite(values).all() and (values >= 0).all() for values in by_hour
        ):
            raise ValueError(f"there are {HOURS} hours in a day, none with a negative count")
        if not (math.isfinite(days) and days >= 0):
            raise ValueError(f"a camera was watched for a time: {days = }")
        self.days, self._segments, self._peaks = days, segments, peaks
        self._nats_by_hour, self._days_by_hour = by_hour
        self._growth, self._peak, self._num_low, self._until_entry = 1.0, -1, 0, 0

    def _peak_entry(self) -> int:
        above = np.cumsum(self._segments[::-1])[::-1]
        below = np.flatnonzero(above <= (1.0 - PEAK_QUANTILE) * above[0])
        return max(1, int(below[0])) if len(below) else NUM_BINS - 1

    def _rescale(self) -> None:
        for weights in (self._segments, self._peaks, self._nats_by_hour, self._days_by_hour):
            weights /= self._growth
        self._growth = 1.0


def bin_of(nats: float) -> int:
    """The bin a surprise falls into."""
    if nats < LEAST_NATS:
        return 0
    return min(NUM_BINS - 1, 1 + int(BINS_PER_FOLD * math.log(nats / LEAST_NATS)))


def fit_pareto(excesses: Weights, weights: Weights) -> tuple[float, float]:
    """Scale and shape of a generalised Pareto law by probability-weighted moments (Hosking and Wallis, 1987).

    Args:
        excesses: in ascending order.
        weights: how often each was seen; not all zero.
    """
    total = weights.sum()
    survival = (np.cumsum(weights[::-1])[::-1] - 0.5 * weights) / total
    first = max(float((weights * excesses).sum() / total), 1e-9)
    second = float((weights * excesses * survival).sum() / total)
    # Both moments of an exponential law differ by the factor 4; the shape is how far they are from that.
    shape = 2.0 - first / max(first - 2.0 * second, 1e-9)
    shape = min(max(shape, SHAPES[0]), SHAPES[1])
    return first * (1.0 - shape), shape


def _sparse(weights: Weights) -> list[list[float]]:
    return [[int(k), round(float(weights[k]), 6)] for k in np.flatnonzero(weights > 5e-7)]


def _dense(pairs: object) -> Weights:
    weights = np.zeros(NUM_BINS)
    if not isinstance(pairs, list):
        raise TypeError(f"bins are a list: {str(pairs)[:60]}")
    for k, weight in pairs:
        if not (isinstance(k, int) and 0 <= k < NUM_BINS and math.isfinite(weight) and weight >= 0):
            raise ValueError(f"not a bin: {[k, weight]}")
        weights[k] = weight
    return weights
