"""What stands in a room, and in which colours: the backdrop indoors."""

from __future__ import annotations

import math

import numpy as np

from streamspike.world.brush import Brush, Colour, mix, shade
from streamspike.world.places import CLOTHS, CONTAINERS, FACADES, WALLS, WOODS, flags, pick, window
from streamspike.world.scene import Scene


def paint_room(brush: Brush, scene: Scene, rng: np.random.Generator) -> None:
    """Back wall with door, window and pictures; boards or tiles and a rug; a sofa, a shelf and a lamp."""
    lane = scene.lane("floor").z
    back, half = lane + rng.uniform(1.7, 2.3), rng.uniform(3.9, 4.5)
    top = max(2.7, scene.camera.height + 0.5)  # the camera hangs below the ceiling
    wall, wood = pick(rng, WALLS), pick(rng, WOODS)
    ceiling = shade(mix(wall, (236, 234, 228), 0.6), 1.02)
    brush.polygon(((-half, top, 1.3), (half, top, 1.3), (half, top, back), (-half, top, back)), ceiling)
    for side in (-half, half):
        brush.polygon(((side, 0, 1.3), (side, 0, back), (side, top, back), (side, top, 1.3)), shade(wall, 0.8))
    brush.wall(-half, half, 0.0, top, back, wall)
    if rng.uniform() < 0.45:
        for k in range(round(half * 2 / 0.5)):
            brush.wall(-half + k * 0.5, -half + k * 0.5 + 0.22, 0.1, top, back, shade(wall, 0.95))
    brush.ground(-half, half, 1.3, back, wood)
    if rng.uniform() < 0.65:
        for k in range(round(half * 2 / 0.28)):
            x = -half + k * 0.28
            brush.ground(x, x + 0.27, 1.3, back, shade(wood, rng.uniform(0.9, 1.1)))
    else:
        flags(brush, -half, half, 1.3, back, rng.uniform(0.45, 0.7), shade(wood, 0.86))
    brush.wall(-half, half, 0.0, 0.12, back, shade(mix(wall, (240, 238, 232), 0.6), 1.0))
    door_x = scene.props["door_x"]
    frame, leaf = mix(wall, (240, 238, 230), 0.7), pick(rng, (*WOODS, (214, 210, 200)))
    brush.wall(door_x - 0.56, door_x + 0.56, 0.0, 2.14, back, frame)
    brush.wall(door_x - 0.46, door_x + 0.46, 0.0, 2.05, back, leaf)
    for low, high in ((0.2, 0.9), (1.1, 1.9)):
        brush.wall(door_x - 0.33, door_x + 0.33, low, high, back, shade(leaf, 0.86))
    brush.disc(door_x - math.copysign(0.38, door_x), 1.02, back, 0.05, (196, 180, 130))
    pane_x = -math.copysign(rng.uniform(1.6, 2.4), door_x)
    window(
        brush,
        pane_x - 0.75,
        pane_x + 0.75,
        0.95,
        2.15,
        back,
        frame,
        mix((170, 196, 220), (120, 150, 120), rng.uniform()),
    )
    for _ in range(int(rng.integers(1, 4))):
        px, py = rng.uniform(-0.9, 1.0), rng.uniform(1.2, 1.75)
        wide, high = rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.4)
        brush.wall(px - wide - 0.04, px + wide + 0.04, py - high - 0.04, py + high + 0.04, back, shade(wood, 0.6))
        brush.wall(px - wide, px + wide, py - high, py + high, back, pick(rng, (*CLOTHS, *FACADES)))
        brush.disc(px + rng.uniform(-0.1, 0.1), py, back, wide * 0.45, pick(rng, (*WALLS, *CONTAINERS)))
    rug = pick(rng, CLOTHS)
    rx = rng.uniform(-0.6, 0.6)
    brush.ground(rx - 1.7, rx + 1.7, lane - 0.9, lane + 0.2, shade(rug, 1.12))
    brush.ground(rx - 1.55, rx + 1.55, lane - 0.8, lane + 0.1, rug)
    brush.ground(rx - 1.0, rx + 1.0, lane - 0.55, lane - 0.15, shade(rug, 1.25))
    shelf_x = door_x - math.copysign(1.3, door_x)
    bookshelf(brush, rng, shelf_x, back - 0.3, wood)
    sofa(brush, rng, scene.props["seat_x"], scene.props["seat_z"])
    lamp_x = pane_x + math.copysign(1.25, pane_x)
    brush.stripe((lamp_x, 0, back - 0.4), (lamp_x, 1.5, back - 0.4), 0.05, (60, 58, 56))
    shadecloth = pick(rng, ((226, 208, 168), (210, 196, 180), (190, 150, 110)))
    z = back - 0.4
    brush.polygon(
        ((lamp_x - 0.24, 1.42, z), (lamp_x + 0.24, 1.42, z), (lamp_x + 0.15, 1.78, z), (lamp_x - 0.15, 1.78, z)),
        shadecloth,
    )


def bookshelf(brush: Brush, rng: np.random.Generator, x: float, z: float, wood: Colour) -> None:
    board = shade(wood, 0.78)
    brush.slab(x - 0.42, x + 0.42, 0.0, 1.5, z, z + 0.3, board)
    for level in range(4):
        low = 0.08 + level * 0.36
        brush.wall(x - 0.37, x + 0.37, low, low + 0.3, z, shade(board, 0.5))
        at = x - 0.36
        while at < x + 0.28:
            thick = rng.uniform(0.04, 0.1)
            brush.wall(at, at + thick * 0.9, low, low + rng.uniform(0.18, 0.28), z, pick(rng, (*FACADES, *CONTAINERS)))
            at += thick


def sofa(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    cloth, half = pick(rng, CLOTHS), rng.uniform(0.75, 1.05)
    brush.slab(x - half, x + half, 0.05, 0.92, z + 0.42, z + 0.68, shade(cloth, 0.92))
    brush.slab(x - half, x + half, 0.05, 0.44, z - 0.1, z + 0.42, cloth)
    brush.stripe((x, 0.44, z - 0.1), (x, 0.44, z + 0.42), 0.03, shade(cloth, 0.8))
    for side in (-1, 1):
        inner, outer = sorted((x + side * half, x + side * (half + 0.2)))
        brush.slab(inner, outer, 0.05, 0.6, z - 0.12, z + 0.6, shade(cloth, 0.85))
