"""How surprises move: falls, swerves, things that vanish, balls from nowhere.

At three quarters of the segment the outcome is plain to see. What happens in an instant happens in the middle, so that
frames at one and at three quarters show what was before and what is after.
"""

from __future__ import annotations

from random import Random

from streamspike.world.life import MAX_ITEMS, RUNNING_SPEEDS, Actor, Happening, State
from streamspike.world.motions import arrive, become, go_on, move_to, new_actor, new_item, to_ground, turn_back
from streamspike.world.tracks import LYING, Track, actor_track, item_track, look_of

INSTANT = 0.45
"""Part of the segment after which what vanishes is not there any more, what appears is, and what is let go of falls."""


def befall(state: State, happening: Happening, tracks: dict[int, Track], rng: Random) -> list[Track]:
    """Carry out a surprise. Appends to the tracks of those concerned, returns the tracks of bodies that are new."""
    if happening.actor_id is not None:
        return befall_actor(state, state.actor(happening.actor_id), happening, tracks, rng)
    match happening.kind:
        case "lights_out":
            state.dark = True
        case "covered":
            state.covered = True
        case "camera_moves":
            side = -1 if state.shift[0] > 0 else 1 if state.shift[0] < 0 else rng.choice((-1, 1))
            state.shift = (side * rng.uniform(0.06, 0.12), rng.uniform(-0.07, 0.07))
            state.roll = rng.choice((-1, 1)) * rng.uniform(0.02, 0.07)
        case "item_vanishes":
            item = state.item(happening.other_id)
            tracks[item.item_id].end = INSTANT
            state.items.remove(item)
        case "wrong_way":
            car = new_actor(state, happening.what, happening.lane, happening.side, rng)
            return [arrive(state, car)]
        case "intrude":
            return [arrive(state, new_actor(state, happening.what, happening.lane, -happening.side, rng))]
        case "climb":
            return [climb(state, rng)]
        case "ball":
            return [fly_in(state, happening.side, rng)]
        case "appear":
            return [appear(state, happening.what, rng)]
        case "shelf":
            return [fall_from_shelf(state, rng)]
        case _:
            raise AssertionError(f"nobody knows how to {happening.kind}")
    return []


def befall_actor(
    state: State, actor: Actor, happening: Happening, tracks: dict[int, Track], rng: Random
) -> list[Track]:
    track = tracks[actor.actor_id]
    match happening.kind:
        case "fall":
            fall(state, actor, track, rng)
        case "run":
            run(state, actor, track, rng)
        case "turn_back":
            turn_back(state, actor, track)
        case "stop_in_road":
            move_to(track, INSTANT, actor.x + actor.facing * 0.35 * actor.speed * state.segment_seconds)
            become(actor, "stand")
            track.looks.append(look_of(actor, INSTANT))
        case "drop" | "leave_behind":
            go_on(state, actor, track)
            actor.holds = None
            # What is left behind is let go of early, so that who walks on is clear of it by the second frame.
            part, height, ahead = (INSTANT, 0.9, 0.45) if happening.kind == "drop" else (0.28, 0.15, -0.15)
            track.looks.append(look_of(actor, part))
            return [to_ground(state, actor, track, part, happening.what, height, rng, ahead)]
        case "throw":
            go_on(state, actor, track)
            return [throw(state, actor, track, rng)]
        case "vanish":
            go_on(state, actor, track)
            track.end = INSTANT
            state.actors.remove(actor)
        case "jump":
            jump(state, actor, track)
        case "hit":
            hit(actor, state.actor(happening.other_id), tracks)
        case "collide":
            collide(actor, state.actor(happening.other_id), tracks)
        case _:
            raise AssertionError(f"nobody knows how to {happening.kind}")
    return []


