"""Frames of a finished video, the more of them the more surprising a segment was.

- covering, ours (ADR 16): each further frame of a segment tells half as much as the one before, so the budget maximises
  sum_i w_i (1 - 2^-n_i), where w_i = S_i + mean(S): half of what there is to tell is spread evenly. Solved for real n_i
  (water-filling, Boyd and Vandenberghe 2004, example 5.2), n_i = max(0, log2(w_i / level)); the k-th frame stands where
  the running sum of n passes k + 1/2. With fewer frames than segments they come in twos, as one frame shows no motion.
  No chance, and no frame twice.

Both published variants, as the paper (SPIKE, arXiv 2509.23433) and the authors' code have them:

- softmax: p_i = exp(S_i / tau) / sum_j exp(S_j / tau) with tau = 0.7; F segments are drawn with replacement, and a
  uniformly random time inside each. The code can add standard Gumbel noise to the scores before the softmax.
- allocated: no chance involved. Half the budget goes evenly to the segments, the rest in proportion to S, and the times
  of a segment are evenly spaced from its start.

As published, and worth knowing (docs/frames.md has what it costs):

1. Equal scores mean that every segment is as likely as the others.
2. Draws fall on the same frame now and then; it is kept once, so there may be fewer than F frames, never more.
3. With more segments than half the budget, the even half of `allocated` goes to the first segments, one each.
4. What the proportional half leaves over by rounding down goes, one by one, to the segment whose share minus the number
   it has is largest: first to those that have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TAU = 0.7
"""tau_s of the paper."""

EVEN_PART = 0.5
"""Of the budget, in the allocated variant."""

Numbers = NDArray[np.float64]


def segment_probabilities(surprise: ArrayLike, tau: float = TAU, noise: ArrayLike | None = None) -> Numbers:
    """How likely each segment is to be drawn, (K,), summing to 1.

    Args:
        surprise: (K,) nats.
        tau: towards 0 only the most surprising segment is left, towards infinity all are equal.
        noise: (K,) added to the scores, unless they are all equal.

    Raises:
        ValueError: no segments, a surprise that is not finite, or tau not positive.
    """
    scores = _check(surprise)
    if not tau > 0.0:
        raise ValueError(f"the temperature is positive: {tau = }")
    if np.ptp(scores) == 0.0:
        return np.full(len(scores), 1.0 / len(scores))
    noisy = scores if noise is None else scores + np.asarray(noise, dtype=np.float64)
    # The maximum is taken off before the division, so that a tiny tau cannot overflow.
    weights = np.exp((noisy - noisy.max()) / tau)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def sample_times(
    surprise: ArrayLike,
    bounds: ArrayLike,
    budget: int,
    rng: np.random.Generator,
    tau: float = TAU,
    *,
    gumbel: bool = False,
) -> Numbers:
    """The softmax variant: `budget` times in ascending order, drawn with replacement.

    Args:
        surprise: (K,) nats.
        bounds: (K + 1,) seconds; segment i is [bounds[i], bounds[i + 1]).
        gumbel: add Gumbel noise to the scores, as the code can.

    Raises:
        ValueError: see `segment_probabilities`; or a budget below 1, or bounds that do not fit or do not ascend.
    """
    scores, edges = _check(surprise), _check_bounds(surprise, bounds)
    _check_budget(budget)
    noise = rng.gumbel(size=len(scores)) if gumbel else None
    chosen = rng.choice(len(scores), size=budget, replace=True, p=segment_probabilities(scores, tau, noise))
    times = edges[chosen] + rng.random(budget) * (edges[chosen + 1] - edges[chosen])
    return np.sort(times)


def allocate(surprise: ArrayLike, budget: int) -> NDArray[np.int64]:
    """The allocated variant: how many frames each segment gets, (K,), summing to `budget`. Raises ValueError."""
    scores = _check(surprise)
    _check_budget(budget)
    count = len(scores)
    even = _spread(int(EVEN_PART * budget), count)
    rest = budget - int(even.sum())
    if np.ptp(scores) == 0.0:
        return np.asarray(even + _spread(rest, count))
    shares = scores / scores.sum()
    extra = np.floor(shares * rest).astype(np.int64)
    while extra.sum() < rest:
        extra[int(np.argmax(shares - extra))] += 1
    return np.asarray(even + extra)


def allocated_times(surprise: ArrayLike, bounds: ArrayLike, budget: int) -> Numbers:
    """The allocated variant: `budget` times in ascending order. Raises as `sample_times`."""
    edges = _check_bounds(surprise, bounds)
    spans = zip(edges[:-1], edges[1:], allocate(surprise, budget), strict=True)
    return np.concatenate([np.linspace(start, end, number, endpoint=False) for start, end, number in spans])


def cover(surprise: ArrayLike, budget: int) -> Numbers:
    """The covering variant: how many frames each segment is worth, (K,) real numbers summing to `budget`.

    Raises ValueError.
    """
    scores = _check(surprise)
    _check_budget(budget)
    if np.ptp(scores) == 0.0:
        return np.full(len(scores), budget / len(scores))
    worth = np.log2(np.maximum(scores + scores.mean(), np.finfo(np.float64).tiny))
    highest = np.sort(worth)[::-1]
    # The level when only the k highest segments get frames; right for the largest k whose lowest is above it.
    levels = (np.cumsum(highest) - budget) / np.arange(1, len(scores) + 1)
    level = levels[highest > levels][-1]
    return np.asarray(np.maximum(worth - level, 0.0))


def covering_times(surprise: ArrayLike, bounds: ArrayLike, budget: int) -> Numbers:
    """The covering variant: `budget` times in ascending order. Raises as `sample_times`.

    Of fewer times than segments, two that follow each other and are more than a segment apart come half a segment apart
    in the segment between them.
    """
    edges = _check_bounds(surprise, bounds)
    lengths = np.diff(edges)
    passed = np.concatenate([[0.0], np.cumsum(cover(surprise, budget))])
    passed *= budget / passed[-1]

    def find(marks: NDArray[Any]) -> tuple[Numbers, NDArray[np.intp]]:
        inside = np.searchsorted(passed, marks, side="right") - 1
        return edges[inside] + (marks - passed[inside]) / np.diff(passed)[inside] * lengths[inside], inside

    times, _ = find(np.arange(budget) + 0.5)
    if budget < len(lengths):
        twos = times[: budget // 2 * 2].reshape(-1, 2)
        middles, inside = find(2.0 * np.arange(len(twos)) + 1.0)
        quarters = lengths[inside] / 4
        middles = np.clip(middles, edges[inside] + quarters, edges[inside + 1] - quarters)
        apart = twos[:, 1] - twos[:, 0] > lengths[inside]
        twos[apart] = np.stack([middles - quarters, middles + quarters], axis=1)[apart]
    return np.sort(times)


def frames_at(times: ArrayLike, frame_times: ArrayLike) -> NDArray[np.int64]:
    """The frames that are shown at these times: numbers in ascending order, each once.

    Args:
        frame_times: ascending seconds; a frame is shown until the next one, the first one also before its time.
    """
    shown = np.searchsorted(np.asarray(frame_times), np.asarray(times), side="right") - 1
    return np.unique(np.maximum(shown, 0)).astype(np.int64)


def _spread(total: int, count: int) -> NDArray[np.int64]:
    """`total` over `count` places, the remainder to the first ones."""
    spread = np.full(count, total // count, dtype=np.int64)
    spread[: total % count] += 1
    return spread


def _check(surprise: ArrayLike) -> Numbers:
    scores = np.asarray(surprise, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all() or (scores < 0.0).any():
        raise ValueError(f"surprise is finite, never negative, and there is at least one segment: {scores = }")
    return scores


def _check_bounds(surprise: ArrayLike, bounds: ArrayLike) -> Numbers:
    edges = np.asarray(bounds, dtype=np.float64)
    if edges.shape != (len(_check(surprise)) + 1,) or (np.diff(edges) <= 0.0).any():
        raise ValueError(f"bounds ascend and are one more than segments: {edges = }")
    return edges


def _check_budget(budget: int) -> None:
    if budget < 1:
        raise ValueError(f"a budget has at least one frame: {budget = }")
