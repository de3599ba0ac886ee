"""A budget of alerts a day holds, whatever the surprises of a camera look like."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from streamspike.belief.calibrate import Calibrator
from streamspike.config import EventConfig

SEGMENT_SECONDS = 10.0
PER_DAY = int(86_400 / SEGMENT_SECONDS)
NOON = 1_785_153_600.0


def make(**changes: object) -> Calibrator:
    return Calibrator(EventConfig.model_validate({"learning_seconds": 3600, "floor_nats": 0.0} | changes))


def watch(calibrator: Calibrator, surprises: np.ndarray, start_at: float = NOON) -> list[int]:
    """The segments with alerts, one for each run of segments above half of its threshold, as events are made."""
    alerts: list[int] = []
    above, num_quiet = math.inf, 0
    for index, value in enumerate(surprises.tolist()):
        if above < math.inf:
            num_quiet = 0 if value > 0.5 * above else num_quiet + 1
            if num_quiet == 2:
                above = math.inf
        elif value > calibrator.level:
            above, num_quiet = calibrator.level, 0
            calibrator.spend()
            alerts.append(index)
        calibrator.admit(value, start_at + index * SEGMENT_SECONDS, SEGMENT_SECONDS)
    return alerts


def days(number: float) -> np.ndarray:
    return np.arange(int(number * PER_DAY)) / PER_DAY


def bursts(rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
    values = rng.exponential(0.3, len(at))
    for start in rng.integers(0, len(at), int(6 * at[-1])):
        length = int(rng.integers(2, 120))
        values[start : start + length] += rng.exponential(3.0, len(values[start : start + length]))
    return values


def correlated(rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
    noise, level = rng.normal(size=len(at)), 0.0
    values = np.empty(len(at))
    for index, step in enumerate(noise * math.sqrt(1 - 0.9**2)):
        level = 0.9 * level + step
        values[index] = level
    return np.exp(values - 2.0)


WEEKS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "light tails": lambda rng, at: rng.exponential(0.3, len(at)),
    "log-normal": lambda rng, at: np.exp(rng.normal(-2.0, 1.0, len(at))),
    "heavy tails": lambda rng, at: 0.1 * rng.pareto(2.5, len(at)),
    "drift to three times": lambda rng, at: rng.exponential(0.3, len(at)) * (1 + 2 * at / at[-1]),
    "a jump to three times": lambda rng, at: rng.exponential(0.3, len(at)) * np.where(at < 0.4 * at[-1], 1.0, 3.0),
    "hours of the day": lambda rng, at: rng.exponential(0.3, len(at)) * (1 + 0.9 * np.sin(2 * math.pi * at)),
    "bursts": bursts,
    "correlated": correlated,
    "mostly nothing": lambda rng, at: np.where(rng.random(len(at)) < 0.02, rng.exponential(2.0, len(at)), 0.0),
}


@pytest.mark.parametrize("name", WEEKS)
def test_the_budget_holds_within_a_fifth_over_a_week(name: str) -> None:
    surprises = WEEKS[name](np.random.default_rng(7), days(7))
    alerts = watch(make(alerts_per_day=5), surprises)
    assert len(alerts) / 7 == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize("budget", [1.0, 24.0, 240.0])
def test_other_budgets_hold_as_well(budget: float) -> None:
    num_days = 21 if budget < 5 else 4
    surprises = np.random.default_rng(3).exponential(0.3, int(num_days * PER_DAY))
    alerts = watch(make(alerts_per_day=budget), surprises)
    assert len(alerts) / num_days == pytest.approx(budget, rel=0.2)


def test_a_real_surprise_stands_out_of_a_busy_week() -> None:
    rng = np.random.default_rng(1)
    surprises = rng.exponential(0.3, 7 * PER_DAY)
    real = rng.choice(np.arange(PER_DAY, 7 * PER_DAY), 12, replace=False)
    surprises[real] = 8.0
    assert set(real) <= set(watch(make(alerts_per_day=5), surprises))


def test_hours_get_their_share_once_they_are_known() -> None:
    at = days(12)
    surprises = np.random.default_rng(2).exponential(0.3, len(at)) * np.where((at % 1) < 0.25, 3.0, 1.0)
    alerts = [index for index in watch(make(alerts_per_day=24), surprises) if at[index] > 3]
    busy = np.mean([at[index] % 1 < 0.25 for index in alerts])
    assert busy < 0.5, "without hours nearly all alerts come in the busy quarter of the day"


def test_while_learning_only_what_is_extreme_is_an_alert() -> None:
    calibrator = make(learning_seconds=3600)
    surprises = np.random.default_rng(0).exponential(0.3, 300)
    surprises[[50, 100, 150, 200, 220, 240]] = [5.0, 7.0, 6.5, 6.4, 6.8, 9.0]
    assert calibrator.learning and calibrator.progress == 0.0
    assert watch(calibrator, surprises) == [100, 150, 200, 240], "after three, only records"
    assert calibrator.progress == pytest.approx(300 / 360)


def test_the_floor_holds_whatever_the_budget_says() -> None:
    calibrator = make(floor_nats=2.0, alerts_per_day=100)
    watch(calibrator, np.random.default_rng(0).exponential(0.01, 2 * PER_DAY))
    assert calibrator.level == 2.0


def test_p_values_are_uniform_and_never_zero() -> None:
    rng = np.random.default_rng(11)
    calibrator, p_values = make(), []
    for index, value in enumerate(rng.exponential(0.3, 20_000)):
        if index > 5000:
            p_values.append(calibrator.p_value(value))
        calibrator.admit(value, NOON + index * SEGMENT_SECONDS, SEGMENT_SECONDS)
    for share in (0.5, 0.1, 0.01):
        assert np.mean(np.array(p_values) <= share) == pytest.approx(share, rel=0.25)
    assert 0.0 < calibrator.p_value(1e6) < 1e-6


def test_a_flood_makes_alerts_dear_but_not_impossible() -> None:
    calibrator = make(alerts_per_day=5)
    watch(calibrator, np.random.default_rng(0).exponential(0.3, 2 * PER_DAY))
    before = calibrator.level
    for _ in range(15):
        calibrator.spend()
    assert before < calibrator.level < 5 * before
    assert calibrator.budget_use > 2.0


def test_what_never_ends_becomes_usual_for_some_hours() -> None:
    calibrator = make()
    watch(calibrator, np.random.default_rng(0).exponential(0.3, PER_DAY))
    before = calibrator.level
    calibrator.accept(8.0)
    assert calibrator.level == pytest.approx(12.0)
    watch(calibrator, np.random.default_rng(0).exponential(0.3, 2 * PER_DAY))
    assert calibrator.level == pytest.approx(before, rel=0.5)


def test_a_new_budget_counts_at_once() -> None:
    calibrator = make(alerts_per_day=50)
    watch(calibrator, np.random.default_rng(0).exponential(0.3, 2 * PER_DAY))
    before = calibrator.level
    calibrator.alerts_per_day = 1.0
    assert calibrator.level > before
    with pytest.raises(ValueError, match="more than 0"):
        calibrator.alerts_per_day = 0.0


def test_a_camera_that_moved_learns_anew() -> None:
    calibrator = make()
    watch(calibrator, np.random.default_rng(0).exponential(0.3, PER_DAY))
    assert not calibrator.learning
    calibrator.reset()
    assert calibrator.learning and calibrator.progress == 0.0


def test_a_restart_changes_nothing() -> None:
    surprises = np.random.default_rng(9).exponential(0.3, 2 * PER_DAY)
    one, two = make(), make()
    watch(one, surprises)
    two.restore(json.loads(json.dumps(one.export())))
    assert two.level == pytest.approx(one.level, rel=0.02)
    assert not two.learning and two.budget_use == pytest.approx(one.budget_use)


def test_verdicts_move_the_budget_in_effect_by_a_tenth_each_and_never_beyond_twice() -> None:
    calibrator = make(alerts_per_day=10)
    calibrator.heed(-1)
    assert calibrator.effective_alerts_per_day == pytest.approx(10 * math.exp(-0.1))
    calibrator.heed(2)
    assert calibrator.effective_alerts_per_day == pytest.approx(10 * math.exp(0.1))
    calibrator.heed(1000)
    assert calibrator.effective_alerts_per_day == pytest.approx(20)
    calibrator.heed(-1000)
    assert calibrator.effective_alerts_per_day == pytest.approx(5)
    assert calibrator.alerts_per_day == 10


def test_verdicts_move_the_threshold_at_once() -> None:
    calibrator = make(alerts_per_day=50)
    watch(calibrator, np.random.default_rng(0).exponential(0.3, 2 * PER_DAY))
    before = calibrator.level
    calibrator.heed(-5)
    stricter = calibrator.level
    calibrator.heed(10)
    assert calibrator.level < before < stricter


def test_alerts_that_are_not_useful_become_fewer_over_days_and_not_only_for_a_moment() -> None:
    surprises = np.random.default_rng(5).exponential(0.3, 4 * PER_DAY)
    plain, judged = make(alerts_per_day=20, memory_days=300), make(alerts_per_day=20, memory_days=300)
    judged.heed(-7)
    assert len(watch(judged, surprises)) / len(watch(plain, surprises)) == pytest.approx(0.5, abs=0.1)


def test_verdicts_fade_in_days_of_watching() -> None:
    calibrator = make(alerts_per_day=10, memory_days=2)
    calibrator.heed(3)
    watch(calibrator, np.random.default_rng(0).exponential(0.3, 2 * PER_DAY))
    assert math.log(calibrator.effective_alerts_per_day / 10) == pytest.approx(0.3 / math.e, rel=0.01)


def test_verdicts_survive_a_restart_and_states_of_before_verdicts_are_read() -> None:
    one, two = make(), make()
    one.heed(-4)
    state = one.export()
    two.restore(state)
    assert two.effective_alerts_per_day == pytest.approx(one.effective_alerts_per_day)
    del state["leaning"]
    two.restore(state)
    assert two.effective_alerts_per_day == two.alerts_per_day


BROKEN = {"version": 2, "saved": 0.0, "lifted": 0.0, "recent": {"days": 1}}


@pytest.mark.parametrize("state", [{}, {"version": 1}, BROKEN])
def test_another_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the state of a calibrator"):
        make().restore(state)


@pytest.mark.parametrize("nats", [math.nan, math.inf, -1.0])
def test_a_surprise_is_finite_and_not_negative(nats: float) -> None:
    with pytest.raises(ValueError, match="never negative"):
        make().admit(nats, NOON, 1.0)
