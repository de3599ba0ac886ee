"""The stage of a simulated camera: a pinhole camera over a ground plane, and the bodies on it at one instant.

World axes: x metres to the right of the optical axis, z metres away along the ground, y metres above the ground.
The life of the scene (`life.py`) makes snapshots; the painter (`painter.py`) turns a snapshot into pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

SCENES = ("street", "room", "yard")

KINDS = ("person", "car", "van", "bicycle", "dog", "cat", "forklift", "cart", "box", "bag", "ball")
"""Everything that can be a body. The position in this tuple plus one is its class in dense labels; 0 is background."""

SIZES = {  # (length along x when it faces sideways, height), metres
    "person": (0.55, 1.75),
    "car": (3.6, 1.45),
    "van": (4.4, 2.2),
    "bicycle": (1.7, 1.75),
    "dog": (1.0, 0.7),
    "cat": (0.7, 0.45),
    "forklift": (2.4, 2.1),
    "cart": (1.3, 1.1),
    "box": (0.6, 0.5),
    "bag": (0.5, 0.45),
    "ball": (0.35, 0.35),
}


@dataclass(frozen=True, slots=True)
class Camera:
    """A fixed pinhole camera. `aspect` is width / height of its picture; projections are in [0, 1] of the picture."""

    half_fov: float
    """Half the horizontal field of view, radians."""
    height: float
    """Metres above the ground."""
    pitch: float
    """Radians below the horizon that the optical axis points."""
    aspect: float

    def project(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """World point to (u, v, scale): u right, v down, in [0, 1] when visible; scale in picture widths per metre."""
        dy = y - self.height
        forward = z * math.cos(self.pitch) - dy * math.sin(self.pitch)
        up = z * math.sin(self.pitch) + dy * math.cos(self.pitch)
        scale = 0.5 / (math.tan(self.half_fov) * max(forward, 0.1))
        return 0.5 + x * scale, 0.5 - up * scale * self.aspect, scale

    def half_width(self, z: float) -> float:
        """Metres visible to either side of the axis on the ground at distance z."""
        return 0.5 / self.project(0.0, 0.0, z)[2]


@dataclass(frozen=True, slots=True)
class Body:
    """One thing at one instant."""

    body_id: int
    kind: str
    """One of KINDS."""
    colour: tuple[int, int, int]
    """RGB of clothes, paint, fur or cardboard."""
    x: float
    z: float
    lift: float = 0.0
    """Metres above the ground (thrown, jumping, falling off something)."""
    facing: int = 1
    """+1 right, -1 left."""
    pose: str = "stand"
    """stand | walk | run | sit | lie | crouch | climb for people and animals; roll | stand | knocked else."""
    gait: float = 0.0
    """Phase of legs or wheels, in cycles."""
    tilt: float = 0.0
    """Radians from upright towards `facing`: 0 upright, pi/2 flat on the ground. Used while falling."""
    holds: str | None = None
    """Kind of the object in hand (box, bag, ball), drawn with the body and not as a body of its own."""
    scale: float = 1.0
    """Individual size."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the painter needs to draw the instant `seconds` (ambience apart, which is its own)."""

    seconds: float
    bodies: tuple[Body, ...]
    light: float = 1.0
    """1 lights on / daylight, 0 lights out (a trace of light remains)."""
    shift: tuple[float, float] = (0.0, 0.0)
    """How far the camera was knocked: what was at (u, v) is now at (u + shift[0], v + shift[1])."""
    roll: float = 0.0
    """Radians the camera was rotated by."""
    cover: float = 0.0
    """0 free, 1 something covers the lens."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Where bodies move: a strip of ground at distance z."""

    name: str
    z: float
    kinds: tuple[str, ...]
    direction: int
    """+1 traffic goes right, -1 left, 0 both."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A place and its camera; everything about it that never changes during a run."""

    name: str
    seed: int
    camera: Camera
    lanes: tuple[Lane, ...]
    props: dict[str, float] = field(default_factory=dict)
    """Fixed places in metres, e.g. room: seat_x, seat_z, door_x; yard: shelf_x; street: bench_x."""

    def lane(self, name: str) -> Lane:
        return next(lane for lane in self.lanes if lane.name == name)


def build_scene(name: str, seed: int, aspect: float = 4 / 3) -> Scene:
    """The scene of this name with this seed's camera position and furniture. Deterministic on any machine."""
    rng = np.random.default_rng([seed, SCENES.index(name), 1])

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    lanes: tuple[Lane, ...]
    if name == "street":
        camera = Camera(math.radians(between(31, 36)), between(3.2, 4.5), math.radians(between(14, 19)), aspect)
        lanes = (
            Lane("pavement", between(6.6, 7.2), ("person", "dog"), 0),
            Lane("near road", between(9.0, 9.6), ("car", "van", "bicycle"), 1),
            Lane("far road", between(11.8, 12.6), ("car", "van", "bicycle"), -1),
        )
        props = {"bench_x": between(-2.4, 2.4), "bench_z": lanes[0].z + 0.5}
    elif name == "room":
        camera = Camera(math.radians(between(32, 38)), between(2.1, 2.7), math.radians(between(13, 18)), aspect)
        lanes = (Lane("floor", between(4.6, 5.4), ("person", "cat"), 0),)
        props = {
            "seat_x": between(-1.8, 1.8),
            "seat_z": lanes[0].z + 0.4,
            "door_x": float(rng.choice([-1.0, 1.0])) * 2.6,
        }
    else:
        camera = Camera(math.radians(between(32, 37)), between(3.5, 5.0), math.radians(between(16, 21)), aspect)
        lanes = (
            Lane("aisle", between(6.8, 7.4), ("person", "cart"), 0),
            Lane("track", between(9.4, 10.2), ("forklift", "person"), 0),
        )
        props = {"shelf_x": between(-2.5, 2.5), "shelf_z": lanes[1].z + 1.6}
    return Scene(name, seed, camera, lanes, props)
