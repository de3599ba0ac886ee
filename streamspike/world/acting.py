"""Carries out one happening: how everybody moves during the segment, and the state in which it leaves the world.

Sampled twice a segment, at a quarter and at three quarters, every happening shows in its own two pictures: who comes or
goes is on the way by the first, and what changes about who is there changes between them.
"""

from __future__ import annotations

from random import Random

from streamspike.world.life import Actor, Happening, State
from streamspike.world.mishaps import befall
from streamspike.world.motions import arrive, become, go_on, leave, move_to, new_actor, settle, to_ground, turn_back
from streamspike.world.rules import due
from streamspike.world.surprises import SURPRISES
from streamspike.world.tracks import BED_METRES, LYING, Track, actor_track, item_track

BETWEEN = (0.37, 0.5)
"""Parts of the segment between which somebody sets off, sits down, gets up or bends down."""

HALTED = 0.3
"""Part of the segment at which somebody stops."""

HANDED = 0.45
"""Part of the segment at which something is put down or picked up."""

FIDGETS = {"sit": (0.25, -0.15, 0.65), "stand": (0.12, -0.05, 0.2), "crouch": (0.25, -0.3, 0.15)}
"""Of the segments in which somebody goes on so, those in which they lean over or back, and how far (radians)."""

BUSY_HANDS = 0.35
"""Of the segments in which somebody at home goes on as before: eating, drinking, turning a page."""


def act(state: State, happening: Happening, rng: Random) -> list[Track]:
    """Advance the state by one segment, in place, and return the motion of all bodies during it.

    `rng` decides only what nobody has to foresee: colours, speeds, depths, what somebody carries.
    """
    tracks = {actor.actor_id: actor_track(actor) for actor in state.actors}
    tracks |= {item.item_id: item_track(item) for item in state.items}
    concerned = (happening.actor_id, happening.other_id)
    errand = state.habits.errand
    if errand is not None and happening == due(state):
        errand.step += 1
    state.habits.tick()
    for actor in list(state.actors):
        actor.age += 1
        if actor.actor_id not in concerned:
            go_on(state, actor, tracks[actor.actor_id])
            if actor.kind == "person" and state.scene.name == "room" and rng.random() < BUSY_HANDS:
                tracks[actor.actor_id].gesture = rng.uniform(-1.0, 1.0)
            if actor.kind == "person":
                fidget(actor, rng)
        else:
            actor.lean = 0.0
    for track in perform(state, happening, tracks, rng):
        tracks[track.body_id] = track
    for actor in state.actors:
        settle(state, actor, tracks[actor.actor_id])
        tracks[actor.actor_id].lean = tracks[actor.actor_id].lean[0], actor.lean
        if actor.moving and (actor.actor_id in concerned or actor.age == 0):
            state.pace(actor)
    return list(tracks.values())


def fidget(actor: Actor, rng: Random) -> None:
    """Now and then somebody who stays in place leans over to something, or back."""
    often, back, over = FIDGETS.get(actor.activity, (0.0, 0.0, 0.0))
    if rng.random() < often:
        actor.lean = rng.uniform(back, over) if rng.random() < 0.7 else 0.0


def perform(state: State, happening: Happening, tracks: dict[int, Track], rng: Random) -> list[Track]:
    """The happening itself. Appends to the tracks of those concerned, returns the tracks of bodies that are new."""
    kind = happening.kind
    if kind in SURPRISES:
        return befall(state, happening, tracks, rng)
    if kind == "lights_on":
        state.dark = False
    elif kind == "uncovered":
        state.covered = False
    elif kind in ("enter", "deliver"):
        state.habits.come(happening.what, happening.side)
        actor = new_actor(state, happening.what, happening.lane, -happening.side, rng)
        if kind == "deliver":
            actor.holds = "box"
        return [arrive(state, actor)]
    elif kind == "roll_away":
        roll_away(state, happening, tracks, rng)
    elif happening.actor_id is not None:
        actor = state.actor(happening.actor_id)
        return act_alone(state, actor, happening, tracks, rng)
    return []


def act_alone(state: State, actor: Actor, happening: Happening, tracks: dict[int, Track], rng: Random) -> list[Track]:
    track = tracks[actor.actor_id]
    match happening.kind:
        case "leave":
            leave(state, actor, track)
        case "stop":
            halt(state, actor, track)
        case "start":
            actor.facing = happening.side or actor.facing
            start(state, actor, track, rng.uniform(*BETWEEN))
        case "sit":
            sit_down(state, actor, track, rng.uniform(*BETWEEN))
        case "get_up":
            get_up(state, actor, track, rng.uniform(*BETWEEN))
        case "bend":
            bend(actor, track, rng.uniform(*BETWEEN))
        case "lie_down":
            lie_down(state, actor, track)
        case "turn":
            turn_back(state, actor, track)
        case "put_down":
            place = state.box_place()
            assert place is not None, "the table has nobody put down a box where there is no room"
            stoop(actor, track, place, None)
            return [to_ground(state, actor, track, HANDED, happening.what, 0.4, rng)]
        case "pick_up":
            item = state.item(happening.other_id)
            state.items.remove(item)
            tracks[item.item_id].end = HANDED
            stoop(actor, track, item.x, item.kind)
        case _:
            raise AssertionError(f"nobody knows how to {happening.kind}")
    return []


