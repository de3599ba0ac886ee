"""How one body moves within one segment: keys in time, and where it is at any instant between them.

Times are parts of the segment in [0, 1], so that the same motion fits segments of any length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamspike.world.life import Actor, Item
from streamspike.world.scene import Body

Key = tuple[float, float, float, float, float]
"""Part of the segment, x, z, lift (metres), tilt (radians)."""

Look = tuple[float, str, str | None, int]
"""Part of the segment from which it holds, pose, kind of what is held, facing."""

STRIDES = {  # metres per cycle of legs or wheels
    "person": 1.4,
    "dog": 0.9,
    "cat": 0.6,
    "car": 2.0,
    "van": 2.1,
    "bicycle": 2.1,
    "forklift": 1.5,
    "cart": 0.6,
    "ball": 1.1,
}
RUNNING_STRIDE = 2.6

LEANING = (0.2, 0.6)
"""Parts of the segment between which somebody leans over or back."""

BED_METRES = 0.44
"""Height at which somebody lies on a bed or a sofa."""

LYING = 1.5707963267948966
"""Tilt of a body flat on the ground, radians."""


@dataclass(slots=True)
class Track:
    """The motion of one body in one segment."""

    body_id: int
    kind: str
    colour: tuple[int, int, int]
    scale: float
    keys: list[Key]
    """In order of time, at least one; before the first and after the last the body rests there."""
    looks: list[Look]
    """In order of time, the first at 0."""
    gait: float = 0.0
    """Cycles at the start of the segment."""
    gesture: float = 0.0
    """How far a hand goes up to the mouth: in the first half of the segment, or, where negative, in the second."""
    lean: tuple[float, float] = (0.0, 0.0)
    """Radians that the trunk leans forward before LEANING and after it."""
    start: float = 0.0  # [start, end) of the segment in which it is there at all
    end: float = 2.0

    def at(self, part: float) -> Body | None:
        """The body after this part of the segment, or None while it is not there."""
        if not self.start <= part < self.end:
            return None
        x, z, lift, tilt = self.place(part)
        _, pose, holds, facing = self.looks[0]
        for look in self.looks:
            if look[0] <= part:
                _, pose, holds, facing = look
        gait = self.gait + self.travelled(part) / stride(self.kind, pose)
        gesture = max(self.gesture * math.sin(2 * math.pi * part), 0.0) if self.gesture else 0.0
        begin, until = LEANING
        share = min(max((part - begin) / (until - begin), 0.0), 1.0)
        lean = (1 - share) * self.lean[0] + share * self.lean[1]
        return Body(
            self.body_id, self.kind, self.colour, x, z, lift, facing, pose, gait, tilt, holds, self.scale, gesture, lean
        )

    def place(self, part: float) -> tuple[float, float, float, float]:
        """x, z, lift and tilt by linear interpolation between the keys."""
        before = self.keys[0]
        for key in self.keys:
            if key[0] > part:
                if key[0] == before[0]:
                    return key[1:]
                w = max(part - before[0], 0.0) / (key[0] - before[0])
                return (
                    before[1] + w * (key[1] - before[1]),
                    before[2] + w * (key[2] - before[2]),
                    before[3] + w * (key[3] - before[3]),
                    before[4] + w * (key[4] - before[4]),
                )
            before = key
        return before[1:]

    def travelled(self, part: float) -> float:
        """Metres along x since the start of the segment, there and back counted."""
        total = 0.0
        for before, after in zip(self.keys, self.keys[1:], strict=False):
            if part >= after[0]:
                total += abs(after[1] - before[1])
            elif part > before[0]:
                total += abs(after[1] - before[1]) * (part - before[0]) / (after[0] - before[0])
        return total


def stride(kind: str, pose: str) -> float:
    return RUNNING_STRIDE if pose == "run" and kind == "person" else STRIDES.get(kind, 1.0)


def pose_of(actor: Actor) -> str:
    """The pose that goes with what the actor is doing."""
    if actor.activity == "move":
        return "walk" if actor.kind in ("person", "dog", "cat") else "roll"
    return "lie" if actor.activity == "rest" else actor.activity


def look_of(actor: Actor, part: float = 0.0) -> Look:
    return part, pose_of(actor), actor.holds, actor.facing


def key_of(actor: Actor, part: float) -> Key:
    lift = BED_METRES if actor.activity == "rest" else 0.0
    return part, actor.x, actor.z, lift, LYING if actor.activity in ("lie", "rest") else 0.0


def actor_track(actor: Actor) -> Track:
    """A track that leaves the actor as it is; the one who moves it appends keys and looks."""
    return Track(
        actor.actor_id, actor.kind, actor.colour, actor.scale, [key_of(actor, 0.0)], [look_of(actor)], actor.gait,
        lean=(actor.lean, actor.lean),
    )  # fmt: skip


def item_track(item: Item) -> Track:
    return Track(
        item.item_id, item.kind, item.colour, item.scale, [(0.0, item.x, item.z, 0.0, 0.0)], [(0.0, "stand", None, 1)]
    )
