"""Who a person in the picture is to look at: skin, hair, clothes, build and way of walking, fixed for one body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from streamspike.world.brush import Colour, mix, shade

SKINS: tuple[Colour, ...] = (
    (236, 196, 166), (205, 152, 112), (150, 102, 70), (222, 178, 140), (112, 76, 54), (84, 58, 44), (244, 210, 186),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (52, 38, 30), (24, 22, 24), (110, 76, 44), (150, 140, 130), (74, 46, 30), (206, 176, 120), (18, 16, 16),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = (
    (42, 48, 72), (52, 50, 50), (84, 74, 58), (34, 36, 40), (24, 24, 28), (120, 110, 92), (60, 76, 112),
)  # fmt: skip
SHOES: tuple[Colour, ...] = ((30, 28, 28), (30, 28, 28), (70, 52, 40), (220, 220, 216))
HATS: tuple[Colour, ...] = ((40, 40, 46), (150, 40, 36), (226, 190, 40), (230, 230, 226), (44, 70, 110))
CUTS = ("trousers", "trousers", "trousers", "coat", "skirt", "shorts")
HEADS = ("short", "short", "short", "long", "long", "bald", "cap", "hood")
PRINTS = ("plain", "plain", "plain", "stripes", "hem", "open", "pack")
"""What breaks up the colour of the upper clothes: bands, another colour below, an open jacket, a rucksack."""
FOLDED_SHARE = 0.25
"""Of all people: those who cross their legs when they sit."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """Everything about a person that its colour, which the body itself has, does not say."""

    skin: Colour
    hair: Colour
    trousers: Colour
    shoe: Colour
    second: Colour
    """Of stripes, hem, shirt or rucksack."""
    hat: Colour
    cut: str
    """One of CUTS."""
    head: str
    """One of HEADS."""
    print: str
    """One of PRINTS."""
    bare_arms: bool
    build: float
    """Width of trunk and limbs, 1 is usual."""
    stride: float
    """Swing of the legs, 1 is usual."""
    swing: float
    """Swing of the arms, 1 is usual."""
    stoop: float
    """Radians that the trunk leans forward, more than usual."""
    turned: int
    """When it does not walk: 0 stays in profile, 1 faces the camera, -1 shows its back."""
    lies: float
    """Radians by which it lies with its head towards the camera (negative) or away from it."""
    folded: bool
    """Whether it sits with its legs crossed on the seat, as people do on beds and sofas."""


@lru_cache(maxsize=512)
def outfit_of(body_id: int, colour: Colour) -> Outfit:
    """The same for one body in all its pictures, and another for the next."""
    red, green, blue = colour
    rng = Random((body_id * 1_000_003 + red * 65_536 + green * 256 + blue) * 7 + 1)
    build = rng.uniform(0.86, 1.22)
    trousers = mix(shade(colour, 0.42), rng.choice(TROUSERS), rng.uniform(0.3, 1.0))
    lighter = mix(colour, (250, 250, 246), 0.65)
    return Outfit(
        skin=shade(rng.choice(SKINS), rng.uniform(0.9, 1.06)),
        hair=rng.choice(HAIRS),
        trousers=trousers,
        shoe=rng.choice(SHOES),
        second=rng.choice((lighter, shade(colour, 0.5), (32, 32, 36), (226, 224, 218))),
        hat=rng.choice(HATS),
        cut=rng.choice(CUTS),
        head=rng.choice(HEADS),
        print=rng.choice(PRINTS),
        bare_arms=rng.random() < 0.35,
        build=build,
        stride=rng.uniform(0.72, 1.25),
        swing=rng.uniform(0.3, 1.4),
        stoop=rng.choice((0.0, 0.0, rng.uniform(0.0, 0.22))),
        turned=rng.choice((0, 0, 1, 1, -1)),
        lies=rng.choice((0.0, rng.uniform(-0.5, 0.5), rng.uniform(-1.3, 1.0))),
        folded=rng.random() < FOLDED_SHARE,
    )
