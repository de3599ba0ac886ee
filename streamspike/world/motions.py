"""Motions that more than one happening is made of: going on, arriving, leaving, handing over, new bodies.

Each function changes the state and appends to tracks; x and z of an actor follow from its track when the segment ends.
"""

from __future__ import annotations

from random import Random

from streamspike.world.life import ARRIVAL_SHARE, HURRIES, INDOORS, SPEEDS, VEHICLES, Actor, Item, State
from streamspike.world.tracks import Track, actor_track, item_track, look_of, stride

Colour = tuple[int, int, int]

CLOTHES: tuple[Colour, ...] = (
    (196, 48, 44), (38, 84, 168), (52, 132, 70), (222, 182, 58), (236, 236, 232), (44, 44, 50), (214, 112, 40),
    (128, 70, 150), (70, 160, 170), (208, 130, 150),
)  # fmt: skip
PAINTS: tuple[Colour, ...] = (
    (176, 32, 34), (32, 66, 142), (232, 232, 230), (34, 36, 40), (142, 148, 154), (40, 96, 62), (216, 174, 52),
    (90, 130, 170),
)  # fmt: skip
FURS: tuple[Colour, ...] = (
    (60, 44, 34),
    (142, 98, 58),
    (34, 32, 32),
    (206, 178, 138),
    (226, 222, 214),
    (120, 116, 112),
)
OBJECTS: dict[str, Colour] = {"box": (188, 146, 92), "bag": (104, 62, 38), "ball": (226, 84, 44)}
"""One colour per kind: what lies on the ground must look like what somebody held a moment ago."""

BURDENS = {  # what somebody arrives with: kind and chance; the rest comes with empty hands
    ("street", "person"): (("bag", 0.35), ("ball", 0.12), ("box", 0.08)),
    ("room", "person"): (("bag", 0.2), ("box", 0.12), ("ball", 0.1)),
    ("yard", "person"): (("box", 0.35), ("bag", 0.15)),
    ("yard", "forklift"): (("box", 0.35),),
    ("walkway", "person"): (("bag", 0.3), ("ball", 0.05)),
}

ITEM_SCALES = (1.15, 1.45)
INDOOR_SCALES = (0.8, 1.1)
"""Outside, suitcases and crates rather than handbags and parcels: to be seen in a picture of 96 px."""

HURRY_CHANCE = 0.12
"""Of somebody who is slow, and again of somebody who is quick."""


def colour_of(kind: str, rng: Random) -> Colour:
    palettes = {"person": CLOTHES, "dog": FURS, "cat": FURS}
    r, g, b = OBJECTS[kind] if kind in OBJECTS else rng.choice(palettes.get(kind, PAINTS))
    light = rng.uniform(0.85, 1.1)
    return min(255, int(r * light)), min(255, int(g * light)), min(255, int(b * light))


def new_actor(state: State, kind: str, lane: str, facing: int, rng: Random) -> Actor:
    """Somebody of this kind at a free depth of the lane, at x = 0, perhaps with something in hand. Not yet on stage."""
    pick, holds = rng.random(), None
    for burden, chance in BURDENS.get((state.scene.name, kind), ()):
        if pick < chance:
            holds = burden
            break
        pick -= chance
    ease = rng.uniform(*SPEEDS[kind])
    if kind == "person" and state.scene.name == "room":
        ease *= INDOORS
    hurry = rng.choices((-1, 0, 1), (HURRY_CHANCE, 1.0 - 2 * HURRY_CHANCE, HURRY_CHANCE))[0]
    colour, scale = colour_of(kind, rng), rng.uniform(0.93, 1.07)
    return Actor(
        state.new_id(), kind, colour, lane, 0.0, free_depth(state, kind, lane, rng), facing,
        ease=ease * HURRIES[hurry], holds=holds, gait=rng.random(), scale=scale, hurry=hurry,
    )  # fmt: skip


