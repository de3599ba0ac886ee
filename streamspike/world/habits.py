"""What is particular about one camera: who comes often here, who comes back, and what comes by the clock.

The only part of a scene's future that the last frames do not show. Whoever remembers the past minute can learn it, so
this is where memory pays: what repeats becomes expected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from streamspike.world.errand import Errand

Arrival = tuple[str, str, int]
"""Kind, lane and the side it comes from."""

BUSY_CHANCE = 0.5
BUSY_FACTOR = 5.0
"""How much more often than elsewhere the camera's busiest arrival comes, and ..."""
RARE_FACTOR = 0.6
"""... how often all others do."""
MOST = 0.3
"""No arrival but a due service is likelier than this."""

SERVICE_CHANCE = 0.25
SERVICE_PERIODS = (4, 5, 6)
"""Segments from one to the next, so that a window shows two."""
SERVICE_SHARE = 0.75
"""That it comes when it is due."""

RETURN_SEGMENTS = (1, 8)
"""From so many segments after somebody left until so many, it may come back from where it went."""
RETURN_CHANCE = 0.12
RETURNING = ("person", "dog", "cat", "cart", "forklift")


@dataclass(slots=True)
class Habits:
    """Without arguments there are none: everybody comes as often as the tables say."""

    busy: Arrival | None = None
    service: Arrival | None = None
    period: int = 0
    """Of the service, in segments."""
    clock: int = 0
    """Segments so far."""
    away: list[tuple[str, int, int]] = field(default_factory=list)
    """Who left: kind, side and the clock then; newest last."""
    returns: bool = False
    errand: Errand | None = None
    """What comes by the clock, if this camera was given such a rule."""

    def chance(self, usual: float, kind: str, lane: str, side: int) -> float:
        """Probability of this arrival in the coming segment, given how likely it is elsewhere."""
        arrival = (kind, lane, side)
        chance = usual
        if self.busy is not None:
            chance = min(MOST, usual * BUSY_FACTOR) if arrival == self.busy else usual * RARE_FACTOR
        if arrival == self.service:
            return SERVICE_SHARE if self.clock % self.period == 0 else usual
        if self.returns and any(who == kind and where == side for who, where, _ in self._due()):
            chance += RETURN_CHANCE
        return chance

    def tick(self) -> None:
        """A segment begins."""
        self.clock += 1
        if self.errand is not None:
            self.errand.tick()
        self.away = [gone for gone in self.away if self.clock - gone[2] <= RETURN_SEGMENTS[1]]

    def gone(self, kind: str, side: int) -> None:
        """Somebody left over this side."""
        if kind in RETURNING:
            self.away.append((kind, side, self.clock))

    def come(self, kind: str, side: int) -> None:
        """Somebody came from this side: perhaps the one who had left."""
        back = next((gone for gone in self._due() if gone[:2] == (kind, side)), None)
        if back is not None:
            self.away.remove(back)

    def _due(self) -> list[tuple[str, int, int]]:
        return [gone for gone in self.away if self.clock - gone[2] >= RETURN_SEGMENTS[0]]


def draw_habits(arrivals: list[Arrival], rng: Random) -> Habits:
    """The habits of one camera, among the arrivals of its scene."""
    habits = Habits(returns=True)
    if rng.random() < BUSY_CHANCE:
        habits.busy = rng.choice(arrivals)
    if rng.random() < SERVICE_CHANCE:
        habits.service, habits.period = rng.choice(arrivals), rng.choice(SERVICE_PERIODS)
        habits.clock = rng.randrange(habits.period)
    return habits
