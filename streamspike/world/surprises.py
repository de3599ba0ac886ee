"""What surprises: happenings that are possible at almost any time and nearly never take place, with natural rates.

Most are quiet: few pixels change, and what is odd about them is only odd to somebody who knows what was going on.
"""

from __future__ import annotations

from itertools import permutations

from streamspike.world.life import MAX_ACTORS, MAX_ITEMS, Actor, Happening, State

RATES = {  # probability per segment while possible, shared by all the ways in which it is
    "fall": 0.0020,
    "run": 0.0020,
    "turn_back": 0.0020,
    "wrong_way": 0.0018,
    "stop_in_road": 0.0020,
    "drop": 0.0020,
    "throw": 0.0020,
    "ball": 0.0010,
    "leave_behind": 0.0020,
    "item_vanishes": 0.0015,
    "vanish": 0.0015,
    "appear": 0.0008,
    "hit": 0.0020,
    "collide": 0.0020,
    "climb": 0.0013,
    "shelf": 0.0013,
    "intrude": 0.0030,
    "jump": 0.0018,
    "lights_out": 0.0004,
    "camera_moves": 0.0004,
    "covered": 0.0004,
}

SURPRISES: tuple[str, ...] = tuple(RATES)

SELDOM = {  # hardly ever possible: one over the share of segments in which it is
    "leave_behind": 7.0, "collide": 7.0, "intrude": 7.0, "jump": 14.0, "drop": 16.0, "throw": 17.0,
    "stop_in_road": 27.0, "hit": 40.0, "shelf": 4.0, "wrong_way": 4.0, "climb": 5.0,
}  # fmt: skip
"""What a script takes in place of a kind that is not possible, so many times as often as the rest: who learns from
scripts would otherwise see a hundred falls for one car that stops. A script that asks for any kind takes the rates."""

INTRUDERS = ("bicycle", "car", "cart")
"""What does not belong on a walkway."""

LOUD = ("lights_out", "camera_moves", "covered")
"""Every pixel changes; a frame difference finds them as well."""

LOUD_SHARE = 0.12
"""How often a scripted surprise is one of them."""


def surprises(state: State) -> dict[str, list[Happening]]:
    """The ways in which each kind of surprise is possible now; kinds that are not possible are absent."""
    if state.blind:
        return {}
    ways = {kind: [Happening(kind)] for kind in LOUD}
    ways |= actor_surprises(state) | item_surprises(state) | scene_surprises(state)
    ways |= {"hit": hits(state), "collide": collisions(state)}
    return {kind: ways[kind] for kind in SURPRISES if ways.get(kind)}


def surprising(ways: dict[str, list[Happening]]) -> list[tuple[float, Happening]]:
    """The surprising part of the table: each kind's rate, shared by its ways."""
    return [(RATES[kind] / len(happenings), happening) for kind, happenings in ways.items() for happening in happenings]


def actor_surprises(state: State) -> dict[str, list[Happening]]:
    ways: dict[str, list[Happening]] = {}

    def can(kind: str, actor: Actor, what: str = "") -> None:
        ways.setdefault(kind, []).append(Happening(kind, actor.actor_id, what=what, side=actor.facing))

    for actor in state.actors:
        if not state.inside(actor.x, actor.z) or state.at_edge(actor):
            continue
        can("vanish", actor)
        upright = actor.activity in ("move", "stand", "run")
        if actor.kind == "person" and actor.activity != "lie":
            can("fall", actor)  # off a seat and out of bed as well
        if actor.kind == "person" and upright:
            if actor.activity != "run" and state.ahead(actor) > 3.0:
                can("run", actor)
            if actor.holds == "ball" and state.ahead(actor) > 2.0:
                can("throw", actor)
            # What it lets go of must land in the picture, and the one who walks on must be seen to do so.
            free = state.is_clear(actor.x + 0.55 * actor.facing)
            room = free and len(state.items) < MAX_ITEMS and state.room_ahead(actor)
            if actor.holds == "bag" and actor.moving and room:
                can("leave_behind", actor, "bag")
            if actor.holds == "box" and room:
                can("drop", actor, "box")
        # In a room people walk to and fro; outside they are on their way.
        if actor.kind in ("person", "dog", "cart") and actor.activity == "move" and state.scene.name != "room":
            can("turn_back", actor)
        on_road = state.scene.lane(actor.lane).direction != 0
        if actor.kind == "car" and on_road and actor.activity == "move" and state.inside(actor.x, actor.z, 0.2):
            can("stop_in_road", actor)
        if actor.kind in ("cat", "dog"):
            can("jump", actor)
    return ways


def item_surprises(state: State) -> dict[str, list[Happening]]:
    ways = {"item_vanishes": [Happening("item_vanishes", None, item.item_id, what=item.kind) for item in state.items]}
    if len(state.items) < MAX_ITEMS:
        ways["ball"] = [Happening("ball", what="ball", side=side) for side in (-1, 1)]
        ways["appear"] = [Happening("appear", what=kind) for kind in ("box", "bag")]
        if "shelf_x" in state.scene.props:
            ways["shelf"] = [Happening("shelf", what="box")]
    return ways


def scene_surprises(state: State) -> dict[str, list[Happening]]:
    if len(state.actors) >= MAX_ACTORS:
        return {}
    wrong = [
        Happening("wrong_way", what="car", lane=lane.name, side=-lane.direction)
        for lane in state.scene.lanes
        if lane.direction and state.lane_is_free(lane.name)
    ]
    climbing = [Happening("climb", what="person", lane="track")] if state.scene.name == "yard" else []
    intruding = [
        Happening("intrude", what=kind, lane="path", side=side)
        for kind in INTRUDERS
        for side in (-1, 1)
        if state.scene.name == "walkway" and state.lane_is_free("path")
    ]
    return {"wrong_way": wrong, "climb": climbing, "intrude": intruding}


def hits(state: State) -> list[Happening]:
    """Vehicles that could swerve into somebody just ahead of them."""
    return [
        Happening("hit", vehicle.actor_id, person.actor_id, side=vehicle.facing)
        for vehicle, person in permutations(state.actors, 2)
        if vehicle.kind in ("car", "van", "forklift")
        and vehicle.activity == "move"
        and not state.at_edge(vehicle)
        and can_be_struck(state, person)
        and vehicle.length / 2 < (person.x - vehicle.x) * vehicle.facing < vehicle.length / 2 + 4.0
        and abs(person.z - vehicle.z) < 4.0
    ]


def collisions(state: State) -> list[Happening]:
    """Pairs of people near enough to run into each other; the walking one is knocked over."""
    return [
        Happening("collide", one.actor_id, two.actor_id)
        for one, two in permutations(state.actors, 2)
        if one.actor_id < two.actor_id
        and can_be_struck(state, one)
        and can_be_struck(state, two)
        and abs(one.x - two.x) < 3.0
        and abs(one.z - two.z) < 1.5
        and (one.moving or two.moving)
    ]


def can_be_struck(state: State, actor: Actor) -> bool:
    return actor.kind == "person" and actor.activity in ("move", "stand", "run") and state.inside(actor.x, actor.z)