def halt(state: State, actor: Actor, track: Track) -> None:
    """Comes to a stand at `HALTED` of the segment, so that it hardly moves between its two pictures."""
    move_to(track, HALTED, actor.x + actor.facing * 0.2 * actor.speed * state.segment_seconds)
    become(actor, "stand")
    track.looks.append((HALTED, "stand", actor.holds, actor.facing))


def start(state: State, actor: Actor, track: Track, part: float) -> None:
    """Sets off at `part` of the segment the way it faces, but not over the edge at once."""
    reach, ahead = actor.ease * state.segment_seconds, max(state.ahead(actor), 0.0)
    become(actor, "move")
    move_to(track, part, actor.x)
    move_to(track, 1.0, actor.x + actor.facing * min(0.75 * reach, max(ahead - 0.25 * reach, 0.3 * ahead)))
    track.looks.append((part, "walk" if actor.kind in ("person", "dog", "cat") else "roll", actor.holds, actor.facing))


def sit_down(state: State, actor: Actor, track: Track, part: float) -> None:
    """A person on the seat of the place, a cat where it is."""
    x, z = actor.x + actor.facing * 0.15 * actor.speed * state.segment_seconds, actor.z
    if actor.kind == "person":
        props = state.scene.props
        x = props.get("seat_x", props.get("bench_x", x))
        z = props.get("seat_z", props.get("bench_z", z)) - 0.1
    move_to(track, part, x, z)
    become(actor, "sit")
    track.looks.append((part, "sit", actor.holds, actor.facing))


def get_up(state: State, actor: Actor, track: Track, part: float) -> None:
    """Who sits or crouches gets up at `part` of the segment; who lies begins at once."""
    lying = actor.activity in ("lie", "rest")
    seated = actor.activity in ("sit", "rest") and actor.kind == "person"
    begin = 0.1 if lying else part
    _, x, _, lift, tilt = track.keys[0]
    move_to(track, begin, x, lift=lift, tilt=tilt)
    move_to(track, begin + 0.4 if lying else 0.65, x, state.scene.lane(actor.lane).z if seated else actor.z)
    become(actor, "stand")
    track.looks.append((begin, "stand", actor.holds, actor.facing))


def bend(actor: Actor, track: Track, part: float) -> None:
    """Down on the haunches on the spot, at `part` of the segment."""
    move_to(track, part, actor.x + actor.facing * (0.15 * actor.speed if actor.moving else 0.0))
    become(actor, "crouch")
    track.looks.append((part, "crouch", actor.holds, actor.facing))


def lie_down(state: State, actor: Actor, track: Track) -> None:
    """From sitting on a bed or sofa to lying along it, the middle of the body on its middle."""
    middle = state.bed_x
    assert middle is not None, "the table has nobody lie down where there is no bed"
    move_to(track, 0.1, actor.x)
    move_to(track, 0.6, middle - 0.85 * actor.facing, actor.z + 0.35, BED_METRES, LYING)
    become(actor, "rest")
    track.looks += [(0.1, "crouch", actor.holds, actor.facing), (0.3, "lie", actor.holds, actor.facing)]


def stoop(actor: Actor, track: Track, x: float, holds: str | None) -> None:
    """Go to x and bend down there; from HANDED on hold something else; straighten up at the end. Machines just stop."""
    _, pose, held, facing = track.looks[0]
    down = "crouch" if actor.kind == "person" else pose
    way = (x - actor.x) * facing - 0.45  # an arm's length short of it, and never a step back
    move_to(track, 0.22, actor.x + facing * max(way, 0.0))
    track.looks += [(0.2, down, held, facing), (HANDED, down, holds, facing), (0.85, pose, holds, facing)]
    actor.holds = holds


def roll_away(state: State, happening: Happening, tracks: dict[int, Track], rng: Random) -> None:
    ball = state.item(happening.other_id)
    side = rng.choice((-1, 1))
    tracks[ball.item_id].keys.append((1.0, state.edge(ball.z, side) + 0.4 * side, ball.z, 0.0, 0.0))
    state.items.remove(ball)
