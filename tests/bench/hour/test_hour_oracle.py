"""What keyframes could be worth at best."""

from __future__ import annotations

import numpy as np

from streamspike.bench.hour.oracle import distinct_mass, free_mass, repaint
from streamspike.select.online import Candidate, SelectorLimits, sign
from streamspike.world.live import Stage, parse_world

DARK, GREY = np.zeros((18, 32), np.float32), np.full((18, 32), 0.5, np.float32)


def test_the_best_of_each_clock_hour_count() -> None:
    nats = {3500.0: 1.0, 3550.0: 2.0, 3599.0: 4.0, 3600.0: 8.0, 7000.0: 16.0}
    candidates = [Candidate(at, value, 0) for at, value in nats.items()]
    assert free_mass(candidates, 2) == 2 + 4 + 8 + 16
    assert free_mass(candidates, 1) == 4 + 16
    assert free_mass(candidates, 0) == 0


def test_of_two_that_look_alike_the_better_one_counts() -> None:
    limits = SelectorLimits(2, 1000, 20.0, min_difference=0.1, alike_seconds=600.0)
    candidates = [
        Candidate(10.0, 5.0, 0, DARK),
        Candidate(20.0, 6.0, 0, DARK),
        Candidate(30.0, 1.0, 0, GREY),
        Candidate(40.0, 0.5, 0, GREY + 0.2),
    ]
    assert distinct_mass(candidates, limits) == 6.0 + 1.0
    later = Candidate(700.0, 5.5, 0, DARK)
    assert distinct_mass([*candidates, later], limits) == 6.0 + 5.5, "after so long it may look the same again"


def test_frames_are_painted_as_the_camera_painted_them() -> None:
    address = "world:yard?seed=3&size=96x64&fps=4&after=20&script=4"
    looks = repaint(address, [5, 2], 1.0)
    stage = Stage(parse_world(address.removeprefix("world:")))
    played = {number: stage.frame(number / 4, 0.0).pixels for number in range(24)}
    assert sorted(looks) == [2, 5]
    for index, signature in looks.items():
        assert np.abs(signature - sign(played[4 * index + 3])).max() < 0.02
