"""What is particular about a camera: busy arrivals, services by the clock, and those who come back."""

from random import Random

import pytest

from streamspike.world.habits import BUSY_FACTOR, MOST, RARE_FACTOR, RETURN_CHANCE, SERVICE_SHARE, Habits, draw_habits
from streamspike.world.routines import ARRIVALS
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation

CAR = ("car", "near road", -1)
VAN = ("van", "near road", -1)


def test_without_habits_everybody_comes_as_often_as_the_tables_say():
    assert Habits().chance(0.05, *CAR) == 0.05


def test_the_busiest_comes_more_often_and_the_others_less():
    habits = Habits(busy=CAR)
    assert habits.chance(0.02, *CAR) == pytest.approx(0.02 * BUSY_FACTOR)
    assert habits.chance(0.2, *CAR) == MOST
    assert habits.chance(0.02, *VAN) == pytest.approx(0.02 * RARE_FACTOR)


def test_a_service_comes_when_it_is_due_and_hardly_in_between():
    habits = Habits(service=CAR, period=4)
    due = []
    for _ in range(8):
        habits.tick()
        due.append(habits.chance(0.05, *CAR) == SERVICE_SHARE)
    assert due == [False, False, False, True] * 2


def test_who_left_may_come_back_from_where_it_went_and_for_a_while_only():
    habits = Habits(returns=True)
    habits.gone("person", 1)
    arrival = ("person", "pavement", 1)
    chances = []
    for _ in range(10):
        chances.append(habits.chance(0.05, *arrival))
        habits.tick()
    assert chances == pytest.approx([0.05] + [0.05 + RETURN_CHANCE] * 8 + [0.05])
    assert habits.chance(0.05, "person", "pavement", -1) == 0.05


def test_who_came_back_is_not_awaited_any_more():
    habits = Habits(returns=True)
    habits.gone("person", 1)
    habits.tick()
    habits.come("person", 1)
    assert habits.away == []


@pytest.mark.parametrize("name", SCENES)
def test_habits_are_among_the_arrivals_of_the_scene(name):
    arrivals = [arrival[:3] for arrival in ARRIVALS[name]]
    drawn = [draw_habits(arrivals, Random(seed)) for seed in range(50)]
    assert {habits.busy for habits in drawn} - {None} <= set(arrivals)
    assert {habits.service for habits in drawn} - {None} <= set(arrivals)
    assert any(habits.busy for habits in drawn) and any(habits.service for habits in drawn)


def test_a_busy_street_is_busy():
    entered = []
    for habits in (Habits(), Habits(busy=CAR)):
        simulation = Simulation(build_scene("street", 0), 0, script={})
        simulation.state.habits = habits
        entered.append(sum(simulation.step().sentence == "a car enters from the left" for _ in range(300)))
    assert entered[1] > 2 * entered[0]
