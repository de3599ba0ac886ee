"""The tables of what may happen: they sum to one, and what is ordinary is never rare."""

import math

import pytest

from streamspike.world.happenings import outcomes, sentence_distribution
from streamspike.world.life import MAX_ACTORS, MAX_ITEMS, VEHICLES, Actor, Item, State
from streamspike.world.routines import LEAST
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation
from streamspike.world.surprises import LOUD, RATES, SURPRISES, surprises


def states(name: str, seeds: int = 12, steps: int = 40):
    """States as they occur in a natural life, the state itself: valid until the next one is asked for."""
    for seed in range(seeds):
        simulation = Simulation(build_scene(name, seed), seed)
        for _ in range(steps):
            yield simulation.state
            simulation.step()


def person(state: State, x: float = 0.0, facing: int = 1, **more) -> Actor:
    lane = state.scene.lanes[0]
    actor = Actor(state.new_id(), "person", (9, 9, 9), lane.name, x, lane.z, facing, speed=1.2, ease=1.2, **more)
    state.actors.append(actor)
    return actor


def chances(state: State) -> dict[str, float]:
    return sentence_distribution(state, outcomes(state))


def chance_that(words: str, state: State) -> float:
    """Of all sentences with these words, wherever it happens."""
    return sum(chance for sentence, chance in chances(state).items() if words in sentence)


@pytest.mark.parametrize("name", SCENES)
def test_every_table_sums_to_one_and_has_no_empty_entry(name):
    for state in states(name):
        table = outcomes(state)
        assert math.isclose(sum(probability for probability, _ in table), 1.0, abs_tol=1e-12)
        assert all(probability > 0 for probability, _ in table)


@pytest.mark.parametrize("name", SCENES)
def test_ordinary_happenings_are_never_rare_and_surprises_always_are(name):
    for state in states(name):
        for probability, happening in outcomes(state):
            if happening.kind in SURPRISES:
                assert math.exp(-8.0) < probability <= 0.002, happening
            else:
                assert probability >= LEAST, happening


@pytest.mark.parametrize("name", SCENES)
def test_the_natural_rate_of_surprises_is_one_or_two_in_a_hundred_segments(name):
    rates = [sum(p for p, h in outcomes(state) if h.kind in SURPRISES) for state in states(name) if not state.blind]
    assert 0.004 < sum(rates) / len(rates) < 0.02
    assert max(rates) < 0.03


@pytest.mark.parametrize("name", SCENES)
def test_there_is_a_choice_of_surprises_wherever_something_can_be_seen(name):
    for state in states(name):
        if not state.blind:
            ways = surprises(state)
            assert len(ways) >= 4
            assert set(LOUD) <= set(ways)


def test_most_kinds_of_surprise_are_quiet():
    assert len(SURPRISES) >= 14
    assert len(LOUD) == 3
    assert set(LOUD) <= set(RATES)


@pytest.mark.parametrize("name", SCENES)
def test_the_stage_is_never_overcrowded_and_every_vehicle_has_its_lane(name):
    for state in states(name):
        assert len(state.actors) <= MAX_ACTORS
        assert len(state.items) <= MAX_ITEMS
        lanes = [actor.lane for actor in state.actors if actor.kind in VEHICLES]
        assert len(lanes) == len(set(lanes))


def test_somebody_at_the_edge_almost_surely_leaves():
    state = State(build_scene("street", 1), 1.0)
    walker = person(state)
    assert "a person leaves to the right" not in chances(state)
    walker.x = state.edge(walker.z, 1) - 0.2
    assert chances(state)["a person leaves to the right"] > 0.9


def test_a_box_is_put_down_at_the_shelf_and_nowhere_else():
    state = State(build_scene("yard", 1), 1.0)
    walker = person(state, state.scene.props["shelf_x"] - 0.5, holds="box")
    assert chance_that("puts down a box", state) == pytest.approx(0.7, abs=0.02)
    walker.facing = -1
    assert chance_that("puts down a box", state) == 0


def test_boxes_are_put_down_beside_one_another():
    state = State(build_scene("yard", 1), 1.0)
    places = []
    while (place := state.box_place()) is not None:
        places.append(place)
        state.items.append(Item(state.new_id(), "box", (1, 1, 1), place, 7.0))
    assert len(places) == MAX_ITEMS
    assert min(abs(a - b) for a in places for b in places if a != b) >= 0.7


def test_who_has_sat_for_a_while_gets_up_sooner():
    state = State(build_scene("room", 1), 1.0)
    sitter = person(state, activity="sit")
    fresh = chance_that("gets up", state)
    sitter.age = 3
    assert chance_that("gets up", state) > 3 * fresh


def test_nothing_but_the_light_can_change_in_the_dark():
    state = State(build_scene("room", 1), 1.0, dark=True)
    person(state)
    assert set(chances(state)) == {"it is dark", "the lights come back"}


def test_a_sentence_has_the_probability_of_all_happenings_that_read_so():
    state = State(build_scene("yard", 1), 1.0)
    for x in (-0.5, 0.5):
        person(state, x, activity="stand")
    starts = [p for p, happening in outcomes(state) if happening.kind == "start"]
    assert len(starts) == 2
    assert chances(state)["in the middle a person walks on to the right"] == pytest.approx(sum(starts))


def test_what_surprises_depends_on_who_is_there():
    state = State(build_scene("street", 1), 1.0)
    assert "fall" not in surprises(state)
    assert "item_vanishes" not in surprises(state)
    person(state)
    state.items.append(Item(state.new_id(), "bag", (1, 1, 1), -2.0, 7.0))
    assert {"fall", "run", "turn_back", "vanish", "item_vanishes"} <= set(surprises(state))
    assert "drop" not in surprises(state)
    state.actors[0].holds = "box"
    assert "drop" in surprises(state)
    state.items[0].x = state.actors[0].x + 0.5  # where it would land, unseen
    assert "drop" not in surprises(state)


def test_nobody_enters_a_lane_the_wrong_way_while_a_vehicle_is_in_it():
    state = State(build_scene("street", 1), 1.0)
    assert len(surprises(state)["wrong_way"]) == 2
    near = state.scene.lane("near road")
    state.actors.append(Actor(state.new_id(), "car", (1, 1, 1), near.name, 0.0, near.z, 1, speed=3.0, ease=3.0))
    assert [happening.lane for happening in surprises(state)["wrong_way"]] == ["far road"]
    assert "a van enters from the left" not in chances(state)
