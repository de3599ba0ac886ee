"""What ordinarily may happen next: arrivals, departures, stops and starts, seats and boxes, with their probabilities.

Probabilities are per segment. None is below `LEAST`, so that what is rare is rare by intention (`surprises.py`).
What they depend on can be seen in the last few seconds of the picture, or learned by whoever remembers what came and
went before (`habits.py`); nobody has a hidden plan.
"""

from __future__ import annotations

from streamspike.world.life import MAX_ACTORS, VEHICLES, Actor, Happening, State
from streamspike.world.scene import Scene

Outcome = tuple[float, Happening]

LEAST = 0.015
"""An ordinary happening that would be less likely than this does not happen at all."""

LEAVES = 0.93
"""Share of the table that belongs to leaving when somebody is at the edge."""

BUSY = 0.85
"""Most that ordinary happenings together may have; the rest is going on as before."""

Arrivals = tuple[tuple[str, str, int, tuple[float, float, float]], ...]

ARRIVALS: dict[str, Arrivals] = {  # kind, lane, side, probability with 0, 1, 2 actors there already
    "street": (
        ("person", "pavement", -1, (0.055, 0.03, 0.02)),
        ("person", "pavement", 1, (0.055, 0.03, 0.02)),
        ("car", "near road", -1, (0.05, 0.025, 0.02)),
        ("car", "far road", 1, (0.05, 0.025, 0.02)),
        ("van", "near road", -1, (0.025, 0.018, 0.0)),
        ("bicycle", "far road", 1, (0.025, 0.018, 0.0)),
        ("dog", "pavement", -1, (0.03, 0.018, 0.0)),
    ),
    "room": (
        ("person", "floor", -1, (0.075, 0.02, 0.0)),
        ("person", "floor", 1, (0.075, 0.02, 0.0)),
        ("cat", "floor", -1, (0.02, 0.015, 0.0)),
        ("cat", "floor", 1, (0.02, 0.015, 0.0)),
    ),
    "yard": (
        ("person", "aisle", -1, (0.06, 0.03, 0.02)),
        ("person", "aisle", 1, (0.06, 0.03, 0.02)),
        ("forklift", "track", -1, (0.045, 0.025, 0.02)),
        ("forklift", "track", 1, (0.045, 0.025, 0.02)),
        ("cart", "aisle", -1, (0.025, 0.018, 0.0)),
        ("cart", "aisle", 1, (0.025, 0.018, 0.0)),
    ),
    "walkway": (
        ("person", "path", -1, (0.08, 0.05, 0.03)),
        ("person", "path", 1, (0.08, 0.05, 0.03)),
        ("person", "back path", -1, (0.04, 0.03, 0.02)),
        ("person", "back path", 1, (0.04, 0.03, 0.02)),
        ("dog", "path", -1, (0.02, 0.015, 0.0)),
    ),
}


def ordinary(state: State, share: float) -> list[Outcome]:
    """The ordinary part of the table; sums to `share`."""
    if state.blind:
        lifted = Happening("lights_on" if state.dark else "uncovered")
        return [(0.35 * share, lifted), (0.65 * share, Happening("continue"))]
    leaving = [actor for actor in state.actors if state.at_edge(actor)]
    waiting = [outcome for actor in state.actors if actor not in leaving for outcome in changes(state, actor)]
    possible = arrivals(state) + waiting + rolling(state)
    if leaving:
        return departures(leaving, possible, share)
    total = sum(probability for probability, _ in possible)
    squeeze = min(1.0, BUSY / total) * share if total else share
    kept = [(p * squeeze, happening) for p, happening in possible if p * squeeze >= LEAST]
    rest = share - sum(probability for probability, _ in kept)
    return [(rest, Happening("continue")), *kept]


def departures(leaving: list[Actor], possible: list[Outcome], share: float) -> list[Outcome]:
    """Somebody at the edge goes, or waits there while one of the two likeliest other things happens."""
    most = sorted(possible, key=lambda outcome: -outcome[0])[:2]
    room = (1.0 - LEAVES) * share
    total = sum(probability for probability, _ in most)
    others = [(min(p, p * room / total), happening) for p, happening in most]
    others = [(p, happening) for p, happening in others if p >= LEAST]
    rest = share - sum(probability for probability, _ in others)
    return [
        *((rest / len(leaving), Happening("leave", actor.actor_id, side=actor.facing)) for actor in leaving),
        *others,
    ]


def arrivals(state: State) -> list[Outcome]:
    if len(state.actors) >= MAX_ACTORS:
        return []
    return [
        (
            state.habits.chance(probabilities[len(state.actors)], kind, lane, side),
            Happening("enter", what=kind, lane=lane, side=side),
        )
        for kind, lane, side, probabilities in arrivals_of(state.scene)
        if probabilities[len(state.actors)] > 0 and (kind not in VEHICLES or state.lane_is_free(lane))
    ]


