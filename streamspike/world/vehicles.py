"""The shapes of everything that rolls or is carried: cars, bicycles, forklifts, carts, boxes, bags and balls."""

from __future__ import annotations

import itertools
import math

from streamspike.world.brush import Colour, Point, mix, shade
from streamspike.world.figures import CARDBOARD, Part, animal_parts, capsule, cuboid, ellipse
from streamspike.world.outfit import outfit_of
from streamspike.world.people import Gait, gait_of, person_parts
from streamspike.world.scene import Body

GLASS: Colour = (54, 66, 80)
TYRE: Colour = (24, 24, 26)
STEEL: Colour = (120, 124, 130)
LAMP: Colour = (255, 246, 196)
TAIL: Colour = (214, 30, 26)
MAKES = ((1.0, 0.0), (0.94, 0.4), (1.28, -0.12), (1.12, -0.3), (0.86, 0.25))
"""Of cars: height above the waist against the hatchback's, and metres the end of the roof is moved forward."""
ROLLERS = ("car", "van", "bicycle", "forklift", "cart")
"""Kinds that, when knocked, roll over their long axis; the others tip over in the picture plane."""


def wheel(x: float, radius: float, d: float, turn: float) -> list[Part]:
    """A tyre with a rim whose spokes turn with the gait."""
    c, s = radius * 0.5 * math.cos(turn), radius * 0.5 * math.sin(turn)
    return [
        Part(ellipse(x, radius, radius, radius, d), TYRE),
        Part(ellipse(x, radius, radius * 0.58, radius * 0.58, d), (168, 170, 174)),
        Part(capsule(x - c, radius - s, x + c, radius + s, radius * 0.12, radius * 0.12, d), (84, 86, 90)),
    ]


def hull(profile: list[tuple[float, float]], glass: set[int], half: float, colour: Colour) -> list[Part]:
    """A body work of depth 2 x half: one quad for every edge of the upper profile, then the near side.

    The profile runs from the lower front corner over the roof to the lower rear corner; `glass` has its glazed edges.
    """
    parts = []
    for k, ((ax, ay), (bx, by)) in enumerate(itertools.pairwise(profile)):
        slope = abs(bx - ax) / (math.hypot(bx - ax, by - ay) or 1.0)
        paint = shade(GLASS, 0.75 + 0.5 * slope) if k in glass else shade(colour, 0.62 + 0.6 * slope)
        parts.append(Part([(ax, ay, -half), (bx, by, -half), (bx, by, half), (ax, ay, half)], paint, True))
    # The farther quads first: an edge is hidden by those above it only when it belongs to the other end.
    parts = [parts[0], parts[-1], *parts[1:-1]]
    parts.append(Part([(x, y, -half) for x, y in profile], colour, True, convex=False))
    return parts


def flat(points: list[tuple[float, float]], d: float, colour: Colour, outline: bool = False) -> Part:
    return Part([(x, y, d) for x, y in points], colour, outline)


def car_parts(body: Body) -> list[Part]:
    """A car of one of several makes: a hatchback, and what stretching it here and there makes of it."""
    red, green, blue = body.colour
    tall, deck = MAKES[(body.body_id * 5 + red + 3 * green + 7 * blue) % len(MAKES)]

    def made(x: float, y: float, d: float) -> Point:
        """Higher above the waist, and behind the doors drawn down to a boot."""
        y = 0.62 + (y - 0.62) * tall if y > 0.62 else y
        return x + (deck if x < -0.9 and y > 1.0 else 0.0), y, d

    return [
        Part([made(*point) for point in part.points], part.colour, part.outline, part.line, part.convex)
        for part in hatchback_parts(body)
    ]


