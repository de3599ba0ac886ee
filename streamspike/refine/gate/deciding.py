"""Whether an adapter may serve: better beyond doubt in one measure, and worse in no other by more than its margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from streamspike.config import GateMeasure, RefineConfig
from streamspike.refine.gate.measuring import Comparison


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says, and why."""

    accepted: bool
    reasons: tuple[str, ...]
    """In sentences: all that speaks against it; or, accepted, what speaks for it."""


def margin_of(config: RefineConfig, name: GateMeasure) -> float:
    """By how much a measure may be worse."""
    return float(getattr(config, f"margin_{name}"))


def decide(comparisons: Mapping[GateMeasure, Comparison], num_clips: int, config: RefineConfig) -> Decision:
    """Better beyond doubt: the 95 % interval of the gain in `config.primary` lies above 0. Worse: the gain as measured
    is below the margin's negative. Doubt about losses speaks for nobody: intervals that reach below a margin would
    refuse everything as long as there are few clips.
    """
    against: list[str] = []
    if num_clips < config.min_clips:
        against.append(f"there are only {num_clips} held-out clips, and fewer than {config.min_clips} decide nothing")
    primary = comparisons[config.primary]
    gain = primary.gain
    if math.isnan(gain.mean):
        against.append(f"{primary.words}: cannot be measured ({gain.reason})")
    elif not gain.low > 0:
        against.append(
            f"{primary.words}: not better beyond doubt, {_signed(gain.mean)} with a 95 % interval from "
            f"{_signed(gain.low)} to {_signed(gain.high)}"
        )
    for name, comparison in comparisons.items():
        margin, mean = margin_of(config, name), comparison.gain.mean
        if mean < -margin:
            against.append(
                f"{comparison.words}: worse by {-mean:.3f}, more than the margin of {margin:g} "
                f"({comparison.before.mean:.3f} before, {comparison.after.mean:.3f} after)"
            )
    if against:
        return Decision(False, tuple(against))
    words = f"{primary.words}: better by {gain.mean:.3f}, 95 % interval from {gain.low:.3f} to {gain.high:.3f}"
    return Decision(True, (words, "nothing is worse by more than its margin"))


def _signed(value: float) -> str:
    return f"{value:+.3f}"
