"""Measured numbers as plain values for JSON, and as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streamspike.measures.estimate import Estimate

Figure = Mapping[str, Any]
"""mean, low, high, each a number or None; and reason, where there is something to say."""


def plain(estimate: Estimate) -> dict[str, Any]:
    """JSON has no NaN: what is undefined is None, with the reason."""
    numbers = {key: finite(getattr(estimate, key)) for key in ("mean", "low", "high")}
    return {**numbers, "reason": estimate.reason} if estimate.reason else numbers


def finite(value: float) -> float | None:
    """The number, or None where there is none."""
    return float(value) if math.isfinite(value) else None


def show(figure: Figure, digits: int = 3) -> str:
    """`0.412 [0.37, 0.45]`, or a dash."""
    if figure["mean"] is None:
        return "-"
    text = f"{figure['mean']:.{digits}f}"
    if figure["low"] is None:
        return text
    return f"{text} [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]"


def show_number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
