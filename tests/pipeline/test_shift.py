"""After a swap a camera learns again only if it is surprised in another way than before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamspike.belief.calibrate import Calibrator
from streamspike.config import EventConfig
from streamspike.pipeline.shift import LIMIT, NUM_SEGMENTS, Shift, ShiftWatch, distance
from tests.support.messages import make_observation


def feed(watch: ShiftWatch, model: str, scale: float, count: int, seed: int) -> list[Shift]:
    """Exponential surprises, as a camera's roughly are. The verdicts that came."""
    values = np.random.default_rng(seed).exponential(scale, count)
    observations = [replace(make_observation(number, float(nats)), model=model) for number, nats in enumerate(values)]
    return [shift for each in observations if (shift := watch.note(each)) is not None]


@pytest.mark.parametrize(("scale", "relearn"), [(0.5, False), (0.6, False), (1.5, True), (0.1, True)])
def test_a_shift_of_the_surprise_is_told_from_the_same_surprise(scale: float, relearn: bool) -> None:
    watch = ShiftWatch()
    assert feed(watch, "nano@1", 0.5, 300, seed=1) == [], "nothing was swapped"
    assert feed(watch, "nano@1+night@2", scale, NUM_SEGMENTS - 1, seed=2) == []
    [shift] = feed(watch, "nano@1+night@2", scale, 1, seed=3)
    assert shift.relearn is relearn and (shift.distance > LIMIT) is relearn
    assert len(shift.observations) == NUM_SEGMENTS and "nano@1+night@2" in shift.sentence
    assert feed(watch, "nano@1+night@2", scale, 300, seed=4) == [], "one verdict a swap"


def test_the_same_surprise_is_hardly_ever_called_another() -> None:
    shifts = []
    for seed in range(100):
        watch = ShiftWatch()
        feed(watch, "a", 0.5, NUM_SEGMENTS, seed)
        shifts += feed(watch, "b", 0.5, NUM_SEGMENTS, 1000 + seed)
    assert len(shifts) == 100 and sum(shift.relearn for shift in shifts) <= 1


def test_too_little_before_a_swap_is_no_verdict_and_a_second_swap_begins_anew() -> None:
    watch = ShiftWatch()
    feed(watch, "a", 0.5, NUM_SEGMENTS - 1, seed=1)
    assert feed(watch, "b", 5.0, 2 * NUM_SEGMENTS, seed=2) == []
    assert feed(watch, "c", 5.0, NUM_SEGMENTS - 1, seed=3) == []
    [shift] = feed(watch, "b", 5.0, NUM_SEGMENTS, seed=4)
    assert not shift.relearn and {each.model for each in shift.observations} == {"b"}


def test_a_camera_that_learns_again_knows_the_segments_after_the_swap_and_nothing_else() -> None:
    config = EventConfig(learning_seconds=60.0, extreme_nats=6.0)
    calibrator = Calibrator(config)
    for number in range(4000):
        calibrator.admit(2.0 + number % 7, 1000.0 + number, 1.0)
    assert calibrator.p_value(2.0) > 0.9 and not calibrator.learning
    watch = ShiftWatch()
    feed(watch, "a", 5.0, NUM_SEGMENTS, seed=1)
    [shift] = feed(watch, "b", 0.1, NUM_SEGMENTS, seed=2)
    shift.teach(calibrator)
    assert calibrator.p_value(2.0) < 0.02


def test_distance_is_the_widest_gap_between_shares() -> None:
    assert distance([1, 2, 3, 4], [1, 2, 3, 4]) == 0.0
    assert distance([1, 2], [3, 4]) == 1.0
    assert distance([1, 2, 3, 4], [3, 4, 5, 6]) == pytest.approx(0.5)