def fall(state: State, actor: Actor, track: Track, rng: Random) -> None:
    """Over like a tree, or down on the knees first; forwards or backwards, fast or slowly; off a seat, out of a bed."""
    begin, until = rng.uniform(0.03, 0.14), rng.uniform(0.5, 0.8)
    slide = 0.1 * actor.speed * state.segment_seconds if actor.moving else 0.0
    away = rng.choice((1, 1, -1))  # more often forwards
    buckles = rng.random() < 0.5 or actor.activity == "crouch"
    _, x, z, lift, tilt = track.keys[0]
    if actor.activity == "rest":
        move_to(track, begin, x, lift=lift, tilt=tilt)
        move_to(track, (begin + until) / 2, x, z - 0.5, 0.8 * lift, tilt)
        move_to(track, until, x, z - 0.9, tilt=tilt)
        become(actor, "lie")
        return
    move_to(track, begin, x + actor.facing * slide)
    if actor.activity == "sit":
        move_to(track, begin + 0.3 * (until - begin), x + 0.2 * actor.facing, z - 0.25, tilt=0.35)
        away, buckles = 1, True
    elif buckles:
        track.looks.append((begin, "crouch", actor.holds, actor.facing))
        knees = begin + 0.45 * (until - begin)
        move_to(track, knees, x + actor.facing * (slide + 0.1 * away), tilt=0.25 * away)
    tumble(actor, track, actor.facing * (slide + 0.3 * away), until, away, "crouch" if buckles else "stand")


def tumble(actor: Actor, track: Track, dx: float, until: float, away: int = 1, pose: str = "stand") -> None:
    """From the last key to flat on the ground, dx metres from where the segment began, at `until`.

    `away` is +1 forwards and -1 backwards; `pose` is what the body looks like on its way down.
    """
    track.looks.append((track.keys[-1][0], pose, actor.holds, actor.facing))
    move_to(track, until, actor.x + dx, tilt=away * LYING)
    become(actor, "lie")
    actor.facing *= away  # a body on its back with its feet here is one on its face with its head there
    track.looks.append((until, "lie", actor.holds, actor.facing))


def run(state: State, actor: Actor, track: Track, rng: Random) -> None:
    become(actor, "run")
    actor.ease, actor.hurry = rng.uniform(*RUNNING_SPEEDS), 0
    state.pace(actor)
    move_to(track, 1.0, actor.x + actor.facing * actor.speed * state.segment_seconds)
    track.looks.append(look_of(actor, 0.05))


def jump(state: State, actor: Actor, track: Track) -> None:
    go_on(state, actor, track)
    end = track.keys.pop() if len(track.keys) > 1 else (1.0, *track.keys[0][1:])
    per_part = (end[1] - actor.x) / end[0]
    for part, lift in ((0.08, 0.0), (0.25, 0.8), (0.6, 0.9), (0.75, 0.7), (0.95, 0.0)):
        move_to(track, part, actor.x + per_part * part, lift=lift)
    move_to(track, 1.0, end[1])
    track.looks.append((0.08, "run", actor.holds, actor.facing))


def hit(vehicle: Actor, person: Actor, tracks: dict[int, Track]) -> None:
    """The vehicle swerves into the person, who goes down, and stays where it is."""
    track, victim = tracks[vehicle.actor_id], tracks[person.actor_id]
    direction = vehicle.facing
    x = person.x - direction * (vehicle.length / 2 + 0.1)
    move_to(track, 0.3, x, person.z + 0.15)
    move_to(track, 0.45, x + direction * 0.3, person.z + 0.15)
    become(vehicle, "stand")
    track.looks.append(look_of(vehicle, 0.4))
    move_to(victim, 0.25, person.x)
    person.facing = direction
    tumble(person, victim, direction * 0.6, 0.5)


def collide(one: Actor, two: Actor, tracks: dict[int, Track]) -> None:
    """Both go for the middle between them; the first falls back, the second stays up."""
    first, second = tracks[one.actor_id], tracks[two.actor_id]
    middle, side = (one.x + two.x) / 2, 1 if one.x >= two.x else -1
    one.facing, two.facing = side, side
    z = (one.z + two.z) / 2
    move_to(first, 0.22, middle + side * 0.2, z - 0.05)
    move_to(second, 0.22, middle - side * 0.2, z + 0.05)
    tumble(one, first, middle + side * 0.7 - one.x, 0.5)
    move_to(second, 0.5, middle - side * 0.5)
    become(two, "stand")
    second.looks.append(look_of(two, 0.22))


