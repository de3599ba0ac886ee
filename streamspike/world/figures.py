"""The parts that figures are made of, and the shapes of animals: coloured polygons in the metres of a body.

Local axes of a figure: x metres forward (where it faces), y metres up from its feet, d metres away from the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamspike.world.brush import Colour, Point, shade
from streamspike.world.scene import Body

CARDBOARD: Colour = (188, 146, 92)


@dataclass(frozen=True, slots=True)
class Part:
    """One polygon of a figure. Later parts cover earlier ones."""

    points: list[Point]
    colour: Colour
    outline: bool = False
    """Drawn with a dark rim, so that it stands out from what is behind."""
    line: float = 0.0
    """0: filled. Otherwise a closed line so many metres thick."""
    convex: bool = True


HALF = tuple((math.cos(a), math.sin(a)) for a in (-math.pi / 2, -math.pi / 6, math.pi / 6, math.pi / 2))
ROUND = tuple((math.cos(2 * math.pi * k / 12), math.sin(2 * math.pi * k / 12)) for k in range(12))


def capsule(ax: float, ay: float, bx: float, by: float, start: float, end: float, d: float = 0.0) -> list[Point]:
    """The hull of a circle of radius `start` at a and one of radius `end` at b."""
    length = math.hypot(bx - ax, by - ay) or 1.0
    ux, uy = (bx - ax) / length, (by - ay) / length
    around = [(ux * c - uy * s, uy * c + ux * s) for c, s in HALF]
    head = [(bx + end * x, by + end * y, d) for x, y in around]
    head += [(ax - start * x, ay - start * y, d) for x, y in around]
    return head


def ellipse(x: float, y: float, rx: float, ry: float, d: float = 0.0) -> list[Point]:
    return [(x + rx * c, y + ry * s, d) for c, s in ROUND]


def cuboid(x0: float, x1: float, y0: float, y1: float, half: float, colour: Colour) -> list[Part]:
    """A box of depth 2 x half seen from above: both ends (the hidden one gets covered), the top, the near side."""
    ends = [Part([(x, y0, -half), (x, y0, half), (x, y1, half), (x, y1, -half)], shade(colour, 0.66)) for x in (x0, x1)]
    top = Part([(x0, y1, -half), (x1, y1, -half), (x1, y1, half), (x0, y1, half)], shade(colour, 1.2), True)
    side = Part([(x0, y0, -half), (x1, y0, -half), (x1, y1, -half), (x0, y1, -half)], colour, True)
    return [*ends, top, side]


def animal_parts(body: Body) -> list[Part]:
    """A dog or a cat, in units of the dog: barrel, four legs, head with muzzle and ears, tail."""
    cat = body.kind == "cat"
    size = 0.7 if cat else 1.0
    fur, dark = body.colour, shade(body.colour, 0.66)
    phase = 2 * math.pi * body.gait
    amplitude = {"walk": 0.5, "run": 0.95}.get(body.pose, 0.04)
    hip, chest = (-0.3, 0.42), (0.24, 0.44)
    if body.pose == "sit":
        hip, chest = (-0.2, 0.16), (0.12, 0.46)
    elif body.pose in ("lie", "crouch"):
        hip, chest = (-0.3, 0.15), (0.24, 0.16)
    elif cat:
        hip, chest = (-0.32, 0.4), (0.26, 0.4)
    parts: list[Part] = []
    tail = (
        (hip[0] - (0.1 if cat else 0.22), hip[1] + (0.42 if cat else 0.24))
        if body.pose != "lie"
        else (hip[0] - 0.25, 0.1)
    )
    parts.append(Part(capsule(hip[0] - 0.08, hip[1] + 0.05, *tail, 0.045, 0.03), dark, True))
    for (x, y), offset, d in ((hip, 0.5, 0.1), (chest, 0.0, 0.1), (hip, 0.0, -0.1), (chest, 0.5, -0.1)):
        angle = amplitude * math.sin(phase + 2 * math.pi * offset)
        long = max(y - 0.04, 0.1)
        fx, fy = x + long * math.sin(angle), y - long * math.cos(angle)
        parts.append(
            Part(capsule(x, y, fx, max(fy, 0.04), 0.075, 0.045, d), dark if d > 0 else shade(fur, 0.85), d < 0)
        )
    parts.append(Part(capsule(*hip, *chest, 0.13 if cat else 0.145, 0.14 if cat else 0.165), fur, True))
    hx, hy = chest[0] + 0.19, chest[1] + (0.2 if body.pose != "lie" else 0.12)
    parts.append(Part(capsule(chest[0] + 0.06, chest[1] + 0.06, hx, hy, 0.1, 0.085), fur))
    if cat:
        parts += [
            Part([(hx + s - 0.06, hy + 0.08, 0), (hx + s + 0.05, hy + 0.09, 0), (hx + s, hy + 0.23, 0)], dark)
            for s in (-0.05, 0.07)
        ]
        parts.append(Part(ellipse(hx + 0.01, hy, 0.13, 0.125), fur, True))
    else:
        parts.append(Part(ellipse(hx, hy, 0.125, 0.115), fur, True))
        parts.append(Part(capsule(hx + 0.06, hy - 0.03, hx + 0.21, hy - 0.05, 0.075, 0.05), fur, True))
        parts.append(Part(ellipse(hx + 0.255, hy - 0.035, 0.03, 0.03), (24, 22, 22)))
        parts.append(Part(capsule(hx - 0.03, hy + 0.06, hx - 0.09, hy - 0.09, 0.05, 0.045), dark))
    parts.append(Part(ellipse(hx + 0.07, hy + 0.03, 0.02, 0.02), (20, 18, 18)))
    return [
        Part([(x * size, y * size, d * size) for x, y, d in p.points], p.colour, p.outline, p.line, p.convex)
        for p in parts
    ]
