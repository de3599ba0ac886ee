"""Cars come in several makes."""

from __future__ import annotations

from streamspike.world.scene import Body
from streamspike.world.vehicles import MAKES, parts_of


def test_cars_of_other_colours_are_of_other_makes_and_all_stand_on_the_ground() -> None:
    outlines = set()
    for blue in range(40):
        parts = parts_of(Body(1, "car", (200, 40, blue), 0.0, 9.0))
        heights = [y for part in parts for _, y, _ in part.points]
        assert -0.01 < min(heights) < 0.05
        outlines.add(round(max(heights), 3))
    assert len(outlines) == len({tall for tall, _ in MAKES})


def test_a_car_keeps_its_make() -> None:
    first, again = (parts_of(Body(4, "car", (200, 40, 40), x, 9.0)) for x in (0.0, 3.0))
    assert first == again
