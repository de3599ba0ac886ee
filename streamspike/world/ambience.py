"""When the scenery is loud: a camera's nuisances and their bursts, big in pixels and nothing in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from streamspike.core import Pixels
from streamspike.world.crowd import crowd_of
from streamspike.world.nuisance import (
    Branches,
    Clouds,
    Conveyor,
    Curtain,
    Flag,
    Flicker,
    Headlights,
    Insect,
    Passers,
    Rain,
    Television,
)
from streamspike.world.scene import Scene

STRETCH_SECONDS = 10.0
BURST_CHANCE = 0.65
"""That a stretch of STRETCH_SECONDS has any burst."""

NUISANCES = {
    "street": (Clouds, Flicker, Branches, Rain, Headlights, Passers, Insect, Flag),
    "room": (Clouds, Flicker, Headlights, Television, Curtain, Insect),
    "yard": (Clouds, Flicker, Branches, Rain, Conveyor, Insect, Flag),
    "walkway": (Clouds, Flicker, Branches, Rain, Passers, Insect),
}


@dataclass(frozen=True, slots=True)
class Burst:
    """One nuisance at its loudest."""

    start_seconds: float  # [start, end)
    end_seconds: float
    nuisance: int
    """Which of the camera's nuisances."""
    strength: float
    """About 1."""

    def level(self, seconds: float) -> float:
        """0 outside, `strength` inside, with flanks of 0.15 s."""
        if not self.start_seconds <= seconds < self.end_seconds:
            return 0.0
        return self.strength * min(
            1.0, (seconds - self.start_seconds) / 0.15 + 0.3, (self.end_seconds - seconds) / 0.15
        )


@lru_cache(maxsize=4096)
def bursts_of(seed: int, stretch: int, num_nuisances: int) -> tuple[Burst, ...]:
    """The bursts that begin in [stretch, stretch + 1) x STRETCH_SECONDS. Pure, so that any instant can be asked for."""
    rng = np.random.default_rng([seed, 11, stretch])
    if rng.uniform() >= BURST_CHANCE:
        return ()
    bursts = []
    for _ in range(rng.integers(1, 4)):
        start = (stretch + rng.uniform()) * STRETCH_SECONDS
        lasts = rng.uniform(0.5, 2.5)
        bursts.append(Burst(start, start + lasts, int(rng.integers(num_nuisances)), rng.uniform(0.75, 1.3)))
    return tuple(bursts)


class Ambience:
    """The 1 to 3 nuisances of one camera, and the crowd that some cameras always have in view."""

    def __init__(self, scene: Scene, seed: int, width_px: int, height_px: int) -> None:
        rng = np.random.default_rng([seed, 7])
        self._seed = seed
        kinds = NUISANCES[scene.name]
        chosen = rng.permutation(len(kinds))[: rng.integers(1, 4)]
        self._nuisances = tuple(kinds[k](scene, rng, width_px, height_px) for k in chosen)
        self._crowd = crowd_of(scene, seed)

    @property
    def num_nuisances(self) -> int:
        return len(self._nuisances)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the nuisances, in their order."""
        return tuple(type(nuisance).__name__ for nuisance in self._nuisances)

    @property
    def crowded(self) -> bool:
        """Whether small people walk about in the distance all day."""
        return self._crowd is not None

    def level(self, nuisance: int, seconds: float) -> float:
        """How loud one of the nuisances is: 0 calm, about 1 in a burst."""
        stretch = math.floor(seconds / STRETCH_SECONDS)
        levels = [
            burst.level(seconds)
            for k in (stretch - 1, stretch)
            if k >= 0
            for burst in bursts_of(self._seed, k, len(self._nuisances))
            if burst.nuisance == nuisance
        ]
        return max(levels, default=0.0)

    def behind(self, canvas: Pixels, seconds: float) -> None:
        """Draw what moves behind the bodies. Modifies canvas."""
        if self._crowd is not None:
            self._crowd.draw(canvas, seconds)
        for k, nuisance in enumerate(self._nuisances):
            if isinstance(nuisance, Passers | Conveyor):
                nuisance.draw(canvas, seconds, self.level(k, seconds))

    def front(self, picture: Pixels, seconds: float, rng: np.random.Generator) -> Pixels:
        """The picture with what moves before the bodies or lights them. May modify picture."""
        for k, nuisance in enumerate(self._nuisances):
            if not isinstance(nuisance, Passers | Conveyor):
                picture = nuisance.apply(picture, seconds, self.level(k, seconds), rng)
        return picture
