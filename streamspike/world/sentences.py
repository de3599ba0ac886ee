"""Happenings in words: one canonical sentence each, lower case, no full stop, at most ten words."""

from __future__ import annotations

from streamspike.world.life import Actor, Happening, State
from streamspike.world.routines import ARRIVALS
from streamspike.world.scene import SCENES

SIDES = {-1: "left", 1: "right"}

VERBS = {
    "person": "walks",
    "dog": "walks",
    "cat": "walks",
    "car": "drives",
    "van": "drives",
    "forklift": "drives",
    "bicycle": "rides",
    "cart": "rolls",
}

FIXED = {
    "lights_on": "the lights come back",
    "uncovered": "the view is free again",
    "lights_out": "the lights go out",
    "camera_moves": "the camera moves",
    "covered": "the camera is covered",
    "roll_away": "a ball rolls away",
    "collide": "two people collide",
    "climb": "a person climbs in over the fence",
    "shelf": "a box falls from the shelf",
}

BY_ACTOR = {  # {who} is the actor's kind, {verb} how it moves, {what} the object, {side} left or right
    "leave": "a {who} leaves to the {side}",
    "stop": "a {who} stops",
    "start": "a {who} {verb} on to the {side}",
    "sit": "a {who} sits down",
    "get_up": "a {who} gets up",
    "put_down": "a {who} puts down a {what}",
    "pick_up": "a {who} picks up a {what}",
    "fall": "a {who} falls down",
    "run": "a {who} suddenly runs to the {side}",
    "turn_back": "a {who} turns back",
    "stop_in_road": "a {who} stops in the middle of the road",
    "drop": "a {who} drops a {what}",
    "throw": "a {who} throws a ball",
    "leave_behind": "a {who} leaves a {what} behind",
    "vanish": "a {who} vanishes",
    "hit": "a {who} hits a person",
    "jump": "a {who} jumps up",
}

BY_THING = {
    "enter": "a {what} enters from the {side}",
    "wrong_way": "a {what} drives the wrong way to the {side}",
    "ball": "a {what} flies in from the {side}",
    "appear": "a {what} appears",
    "item_vanishes": "a {what} vanishes",
}

GOING_ON = {
    "move": "a {who} {verb} to the {side}",
    "carry": "a {who} carries a box to the {side}",
    "run": "a {who} runs to the {side}",
    "stand": "a {who} stands still",
    "sit": "a {who} sits",
    "lie": "a {who} lies on the ground",
}


def describe(state: State, happening: Happening) -> str:
    """The sentence for this happening in this state, the state before it. Deterministic."""
    kind = happening.kind
    if kind == "continue":
        return describe_going_on(state)
    if kind in FIXED:
        return FIXED[kind]
    if kind in BY_THING:
        return BY_THING[kind].format(what=happening.what, side=SIDES.get(happening.side, ""))
    actor = state.actor(happening.actor_id)
    return fill(BY_ACTOR[kind], actor.kind, actor.facing, happening.what)


def describe_going_on(state: State) -> str:
    """Nothing new: the sentence is about the foremost actor, or about the place."""
    if state.dark:
        return "it is dark"
    if state.covered:
        return "the view is blocked"
    actor = state.foremost()
    if actor is None:
        return f"the {state.scene.name} is quiet"
    return fill(GOING_ON[manner(actor)], actor.kind, actor.facing)


def manner(actor: Actor) -> str:
    return "carry" if actor.activity == "move" and actor.holds == "box" else actor.activity


def fill(template: str, who: str, facing: int, what: str = "") -> str:
    return template.format(who=who, verb=VERBS[who], side=SIDES[facing], what=what)


def all_sentences() -> tuple[str, ...]:
    """Every sentence that can ever be said, in alphabetical order."""
    whos = {
        "leave": tuple(VERBS),
        "stop": ("person", "dog", "cart", "van", "forklift"),
        "start": ("person", "dog", "cat", "cart", "car", "van", "forklift"),
        "sit": ("person", "cat"),
        "get_up": ("person", "cat"),
        "put_down": ("person", "forklift"),
        "pick_up": ("person", "forklift"),
        "turn_back": ("person", "dog", "cart"),
        "stop_in_road": ("car",),
        "vanish": tuple(VERBS),
        "hit": ("car", "van", "forklift"),
        "jump": ("cat", "dog"),
    }
    whats = {
        "enter": (),  # not every kind comes from every side: taken from the arrivals below
        "wrong_way": ("car",),
        "ball": ("ball",),
        "appear": ("box", "bag"),
        "item_vanishes": ("box", "bag", "ball"),
    }
    objects = {"pick_up": ("box", "bag"), "leave_behind": ("bag",)}
    going_on = {
        "move": tuple(VERBS),
        "carry": ("person", "forklift"),
        "run": ("person",),
        "stand": whos["start"],
        "sit": whos["sit"],
        "lie": ("person",),
    }
    said = {"it is dark", "the view is blocked", *FIXED.values(), *(f"the {name} is quiet" for name in SCENES)}
    for facing in SIDES:
        for kind, template in BY_ACTOR.items():
            for who in whos.get(kind, ("person",)):
                for what in objects.get(kind, ("box",)):
                    if (who, what) != ("forklift", "bag"):
                        said.add(fill(template, who, facing, what))
        for kind, template in GOING_ON.items():
            said.update(fill(template, who, facing) for who in going_on[kind])
        for kind, template in BY_THING.items():
            said.update(template.format(what=what, side=SIDES[facing]) for what in whats[kind])
    for name in SCENES:
        said.update(BY_THING["enter"].format(what=kind, side=SIDES[side]) for kind, _, side, _ in ARRIVALS[name])
    return tuple(sorted(said))
