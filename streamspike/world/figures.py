"""The shapes of people and animals: a body in a pose becomes coloured polygons in its own metres.

Local axes of a figure: x metres forward (where it faces), y metres up from its feet, d metres away from the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamspike.world.brush import Colour, Point, mix, shade
from streamspike.world.scene import Body

SKINS: tuple[Colour, ...] = ((236, 196, 166), (205, 152, 112), (150, 102, 70), (222, 178, 140), (112, 76, 54))
HAIRS: tuple[Colour, ...] = ((52, 38, 30), (24, 22, 24), (110, 76, 44), (150, 140, 130), (74, 46, 30))
TROUSERS: tuple[Colour, ...] = ((42, 48, 72), (52, 50, 50), (84, 74, 58), (34, 36, 40))
SHOE: Colour = (30, 28, 28)
CARDBOARD: Colour = (188, 146, 92)
LEATHER: Colour = (96, 58, 34)
RUBBER: Colour = (226, 84, 44)


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


@dataclass(frozen=True, slots=True)
class Gait:
    """The angles of a pose, radians from straight down, positive forward: thighs, knees, upper arms, elbows, trunk."""

    thighs: tuple[float, float]
    knees: tuple[float, float]
    arms: tuple[float, float]
    elbows: tuple[float, float]
    lean: float
    hip: float | None = None
    """Height of the hips; None: so that the lower foot stands on the ground."""


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


def gait_of(body: Body) -> Gait:
    """The joint angles of a person's pose at its phase."""
    phase = 2 * math.pi * body.gait
    swing, lead = math.sin(phase), math.cos(phase)
    if body.pose == "walk":
        knees = 0.12 + 0.6 * max(lead, 0.0), 0.12 + 0.6 * max(-lead, 0.0)
        return Gait((0.52 * swing, -0.52 * swing), knees, (-0.5 * swing, 0.5 * swing), (0.35, 0.35), 0.06)
    if body.pose == "run":
        knees = 0.35 + 1.2 * max(lead, 0.0), 0.35 + 1.2 * max(-lead, 0.0)
        return Gait((0.2 + 0.85 * swing, 0.2 - 0.85 * swing), knees, (-0.95 * swing, 0.95 * swing), (1.5, 1.5), 0.32)
    if body.pose == "sit":
        return Gait((1.42, 1.32), (1.42, 1.3), (0.35, 0.3), (0.9, 0.8), -0.08, 0.5)
    if body.pose == "crouch":
        return Gait((1.75, 1.35), (2.3, 2.35), (0.55, 0.75), (0.3, 0.3), 0.62)
    if body.pose == "climb":
        return Gait(
            (0.75 + 0.5 * swing, 0.75 - 0.5 * swing),
            (1.1, 1.1),
            (2.55 - 0.4 * swing, 2.55 + 0.4 * swing),
            (0.3, 0.3),
            0.1,
            0.78,
        )
    if body.pose == "lie":
        return Gait((0.22, -0.1), (0.1, 0.35), (0.75, -0.55), (0.5, 0.4), 0.0)
    return Gait((0.07, -0.05), (0.03, 0.02), (0.14, -0.02), (0.22, 0.18), 0.0)


def reach(x: float, y: float, angle: float, length: float) -> tuple[float, float]:
    return x + length * math.sin(angle), y - length * math.cos(angle)


def held_parts(kind: str, x: float, y: float) -> list[Part]:
    """What a person carries: a box or ball before the chest, a bag hanging from the hand at (x, y)."""
    if kind == "box":
        box = cuboid(x - 0.1, x + 0.36, y - 0.14, y + 0.22, 0.2, CARDBOARD)
        return [
            *box,
            Part(
                [
                    (x + 0.1, y - 0.14, -0.2),
                    (x + 0.16, y - 0.14, -0.2),
                    (x + 0.16, y + 0.22, -0.2),
                    (x + 0.1, y + 0.22, -0.2),
                ],
                shade(CARDBOARD, 0.75),
            ),
        ]
    if kind == "ball":
        return [
            Part(ellipse(x + 0.12, y + 0.06, 0.17, 0.17, -0.1), RUBBER, True),
            Part(ellipse(x + 0.08, y + 0.11, 0.06, 0.06, -0.1), shade(RUBBER, 1.4)),
        ]
    sack = [
        (x - 0.2, y - 0.42, -0.2),
        (x + 0.22, y - 0.42, -0.2),
        (x + 0.17, y - 0.08, -0.2),
        (x - 0.15, y - 0.08, -0.2),
    ]
    return [
        Part([(x - 0.1, y - 0.1, -0.2), (x + 0.01, y + 0.03, -0.2), (x + 0.12, y - 0.1, -0.2)], LEATHER, line=0.03),
        Part(sack, LEATHER, True),
    ]


