"""The language of the simulated cameras: small, canonical, complete."""

import pytest

from streamspike.world.life import Actor, Happening, State
from streamspike.world.scene import build_scene
from streamspike.world.sentences import all_sentences, describe


def test_the_language_is_small_lower_case_and_without_full_stops():
    sentences = all_sentences()
    assert len(sentences) == len(set(sentences)) > 100
    assert len({word for sentence in sentences for word in sentence.split()}) <= 100
    for sentence in sentences:
        assert sentence == sentence.lower().strip()
        assert sentence.replace(" ", "").isalpha(), sentence
        assert len(sentence.split()) <= 15


def at(state: State, kind: str, z: float, facing: int = 1, **more) -> Actor:
    actor = Actor(state.new_id(), kind, (1, 1, 1), state.scene.lanes[0].name, 0.0, z, facing, **more)
    state.actors.append(actor)
    return actor


@pytest.mark.parametrize("name", ["street", "room", "yard", "walkway"])
def test_an_empty_place_is_quiet(name):
    assert describe(State(build_scene(name, 0), 1.0), Happening("continue")) == f"the {name} is quiet"


def test_when_nothing_happens_the_foremost_is_described():
    state = State(build_scene("street", 0), 1.0)
    at(state, "car", 9.0, facing=-1)
    assert describe(state, Happening("continue")) == "in the middle a car drives to the left"
    walker = at(state, "person", 7.0)
    assert describe(state, Happening("continue")) == "in the middle a person walks to the right beside a car"
    walker.holds = "box"
    assert describe(state, Happening("continue")) == "in the middle a person carries a box to the right beside a car"
    walker.activity = "lie"
    assert describe(state, Happening("continue")) == "in the middle a person lies on the ground beside a car"
    at(state, "dog", 7.5)
    assert describe(state, Happening("continue")) == "in the middle a person lies on the ground among others"


def test_of_those_about_as_near_it_is_who_lies_or_moves_or_is_on_the_left():
    state = State(build_scene("street", 0), 1.0)
    still = at(state, "person", 7.0, activity="stand")
    dog = at(state, "dog", 7.6, speed=1.0)
    assert state.foremost() is dog
    dog.z = 8.2
    assert state.foremost() is still, "that is further away, and anybody sees it"
    dog.z, still.activity = 7.6, "lie"
    assert state.foremost() is still
    still.activity, still.x, still.speed = "move", 1.0, 1.0
    assert state.foremost() is dog
    dog.x = 3.0
    assert state.foremost() is still


def test_where_and_how_fast_are_said():
    state = State(build_scene("street", 0), 1.0)
    walker = at(state, "person", 7.0, speed=1.0, hurry=-1)
    walker.x = state.edge(7.0, -1) + 0.3
    assert describe(state, Happening("continue")) == "on the left a person slowly walks to the right"
    walker.x, walker.hurry = state.edge(7.0, 1) - 1.0, 1
    assert describe(state, Happening("continue")) == "on the right a person quickly walks to the right"
    assert describe(state, Happening("fall", walker.actor_id)) == "on the right a person falls down"


def test_where_is_meant_halfway_through_the_segment():
    state = State(build_scene("street", 0), 1.0)
    walker = at(state, "person", 7.0, speed=1.2)
    width = state.edge(7.0, 1) - state.edge(7.0, -1)
    walker.x = state.edge(7.0, -1) + width / 3 - 0.5
    assert describe(state, Happening("continue")).startswith("in the middle")


def test_darkness_and_a_blocked_view_hide_everybody():
    state = State(build_scene("room", 0), 1.0, dark=True)
    at(state, "person", 5.0)
    assert describe(state, Happening("continue")) == "it is dark"
    state.dark, state.covered = False, True
    assert describe(state, Happening("continue")) == "the view is blocked"


def test_directions_are_those_of_the_picture():
    state = State(build_scene("street", 0), 1.0)
    walker = at(state, "person", 7.0, facing=-1)
    assert describe(state, Happening("leave", walker.actor_id)) == "a person leaves to the left"
    assert describe(state, Happening("enter", what="car", lane="near road", side=-1)) == "a car enters from the left"
