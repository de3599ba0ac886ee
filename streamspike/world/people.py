"""The shapes of people: a body in a pose and an outfit becomes coloured polygons, from the side or from the front."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamspike.world.brush import Colour, shade
from streamspike.world.figures import CARDBOARD, Part, capsule, cuboid, ellipse
from streamspike.world.outfit import Outfit, outfit_of
from streamspike.world.scene import Body

LEATHER: Colour = (96, 58, 34)
RUBBER: Colour = (226, 84, 44)
FRONTAL = ("stand", "sit", "crouch")
"""Poses in which somebody may be turned to the camera or away from it."""


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


def gait_of(body: Body, outfit: Outfit) -> Gait:
    """The joint angles of a person's pose at its phase, each person's own a little different."""
    phase = 2 * math.pi * body.gait
    swing, lead = math.sin(phase), math.cos(phase)
    if body.pose == "walk":
        knees = 0.12 + 0.6 * max(lead, 0.0), 0.12 + 0.6 * max(-lead, 0.0)
        leg, arm = 0.5 * outfit.stride * swing, 0.5 * outfit.swing * swing
        return Gait((leg, -leg), knees, (-arm, arm), (0.35, 0.35), 0.06 + outfit.stoop)
    if body.pose == "run":
        knees = 0.35 + 1.2 * max(lead, 0.0), 0.35 + 1.2 * max(-lead, 0.0)
        return Gait((0.2 + 0.85 * swing, 0.2 - 0.85 * swing), knees, (-0.95 * swing, 0.95 * swing), (1.5, 1.5), 0.32)
    if body.pose == "sit":
        back, up = -0.12 + 2 * outfit.stoop, body.gesture
        thighs, knees = ((1.62, 1.5), (2.75, 2.55)) if outfit.folded else ((1.42, 1.32), (1.42, 1.3))
        arms = 0.35, 0.3 + 0.7 * up
        return Gait(thighs, knees, arms, (0.9 * outfit.swing, 0.8 + 1.2 * up), back + body.lean, 0.5)
    if body.pose == "crouch":
        return Gait((1.75, 1.35), (2.3, 2.35), (0.55, 0.75), (0.3, 0.3), 0.62 + body.lean)
    if body.pose == "climb":
        thighs, arms = (0.75 + 0.5 * swing, 0.75 - 0.5 * swing), (2.55 - 0.4 * swing, 2.55 + 0.4 * swing)
        return Gait(thighs, (1.1, 1.1), arms, (0.3, 0.3), 0.1, 0.78)
    if body.pose == "lie":
        # Stretched out or curled up, an arm ahead or at the side.
        curl, arm = 1.4 * (outfit.stride - 0.72), outfit.swing
        return Gait((0.15 + curl, curl - 0.15), (0.1 + curl, 0.4 + 1.3 * curl), (0.4 + arm, 0.5 - arm), (0.6, 0.4), 0.0)
    up = body.gesture
    arms, lean = (0.14, -0.02 + up), outfit.stoop + body.lean
    return Gait((0.07, -0.05), (0.03, 0.02), arms, (0.22, 0.18 + 1.6 * up), lean)


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
        (x - 0.26, y - 0.5, -0.2),
        (x + 0.28, y - 0.5, -0.2),
        (x + 0.22, y - 0.08, -0.2),
        (x - 0.2, y - 0.08, -0.2),
    ]
    return [
        Part([(x - 0.1, y - 0.1, -0.2), (x + 0.01, y + 0.03, -0.2), (x + 0.12, y - 0.1, -0.2)], LEATHER, line=0.03),
        Part(sack, LEATHER, True),
    ]


def person_parts(body: Body, gait: Gait | None = None) -> list[Part]:
    """A person from the feet up, in profile unless it is turned; a rider or pusher comes with a gait, in profile."""
    outfit = outfit_of(body.body_id, body.colour)
    if gait is None and outfit.turned and body.pose in FRONTAL:
        return frontal_parts(body, outfit)
    return profile_parts(body, outfit, gait or gait_of(body, outfit))


def profile_parts(body: Body, outfit: Outfit, gait: Gait) -> list[Part]:
    """From the side: the far arm and leg first, the near arm last."""
    wide, coat = outfit.build, body.colour
    knees = [reach(0.0, 0.0, angle, 0.43) for angle in gait.thighs]
    ankles = [
        reach(*knee, angle - bend, 0.43) for knee, angle, bend in zip(knees, gait.thighs, gait.knees, strict=True)
    ]
    hip = gait.hip if gait.hip is not None else 0.07 - min(y for _, y in ankles)
    sx, sy = 0.5 * math.sin(gait.lean), hip + 0.5 * math.cos(gait.lean)
    hx, hy = sx + 0.19 * math.sin(gait.lean * 0.6) + 0.015, sy + 0.19 * math.cos(gait.lean * 0.6)

    def leg(k: int, d: float, light: float) -> list[Part]:
        (kx, ky), (ax, ay) = knees[k], ankles[k]
        shoe = capsule(ax - 0.03, hip + ay - 0.02, ax + 0.15, hip + ay - 0.03, 0.055, 0.045, d)
        thigh, shin = shade(outfit.trousers, light), shade(outfit.trousers, light)
        if outfit.cut in ("skirt", "shorts"):
            shin = shade(outfit.skin, light)
        return [
            Part(shoe, outfit.shoe),
            Part(capsule(0.0, hip, kx, hip + ky, 0.105 * wide, 0.08 * wide, d), thigh, True),
            Part(capsule(kx, hip + ky, ax, hip + ay, 0.078 * wide, 0.056, d), shin, True),
        ]

    def arm(k: int, d: float, light: float) -> tuple[list[Part], tuple[float, float]]:
        angle, bend = gait.arms[k], gait.elbows[k]
        if body.holds in ("box", "ball"):
            angle, bend = 0.45, 0.95
        elif body.holds == "bag" and k == 1:
            angle, bend = 0.1, 0.05
        ex, ey = reach(sx, sy - 0.04, angle + gait.lean * 0.4, 0.28)
        wx, wy = reach(ex, ey, angle + bend, 0.24)
        lower = outfit.skin if outfit.bare_arms else coat
        parts = [
            Part(ellipse(wx, wy, 0.05, 0.05, d), shade(outfit.skin, light)),
            Part(capsule(ex, ey, wx, wy, 0.054 * wide, 0.043, d), shade(lower, light)),
            Part(capsule(sx, sy - 0.04, ex, ey, 0.066 * wide, 0.054 * wide, d), shade(coat, light), True),
        ]
        return parts, (wx, wy)

    far_arm, _ = arm(0, 0.18, 0.62)
    near_arm, hand = arm(1, -0.18, 0.84)
    trunk = [
        Part(capsule(0.0, hip + 0.02, sx, sy - 0.06, 0.14 * wide, 0.155 * wide), coat, True),
        Part(
            capsule(-0.06 * wide, hip + 0.02, sx - 0.07 * wide, sy - 0.06, 0.08 * wide, 0.085 * wide), shade(coat, 0.8)
        ),
    ]
    ux, uy = sx / 0.5, (sy - hip) / 0.5  # up along the trunk

    def band(low: float, high: float) -> Part:
        """Across the trunk, from and to so many metres above the hip."""
        half = 0.145 * wide
        corners = ((low, -half), (low, half), (high, half), (high, -half))
        return Part([(ux * t + uy * w, hip + uy * t - ux * w, 0.0) for t, w in corners], outfit.second)

    if outfit.print == "stripes":
        trunk += [band(low, low + 0.055) for low in (0.06, 0.18, 0.3, 0.42)]
    elif outfit.print == "hem":
        trunk.append(band(-0.06, 0.1))
    elif outfit.print == "open":
        trunk.append(Part(capsule(0.09, hip + 0.06, sx + 0.1, sy - 0.04, 0.05 * wide, 0.05 * wide), outfit.second))
    elif outfit.print == "pack" and body.pose in ("walk", "run", "stand"):
        pack = capsule(-0.2, hip + 0.14, sx - 0.2, sy - 0.08, 0.1, 0.11)
        trunk.insert(0, Part(pack, outfit.second, True))
    skirt: list[Part] = []
    if outfit.cut in ("coat", "skirt") and gait.hip is None and body.pose != "crouch":
        cloth = shade(coat if outfit.cut == "coat" else outfit.trousers, 0.93)
        back, front = min(-0.12, knees[0][0], knees[1][0]) - 0.07, max(0.16, knees[0][0], knees[1][0]) + 0.09
        waist = [(-0.13 * wide, hip + 0.08, 0.0), (0.13 * wide, hip + 0.08, 0.0)]
        skirt.append(Part([(front, hip - 0.4, 0.0), (back, hip - 0.4, 0.0), *waist], cloth, True))
    held = held_parts(body.holds, *hand) if body.holds else []
    head = [Part(capsule(sx, sy, hx, hy, 0.055, 0.055), shade(outfit.skin, 0.8)), *profile_head(outfit, hx, hy)]
    legs = [*leg(0, 0.09, 0.72), *leg(1, -0.09, 1.0)]
    return [*far_arm, *legs, *skirt, *trunk, *head, *held, *near_arm]


def profile_head(outfit: Outfit, x: float, y: float) -> list[Part]:
    """Hair or hat behind, the face in front, looking forward."""
    face = Part(ellipse(x + 0.025, y - 0.015, 0.085, 0.11), outfit.skin, outfit.head == "bald")
    nose = Part(ellipse(x + 0.105, y - 0.025, 0.025, 0.025), shade(outfit.skin, 0.9))
    crown = Part(ellipse(x - 0.02, y + 0.015, 0.112, 0.12), outfit.hair, True)
    if outfit.head == "bald":
        return [face, nose, Part(ellipse(x - 0.05, y - 0.03, 0.05, 0.06), shade(outfit.hair, 1.1))]
    if outfit.head == "long":
        return [Part(capsule(x - 0.06, y, x - 0.09, y - 0.22, 0.09, 0.07), outfit.hair, True), crown, face, nose]
    if outfit.head == "hood":
        return [Part(ellipse(x - 0.02, y, 0.13, 0.14), outfit.second, True), face]
    if outfit.head == "cap":
        rim = [
            (x - 0.1, y + 0.03, 0.0),
            (x + 0.19, y + 0.02, 0.0),
            (x + 0.19, y + 0.045, 0.0),
            (x - 0.1, y + 0.08, 0.0),
        ]
        cap = Part(ellipse(x, y + 0.075, 0.11, 0.07), outfit.hat, True)
        return [crown, face, nose, cap, Part(rim, shade(outfit.hat, 0.8))]
    return [crown, face, nose]


def frontal_parts(body: Body, outfit: Outfit) -> list[Part]:
    """Turned to the camera or away from it: x is across, and what points at the camera is short."""
    wide, coat = outfit.build, body.colour
    hip, knee, spread = {"stand": (0.86, 0.46, 0.085), "sit": (0.5, 0.44, 0.15)}.get(body.pose, (0.3, 0.48, 0.2))
    lap = body.pose != "stand"
    sy = hip + {"stand": 0.5, "sit": 0.5}.get(body.pose, 0.36) * math.cos(body.lean)
    bare = outfit.cut in ("skirt", "shorts")
    shin = outfit.skin if bare else outfit.trousers
    crossed, ground = body.pose == "sit" and outfit.folded, 0.0
    if crossed:
        knee, spread, ground = 0.5, 0.34, 0.42
    legs, arms = [], []
    for side in (-1, 1):
        kx, light = side * spread, 1.0 if side < 0 else 0.86
        foot = side * (0.09 if not lap else -0.12 if crossed else spread * 0.85)
        legs += [
            Part(capsule(foot, ground + 0.05, foot + side * 0.03, ground + 0.03, 0.055, 0.05), outfit.shoe),
            Part(capsule(foot, ground + 0.09, kx, knee, 0.06, 0.078 * wide), shade(shin, light), True),
            Part(capsule(side * 0.085, hip, kx, knee, 0.1 * wide, 0.085 * wide), shade(outfit.trousers, light), True),
        ]
        elbow = side * (0.2 * wide + 0.035), sy - 0.28
        hand = (side * 0.06, sy - 0.3) if body.holds in ("box", "ball") else (side * (0.16 if lap else 0.24), sy - 0.52)
        if side > 0 and body.gesture:
            hand = hand[0] * (1 - 0.7 * body.gesture), hand[1] + 0.62 * body.gesture
        sleeve = capsule(side * 0.165 * wide, sy - 0.04, *elbow, 0.062 * wide, 0.052 * wide)
        lower = outfit.skin if outfit.bare_arms else coat
        arms += [
            Part(ellipse(*hand, 0.045, 0.055), outfit.skin),
            Part(capsule(*elbow, *hand, 0.05 * wide, 0.042), shade(lower, light)),
            Part(sleeve, shade(coat, 0.88 * light), True),
        ]
    waist, chest = 0.14 * wide, 0.19 * wide
    outline = [(-waist, hip - 0.05), (waist, hip - 0.05), (chest, sy - 0.03), (0.08, sy + 0.05), (-0.08, sy + 0.05)]
    trunk = [
        Part([(x, y, 0.0) for x, y in [*outline, (-chest, sy - 0.03)]], coat, True),
        Part([(0.05, hip - 0.05, 0), (waist, hip - 0.05, 0), (chest, sy - 0.03, 0), (0.09, sy, 0)], shade(coat, 0.85)),
    ]
    if outfit.print == "stripes":
        trunk += [plate(waist, hip + low, hip + low + 0.05, outfit.second) for low in (0.06, 0.18, 0.3)]
    elif outfit.print == "hem":
        trunk.append(plate(waist, hip - 0.05, hip + 0.07, outfit.second))
    elif outfit.print == "open" and outfit.turned > 0:
        trunk.append(plate(0.06, hip - 0.04, sy + 0.03, outfit.second))
    elif outfit.print == "pack" and outfit.turned < 0 and not lap:
        trunk.append(Part(capsule(0.0, hip + 0.14, 0.0, sy - 0.1, 0.14, 0.13), outfit.second, True))
    if not lap and outfit.cut in ("coat", "skirt"):
        cloth = shade(coat if outfit.cut == "coat" else outfit.trousers, 0.93)
        hem = [(0.22, hip - 0.38, 0.0), (-0.22, hip - 0.38, 0.0), (-waist, hip + 0.05, 0.0), (waist, hip + 0.05, 0.0)]
        trunk.insert(0, Part(hem, cloth, True))
    held = held_parts(body.holds, 0.24 if body.holds == "bag" else 0.0, sy - 0.4) if body.holds else []
    neck = Part(capsule(0.0, sy, 0.0, sy + 0.12, 0.055, 0.055), shade(outfit.skin, 0.8))
    below = [*trunk, *legs] if lap else [*legs, *trunk]  # knees that point at the camera are before the trunk
    return [*below, neck, *frontal_head(outfit, sy + 0.2), *arms, *held]


def plate(half: float, y0: float, y1: float, colour: Colour) -> Part:
    """An upright rectangle in the middle of a figure."""
    return Part([(-half, y0, 0.0), (half, y0, 0.0), (half, y1, 0.0), (-half, y1, 0.0)], colour)


def frontal_head(outfit: Outfit, y: float) -> list[Part]:
    """A face under hair, or only hair."""
    covering = outfit.second if outfit.head == "hood" else outfit.hair
    parts = [Part(ellipse(0.0, y + 0.012, 0.1, 0.125), covering if outfit.head != "bald" else outfit.skin, True)]
    if outfit.head == "long":
        parts.insert(0, Part(capsule(0.0, y, 0.0, y - 0.18, 0.11, 0.12), outfit.hair, True))
    if outfit.turned > 0:
        parts.append(Part(ellipse(0.0, y - 0.022, 0.08, 0.098), outfit.skin))
        parts += [Part(ellipse(side * 0.032, y, 0.014, 0.01), shade(outfit.skin, 0.4)) for side in (-1, 1)]
    if outfit.head == "cap":
        parts.append(Part(ellipse(0.0, y + 0.08, 0.11, 0.06), outfit.hat, True))
    return parts
