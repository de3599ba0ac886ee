"""Cameras with rules of their own: traffic on the left, a delivery by the clock; truth stays exact."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from streamspike.errors import WorldError
from streamspike.world.live import parse_world, simulate
from streamspike.world.simulation import Truth

NUM_SEGMENTS = 600


def live(address: str) -> list[Truth]:
    simulation = simulate(parse_world(address))
    return [simulation.step() for _ in range(NUM_SEGMENTS)]


def arrivals(truths: list[Truth]) -> Counter[str]:
    return Counter(truth.sentence for truth in truths if truth.kind == "enter")


def test_on_the_left_everything_that_rolls_comes_from_the_other_side() -> None:
    for seed, kind, side, other in ((11, "van", "left", "right"), (12, "bicycle", "right", "left")):
        usual, left = (arrivals(live(f"street?seed={seed}{rule}")) for rule in ("", "&rule=left"))
        assert usual[f"a {kind} enters from the {side}"] > 5 and not usual[f"a {kind} enters from the {other}"]
        assert left[f"a {kind} enters from the {other}"] > 5 and not left[f"a {kind} enters from the {side}"]
    assert live("street?seed=7&rule=right") == live("street?seed=7")


def test_a_delivery_comes_by_the_clock_and_its_probability_says_so() -> None:
    truths = live("street?seed=7&rule=left&delivery=100")
    vans = [truth for truth in truths if truth.sentence == "a van enters from the right"]
    due = [truth for truth in vans if truth.index % 100 < 15]
    assert len(due) >= 4 and max(truth.probability for truth in due) > 0.8
    assert all(truth.probability < 0.4 for truth in vans if truth.index % 100 >= 15)
    bringers = [truth for truth in truths if truth.kind == "deliver"]
    assert len(bringers) >= 3 and all(truth.index % 100 < 15 for truth in bringers)
    for truth in truths:
        assert math.isclose(sum(chance for _, chance in truth.alternatives), 1.0, abs_tol=1e-9)
    carries = sum("carries a box" in truth.sentence for truth in truths if truth.index % 100 < 25)
    assert carries >= len(bringers) / 2
    later = simulate(parse_world("street?seed=7&rule=left&delivery=100&after=250"))
    assert [later.step().sentence for _ in range(50)] == [truth.sentence for truth in truths[250:300]]


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(WorldError, match="no road"):
        parse_world("room?delivery=100")
    with pytest.raises(WorldError, match="rule"):
        parse_world("street?rule=upward")
