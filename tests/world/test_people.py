"""People differ from each other, stay who they are, and can be seen from the side or from the front."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from streamspike.world.outfit import outfit_of
from streamspike.world.people import FRONTAL, frontal_parts, gait_of, person_parts, profile_parts
from streamspike.world.scene import Body

RED = (200, 40, 40)
SOMEBODY = Body(1, "person", RED, 0.0, 5.0)


def height(body: Body) -> float:
    ys = [y for part in person_parts(body) for _, y, _ in part.points]
    return max(ys) - min(ys)


def test_somebody_wears_the_same_in_every_picture_and_others_something_else() -> None:
    assert outfit_of(3, RED) is outfit_of(3, RED)
    assert len({outfit_of(number, RED) for number in range(50)}) == 50


def test_there_are_all_cuts_and_everybody_keeps_the_colour_that_the_world_gave() -> None:
    outfits = [outfit_of(number, RED) for number in range(300)]
    assert len(Counter(outfit.cut for outfit in outfits)) == 4
    assert len(Counter(outfit.head for outfit in outfits)) == 5
    for number in range(60):
        assert RED in [part.colour for part in person_parts(replace(SOMEBODY, body_id=number))]


@pytest.mark.parametrize("pose", FRONTAL)
def test_from_the_front_somebody_is_as_tall_as_from_the_side(pose: str) -> None:
    body = replace(SOMEBODY, pose=pose)
    outfit = outfit_of(1, RED)
    side, front = profile_parts(body, outfit, gait_of(body, outfit)), frontal_parts(body, outfit)
    tops = [max(y for part in parts for _, y, _ in part.points) for parts in (side, front)]
    assert tops[0] == pytest.approx(tops[1], abs=0.25)


def test_everybody_is_of_human_size_and_lower_when_crouching() -> None:
    for number in range(60):
        somebody = replace(SOMEBODY, body_id=number)
        assert 1.5 < height(somebody) < 1.95
        assert height(replace(somebody, pose="crouch")) < 0.8 * height(somebody)


def test_some_stand_turned_to_the_camera_and_nobody_walks_so() -> None:
    turned = [outfit_of(number, RED).turned for number in range(200)]
    assert {-1, 0, 1} == set(turned)
    number = turned.index(1)
    right = person_parts(replace(SOMEBODY, body_id=number, pose="walk", gait=0.2))
    assert right == profile_parts(
        replace(SOMEBODY, body_id=number, pose="walk", gait=0.2),
        outfit_of(number, RED),
        gait_of(replace(SOMEBODY, pose="walk", gait=0.2), outfit_of(number, RED)),
    )


def test_some_sit_with_their_legs_on_the_seat_and_the_others_with_their_feet_on_the_floor() -> None:
    feet: Counter[tuple[bool, bool]] = Counter()
    for number in range(200):
        outfit = outfit_of(number, RED)
        body = replace(SOMEBODY, body_id=number, pose="sit")
        lowest = min(y for part in person_parts(body) for _, y, _ in part.points)
        feet[outfit.folded, outfit.turned != 0] += 1
        assert lowest > 0.15 if outfit.folded else lowest < 0.1
        assert height(replace(body, pose="stand")) > 1.5, "who stands has legs as everybody has"
    assert len(feet) == 4, "from the side and from the front"
