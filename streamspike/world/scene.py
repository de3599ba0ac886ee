"""The stage of a simulated camera: a pinhole camera over a ground plane, and the bodies on it at one instant.

World axes: x metres to the right of the optical axis, z metres away along the ground, y metres above the ground.
The life of the scene (`life.py`) makes snapshots; the painter (`painter.py`) turns a snapshot into pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

SCENES = ("street", "room", "yard", "walkway")

KINDS = ("person", "car", "van", "bicycle", "dog", "cat", "forklift", "cart", "box", "bag", "ball")
"""Everything that can be a body. The position in this tuple plus one is its class in dense labels; 0 is background."""

SEATS = ("sofa", "bed", "chair")
"""What a room has to sit on; one can lie down on the first two."""

CLOSE_SHARE = 0.6
"""Of the cameras in rooms: at the height of a shelf or a desk, so near that a person fills the picture."""

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
    gesture: float = 0.0
    """What the arms of somebody who stays in place do: 0 hang, 1 a hand at the mouth."""
    lean: float = 0.0
    """Radians by which the trunk of a person leans further forward than the pose has it."""


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
    """Fixed places in metres, e.g. room: seat_x, seat_z, door_x; yard: shelf_x; street: bench_x; and what stands there:
    `seat` is the position in SEATS."""

    def lane(self, name: str) -> Lane:
        return next(lane for lane in self.lanes if lane.name == name)


def build_scene(name: str, seed: int, aspect: float = 4 / 3) -> Scene:
    """The scene of this name with this seed's camera position and furniture. Deterministic on any machine."""
    rng = np.random.default_rng([seed, SCENES.index(name), 1])

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def looking(half_fov: tuple[float, float], height: float, z: float, aim: float) -> Camera:
        """A camera that has the point `aim` metres above the ground at distance z on its axis."""
        return Camera(math.radians(between(*half_fov)), height, math.atan2(height - aim, z), aspect)

    lanes: tuple[Lane, ...]
    if name == "street":
        near = between(6.0, 8.5)
        lanes = (
            Lane("pavement", near, ("person", "dog"), 0),
            Lane("near road", near + between(2.2, 2.8), ("car", "van", "bicycle"), 1),
            Lane("far road", near + between(4.9, 6.0), ("car", "van", "bicycle"), -1),
        )
        camera = looking((28, 38), between(2.8, 5.5), lanes[1].z, between(0.6, 1.6))
        props = {"bench_x": 0.5 * between(-1, 1) * camera.half_width(near), "bench_z": near + 0.5}
    elif name == "room":
        close = between(0.0, 1.0) < CLOSE_SHARE
        z = between(1.7, 3.4) if close else between(2.9, 5.4)
        lanes = (Lane("floor", z, ("person", "cat"), 0),)
        height = between(0.8, 1.7) if close else between(1.5, 2.8)
        aim = between(0.65, 1.05) if close else between(0.8, 1.2)
        camera = looking((23, 33) if close else (29, 38), height, z, aim)
        half = camera.half_width(z)
        props = {
            "seat_x": 0.5 * between(-1, 1) * half,
            "seat_z": z + 0.4,
            "door_x": float(rng.choice([-1.0, 1.0])) * 0.75 * half,
            "seat": float(rng.choice(len(SEATS), p=(0.35, 0.4, 0.25))),
        }
    elif name == "yard":
        near = between(6.4, 8.0)
        lanes = (
            Lane("aisle", near, ("person", "cart"), 0),
            Lane("track", near + between(2.5, 2.9), ("forklift", "person"), 0),
        )
        camera = looking((30, 38), between(3.0, 5.5), lanes[0].z + 1.3, between(0.6, 1.4))
        shelf_z = lanes[1].z + 1.6
        props = {"shelf_x": 0.5 * between(-1, 1) * camera.half_width(shelf_z), "shelf_z": shelf_z}
    else:
        near = between(10.0, 14.5)
        lanes = (
            Lane("path", near, ("person", "dog"), 0),
            Lane("back path", near + between(2.6, 3.4), ("person",), 0),
        )
        camera = looking((23, 32), between(5.0, 9.0), near + 1.5, between(0.2, 1.0))
        props = {}
    return Scene(name, seed, camera, lanes, props)
