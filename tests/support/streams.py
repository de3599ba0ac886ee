"""Weeks of surprise as a camera might give them: heavy tails, bursts, day and night, and a level that drifts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HOUR_SECONDS = 3600
PEAK_NATS = (1.5, 14.0)
"""Events peak at 1.5 nats at least, with a Pareto tail, and never above what a model of this size says."""


def simulate_week(seed: int, segment_seconds: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Seven days of one camera.

    Returns:
        (K,) surprise in nats, and (K,) the number of the event each segment belongs to, -1 outside of events.
    """
    rng = np.random.default_rng(seed)
    per_hour = round(HOUR_SECONDS / segment_seconds)
    count = 7 * 24 * per_hour
    day = 2 * np.pi * np.arange(count) / (24 * per_hour)
    drift = np.cumsum(rng.normal(0.0, 0.4 / np.sqrt(24 * per_hour), count))
    surprise = rng.exponential(0.15, count) * np.exp(0.4 * np.sin(day + rng.uniform(0, 6)) + drift)
    events = np.full(count, -1)
    # Twelve events an hour on average, in bursts: the rate of an hour is exponential, and there are busy times of day.
    rate = np.repeat(rng.exponential(1.0, 7 * 24), per_hour) * (0.6 + 0.5 * np.sin(day)) * 12 / per_hour
    for number, onset in enumerate(np.flatnonzero(rng.random(count) < rate)):
        peak = min(PEAK_NATS[1], (rng.pareto(2.2) + 1.0) * PEAK_NATS[0])
        length = min(1 + int(rng.geometric(0.35)), count - int(onset))
        shape = peak * np.exp(-0.6 * np.arange(length)) * rng.uniform(0.6, 1.0, length)
        shape[0] = peak
        span = slice(int(onset), int(onset) + length)
        surprise[span] = np.maximum(surprise[span], shape)
        events[span] = number
    return surprise, events