def free_depth(state: State, kind: str, lane_name: str, rng: Random) -> float:
    """z within the lane, so that people pass behind one another."""
    lane = state.scene.lane(lane_name)
    if kind in VEHICLES:
        return lane.z + rng.uniform(-0.1, 0.1)
    slots = [-0.7, 0.7] if "forklift" in lane.kinds else [-0.3, 0.0, 0.3]
    near = -0.25 * lane.z
    if state.scene.name == "room" and state.scene.camera.project(0.0, 0.0, lane.z + near)[1] < 1.0:
        slots.append(near)  # between the furniture and the camera, where the floor is still seen
    rng.shuffle(slots)
    free = [s for s in slots if all(abs(actor.z - lane.z - s) > 0.2 for actor in state.actors)]
    return lane.z + (free or slots)[0] + rng.uniform(-0.05, 0.05)


def new_item(state: State, kind: str, x: float, z: float, rng: Random) -> Item:
    scales = INDOOR_SCALES if state.scene.name == "room" else ITEM_SCALES
    item = Item(state.new_id(), kind, colour_of(kind, rng), x, z, rng.uniform(*scales))
    state.items.append(item)
    return item


def go_on(state: State, actor: Actor, track: Track) -> None:
    """Whatever it did, it does. At the edge it waits to be gone, unless nobody can see it go."""
    if not actor.moving:
        return
    if not state.at_edge(actor):
        move_to(track, 1.0, actor.x + actor.facing * actor.speed * state.segment_seconds)
    elif state.blind:
        leave(state, actor, track)
    elif actor.kind == "person":
        track.looks.append((0.1, "stand", actor.holds, actor.facing))


def move_to(track: Track, part: float, x: float, z: float | None = None, lift: float = 0.0, tilt: float = 0.0) -> None:
    track.keys.append((part, x, track.keys[-1][2] if z is None else z, lift, tilt))


def arrive(state: State, actor: Actor) -> Track:
    """The actor comes in over the edge behind it: well inside after a quarter of the segment."""
    edge = state.edge(actor.z, -actor.facing)
    actor.x = edge
    state.pace(actor)
    step = actor.speed * state.segment_seconds
    actor.x = edge - actor.facing * 0.4 * actor.length
    state.actors.append(actor)
    track = actor_track(actor)
    inside = 0.45 * actor.length  # however slow it is
    move_to(track, 0.2, edge + actor.facing * max(0.2 * step, inside))
    move_to(track, 1.0, edge + actor.facing * max(step, inside))
    return track


def leave(state: State, actor: Actor, track: Track) -> None:
    """The actor goes out over the edge ahead: half outside after a quarter of the segment, gone after three."""
    edge, step = state.edge(actor.z, actor.facing), actor.speed * state.segment_seconds
    middle = edge if state.ahead(actor) > 0 else actor.x
    beyond = max(0.55 * actor.length, 0.5 * step)
    move_to(track, ARRIVAL_SHARE, middle)
    move_to(track, 0.75, middle + actor.facing * beyond)
    move_to(track, 1.0, middle + actor.facing * (beyond + 0.4 * step))
    state.actors.remove(actor)
    state.habits.gone(actor.kind, actor.facing)


def turn_back(state: State, actor: Actor, track: Track) -> None:
    """The other way, a little after a third of the segment."""
    step, part = actor.speed * state.segment_seconds, 0.38
    move_to(track, part, actor.x + actor.facing * part * step)
    actor.facing = -actor.facing
    actor.age = 0
    move_to(track, 1.0, actor.x + actor.facing * (1 - 2 * part) * step)
    track.looks.append(look_of(actor, part))


def become(actor: Actor, activity: str) -> None:
    actor.activity, actor.age = activity, 0


def to_ground(
    state: State, actor: Actor, track: Track, part: float, kind: str, from_lift: float, rng: Random, ahead: float = 0.45
) -> Track:
    """An item leaves the actor's hands at `part` of the segment, `from_lift` metres up, and lies `ahead` metres on."""
    x, z = track.place(part)[0] + ahead * actor.facing, actor.z - 0.25
    falling = item_track(new_item(state, kind, x, z, rng))
    falling.start = part
    falling.keys = [(part, x, z, from_lift, 0.0), (part + 0.15, x, z, 0.0, 0.0)]
    return falling


def settle(state: State, actor: Actor, track: Track) -> None:
    """Take over where the track ended."""
    _, pose, _, _ = track.looks[-1]
    _, actor.x, actor.z, _, _ = track.keys[-1]
    actor.gait = (track.gait + track.travelled(1.0) / stride(actor.kind, pose)) % 1.0