def hatchback_parts(body: Body) -> list[Part]:
    """Long bonnet and sloping windscreen in front, steep tail behind."""
    turn = -2 * math.pi * body.gait
    profile = [
        (1.78, 0.24),
        (1.8, 0.62),
        (1.62, 0.8),
        (0.82, 0.92),
        (0.22, 1.42),
        (-1.05, 1.45),
        (-1.62, 0.98),
        (-1.8, 0.92),
        (-1.8, 0.24),
    ]
    near = -0.8
    return [
        *wheel(1.12, 0.31, 0.7, turn),
        *hull(profile, {3, 5}, 0.8, body.colour),
        flat([(0.66, 0.92), (0.16, 1.34), (-0.3, 1.36), (-0.3, 0.92)], near, GLASS),
        flat([(-0.4, 0.92), (-0.4, 1.36), (-0.98, 1.37), (-1.4, 0.96)], near, GLASS),
        flat([(0.52, 0.98), (0.2, 1.26), (0.08, 1.26), (0.36, 0.98)], near, (128, 146, 160)),
        flat([(-1.8, 0.24), (1.78, 0.24), (1.79, 0.36), (-1.8, 0.36)], near, shade(body.colour, 0.5)),
        flat([(-0.34, 0.36), (-0.37, 0.36), (-0.37, 0.92), (-0.34, 0.92)], near, shade(body.colour, 0.6)),
        flat([(-0.56, 0.8), (-0.56, 0.76), (-0.4, 0.76), (-0.4, 0.8)], near, shade(body.colour, 0.45)),
        flat([(1.5, 0.62), (1.8, 0.58), (1.74, 0.74), (1.56, 0.78)], near, LAMP),
        flat([(-1.8, 0.66), (-1.58, 0.66), (-1.62, 0.86), (-1.8, 0.86)], near, TAIL),
        *wheel(1.12, 0.33, near - 0.02, turn),
        *wheel(-1.14, 0.33, near - 0.02, turn),
    ]


def van_parts(body: Body) -> list[Part]:
    """A panel van: short nose, upright windscreen, one side window, a band along the load."""
    turn = -2 * math.pi * body.gait
    profile = [
        (2.16, 0.28),
        (2.2, 0.8),
        (2.05, 1.08),
        (1.62, 1.2),
        (1.12, 2.05),
        (0.9, 2.16),
        (-2.15, 2.2),
        (-2.2, 2.1),
        (-2.2, 0.28),
    ]
    near = -0.9
    return [
        *wheel(1.4, 0.34, 0.8, turn),
        *hull(profile, {3}, 0.9, body.colour),
        flat([(1.44, 1.2), (1.04, 1.92), (0.5, 1.94), (0.5, 1.2)], near, GLASS),
        flat([(1.3, 1.26), (1.02, 1.76), (0.88, 1.76), (1.14, 1.26)], near, (128, 146, 160)),
        flat([(-2.2, 0.28), (2.16, 0.28), (2.18, 0.44), (-2.2, 0.44)], near, shade(body.colour, 0.5)),
        flat([(-2.1, 1.24), (0.3, 1.24), (0.3, 1.4), (-2.1, 1.4)], near, mix(body.colour, (250, 250, 250), 0.45)),
        flat([(0.38, 0.44), (0.41, 0.44), (0.41, 2.1), (0.38, 2.1)], near, shade(body.colour, 0.6)),
        flat([(1.92, 0.74), (2.2, 0.7), (2.12, 0.92), (1.96, 0.96)], near, LAMP),
        flat([(-2.2, 0.8), (-2.06, 0.8), (-2.06, 1.2), (-2.2, 1.2)], near, TAIL),
        *wheel(1.4, 0.36, near - 0.02, turn),
        *wheel(-1.38, 0.36, near - 0.02, turn),
    ]


def bicycle_parts(body: Body) -> list[Part]:
    """A bicycle, and its rider unless it lies on the ground; the rider wears the colour."""
    frame = mix(body.colour, (36, 38, 44), 0.55)
    parts = []
    for x in (0.52, -0.52):
        parts.append(Part(ellipse(x, 0.33, 0.31, 0.31), (28, 28, 30), line=0.06))
        c, s = 0.3 * math.cos(-6.28 * body.gait), 0.3 * math.sin(-6.28 * body.gait)
        parts.append(Part(capsule(x - c, 0.33 - s, x + c, 0.33 + s, 0.012, 0.012), (130, 130, 134)))
    tubes = (
        (-0.52, 0.33, -0.18, 0.88),
        (-0.05, 0.3, -0.18, 0.88),
        (-0.05, 0.3, 0.38, 0.86),
        (-0.16, 0.8, 0.38, 0.84),
        (0.36, 1.02, 0.52, 0.33),
        (-0.52, 0.33, -0.05, 0.3),
    )
    parts += [Part(capsule(*tube, 0.03, 0.03), frame) for tube in tubes]
    parts.append(Part(capsule(0.36, 1.02, 0.5, 1.0, 0.03, 0.03), (30, 30, 32)))
    parts.append(Part(capsule(-0.32, 0.92, -0.08, 0.92, 0.035, 0.03), (30, 30, 32)))
    if body.pose == "knocked":
        return parts
    swing = math.sin(2 * math.pi * body.gait)
    pedal = Gait(
        (0.85 + 0.42 * swing, 0.85 - 0.42 * swing),
        (0.95 + 0.4 * swing, 0.95 - 0.4 * swing),
        (0.85, 0.85),
        (0.3, 0.3),
        0.5,
        0.98,
    )
    rider = [
        Part([(x - 0.2, y, d) for x, y, d in p.points], p.colour, p.outline, p.line) for p in person_parts(body, pedal)
    ]
    return [*parts, *rider]


