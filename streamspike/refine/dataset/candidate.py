"""A clip that may come into a dataset: where its footage lies, and all that is known of it before it is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Said:
    """What the journal says of one segment."""

    start_seconds: float
    """In the file, whose first frame is at 0."""
    caption: str
    surprise_nats: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """Times without `_at` are seconds in the file."""

    clip_id: str
    camera_id: str
    path: Path
    started_at: float
    """UTC of the first frame of the file."""
    seconds: float
    """Length of the file; 0 when nobody knows yet."""
    surprising: bool
    segment_seconds: float
    phase_seconds: float = 0.0
    """In [0, segment_seconds): how far into a segment the file begins, so that it is cut as the live stream was."""
    from_seconds: float = -math.inf
    until_seconds: float = math.inf
    """Only segments that begin in [from, until) are taken."""
    peak_seconds: float | None = None
    """Of an event, what must not be missing."""
    said: tuple[Said, ...] = ()
    reference: str = ""
    verdict: int = 0
    model: str = ""
    """Whose words the captions are; empty without captions."""
    is_divisible: bool = False
    """Longer than an example may be, it becomes several of them; otherwise it is cut off."""
    is_whole: bool = False
    """Longer than an example may be, it is left out: what is said of it is said of the whole."""

    @property
    def taken_at(self) -> tuple[float, float]:
        """UTC of what is taken of it, [start, end)."""
        return self.started_at + max(0.0, self.from_seconds), self.started_at + min(self.until_seconds, self.seconds)
