"""A measured number with its uncertainty: the bootstrap over clips, and numbers that do not exist and say why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

QUANTILES = (0.025, 0.975)


class Undefined(float):
    """NaN with the reason why there is no number. Plain JSON has no NaN: write None and the reason."""

    reason: str

    def __new__(cls, reason: str) -> Undefined:
        self = super().__new__(cls, math.nan)
        self.reason = reason
        return self

    def __repr__(self) -> str:
        return f"Undefined({self.reason!r})"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of all clips with its 95 % interval."""

    mean: float
    """The statistic of all clips as they are, whether it is a mean or not; NaN where it is undefined."""
    low: float
    high: float
    reason: str = ""
    """Why it is undefined, or what the interval does not tell; empty where there is nothing to say."""


def bootstrap(
    values_by_clip: Sequence[T], statistic: Callable[[Sequence[T]], float], seed: int, num: int = 2000
) -> Estimate:
    """Percentile interval of a statistic when whole clips are drawn again with replacement.

    Frames and segments of a clip resemble each other, so that resampling them would promise too much. The statistic is
    computed anew from the clips of each draw; ratios such as AUROC are not averaged over clips. Source: Efron,
    "Bootstrap Methods: Another Look at the Jackknife", 1979.

    Args:
        values_by_clip: whatever the statistic needs of one clip, one entry per clip.
        statistic: of a sequence of such entries; NaN where it is undefined, e.g. for a draw with one class only. Such
            draws are left out of the interval, and their number is told in `reason`.
        seed: same seed, same interval.
        num: draws.
    """
    if not values_by_clip:
        reason = "there is no clip"
        return Estimate(math.nan, math.nan, math.nan, reason)
    value = statistic(values_by_clip)
    if math.isnan(value):
        reason = getattr(value, "reason", "the statistic of all clips is not a number")
        return Estimate(math.nan, math.nan, math.nan, reason)
    if len(values_by_clip) == 1:
        return Estimate(float(value), math.nan, math.nan, "one clip tells nothing about others")
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(values_by_clip), size=(num, len(values_by_clip)))
    statistics = np.array([statistic([values_by_clip[index] for index in draw]) for draw in draws.tolist()])
    defined = statistics[~np.isnan(statistics)]
    if not defined.size:
        return Estimate(float(value), math.nan, math.nan, "undefined in every draw of clips")
    low, high = np.quantile(defined, QUANTILES)
    left_out = num - defined.size
    reason = f"undefined in {left_out} of {num} draws of clips" if left_out else ""
    return Estimate(float(value), float(low), float(high), reason)