def forklift_parts(body: Body) -> list[Part]:
    """Counterweight behind, mast and forks in front, an operator under the guard."""
    turn = -2 * math.pi * body.gait
    paint, cage = body.colour, (40, 42, 46)
    operator = [
        Part(capsule(-0.28, 0.95, -0.24, 1.3, 0.17, 0.17), (214, 120, 30), True),
        Part(ellipse(-0.2, 1.58, 0.13, 0.14), (205, 152, 112), True),
        Part([(-0.36, 1.6, 0), (-0.02, 1.6, 0), (-0.06, 1.74, 0), (-0.32, 1.74, 0)], (240, 200, 40)),
        Part(capsule(-0.2, 1.22, 0.18, 1.08, 0.06, 0.05), (214, 120, 30)),
    ]
    guard = [
        Part(capsule(*bar, 0.035, 0.035, d), cage)
        for d in (0.4, -0.42)
        for bar in ((-0.75, 0.9, -0.62, 2.05), (0.4, 0.8, 0.22, 2.05))
    ]
    mast = [Part(capsule(0.66, 0.12, 0.66, 2.05, 0.05, 0.05, d), STEEL, True) for d in (0.3, -0.34)]
    return [
        *wheel(0.4, 0.3, 0.45, turn),
        *mast[:1],
        *guard[:2],
        *cuboid(-1.05, 0.5, 0.3, 0.62, 0.48, shade(paint, 0.82)),
        *operator,
        *cuboid(-1.1, -0.52, 0.4, 1.02, 0.48, paint),
        *cuboid(0.26, 0.52, 0.5, 0.92, 0.48, paint),
        *guard[2:],
        *cuboid(-0.7, 0.3, 2.0, 2.08, 0.46, cage),
        *mast[1:],
        Part(capsule(0.64, 0.5, 0.64, 1.5, 0.03, 0.03, -0.34), (70, 72, 76)),
        *cuboid(0.7, 1.3, 0.12, 0.19, 0.34, (58, 60, 64)),
        flat([(-1.1, 0.72), (-1.02, 0.72), (-1.02, 0.86), (-1.1, 0.86)], -0.49, TAIL),
        *wheel(0.36, 0.32, -0.5, turn),
        *wheel(-0.76, 0.25, -0.5, turn),
    ]


def cart_parts(body: Body) -> list[Part]:
    """A flat cart with a load and whoever pushes it; tipped over it is alone."""
    turn = -2 * math.pi * body.gait
    cart = [
        *wheel(0.7, 0.12, 0.28, turn),
        *cuboid(-0.05, 0.95, 0.24, 0.34, 0.32, body.colour),
        *cuboid(0.1, 0.55, 0.34, 0.72, 0.26, CARDBOARD),
        *cuboid(0.52, 0.92, 0.34, 0.6, 0.26, shade(CARDBOARD, 0.82)),
        *wheel(0.75, 0.13, -0.33, turn),
        *wheel(0.1, 0.13, -0.33, turn),
        Part(capsule(-0.03, 0.3, -0.2, 1.04, 0.035, 0.035, -0.3), body.colour, True),
        Part(capsule(-0.03, 0.3, -0.2, 1.04, 0.03, 0.03, 0.3), shade(body.colour, 0.7)),
    ]
    if body.pose == "knocked":
        return cart
    pusher = Body(body.body_id, "person", mix(body.colour, (70, 80, 96), 0.7), 0, 0, gait=body.gait, pose="walk")
    walk = gait_of(pusher, outfit_of(pusher.body_id, pusher.colour))
    pusher_gait = Gait(walk.thighs, walk.knees, (0.75, 0.75), (0.35, 0.35), 0.16)
    person = [
        Part([(x - 0.62, y, d) for x, y, d in p.points], p.colour, p.outline) for p in person_parts(pusher, pusher_gait)
    ]
    return [*cart[:3], *person, *cart[3:]]


