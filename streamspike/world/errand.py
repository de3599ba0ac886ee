"""A delivery by the clock: a van comes and stops, somebody brings a box. How far it is, and when it is due again."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = ("come", "stop", "bring")
DUE_SHARE = 0.85
"""Probability of the next step in a segment in which it is due and possible, surprises aside."""
PATIENCE_SEGMENTS = 15
"""So long after it was due, what has not happened yet is left out until the next time."""


@dataclass(slots=True)
class Errand:
    """Of one camera."""

    period: int
    """Segments from one to the next."""
    clock: int
    """Segments since the first one was due; negative before."""
    step: int = 0
    """The one that comes next, of STEPS; their number when all is done."""

    @property
    def due(self) -> str | None:
        """The step that should happen now."""
        is_time = self.clock >= 0 and self.clock % self.period < PATIENCE_SEGMENTS
        return STEPS[self.step] if is_time and self.step < len(STEPS) else None

    def tick(self) -> None:
        """A segment is over."""
        self.clock += 1
        if self.clock % self.period == 0:
            self.step = 0