def throw(state: State, actor: Actor, track: Track, rng: Random) -> Track:
    """The ball flies ahead of the one who threw it; it stays if it comes down within the picture."""
    x, z = actor.x + 0.3 * actor.facing, actor.z - 0.1
    actor.holds = None
    track.looks.append((0.1, track.looks[-1][1], None, actor.facing))
    ball = new_item(state, "ball", x + actor.facing * rng.uniform(3.0, 4.5), z, rng)
    flight = item_track(ball)
    flight.start = 0.1
    flight.keys = [
        (0.1, x, z, 1.4, 0.0),
        (0.3, x + 0.35 * (ball.x - x), z, 2.3, 0.0),
        (0.55, x + 0.7 * (ball.x - x), z, 1.6, 0.0),
        (0.8, x + 0.95 * (ball.x - x), z, 0.0, 0.0),
        (1.0, ball.x, z, 0.0, 0.0),
    ]
    if len(state.items) > MAX_ITEMS or not state.inside(ball.x, z, 0.02):
        state.items.remove(ball)
    return flight


def fly_in(state: State, side: int, rng: Random) -> Track:
    z = state.scene.lanes[0].z + rng.uniform(-0.4, 1.0)
    edge, half = state.edge(z, side), state.scene.camera.half_width(z)
    way = -side * half * rng.uniform(0.7, 1.3)
    ball = new_item(state, "ball", edge + way, z, rng)
    track = item_track(ball)
    arc = ((0.0, -0.05, 1.3), (0.25, 0.4, 1.7), (0.45, 0.7, 0.0), (0.6, 0.82, 0.5), (0.75, 0.92, 0.0), (1.0, 1.0, 0.0))
    track.keys = [(part, edge + share * way, z, lift, 0.0) for part, share, lift in arc]
    return track


def appear(state: State, kind: str, rng: Random) -> Track:
    """Out of nothing, and not beside somebody who could have put it there."""
    z = state.scene.lanes[0].z + rng.uniform(-0.5, 0.3)
    half = state.scene.camera.half_width(z)
    places = [rng.uniform(-0.6, 0.6) * half for _ in range(8)]

    def apart(x: float) -> bool:
        return state.is_clear(x) and all(abs(state.halfway(actor) - x) > 1.0 for actor in state.actors)

    track = item_track(new_item(state, kind, next(filter(apart, places), places[0]), z, rng))
    track.start = INSTANT
    return track


def fall_from_shelf(state: State, rng: Random) -> Track:
    props = state.scene.props
    x, z = props["shelf_x"] + rng.uniform(-0.6, 0.6), props["shelf_z"] - 0.4
    box = new_item(state, "box", x, z - 0.4, rng)
    box.scale *= rng.uniform(1.2, 1.7)  # a crate: what stands on the shelf is far from the camera
    track = item_track(box)
    track.keys = [(0.35, x, z, 1.7, 0.0), (0.55, x, z - 0.3, 0.0, 0.5), (0.6, x, z - 0.4, 0.0, 0.0)]
    return track


def climb(state: State, rng: Random) -> Track:
    """Somebody comes over the fence at the back and stands there."""
    props = state.scene.props
    z = props["shelf_z"] + 1.2
    intruder = new_actor(state, "person", "track", rng.choice((-1, 1)), rng)
    intruder.holds = None
    beside = rng.uniform(2.0, 4.0) * (-1 if props["shelf_x"] > 0 else 1)  # the shelf would be in the way
    intruder.x, intruder.z = props["shelf_x"] + beside, z
    become(intruder, "stand")
    state.actors.append(intruder)
    track = actor_track(intruder)
    track.start = 0.05
    track.keys = [(0.05, intruder.x, z, 1.9, 0.0), (0.3, intruder.x, z, 1.5, 0.0), (0.6, intruder.x, z, 0.0, 0.0)]
    track.looks = [(0.0, "climb", None, intruder.facing), (0.6, "stand", None, intruder.facing)]
    return track
