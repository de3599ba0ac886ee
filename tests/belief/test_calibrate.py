import json
import random

import numpy as np
import pytest

from streamspike.belief.calibrate import Threshold
from streamspike.config import EventConfig


def make(**changes: object) -> Threshold:
    defaults = {"learning_segments": 10, "memory_segments": 100, "floor_nats": 0.5, "quantile": 0.9}
    return Threshold(EventConfig.model_validate(defaults | changes))


def test_only_the_floor_counts_while_learning() -> None:
    threshold = make()
    for count in range(9):
        assert threshold.learning and threshold.level == 0.5
        assert threshold.progress == pytest.approx(count / 10)
        threshold.admit(8.0)
    threshold.admit(8.0)
    assert not threshold.learning and threshold.progress == 1.0
    assert threshold.level == 8.0


def test_level_is_the_quantile_of_the_newest_surprises() -> None:
    threshold, values = make(), [random.Random(3).uniform(1, 9) for _ in range(350)]
    for count, value in enumerate(values, 1):
        threshold.admit(value)
        if count >= 10:
            assert threshold.level == pytest.approx(float(np.quantile(values[max(0, count - 100) : count], 0.9)))


def test_level_never_falls_below_the_floor() -> None:
    threshold = make(floor_nats=2.0)
    for _ in range(200):
        threshold.admit(0.01)
    assert threshold.level == 2.0


def test_a_long_event_does_not_raise_the_level() -> None:
    threshold = make(quantile=0.98)
    rng = random.Random(1)
    for _ in range(100):
        threshold.admit(rng.uniform(0.6, 1.0))
    before = threshold.level
    threshold.admit(40.0)
    for _ in range(50):
        threshold.hold(40.0)
    threshold.release(admit=False)
    assert threshold.level < before + 0.05


def test_turmoil_that_would_not_end_is_the_new_normal() -> None:
    threshold = make(quantile=0.98)
    for _ in range(100):
        threshold.admit(0.7)
    threshold.admit(6.0)
    for _ in range(50):
        threshold.hold(6.0)
    threshold.release(admit=True)
    assert threshold.level == pytest.approx(6.0)


def test_memory_is_bounded() -> None:
    threshold = make()
    for value in range(1000):
        threshold.admit(float(value))
    for value in range(1000):
        threshold.hold(float(value))
    state = threshold.export()
    assert isinstance(state["surprises"], list) and len(state["surprises"]) == 100
    assert len(threshold._sorted) == 100 and len(threshold._held) == 60


def test_state_survives_json_and_continues_alike() -> None:
    first, second, rng = make(), make(), random.Random(5)
    for _ in range(130):
        first.admit(round(rng.expovariate(1.0), 6))
    second.restore(json.loads(json.dumps(first.export())))
    assert second.level == first.level and not second.learning
    for _ in range(200):
        value = round(rng.expovariate(0.3), 6)
        first.admit(value)
        second.admit(value)
        assert second.level == first.level


def test_restored_into_a_smaller_memory_keeps_the_newest() -> None:
    big, small = make(), make(memory_segments=16)
    for value in range(100):
        big.admit(float(value))
    small.restore(big.export())
    assert small.export()["surprises"] == [float(value) for value in range(84, 100)]


@pytest.mark.parametrize("state", [{}, {"version": 99, "num_seen": 1, "surprises": []}, {"version": 1, "num_seen": 1}])
def test_foreign_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the state of a threshold"):
        make().restore(state)


def test_corrupt_state_leaves_the_threshold_unchanged() -> None:
    threshold = make()
    threshold.admit(3.0)
    before = threshold.export()
    with pytest.raises(ValueError, match="never negative"):
        threshold.restore({"version": 1, "num_seen": 5, "surprises": [1.0, -2.0]})
    assert threshold.export() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_what_is_not_a_surprise_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="never negative"):
        make().admit(value)