def person_parts(body: Body, gait: Gait | None = None) -> list[Part]:
    """A person from the feet up: the far arm and leg first, the near arm last."""
    gait = gait or gait_of(body)
    skin, hair = SKINS[body.body_id % len(SKINS)], HAIRS[(body.body_id * 3 + 1) % len(HAIRS)]
    trousers = mix(shade(body.colour, 0.42), TROUSERS[(body.body_id * 7) % len(TROUSERS)], 0.55)
    knees = [reach(0.0, 0.0, angle, 0.42) for angle in gait.thighs]
    ankles = [
        reach(*knee, angle - bend, 0.42) for knee, angle, bend in zip(knees, gait.thighs, gait.knees, strict=True)
    ]
    hip = gait.hip if gait.hip is not None else 0.07 - min(y for _, y in ankles)
    sx, sy = 0.5 * math.sin(gait.lean), hip + 0.5 * math.cos(gait.lean)
    hx, hy = sx + 0.2 * math.sin(gait.lean * 0.6) + 0.015, sy + 0.2 * math.cos(gait.lean * 0.6)

    def leg(k: int, d: float, colour: Colour) -> list[Part]:
        (kx, ky), (ax, ay) = knees[k], ankles[k]
        shoe = capsule(ax - 0.03, hip + ay - 0.02, ax + 0.15, hip + ay - 0.03, 0.055, 0.045, d)
        return [
            Part(shoe, SHOE),
            Part(capsule(0.0, hip, kx, hip + ky, 0.105, 0.08, d), colour, True),
            Part(capsule(kx, hip + ky, ax, hip + ay, 0.078, 0.058, d), colour, True),
        ]

    def arm(k: int, d: float, colour: Colour) -> tuple[list[Part], tuple[float, float]]:
        angle, bend = gait.arms[k], gait.elbows[k]
        if body.holds in ("box", "ball"):
            angle, bend = 0.45, 0.95
        elif body.holds == "bag" and k == 1:
            angle, bend = 0.1, 0.05
        ex, ey = reach(sx, sy - 0.04, angle + gait.lean * 0.4, 0.28)
        wx, wy = reach(ex, ey, angle + bend, 0.24)
        parts = [
            Part(ellipse(wx, wy, 0.055, 0.055, d), skin),
            Part(capsule(ex, ey, wx, wy, 0.056, 0.045, d), colour),
            Part(capsule(sx, sy - 0.04, ex, ey, 0.068, 0.056, d), colour, True),
        ]
        return parts, (wx, wy)

    far_arm, _ = arm(0, 0.18, shade(body.colour, 0.6))
    near_arm, hand = arm(1, -0.18, shade(body.colour, 0.82))
    back = capsule(-0.05, hip + 0.02, sx - 0.055, sy - 0.06, 0.1, 0.105)
    head = [
        Part(capsule(sx, sy, hx, hy, 0.06, 0.06), shade(skin, 0.8)),
        Part(ellipse(hx - 0.025, hy + 0.015, 0.135, 0.14), hair, True),
        Part(ellipse(hx + 0.035, hy - 0.02, 0.098, 0.115), skin),
        Part(ellipse(hx + 0.13, hy - 0.025, 0.03, 0.03), shade(skin, 0.92)),
    ]
    trunk = [
        Part(capsule(0.0, hip + 0.02, sx, sy - 0.06, 0.15, 0.17), body.colour, True),
        Part(back, shade(body.colour, 0.8)),
    ]
    held = held_parts(body.holds, *hand) if body.holds else []
    return [*far_arm, *leg(0, 0.09, shade(trousers, 0.72)), *leg(1, -0.09, trousers), *trunk, *head, *held, *near_arm]


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
