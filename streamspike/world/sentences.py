"""Happenings in words: one canonical sentence each, lower case, no full stop, at most fifteen words.

Who does what, in which third of the picture, which way and how fast; and, while nothing new happens, who else is there.
"""

from __future__ import annotations

from itertools import product

from streamspike.world.life import Actor, Happening, State
from streamspike.world.routines import ARRIVALS
from streamspike.world.scene import SCENES
from streamspike.world.surprises import INTRUDERS

SIDES = {-1: "left", 1: "right"}
PLACES = {-1: "on the left", 0: "in the middle", 1: "on the right"}
HURRIES = {-1: "slowly ", 0: "", 1: "quickly "}

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

BY_ACTOR = {  # {where} in the picture, {who} the kind, {verb} how it moves, {what} the object, {side} left or right
    "leave": "a {who} leaves to the {side}",
    "stop": "{where} a {who} stops",
    "start": "{where} a {who} {verb} on to the {side}",
    "sit": "{where} a {who} sits down",
    "get_up": "{where} a {who} gets up",
    "bend": "{where} a {who} bends down",
    "lie_down": "{where} a {who} lies down",
    "turn": "{where} a {who} turns back",
    "put_down": "{where} a {who} puts down a {what}",
    "pick_up": "{where} a {who} picks up a {what}",
    "fall": "{where} a {who} falls down",
    "run": "{where} a {who} suddenly runs to the {side}",
    "turn_back": "{where} a {who} turns back",
    "stop_in_road": "{where} a {who} stops in the middle of the road",
    "drop": "{where} a {who} drops a {what}",
    "throw": "{where} a {who} throws a ball",
    "leave_behind": "{where} a {who} leaves a {what} behind",
    "vanish": "{where} a {who} vanishes",
    "hit": "{where} a {who} hits a person",
    "jump": "{where} a {who} jumps up",
}

BY_THING = {
    "enter": "a {what} enters from the {side}",
    "deliver": "a {what} enters from the {side}",
    "wrong_way": "a {what} drives the wrong way to the {side}",
    "ball": "a {what} flies in from the {side}",
    "appear": "a {what} appears",
    "item_vanishes": "{where} a {what} vanishes",
    "intrude": "a {what} comes onto the walkway from the {side}",
}

GOING_ON = {  # {how} fast, {company} who else is there
    "move": "{where} a {who} {how}{verb} to the {side}{company}",
    "carry": "{where} a {who} {how}carries a box to the {side}{company}",
    "run": "{where} a {who} runs to the {side}{company}",
    "stand": "{where} a {who} stands still{company}",
    "sit": "{where} a {who} sits{company}",
    "crouch": "{where} a {who} crouches{company}",
    "rest": "{where} a {who} rests{company}",
    "lie": "{where} a {who} lies on the ground{company}",
}


def describe(state: State, happening: Happening) -> str:
    """The sentence for this happening in this state, the state before it. Deterministic."""
    kind = happening.kind
    if kind == "continue":
        return describe_going_on(state)
    if kind in FIXED:
        return FIXED[kind]
    if kind in BY_THING:
        item = state.item(happening.other_id) if kind == "item_vanishes" else None
        where = PLACES[state.place(item.x, item.z)] if item else ""
        return BY_THING[kind].format(where=where, what=happening.what, side=SIDES.get(happening.side, ""))
    actor = state.actor(happening.actor_id)
    return fill(BY_ACTOR[kind], actor.kind, happening.side or actor.facing, place_of(state, actor), what=happening.what)


def describe_going_on(state: State) -> str:
    """Nothing new: the sentence is about the foremost actor, or about the place."""
    if state.dark:
        return "it is dark"
    if state.covered:
        return "the view is blocked"
    actor = state.foremost()
    if actor is None:
        return f"the {state.scene.name} is quiet"
    template = GOING_ON[manner(actor)]
    return fill(template, actor.kind, actor.facing, place_of(state, actor), actor.hurry, company_of(state, actor))


def manner(actor: Actor) -> str:
    return "carry" if actor.activity == "move" and actor.holds == "box" else actor.activity


def place_of(state: State, actor: Actor) -> int:
    """Where the actor is halfway through the segment if it goes on as before, so that it can be foreseen."""
    return state.place(state.halfway(actor), actor.z)


def company_of(state: State, actor: Actor) -> str:
    """Who else is there: nobody, somebody of a kind, or several."""
    others = [other.kind for other in state.actors if other is not actor]
    if not others:
        return ""
    return f" beside a {others[0]}" if len(others) == 1 else " among others"


def fill(template: str, who: str, facing: int, place: int, hurry: int = 0, company: str = "", what: str = "") -> str:
    return template.format(
        where=PLACES[place],
        who=who,
        how=HURRIES[hurry],
        verb=VERBS[who],
        side=SIDES[facing],
        company=company,
        what=what,
    )


def all_sentences() -> tuple[str, ...]:
    """Every sentence that can ever be said, in alphabetical order."""
    whos = {
        "leave": tuple(VERBS),
        "stop": ("person", "dog", "cart", "van", "forklift"),
        "start": ("person", "dog", "cat", "cart", "car", "van", "forklift"),
        "sit": ("person", "cat"),
        "turn": ("person",),
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
        "deliver": (),  # what comes by the clock reads like what comes by chance
        "enter": (),  # not every kind comes from every side: taken from the arrivals below
        "wrong_way": ("car",),
        "ball": ("ball",),
        "appear": ("box", "bag"),
        "item_vanishes": ("box", "bag", "ball"),
        "intrude": INTRUDERS,
    }
    objects = {"pick_up": ("box", "bag"), "leave_behind": ("bag",)}
    going_on = {
        "move": tuple(VERBS),
        "carry": ("person", "forklift"),
        "run": ("person",),
        "stand": whos["start"],
        "sit": whos["sit"],
        "crouch": ("person",),
        "rest": ("person",),
        "lie": ("person",),
    }
    companies = ("", " among others", *(f" beside a {kind}" for kind in VERBS))
    said = {"it is dark", "the view is blocked", *FIXED.values(), *(f"the {name} is quiet" for name in SCENES)}
    for facing, place in product(SIDES, PLACES):
        for kind, template in BY_ACTOR.items():
            for who in whos.get(kind, ("person",)):
                for what in objects.get(kind, ("box",)):
                    if (who, what) != ("forklift", "bag"):
                        said.add(fill(template, who, facing, place, what=what))
        for kind, template in GOING_ON.items():
            for who, hurry, company in product(going_on[kind], HURRIES, companies):
                said.add(fill(template, who, facing, place, hurry, company))
        for kind, template in BY_THING.items():
            said.update(template.format(where=PLACES[place], what=what, side=SIDES[facing]) for what in whats[kind])
    for name in SCENES:
        said.update(BY_THING["enter"].format(what=kind, side=SIDES[side]) for kind, _, side, _ in ARRIVALS[name])
    return tuple(sorted(said))
