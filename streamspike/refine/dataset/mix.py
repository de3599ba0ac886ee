"""How many surprising and how many ordinary clips: 30 % and 70 %, as SPIKE-RL was trained.

Of the kind that there is too much of, some are left out at random. A split is not thinned below `MIN_CLIPS` for that: a
wrong mix, which is reported, is better than no night.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_CLIPS = 16


@dataclass(frozen=True, slots=True)
class Mix:
    """What is wanted of a split."""

    surprising: float = 0.3
    """Share of the clips, in [0, 1]."""
    max_clips: int = 1000

    @property
    def max_surprising(self) -> int:
        return round(self.surprising * self.max_clips)

    def num_ordinary(self, num_surprising: int) -> int:
        """How many ordinary clips go with so many surprising ones."""
        if self.surprising >= 1:
            return 0
        if self.surprising <= 0:
            return self.max_clips
        wanted = round(num_surprising * (1 - self.surprising) / self.surprising)
        return min(max(wanted, MIN_CLIPS - num_surprising), self.max_clips - num_surprising)

    def num_surprising(self, num_ordinary: int) -> int:
        """How many surprising clips go with so many ordinary ones."""
        if self.surprising >= 1:
            return self.max_clips
        return max(round(num_ordinary * self.surprising / (1 - self.surprising)), MIN_CLIPS - num_ordinary)
