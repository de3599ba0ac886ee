"""The furniture of a room: seats, beds, shelves, desks, counters, lamps, curtains, and what lies about."""

from __future__ import annotations

import math

import numpy as np

from streamspike.world.brush import Brush, Colour, mix, shade
from streamspike.world.laying import paper
from streamspike.world.places import CLOTHS, CONTAINERS, FACADES, LEAVES, WALLS, WOODS, pick
from streamspike.world.textures import tile_of

SCREENS: tuple[Colour, ...] = ((18, 20, 24), (70, 120, 180), (210, 226, 240), (30, 60, 90))


def bookshelf(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    """Boards with books of all colours, or with odds and ends."""
    board, half, top = shade(wood, 0.78), rng.uniform(0.3, 0.6), rng.uniform(1.1, 2.2)
    levels = round(top / 0.36)
    brush.slab(x - half, x + half, 0.0, top, z, z + 0.3, board)
    for level in range(levels):
        low = 0.06 + level * top / levels
        brush.wall(x - half + 0.05, x + half - 0.05, low, low + top / levels - 0.06, z, shade(board, 0.5))
        at = x - half + 0.06
        while at < x + half - 0.12:
            thick = rng.uniform(0.03, 0.12)
            if rng.uniform() < 0.88:
                book = pick(rng, (*FACADES, *CONTAINERS, *CLOTHS), 0.3)
                brush.wall(at, at + thick * 0.9, low, low + rng.uniform(0.12, 0.28), z, book)
            at += thick


def wardrobe(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    half, top = rng.uniform(0.4, 0.8), rng.uniform(1.6, 2.2)
    brush.slab(x - half, x + half, 0.0, top, z - 0.15, z + 0.4, wood)
    brush.stripe((x, 0.05, z - 0.15), (x, top - 0.05, z - 0.15), 0.02, shade(wood, 0.6))
    for side in (-1, 1):
        brush.stripe((x + side * 0.06, 0.9, z - 0.15), (x + side * 0.06, 1.1, z - 0.15), 0.02, (60, 58, 54))


def desk(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    """A table with one or two screens, which are on or off."""
    half = rng.uniform(0.5, 0.8)
    for side in (-1, 1):
        brush.slab(x + side * half - 0.04, x + side * half + 0.04, 0.0, 0.7, z - 0.2, z + 0.3, shade(wood, 0.8))
    brush.slab(x - half, x + half, 0.7, 0.75, z - 0.25, z + 0.4, wood)
    for k in range(int(rng.integers(1, 3))):
        left = x - 0.45 + k * 0.5
        brush.stripe((left + 0.22, 0.75, z), (left + 0.22, 0.9, z), 0.05, (40, 40, 44))
        brush.wall(left, left + 0.44, 0.86, 1.18, z, (24, 24, 28))
        brush.wall(left + 0.02, left + 0.42, 0.88, 1.16, z, pick(rng, SCREENS, 0.2))


def counter(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    """A kitchen: cupboards below and above, a sink or a stove and jars between."""
    half = rng.uniform(0.6, 1.1)
    brush.slab(x - half, x + half, 0.0, 0.86, z - 0.1, z + 0.4, wood)
    brush.slab(
        x - half, x + half, 0.86, 0.9, z - 0.12, z + 0.4, pick(rng, ((60, 60, 62), (200, 198, 192), (150, 120, 90)))
    )
    brush.wall(x - half, x + half, 1.45, 2.1, z + 0.1, shade(wood, 0.95))
    for k in range(1, 4):
        at = x - half + k * half / 2
        for low, high, depth in ((0.08, 0.82, -0.1), (1.48, 2.07, 0.1)):
            brush.stripe((at, low, z + depth), (at, high, z + depth), 0.015, shade(wood, 0.6))
    for _ in range(int(rng.integers(1, 6))):
        at, tall = x + rng.uniform(-half, half - 0.1), rng.uniform(0.1, 0.35)
        brush.wall(at, at + rng.uniform(0.06, 0.2), 0.9, 0.9 + tall, z + 0.2, pick(rng, (*CONTAINERS, *WALLS), 0.3))


def table(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    half, high = rng.uniform(0.3, 0.6), rng.uniform(0.45, 0.8)
    for side in (-1, 1):
        brush.stripe((x + side * half * 0.9, 0, z), (x + side * half * 0.9, high, z), 0.05, shade(wood, 0.7))
    brush.slab(x - half, x + half, high, high + 0.05, z - 0.2, z + 0.25, wood)
    for _ in range(int(rng.integers(0, 4))):
        at = x + rng.uniform(-half, half * 0.7)
        brush.wall(
            at, at + rng.uniform(0.05, 0.25), high + 0.05, high + rng.uniform(0.1, 0.4), z, pick(rng, FACADES, 0.4)
        )


def plant(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    brush.slab(x - 0.14, x + 0.14, 0.0, 0.28, z, z + 0.2, mix(wood, (170, 90, 60), rng.uniform()))
    brush.foliage(rng, x, rng.uniform(0.5, 0.9), z, rng.uniform(0.25, 0.45), pick(rng, LEAVES))


def lamp(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    """A standing lamp, or a fan, which looks much alike from afar."""
    top = rng.uniform(1.2, 1.7)
    brush.stripe((x, 0, z), (x, top, z), 0.05, (60, 58, 56))
    cloth = pick(rng, ((226, 208, 168), (250, 244, 226), (190, 150, 110)))
    if rng.uniform() < 0.3:
        brush.disc(x, top, z, 0.25, shade(wood, 0.9))
        brush.disc(x, top, z, 0.2, (206, 208, 212))
        return
    low = top - 0.08
    brush.polygon(((x - 0.24, low, z), (x + 0.24, low, z), (x + 0.15, low + 0.36, z), (x - 0.15, low + 0.36, z)), cloth)


def sofa(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    cloth, half = pick(rng, (*CLOTHS, *WALLS), 0.3), rng.uniform(0.55, 1.05)
    brush.slab(x - half, x + half, 0.05, 0.92, z + 0.42, z + 0.68, shade(cloth, 0.92))
    brush.slab(x - half, x + half, 0.05, 0.44, z - 0.1, z + 0.42, cloth)
    brush.stripe((x, 0.44, z - 0.1), (x, 0.44, z + 0.42), 0.03, shade(cloth, 0.8))
    for side in (-1, 1):
        inner, outer = sorted((x + side * half, x + side * (half + 0.2)))
        brush.slab(inner, outer, 0.05, 0.6, z - 0.12, z + 0.6, shade(cloth, 0.85))
    if rng.uniform() < 0.5:
        at = x + rng.uniform(-half, half - 0.3)
        brush.wall(at, at + 0.36, 0.46, 0.78, z + 0.35, pick(rng, (*CONTAINERS, *FACADES), 0.3))


def bed(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    """Seen from its long side: a frame, a cover that hangs down, a pillow. Of wood, or of metal on legs."""
    half, wood = rng.uniform(0.85, 1.05), pick(rng, (*WOODS, (34, 30, 30)))
    cover = pick(rng, (*CLOTHS, *WALLS, (90, 120, 170)), 0.3)
    side = float(rng.choice([-1, 1]))
    metal = rng.uniform() < 0.4
    low = rng.uniform(0.2, 0.34) if metal else 0.12
    if metal:
        brush.wall(x - half, x + half, 0.0, low, z + 0.6, shade(wood, 0.3))  # what is under it is dark
    brush.slab(x - half, x + half, low, 0.44, z - 0.1, z + 0.7, cover)
    kind = str(rng.choice(["checks", "blobs", "stripes", "carpet"]))
    hem = low + (0.0 if metal else rng.uniform(0.0, 0.18))
    paper(brush, tile_of(kind, rng, cover, 0.5), x - half, x + half, hem, 0.44, z - 0.1)
    pillow = sorted((x + side * half * 0.95, x + side * (half - 0.45)))
    if metal:
        for end, top in ((side, rng.uniform(0.75, 1.1)), (-side, rng.uniform(0.5, 0.8))):
            for deep in np.linspace(z - 0.1, z + 0.7, 5).tolist():
                brush.stripe((x + end * half, 0.0, deep), (x + end * half, top, deep), 0.03, (40, 38, 38))
            brush.stripe((x + end * half, top, z - 0.1), (x + end * half, top, z + 0.7), 0.04, (40, 38, 38))
    else:
        brush.slab(x - half, x + half, 0.04, 0.12, z - 0.1, z + 0.7, shade(wood, 0.7))
        head = sorted((x + side * half, x + side * (half + 0.06)))
        brush.slab(head[0], head[1], 0.0, rng.uniform(0.7, 1.0), z - 0.1, z + 0.7, wood)
    brush.slab(pillow[0], pillow[1], 0.44, 0.56, z + 0.15, z + 0.6, (226, 224, 220))


def chair(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    paint = pick(rng, (*WOODS, *CONTAINERS, (190, 120, 70), (50, 50, 54)), 0.3)
    for side in (-0.2, 0.2):
        for depth in (0.0, 0.4):
            brush.stripe((x + side, 0, z + depth), (x + side, 0.44, z + depth), 0.05, shade(paint, 0.8))
    brush.slab(x - 0.24, x + 0.24, 0.4, 0.46, z - 0.05, z + 0.42, paint)
    brush.slab(x - 0.24, x + 0.24, 0.5, rng.uniform(0.85, 1.1), z + 0.4, z + 0.45, shade(paint, 0.9))


def curtains(brush: Brush, rng: np.random.Generator, x: float, wide: float, low: float, high: float, z: float) -> None:
    """To both sides of a window, or before all of it."""
    cloth = pick(rng, (*CLOTHS, *CONTAINERS, *WALLS, (40, 140, 140), (230, 226, 214)), 0.2)
    tile = tile_of(str(rng.choice(["waves", "waves", "stripes"])), rng, cloth, rng.uniform(0.5, 1.0))
    hem = float(rng.choice([0.08, low - 0.1]))
    drawn = rng.uniform(0.25, 0.7)
    paper(brush, tile, x - wide - 0.25, x - wide + wide * drawn, hem, high + 0.15, z)
    paper(brush, tile, x + wide - wide * drawn, x + wide + 0.25, hem, high + 0.15, z)
    if rng.uniform() < 0.4:
        valance = mix(cloth, (236, 220, 190), 0.7)
        brush.wall(x - wide - 0.25, x + wide + 0.25, high - 0.08, high + 0.18, z, valance)


def pictures(brush: Brush, rng: np.random.Generator, span: float, z: float, wood: Colour) -> None:
    """Pictures, a poster, a clock: whatever hangs on the wall."""
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-span, span), rng.uniform(1.2, 2.0)
        wide, high = rng.uniform(0.1, 0.35), rng.uniform(0.12, 0.4)
        if rng.uniform() < 0.2:
            brush.disc(x, y, z, 0.15, shade(wood, 0.6))
            brush.disc(x, y, z, 0.12, (236, 234, 226))
            continue
        brush.wall(x - wide - 0.03, x + wide + 0.03, y - high - 0.03, y + high + 0.03, z, shade(wood, 0.6))
        paint = pick(rng, (*CLOTHS, *FACADES, *CONTAINERS), 0.3)
        brush.wall(x - wide, x + wide, y - high, y + high, z, paint)
        for _ in range(int(rng.integers(1, 5))):
            at = x + rng.uniform(-0.6, 0.6) * wide, y + rng.uniform(-0.6, 0.6) * high
            brush.disc(*at, z, wide * rng.uniform(0.1, 0.4), pick(rng, (*WALLS, *CONTAINERS, *LEAVES), 0.4))


def clutter(brush: Brush, rng: np.random.Generator, half: float, lane: float, back: float) -> None:
    """Clothes on the side walls, boxes, bottles and shoes along the walls; nothing where people walk."""
    if rng.uniform() < 0.35:
        side = float(rng.choice([-1, 1])) * half * 0.97
        for _ in range(int(rng.integers(6, 16))):
            z, top = rng.uniform(lane * 0.75, back), rng.uniform(1.3, 2.0)
            cloth, long = pick(rng, (*CLOTHS, *CONTAINERS, (30, 30, 34)), 0.5), rng.uniform(0.4, 0.9)
            corners = ((side, top, z), (side, top, z + 0.25), (side, top - long, z + 0.3), (side, top - long, z - 0.05))
            brush.polygon(corners, cloth)
    for _ in range(int(rng.integers(0, 9))):
        x, z = rng.uniform(-half, half), back - rng.uniform(0.1, 0.5)
        wide, high = rng.uniform(0.04, 0.2), rng.uniform(0.06, 0.35)
        thing = pick(rng, (*FACADES, *CONTAINERS, *WALLS, (190, 60, 90)), 0.4)
        if rng.uniform() < 0.5:
            brush.slab(x - wide, x + wide, 0.0, high, z, z + wide, thing)
        else:
            brush.stripe((x, 0.0, z), (x, high, z), math.sqrt(wide) * 0.25, thing)