def thing_parts(body: Body) -> list[Part]:
    """A box, a bag or a ball."""
    paint = body.colour
    if body.kind == "box":
        tape = flat([(-0.05, 0.0), (0.05, 0.0), (0.05, 0.5), (-0.05, 0.5)], -0.26, shade(paint, 0.72))
        lid = Part([(-0.05, 0.5, -0.26), (0.05, 0.5, -0.26), (0.05, 0.5, 0.26), (-0.05, 0.5, 0.26)], shade(paint, 0.9))
        return [*cuboid(-0.3, 0.3, 0.0, 0.5, 0.26, paint), lid, tape]
    if body.kind == "bag":
        sack: list[Point] = [
            (-0.26, 0.02, 0),
            (0.26, 0.02, 0),
            (0.24, 0.2, 0),
            (0.17, 0.32, 0),
            (-0.17, 0.32, 0),
            (-0.24, 0.2, 0),
        ]
        handle: list[Point] = [(-0.1, 0.31, 0), (-0.07, 0.44, 0), (0.07, 0.44, 0), (0.1, 0.31, 0)]
        pocket: list[Point] = [(-0.13, 0.06, 0), (0.13, 0.06, 0), (0.12, 0.2, 0), (-0.12, 0.2, 0)]
        return [Part(handle, shade(paint, 0.5), line=0.045), Part(sack, paint, True), Part(pocket, shade(paint, 0.75))]
    turn = -2 * math.pi * body.gait
    c, s = math.cos(turn), math.sin(turn)
    stripe = capsule(-0.14 * c, 0.175 - 0.14 * s, 0.14 * c, 0.175 + 0.14 * s, 0.03, 0.03)
    return [
        Part(ellipse(0, 0.175, 0.175, 0.175), paint, True),
        Part(stripe, mix(paint, (255, 255, 255), 0.75)),
        Part(ellipse(-0.05 * s, 0.175 + 0.06, 0.04, 0.04), mix(paint, (255, 255, 255), 0.5)),
    ]


PARTS = {
    "person": person_parts,
    "dog": animal_parts,
    "cat": animal_parts,
    "car": car_parts,
    "van": van_parts,
    "bicycle": bicycle_parts,
    "forklift": forklift_parts,
    "cart": cart_parts,
    "box": thing_parts,
    "bag": thing_parts,
    "ball": thing_parts,
}


def parts_of(body: Body) -> list[Part]:
    """The polygons of any body, already tipped, tilted or knocked over, in draw order."""
    parts = PARTS[body.kind](body)
    if body.pose == "knocked" and body.kind in ROLLERS:
        half = {"car": 0.8, "van": 0.9, "forklift": 0.48}.get(body.kind, 0.3)
        # Onto the far flank, roof towards the camera: what was near is now on top.
        return [Part([(x, half - d, -y) for x, y, d in p.points], p.colour, p.outline, p.line, p.convex) for p in parts]
    tilt = body.tilt
    if body.kind in ("person", "box", "bag", "ball") and body.pose in ("lie", "knocked"):
        tilt = math.pi / 2
    if tilt == 0.0:
        return parts
    c, s = math.cos(tilt), math.sin(tilt)
    rest = 0.17 * abs(s) if body.kind == "person" else 0.26 * abs(s)  # half a body's depth: flat, it rests on its side
    # Nobody falls in a plane; on a bed one lies along it.
    lies = outfit_of(body.body_id, body.colour).lies * abs(s) if body.kind == "person" and body.lift < 0.3 else 0.0
    along, away = math.cos(lies), math.sin(lies)
    return [
        Part(
            [((x * c + y * s) * along, y * c - x * s + rest, d + (x * c + y * s) * away) for x, y, d in p.points],
            p.colour, p.outline, p.line, p.convex,
        )
        for p in parts
    ]  # fmt: skip