def arrivals_of(scene: Scene) -> Arrivals:
    """Who may come, from the side that the traffic of this scene has it come from."""
    return tuple(
        (kind, lane, -scene.lane(lane).direction or side, probabilities)
        for kind, lane, side, probabilities in ARRIVALS[scene.name]
    )


def rolling(state: State) -> list[Outcome]:
    """A ball that came from somewhere does not stay for long."""
    return [(0.4, Happening("roll_away", other_id=item.item_id)) for item in state.items if item.kind == "ball"]


def changes(state: State, actor: Actor) -> list[Outcome]:
    """What this actor may ordinarily do next instead of going on."""
    if actor.activity == "move":
        return moving_changes(state, actor)
    if actor.kind == "person" and state.scene.name == "room":
        return indoor_changes(state, actor)
    if actor.activity == "stand":
        return [(0.4, Happening("start", actor.actor_id))]
    if actor.activity == "sit":
        return [(0.3 if actor.age >= 2 else 0.06, Happening("get_up", actor.actor_id))]
    if actor.activity == "lie":
        return [(0.35, Happening("get_up", actor.actor_id))]
    return []  # who runs, runs out of the picture


def indoor_changes(state: State, actor: Actor) -> list[Outcome]:
    """What somebody at home does who stays in place: sets off either way, bends down, sits, lies down, gets up."""
    actor_id, facing = actor.actor_id, actor.facing
    if actor.activity == "stand":
        seat_x = state.scene.props["seat_x"]
        near = abs(actor.x - seat_x) < 0.6 and seat_is_free(state) and actor.holds != "box"
        return [
            (0.12, Happening("start", actor_id, side=facing)),
            (0.05, Happening("start", actor_id, side=-facing)),
            (0.06, Happening("bend", actor_id)),
            *([(0.1, Happening("sit", actor_id))] if near else []),
        ]
    get_up = {"sit": (0.025, 0.08), "rest": (0.025, 0.08), "crouch": (0.4, 0.5), "lie": (0.1, 0.2)}
    if actor.activity not in get_up:
        return []  # who runs, runs out of the picture
    soon, later = get_up[actor.activity]
    possible = [(later if actor.age >= 2 else soon, Happening("get_up", actor_id))]
    if actor.activity == "sit" and state.bed_x is not None and actor.holds is None:
        possible.append((0.03, Happening("lie_down", actor_id)))
    return possible


def moving_changes(state: State, actor: Actor) -> list[Outcome]:
    actor_id = actor.actor_id
    handling = handling_changes(state, actor)
    if handling:
        return handling
    if actor.kind == "cat" and state.inside(actor.x, actor.z):
        return [(0.12, Happening("sit", actor_id))]
    if actor.kind == "person" and can_sit(state, actor):
        return [(0.35, Happening("sit", actor_id))]
    if actor.kind == "person" and state.scene.name == "room":
        if not state.inside(actor.x, actor.z) or state.at_edge(actor):
            return []
        stop, bend = Happening("stop", actor_id), Happening("bend", actor_id)
        return [(0.08, stop), (0.05, Happening("turn", actor_id, side=actor.facing)), (0.025, bend)]
    # A car never stops without cause: when it does, that is a surprise.
    if actor.kind in ("person", "dog", "cart", "van", "forklift") and can_stop(state, actor):
        return [(0.1 if actor.kind in VEHICLES else 0.05, Happening("stop", actor_id))]
    return []


def handling_changes(state: State, actor: Actor) -> list[Outcome]:
    """Putting down what is carried where it belongs, or picking up what lies in the way."""
    if actor.kind not in ("person", "forklift") or not state.inside(actor.x, actor.z, 0.1):
        return []
    place = state.box_place()
    if actor.holds == "box" and place is not None and passes(state, actor, place):
        return [(0.7, Happening("put_down", actor.actor_id, what="box"))]
    if actor.holds is not None:
        return []
    wanted = ("box",) if actor.kind == "forklift" else ("box", "bag")
    for item in state.items:
        if item.kind in wanted and passes(state, actor, item.x) and abs(item.z - actor.z) < 1.0:
            probability = 0.5 if item.kind == "box" else 0.1
            return [(probability, Happening("pick_up", actor.actor_id, item.item_id, what=item.kind))]
    return []


def passes(state: State, actor: Actor, x: float) -> bool:
    """Whether the actor walks past x in the coming segment; true once per pass."""
    return 0.0 <= (x - actor.x) * actor.facing < actor.speed * state.segment_seconds


def can_stop(state: State, actor: Actor) -> bool:
    return state.inside(actor.x, actor.z) and state.ahead(actor) > 1.5 * actor.speed * state.segment_seconds


def can_sit(state: State, actor: Actor) -> bool:
    props = state.scene.props
    seat_x = props.get("seat_x", props.get("bench_x"))
    if seat_x is None or actor.holds == "box" or not passes(state, actor, seat_x):
        return False
    return seat_is_free(state)


def seat_is_free(state: State) -> bool:
    return all(other.activity not in ("sit", "rest") or other.kind != "person" for other in state.actors)
