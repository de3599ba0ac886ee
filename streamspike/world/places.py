"""What stands in a street, a yard and along a walkway, and in which colours: the backdrop out of doors."""

from __future__ import annotations

import math

import numpy as np

from streamspike.world.brush import SNOW, Brush, Colour, mix, shade
from streamspike.world.laying import lay, paper
from streamspike.world.scene import Scene
from streamspike.world.textures import tile_of

FACADES: tuple[Colour, ...] = (
    (186, 160, 132), (164, 104, 84), (200, 190, 172), (142, 134, 128),
    (176, 140, 108), (128, 96, 84), (206, 198, 186), (150, 158, 162),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (206, 198, 182),
    (172, 186, 178),
    (190, 176, 168),
    (168, 180, 196),
    (212, 204, 196),
    (186, 182, 150),
)
WOODS: tuple[Colour, ...] = ((150, 112, 76), (124, 90, 62), (172, 140, 100), (108, 80, 60), (160, 150, 136))
CLOTHS: tuple[Colour, ...] = (
    (96, 104, 118),
    (120, 88, 74),
    (84, 104, 88),
    (142, 130, 112),
    (98, 84, 104),
    (70, 80, 96),
)
CONTAINERS: tuple[Colour, ...] = ((120, 62, 52), (62, 88, 112), (84, 104, 80), (146, 128, 92), (112, 112, 116))
LEAVES: tuple[Colour, ...] = ((70, 98, 52), (88, 110, 58), (60, 84, 56), (112, 112, 52))
PAVINGS: tuple[Colour, ...] = ((158, 154, 148), (170, 160, 146), (140, 142, 146), (186, 180, 168), (150, 122, 104))
WIDE = 40.0  # metres: beyond either side of any picture


def pick(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float = 0.12) -> Colour:
    """One of the colours, a little lighter or darker."""
    return shade(colours[int(rng.integers(len(colours)))], rng.uniform(1 - spread, 1 + spread))


def paint_street(brush: Brush, scene: Scene, rng: np.random.Generator) -> None:
    """House fronts and trees, far pavement, two lanes, near pavement with a bench, a hedge or grass in front."""
    walk, near, far = (scene.lane(name).z for name in ("pavement", "near road", "far road"))
    kerb, gutter = (walk + near) / 2 - 0.1, far + 1.7
    front = gutter + rng.uniform(2.0, 2.8)
    paving = pick(rng, ((158, 154, 148), (170, 160, 146), (140, 142, 146)))
    asphalt = pick(rng, ((88, 90, 94), (102, 100, 98), (74, 78, 84)))
    brush.ground(-WIDE, WIDE, front - 0.2, 60, shade(pick(rng, LEAVES), 0.9))
    x = -16.0
    while x < 16.0:
        wide = rng.uniform(3.6, 6.5)
        if rng.uniform() < 0.22:
            tree(brush, rng, x + wide / 2, front + 0.8, 1.25)
            brush.wall(x, x + wide, 0.0, 1.1, front + 0.6, shade(pick(rng, LEAVES), 0.8))
        else:
            house(brush, rng, x, x + wide, front)
        x += wide
    brush.ground(-WIDE, WIDE, gutter, front, shade(paving, 0.94))
    brush.ground(-WIDE, WIDE, kerb, gutter, asphalt)
    brush.ground(-WIDE, WIDE, gutter, gutter + 0.18, shade(paving, 1.18))
    brush.ground(-WIDE, WIDE, kerb - 0.2, kerb, shade(paving, 1.2))
    brush.ground(-WIDE, WIDE, kerb, kerb + 0.14, shade(asphalt, 0.72))
    line, middle = pick(rng, ((222, 220, 210), (214, 190, 110))), (near + far) / 2
    phase = rng.uniform(0, 3)
    for k in range(-9, 9):
        brush.ground(k * 3 + phase, k * 3 + phase + 1.5, middle - 0.07, middle + 0.07, line)
    if rng.uniform() < 0.5:
        brush.ground(-WIDE, WIDE, gutter - 0.4, gutter - 0.28, line)
    for _ in range(int(rng.integers(1, 4))):
        px, pz, long = rng.uniform(-5, 5), rng.uniform(kerb + 0.5, gutter - 0.6), rng.uniform(0.5, 2.0)
        brush.ground(px, px + long, pz, pz + rng.uniform(0.2, 0.5), shade(asphalt, rng.uniform(0.82, 1.12)))
    if rng.uniform() < 0.6:
        kind = str(rng.choice(["slabs", "bricks", "carpet", "plaster"]))
        lay(brush, tile_of(kind, rng, paving, rng.uniform(1.0, 3.0)), -WIDE, WIDE, 1.3, kerb - 0.2)
    else:
        brush.ground(-WIDE, WIDE, 1.3, kerb - 0.2, paving)
        flags(brush, -8, 8, 1.3, kerb - 0.2, rng.uniform(0.7, 1.3), shade(paving, 0.87))
    for _ in range(int(rng.choice([0, 0, 1, 2, 3]))):
        parked(brush, rng, rng.uniform(-9, 9), gutter - 0.1)
    for _ in range(int(rng.integers(1, 3))):
        tree(brush, rng, rng.uniform(-7, 7), gutter + 0.9, rng.uniform(0.75, 1.05))
    lx = rng.uniform(-5, 5)
    brush.stripe((lx, 0, gutter + 0.5), (lx, 5.6, gutter + 0.5), 0.13, (70, 74, 78))
    bench(brush, rng, scene.props["bench_x"], scene.props["bench_z"])
    edge = walk - rng.uniform(1.5, 1.8)
    if rng.uniform() < 0.6:
        brush.ground(-WIDE, WIDE, 1.3, edge, pick(rng, LEAVES))
        leaf = pick(rng, LEAVES)
        for k in range(150):
            z = edge * (1 - 0.5 * (k / 150) ** 1.3)
            gx = rng.uniform(-4.5, 4.5)
            brush.stripe(
                (gx, 0, z),
                (gx + rng.uniform(-0.1, 0.1), rng.uniform(0.05, 0.16), z),
                0.03,
                shade(leaf, rng.uniform(0.65, 1.35)),
            )


