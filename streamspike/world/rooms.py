"""What stands in a room, and in which colours: living rooms, bedrooms, kitchens, offices and corridors."""

from __future__ import annotations

import math

import numpy as np

from streamspike.world.brush import Brush, Colour, mix, shade
from streamspike.world.furniture import (
    bed,
    bookshelf,
    chair,
    clutter,
    counter,
    curtains,
    desk,
    lamp,
    pictures,
    plant,
    sofa,
    table,
    wardrobe,
)
from streamspike.world.laying import lay, paper
from streamspike.world.places import CLOTHS, WALLS, WOODS, pick, window
from streamspike.world.scene import SEATS, Scene
from streamspike.world.textures import FLOORS, WALLPAPERS, tile_of

STRONG: tuple[Colour, ...] = (
    (84, 158, 178), (196, 160, 72), (120, 160, 128), (168, 92, 84), (96, 112, 150), (226, 226, 222), (240, 238, 234),
)  # fmt: skip
"""Walls that are not in the colours of a catalogue."""
LIGHT: Colour = (252, 252, 248)


def paint_room(brush: Brush, scene: Scene, rng: np.random.Generator) -> None:
    """Three walls, floor and perhaps a ceiling; a door, windows, furniture along the walls and things lying about."""
    lane = scene.lane("floor").z
    back = lane + rng.uniform(1.15, 2.4)
    half = max(scene.camera.half_width(lane) * 1.12, abs(scene.props["door_x"]) + 0.6) * rng.uniform(1.0, 1.25)
    top = max(rng.uniform(2.4, 3.0), scene.camera.height + 0.4)  # the camera hangs below the ceiling
    wall = pick(rng, WALLS if rng.uniform() < 0.55 else STRONG)
    wood = pick(rng, WOODS, 0.3)
    ceiling = shade(mix(wall, (236, 234, 228), rng.uniform(0.3, 1.0)), 1.02)
    brush.polygon(((-half, top, 1.3), (half, top, 1.3), (half, top, back), (-half, top, back)), ceiling)
    for side in (-half, half):
        flank = shade(wall, rng.uniform(0.65, 1.0))
        brush.polygon(((side, 0, 1.3), (side, 0, back), (side, top, back), (side, top, 1.3)), flank)
    kind = str(rng.choice(WALLPAPERS))
    paper(brush, tile_of(kind, rng, wall, rng.uniform(0.7, 2.0)), -half, half, 0.0, top, back)
    floor = wood if rng.uniform() < 0.6 else pick(rng, (*STRONG, *CLOTHS, *WALLS))
    lay(brush, tile_of(str(rng.choice(FLOORS)), rng, floor, rng.uniform(0.8, 2.2)), -half, half, 1.3, back)
    brush.wall(-half, half, 0.0, rng.uniform(0.06, 0.16), back, mix(wall, (240, 238, 232), rng.uniform(-0.3, 0.7)))
    _door(brush, rng, scene.props["door_x"], back, wall)
    span = min(half, scene.camera.half_width(back)) * 0.92
    side = -math.copysign(1.0, scene.props["door_x"])
    pane_x = side * rng.uniform(0.15, 0.75) * span
    if rng.uniform() < 0.75:
        wide, low, high = rng.uniform(0.4, 1.0), rng.uniform(0.7, 1.1), rng.uniform(1.8, 2.25)
        glass = mix((140, 170, 180), LIGHT, rng.uniform())
        window(brush, pane_x - wide, pane_x + wide, low, high, back, mix(wall, (240, 238, 230), 0.7), glass)
        if rng.uniform() < 0.65:
            curtains(brush, rng, pane_x, wide, low, high, back)
    pictures(brush, rng, span, back, wood)
    if rng.uniform() < 0.65:
        _rug(brush, rng, lane)
    _furnish(brush, scene, rng, back, span, half, wood)
    seat = {"sofa": sofa, "bed": bed, "chair": chair}[SEATS[int(scene.props["seat"])]]
    seat(brush, rng, scene.props["seat_x"], scene.props["seat_z"])
    clutter(brush, rng, half, lane, back)


def _furnish(
    brush: Brush, scene: Scene, rng: np.random.Generator, back: float, span: float, half: float, wood: Colour
) -> None:
    """Along the back wall, from left to right, whatever fits; then perhaps something at a side wall."""
    pieces = (bookshelf, wardrobe, desk, counter, table, plant, lamp)
    x, door_x = -span, scene.props["door_x"]
    crowded = rng.uniform(0.2, 0.95)
    while x < span:
        wide = rng.uniform(0.7, 1.3)
        free = abs(x + wide / 2 - door_x) > wide / 2 + 0.6
        if free and rng.uniform() < crowded:
            pieces[int(rng.integers(len(pieces)))](
                brush, rng, x + wide / 2, back - 0.4, shade(wood, rng.uniform(0.6, 1.3))
            )
        x += wide
    if rng.uniform() < 0.6:
        edge = half * float(rng.choice([-1, 1]))
        inner, outer = sorted((edge - math.copysign(rng.uniform(0.35, 0.7), edge), edge))
        z, paint = rng.uniform(scene.lane("floor").z + 0.5, back - 0.3), shade(wood, rng.uniform(0.5, 1.4))
        brush.slab(inner, outer, 0.0, rng.uniform(0.6, 2.1), z, back, paint)


def _door(brush: Brush, rng: np.random.Generator, x: float, z: float, wall: Colour) -> None:
    frame, leaf = mix(wall, (240, 238, 230), 0.7), pick(rng, (*WOODS, *STRONG, (214, 210, 200), (40, 96, 140)))
    brush.wall(x - 0.53, x + 0.53, 0.0, 2.12, z, frame)
    if rng.uniform() < 0.15:  # open, into another room
        leaf = shade(leaf, rng.choice([0.25, 0.4, 1.6]))
        brush.wall(x - 0.45, x + 0.45, 0.0, 2.05, z, leaf)
        return
    brush.wall(x - 0.45, x + 0.45, 0.0, 2.05, z, leaf)
    if rng.uniform() < 0.7:
        for low, high in ((0.2, 0.9), (1.1, 1.9)):
            brush.wall(x - 0.33, x + 0.33, low, high, z, shade(leaf, 0.86))
    brush.disc(x - math.copysign(0.38, x), 1.02, z, 0.05, (196, 180, 130))


def _rug(brush: Brush, rng: np.random.Generator, lane: float) -> None:
    rug, x, wide, deep = (
        pick(rng, (*CLOTHS, *STRONG)),
        rng.uniform(-0.7, 0.7),
        rng.uniform(0.8, 2.2),
        rng.uniform(0.4, 1.2),
    )
    brush.ground(x - wide - 0.1, x + wide + 0.1, lane - deep - 0.08, lane + deep * 0.4 + 0.08, shade(rug, 1.15))
    kind = str(rng.choice(["checks", "blobs", "stripes", "carpet"]))
    lay(brush, tile_of(kind, rng, rug, rng.uniform(0.6, 1.6)), x - wide, x + wide, lane - deep, lane + deep * 0.4)
