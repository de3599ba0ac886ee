"""What a study of the night shift is made of: methods, seeds, clips that are learned from and clips that are not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from streamspike.errors import ConfigError

Method = Literal["supervised", "spike-rl", "savi", "crpo"]
METHODS: tuple[Method, ...] = get_args(Method)
START = "start"
"""The model as it is, which everything is compared with."""
FIRST_SEED, FIRST_HELD_OUT_SEED = 710_000, 720_000
"""Of the clips; the study's seeds are added."""
FREE = ("seeds", "methods")
"""A study may be continued with more of these."""


@dataclass(frozen=True, slots=True)
class NightSettings:
    """What is compared, and on what."""

    minutes: float = 6.0
    """Of training, for each method and seed."""
    steps: int = 0
    """Of training, in place of minutes; 0: as many as fit into them."""
    seeds: int = 3
    clips: int = 240
    """To learn from, of each seed; the same for all methods."""
    held_out: int = 80
    """Clips of other cameras, of each seed, by which all are measured."""
    asked: int = 80
    """Of these clips; so many are asked about."""
    pairs: int = 240
    """Questions of `bench dynamics`."""
    methods: tuple[Method, ...] = METHODS
    words: Literal["given", "own"] = "given"
    """Captions that supervised learning learns from: the truth of the simulator, or the model's own."""
    rule: Literal["", "left"] = ""
    """Of the clips: any scene as the model was trained on, or streets whose traffic keeps to the left."""

    def __post_init__(self) -> None:
        if min(self.seeds, self.clips, self.held_out) < 1 or self.pairs < 12 or not self.methods:
            raise ConfigError(f"a study has a seed, clips, at least 12 pairs, and a method: {self}")
        if self.minutes <= 0 and self.steps <= 0:
            raise ConfigError("a study trains for some minutes or some steps")

    def describe(self) -> dict[str, Any]:
        """What its results depend on, as JSON."""
        return {key: value for key, value in asdict(self).items() if key not in FREE}


def parse_methods(text: str) -> tuple[Method, ...]:
    """`spike-rl,crpo`. Raises ConfigError."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ConfigError(f"--methods takes {', '.join(METHODS)}; not {unknown[0]!r}")
    return tuple(name for name in METHODS if name in names)