def parked(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    """A car at the far kerb that belongs to the scenery: its box, roof, windows and wheels."""
    paint, long = pick(rng, (*CONTAINERS, *FACADES, (40, 42, 46), (200, 202, 206)), 0.3), rng.uniform(3.4, 4.6)
    roof = rng.uniform(1.35, 1.75)
    brush.slab(x, x + long, 0.28, 0.86, z, z + 1.5, paint)
    low, high = (x + 0.7, x + long - 0.5), (x + 1.2, x + long - 0.9)
    cabin = ((low[0], 0.86, z), (low[1], 0.86, z), (high[1], roof, z + 0.1), (high[0], roof, z + 0.1))
    brush.polygon(cabin, (52, 62, 74))
    brush.stripe((high[0], roof, z), (high[1], roof, z), 0.08, shade(paint, 1.1))
    brush.stripe((x + long / 2, 0.86, z), (x + long / 2, roof, z), 0.09, paint)
    for wheel in (x + 0.7, x + long - 0.75):
        brush.disc(wheel, 0.32, z, 0.32, (26, 26, 28))
        brush.disc(wheel, 0.32, z, 0.17, (150, 152, 156))


def house(brush: Brush, rng: np.random.Generator, x0: float, x1: float, z: float) -> None:
    """A front with windows upstairs and, below, a door and a shop window or two more windows."""
    paint = pick(rng, FACADES)
    brush.wall(x0, x1, 0.0, 9.0, z, paint)
    if rng.uniform() < 0.5:
        kind = str(rng.choice(["bricks", "bricks", "plaster", "stripes", "slabs"]))
        paper(brush, tile_of(kind, rng, paint, rng.uniform(1.0, 3.0)), x0, x1, 0.0, 9.0, z)
    else:
        for k in range(1, 18):
            brush.stripe((x0, k * 0.42, z), (x1, k * 0.42, z), 0.03, shade(paint, 0.93))
    brush.stripe((x0, 0, z), (x0, 9, z), 0.12, shade(paint, 0.7))
    brush.wall(x0, x1, 0.0, 0.5, z, shade(paint, 0.72))
    brush.wall(x0, x1, 3.0, 3.18, z, shade(paint, 1.18))
    trim, glass = shade(paint, 1.25), mix((58, 70, 84), (120, 134, 146), rng.uniform())
    columns = max(round((x1 - x0) / 1.5), 2)
    pitch = (x1 - x0) / columns
    door = int(rng.integers(columns))
    shop = rng.uniform() < 0.4
    for k in range(columns):
        a, b = x0 + pitch * (k + 0.22), x0 + pitch * (k + 0.78)
        window(brush, a, b, 3.7, 5.2, z, trim, shade(glass, rng.uniform(0.75, 1.3)))
        if k == door:
            brush.wall(a - 0.06, b + 0.06, 0.0, 2.3, z, trim)
            brush.wall(a, b, 0.0, 2.2, z, pick(rng, ((92, 50, 40), (44, 66, 58), (48, 56, 84), (88, 70, 50))))
        elif shop:
            brush.wall(a - pitch * 0.14, b + pitch * 0.14, 0.6, 2.35, z, shade(glass, 0.8))
        else:
            window(brush, a, b, 1.0, 2.4, z, trim, shade(glass, rng.uniform(0.75, 1.2)))
    if shop:
        awning = pick(rng, ((150, 54, 46), (52, 92, 76), (190, 170, 130), (64, 78, 120)))
        brush.polygon(
            ((x0 + 0.2, 2.75, z), (x1 - 0.2, 2.75, z), (x1 - 0.1, 2.3, z - 0.7), (x0 + 0.1, 2.3, z - 0.7)), awning
        )


def window(brush: Brush, x0: float, x1: float, y0: float, y1: float, z: float, trim: Colour, glass: Colour) -> None:
    brush.wall(x0 - 0.08, x1 + 0.08, y0 - 0.1, y1 + 0.08, z, trim)
    brush.wall(x0, x1, y0, y1, z, glass)
    brush.polygon(
        ((x0, y0, z), (x0 + (x1 - x0) * 0.45, y0, z), (x1, y1, z), (x0 + (x1 - x0) * 0.6, y1, z)), shade(glass, 1.2)
    )
    brush.stripe(((x0 + x1) / 2, y0, z), ((x0 + x1) / 2, y1, z), 0.06, trim)


def tree(brush: Brush, rng: np.random.Generator, x: float, z: float, size: float) -> None:
    brush.stripe((x, 0, z), (x + rng.uniform(-0.1, 0.1), 2.6 * size, z), 0.24 * size, (84, 66, 50))
    brush.foliage(rng, x, 3.7 * size, z, 1.7 * size, pick(rng, LEAVES))


def flags(brush: Brush, x0: float, x1: float, z0: float, z1: float, pitch: float, colour: Colour) -> None:
    """Joints of a paved ground: a grid of `pitch` metres."""
    for k in range(round((x1 - x0) / pitch) + 1):
        brush.stripe((x0 + k * pitch, 0, z0), (x0 + k * pitch, 0, z1), 0.02, colour)
    for k in range(round((z1 - z0) / pitch)):
        brush.stripe((x0, 0, z1 - k * pitch), (x1, 0, z1 - k * pitch), 0.02, colour)


def bench(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    wood = pick(rng, WOODS)
    for leg in (-0.7, 0.7):
        brush.slab(x + leg - 0.04, x + leg + 0.04, 0.0, 0.42, z - 0.1, z + 0.35, (62, 64, 68))
    brush.slab(x - 0.85, x + 0.85, 0.36, 0.45, z - 0.15, z + 0.35, wood)
    for low in (0.55, 0.72):
        brush.slab(x - 0.85, x + 0.85, low, low + 0.13, z + 0.35, z + 0.4, shade(wood, 0.95))


def paint_yard(brush: Brush, scene: Scene, rng: np.random.Generator) -> None:
    """Concrete with joints and painted lines, racks with boxes, containers, a fence, or the walls of a hall."""
    aisle, track = scene.lane("aisle").z, scene.lane("track").z
    shelf_x, shelf_z = scene.props["shelf_x"], scene.props["shelf_z"]
    concrete = pick(rng, ((156, 154, 148), (138, 140, 142), (168, 160, 148)))
    end = shelf_z + rng.uniform(3.5, 5.0)
    hall = rng.uniform() < 0.4
    if hall:
        cladding = pick(rng, ((150, 158, 162), (170, 166, 154), (128, 140, 150)))
        brush.wall(-WIDE, WIDE, 0.0, 9.0, end, cladding)
        for k in range(-40, 40):
            brush.stripe((k * 0.6, 0, end), (k * 0.6, 9, end), 0.05, shade(cladding, 0.88))
        for lx in (-7.0, -2.4, 2.4, 7.0):
            brush.wall(lx - 0.9, lx + 0.9, 5.0, 5.25, end - 2, (250, 250, 236))
    else:
        for k in range(-9, 9):
            tree(brush, rng, k * 2.6 + rng.uniform(-0.8, 0.8), end + 4 + rng.uniform(0, 3), rng.uniform(0.9, 1.4))
    brush.ground(-WIDE, WIDE, 1.3, end if hall else end + 30, concrete)
    joint = rng.uniform(2.2, 3.2)
    if rng.uniform() < 0.6:
        kind = str(rng.choice(["slabs", "plaster", "carpet", "bricks"]))
        lay(brush, tile_of(kind, rng, concrete, rng.uniform(2.0, 5.0)), -WIDE, WIDE, 1.3, end)
    else:
        flags(brush, -4 * joint, 4 * joint, 1.3, end, joint, shade(concrete, 0.84))
    for _ in range(9):
        px, pz = rng.uniform(-6, 6), rng.uniform(4.5, end - 1)
        stain = [
            (px + rng.uniform(0.3, 0.9) * math.cos(a), 0.0, pz + 0.5 * rng.uniform(0.3, 0.9) * math.sin(a))
            for a in np.linspace(0, 6, 9)
        ]
        brush.polygon(stain, shade(concrete, rng.uniform(0.88, 1.04)), convex=False)
    line = pick(rng, ((214, 178, 60), (224, 222, 214)))
    for z in ((aisle + track) / 2 - 0.1, aisle - 1.3):
        brush.ground(-WIDE, WIDE, z, z + 0.12, line)
    if not hall:
        fence(brush, end)
    for _ in range(int(rng.integers(1, 4))):
        cx = rng.uniform(-8, 6)
        container(brush, rng, cx, end - rng.uniform(0.8, 1.6))
    rack(brush, rng, shelf_x, shelf_z)
    if rng.uniform() < 0.6:
        px = -math.copysign(rng.uniform(3.4, 4.6), shelf_x)
        for k in range(int(rng.integers(2, 6))):
            brush.slab(px - 0.6, px + 0.6, k * 0.15, k * 0.15 + 0.11, shelf_z - 0.4, shelf_z + 0.6, pick(rng, WOODS))


def paint_walkway(brush: Brush, scene: Scene, rng: np.random.Generator) -> None:
    """Two paved paths in grass or on a square, seen from high up, with kerbs, a wall or hedge behind, trees, posts."""
    near, back = scene.lanes[0].z, scene.lanes[-1].z
    paving = pick(rng, PAVINGS, 0.2)
    between = pick(rng, LEAVES, 0.3) if rng.uniform() < 0.65 else shade(paving, rng.uniform(0.75, 0.95))
    lay(brush, tile_of("carpet", rng, between, rng.uniform(2.0, 8.0)), -WIDE, WIDE, 1.3, 90.0)
    for _ in range(60):
        x, z = rng.uniform(-14, 14), rng.uniform(4, 34)
        wide, deep = rng.uniform(0.3, 2.0), rng.uniform(0.2, 0.8)
        patch = [(x + wide * math.cos(a), 0.0, z + deep * math.sin(a)) for a in np.linspace(0, 5.6, 9)]
        brush.polygon(patch, mix(shade(between, rng.uniform(0.9, 1.1)), SNOW, brush.snow))
    square = rng.uniform() < 0.35
    strips = (
        ((2.0, back + 4.0),)
        if square
        else tuple((z - rng.uniform(0.8, 1.2), z + rng.uniform(0.8, 1.2)) for z in (near, back))
    )
    joint = rng.uniform(0.5, 1.6)
    for low, high in strips:
        brush.ground(-WIDE, WIDE, low, high, paving)
        if rng.uniform() < 0.5:
            kind = str(rng.choice(["slabs", "bricks", "carpet", "checks"]))
            lay(brush, tile_of(kind, rng, paving, rng.uniform(1.5, 4.0)), -WIDE, WIDE, low, high)
        elif rng.uniform() < 0.6:
            flags(brush, -16, 16, low, high, joint, shade(paving, rng.uniform(0.82, 0.94)))
        for edge in (low, high):
            brush.ground(-WIDE, WIDE, edge - 0.06, edge + 0.06, shade(paving, rng.choice([0.7, 1.2])))
    end = back + rng.uniform(2.6, 9.0)
    if rng.uniform() < 0.4:
        brush.ground(-WIDE, WIDE, end - 2.0, end, pick(rng, ((88, 90, 94), (120, 112, 100))))
    border = rng.uniform()
    if border < 0.3:
        high = rng.uniform(0.8, 3.5)
        brush.slab(-WIDE, WIDE, 0.0, high, end, end + 0.4, pick(rng, FACADES))
    elif border < 0.55:
        for x in np.arange(-18.0, 18.0, 0.9):
            brush.foliage(rng, float(x), 0.5, end, 0.75, pick(rng, LEAVES))
    elif border < 0.75:
        fence(brush, end)
    for _ in range(int(rng.integers(0, 5))):
        tree(brush, rng, rng.uniform(-9, 9), rng.uniform(back + 1.6, end + 4), rng.uniform(0.6, 1.2))
    for _ in range(int(rng.integers(0, 3))):
        x, z = rng.uniform(-7, 7), rng.uniform(near + 1.2, back - 0.9)
        if rng.uniform() < 0.5:
            bench(brush, rng, x, z)
        else:
            brush.foliage(rng, x, 0.35, z, rng.uniform(0.3, 0.6), pick(rng, LEAVES))
    for k in range(int(rng.integers(0, 7))):
        x = -9 + 3 * k + rng.uniform(-0.5, 0.5)
        brush.stripe((x, 0, back + 1.4), (x, rng.uniform(0.8, 1.1), back + 1.4), 0.12, (74, 76, 80))
    if rng.uniform() < 0.3:
        x = rng.uniform(-6, 6)
        brush.stripe((x, 0, back + 1.5), (x, 5.0, back + 1.5), 0.13, (70, 74, 78))


def fence(brush: Brush, z: float) -> None:
    for k in range(-12, 13):
        brush.stripe((k * 1.8, 0, z), (k * 1.8, 2.1, z), 0.09, (104, 108, 112))
    for y in (0.15, 0.6, 1.05, 1.5, 2.0):
        brush.stripe((-22, y, z), (22, y, z), 0.035, (126, 130, 134))


def container(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    paint, long = pick(rng, CONTAINERS), rng.uniform(3.0, 5.5)
    brush.slab(x, x + long, 0.0, 2.5, z, z + 2.2, paint)
    for k in range(1, round(long / 0.3)):
        brush.stripe((x + k * 0.3, 0.15, z), (x + k * 0.3, 2.35, z), 0.07, shade(paint, 0.84 if k % 2 else 1.1))
    brush.wall(x, x + long, 2.38, 2.5, z, shade(paint, 0.75))


def rack(brush: Brush, rng: np.random.Generator, x: float, z: float) -> None:
    """Three shelves three metres wide, with boxes."""
    post = pick(rng, ((52, 84, 140), (176, 96, 40), (96, 100, 104)))
    beam = pick(rng, ((206, 120, 46), (150, 150, 150)))
    brush.wall(x - 1.5, x + 1.5, 0.0, 2.5, z + 0.9, (70, 70, 72))
    for level in (0.1, 0.95, 1.8):
        at = x - 1.4
        while at < x + 1.0:
            wide = rng.uniform(0.35, 0.7)
            if rng.uniform() < 0.8:
                carton = pick(rng, ((176, 138, 92), (196, 164, 118), (150, 118, 84), (170, 172, 176)))
                brush.slab(at, at + wide - 0.06, level, level + rng.uniform(0.3, 0.62), z + 0.1, z + 0.7, carton)
            at += wide
        brush.slab(x - 1.5, x + 1.5, level - 0.1, level, z, z + 0.9, beam)
    for px in (-1.5, 0.0, 1.5):
        brush.stripe((x + px, 0, z), (x + px, 2.6, z), 0.1, post)
