"""A stretch of stream time that somebody labelled."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled happening."""

    start_seconds: float  # [start, end) of stream time; start == end is a moment without a known length
    end_seconds: float
    text: str = ""
    """What happens, in the annotator's words."""
    kind: str = ""
    """The annotator's class: fall, Arson, fall_motion."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_seconds <= self.end_seconds < math.inf:
            raise ValueError(f"not an interval of stream time: [{self.start_seconds}, {self.end_seconds})")
