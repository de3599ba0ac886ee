"""The state of a simulated camera between two segments: who is there, doing what, and what a happening is.

Distances in metres in the axes of `scene.py`. Nothing here is random: `happenings.py` says what may happen next
and with what probability, `acting.py` carries one happening out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamspike.world.habits import Habits
from streamspike.world.scene import SEATS, SIZES, Scene

MAX_ACTORS = 3
MAX_ITEMS = 3

VEHICLES = ("car", "van", "bicycle", "forklift")
LIVING = ("person", "dog", "cat")

SPEEDS = {  # (slowest, fastest) metres per second when it moves at its ease
    "person": (1.0, 1.5),
    "car": (2.6, 3.8),
    "van": (2.4, 3.2),
    "bicycle": (2.2, 3.0),
    "dog": (1.3, 1.7),
    "cat": (0.8, 1.2),
    "forklift": (1.5, 2.0),
    "cart": (1.0, 1.3),
}
RUNNING_SPEEDS = (3.5, 4.5)
INDOORS = 0.65
"""Part of its speed at which a person walks about in a room."""

HURRIES = {-1: 0.5, 0: 1.0, 1: 1.8}
"""Slowly, at its ease, quickly: parts of the speeds above, so far apart that two frames tell them from each other."""

ABOUT_AS_NEAR = 1.15
"""Bodies up to so many times as far as the nearest one are about as near as it."""

ARRIVAL_SHARE = 0.25
"""A body that leaves reaches the edge of the picture with its middle after this part of the segment."""


@dataclass(frozen=True, slots=True)
class Happening:
    """The one thing that happens in a segment. Equal happenings in equal states have equal sentences."""

    kind: str
    actor_id: int | None = None
    """The actor it happens to."""
    other_id: int | None = None
    """The second actor (hit, collide) or the item (pick_up, item_vanishes)."""
    what: str = ""
    """Kind of the body that comes into being or changes hands (enter, appear, put_down, ...)."""
    lane: str = ""
    side: int = 0
    """-1 from or to the left, +1 the right, 0 when it has no side."""


@dataclass(slots=True)
class Actor:
    """One of the principals: somebody or something that moves by itself."""

    actor_id: int
    kind: str
    colour: tuple[int, int, int]
    lane: str
    x: float
    z: float
    facing: int
    """+1 right, -1 left."""
    activity: str = "move"
    """move | run | stand | sit | crouch | rest (lies on a bed or sofa) | lie (lies on the ground)."""
    speed: float = 0.0
    """Metres per second while it moves or runs."""
    ease: float = 1.0
    """The speed it would choose, metres per second; `speed` is near it, and right for the edge (see `State.pace`)."""
    holds: str | None = None
    age: int = 0
    """Whole segments since the activity began."""
    gait: float = 0.0
    """Cycles."""
    scale: float = 1.0
    hurry: int = 0
    """One of HURRIES."""
    lean: float = 0.0
    """Radians that a person who stays in place leans forward."""

    @property
    def length(self) -> float:
        return SIZES[self.kind][0] * self.scale

    @property
    def moving(self) -> bool:
        return self.activity in ("move", "run")


@dataclass(slots=True)
class Item:
    """An object that lies around."""

    item_id: int
    kind: str
    colour: tuple[int, int, int]
    x: float
    z: float
    scale: float = 1.0


@dataclass(slots=True)
class State:
    """Everything the next segment depends on. Changed in place by `acting.act`, by nobody else."""

    scene: Scene
    segment_seconds: float
    actors: list[Actor] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    dark: bool = False
    covered: bool = False
    shift: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0
    next_id: int = 1
    habits: Habits = field(default_factory=Habits)
    """What is particular about this camera; its surprises are none to somebody who knows it."""

    @property
    def blind(self) -> bool:
        return self.dark or self.covered

    def actor(self, actor_id: int | None) -> Actor:
        return next(actor for actor in self.actors if actor.actor_id == actor_id)

    def item(self, item_id: int | None) -> Item:
        return next(item for item in self.items if item.item_id == item_id)

    def edge(self, z: float, side: int) -> float:
        """x where the picture ends at distance z, on the left (side -1) or right (+1), as the camera looks now."""
        return self.scene.camera.half_width(z) * (side - 2.0 * self.shift[0])

    def ahead(self, actor: Actor) -> float:
        """Metres from the middle of the actor to the edge of the picture it faces."""
        return (self.edge(actor.z, actor.facing) - actor.x) * actor.facing

    def across(self, x: float, z: float) -> float:
        """How far to the right x at distance z is seen, as a part of the picture's width: 0 at its left edge."""
        left, right = self.edge(z, -1), self.edge(z, 1)
        return (x - left) / (right - left)

    def place(self, x: float, z: float) -> int:
        """The third of the picture in which x at distance z is seen: -1 left, 0 middle, +1 right."""
        part = self.across(x, z)
        return -1 if part < 1 / 3 else 1 if part > 2 / 3 else 0

    def halfway(self, actor: Actor) -> float:
        """x of the actor in the middle of the coming segment if it goes on as before."""
        return actor.x + (0.5 * actor.facing * actor.speed * self.segment_seconds if actor.moving else 0.0)

    def inside(self, x: float, z: float, margin: float = 0.15) -> bool:
        """Whether x is in the picture at distance z, at least `margin` of half the picture's width from its edges."""
        half = self.scene.camera.half_width(z)
        return self.edge(z, -1) + margin * half <= x <= self.edge(z, 1) - margin * half

    def at_edge(self, actor: Actor) -> bool:
        """The actor goes out of the picture in the coming segment unless something else happens."""
        reach = ARRIVAL_SHARE * actor.speed * self.segment_seconds
        return actor.moving and self.ahead(actor) <= reach + 1e-6

    def lane_is_free(self, lane: str) -> bool:
        """No vehicle is in the lane; vehicles have a lane each, people pass one another."""
        return all(actor.lane != lane or actor.kind not in VEHICLES for actor in self.actors)

    def room_ahead(self, actor: Actor) -> bool:
        """Who goes on will still be seen to do so: two metres to the edge, less where a camera is near."""
        return self.ahead(actor) > min(2.0, 0.8 * self.scene.camera.half_width(actor.z))

    @property
    def bed_x(self) -> float | None:
        """x of what one can lie down on, or None."""
        soft = SEATS[int(self.scene.props.get("seat", SEATS.index("chair")))] != "chair"
        return self.scene.props["seat_x"] if soft else None

    def is_clear(self, x: float) -> bool:
        """No item lies so near x that one more would hide it or be hidden."""
        return all(abs(item.x - x) >= 0.7 for item in self.items)

    def box_place(self) -> float | None:
        """x where the next box is put down: the shelf or the seat, or right beside it, or nowhere if all is taken."""
        middle = self.scene.props.get("shelf_x", self.scene.props.get("seat_x"))
        if middle is None or len(self.items) >= MAX_ITEMS:
            return None
        return next((middle + aside for aside in (0.0, 0.8, -0.8) if self.is_clear(middle + aside)), None)

    def pace(self, actor: Actor) -> None:
        """Set the actor's speed so that it reaches the edge it faces `ARRIVAL_SHARE` after a boundary of segments.

        So leaving is visible: half outside a quarter into its segment, and gone at the end. At least one whole segment
        of motion remains unless the actor is at the edge already.
        """
        per_segment = actor.ease * self.segment_seconds
        distance = self.ahead(actor)
        if distance <= ARRIVAL_SHARE * per_segment:
            actor.speed = actor.ease
            return
        num_segments = max(1, round(distance / per_segment - ARRIVAL_SHARE))
        actor.speed = distance / (num_segments + ARRIVAL_SHARE) / self.segment_seconds

    def foremost(self) -> Actor | None:
        """Whom the picture is about when nothing happens: the nearest to the camera.

        Of several about as near, which is hard to tell in a picture, one that lies on the ground, else one that moves,
        and of those the leftmost, as one reads.
        """
        nearest = min((actor.z for actor in self.actors), default=0.0)
        near = [actor for actor in self.actors if actor.z <= ABOUT_AS_NEAR * nearest]

        def across(actor: Actor) -> float:
            return self.across(self.halfway(actor), actor.z)

        return min(near, key=lambda actor: (actor.activity != "lie", not actor.moving, across(actor)), default=None)

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1
