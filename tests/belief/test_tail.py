"""The sketch of recent surprise and its fitted tail, against the laws that surprises are drawn from."""

import json
import math

import numpy as np
import pytest

from streamspike.belief.tail import CENTRES, NUM_BINS, RecentSurprise, Tail, bin_of, fit_pareto

SECOND = 1 / 86_400


def watched(values: np.ndarray, memory_days: float = 100.0, seconds: float = 1.0) -> RecentSurprise:
    recent = RecentSurprise(memory_days, gap_segments=3)
    for index, value in enumerate(values):
        recent.add(float(value), seconds * SECOND, int(index * seconds // 3600) % 24)
    return recent


@pytest.mark.parametrize("nats", [0.0, 1e-6, 1e-3, 0.5, 2.0, 77.0, 1e9])
def test_a_bin_holds_what_lies_near_its_centre(nats: float) -> None:
    k = bin_of(nats)
    assert 0 <= k < NUM_BINS
    if 1e-3 <= nats < 1e4:
        assert CENTRES[k] == pytest.approx(nats, rel=0.02)


@pytest.mark.parametrize(("shape", "scale"), [(0.0, 1.0), (0.3, 0.5), (-0.3, 2.0), (0.45, 1.0)])
def test_moments_find_the_law_the_excesses_were_drawn_from(shape: float, scale: float) -> None:
    uniform = np.random.default_rng(1).uniform(size=200_000)
    drawn = -scale * np.log(uniform) if shape == 0 else scale / shape * (uniform**-shape - 1)
    found_scale, found_shape = fit_pareto(np.sort(drawn), np.ones(len(drawn)))
    assert found_shape == pytest.approx(shape, abs=0.03)
    assert found_scale == pytest.approx(scale, rel=0.05)


@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.4])
def test_level_and_survival_are_inverse(shape: float) -> None:
    tail = Tail(2.0, 100.0, 0.7, shape)
    for per_day in (100.0, 20.0, 5.0, 0.1):
        assert 100.0 * tail.survival(tail.level(per_day)) == pytest.approx(per_day)
    assert tail.level(1000.0) == 2.0


def test_beyond_what_was_seen_the_share_is_extrapolated() -> None:
    """Exponential with mean 0.3, a quarter of a day: levels that were never reached have the shares of the law."""
    values = np.random.default_rng(5).exponential(0.3, 21_600)
    recent = watched(values)
    for nats in (0.2, 0.9, 2.0):
        assert recent.share_above(nats) == pytest.approx(math.exp(-nats / 0.3), rel=0.35)
    beyond = float(values.max()) + 1.0
    assert 0.0 < recent.share_above(beyond) < 1 / len(values)
    assert recent.share_above(beyond) == pytest.approx(math.exp(-beyond / 0.3), rel=30)  # one order and a half


def test_neighbouring_surprises_are_one_peak() -> None:
    calm = np.random.default_rng(0).exponential(0.1, 4000)
    single, together = calm.copy(), calm.copy()
    single[100::200] = 5.0
    for k in range(6):
        together[100 + k :: 200] = 5.0 - 0.5 * k
    rates = [watched(values).tail() for values in (single, together)]
    assert all(rates)
    above = [tail.per_day * tail.survival(4.0) for tail in rates if tail]
    assert above[0] == pytest.approx(above[1], rel=0.35)


def test_the_old_fades() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.exponential(3.0, 5000), rng.exponential(0.3, 15_000)])
    assert watched(values, memory_days=0.02).share_above(3.0) < 0.01 < watched(values).share_above(3.0)


def test_a_busy_hour_is_known_as_one() -> None:
    rng = np.random.default_rng(3)
    hours = (np.arange(8 * 8640) * 10 // 3600) % 24
    values = rng.exponential(0.2, len(hours)) * np.where(hours == 17, 4.0, 1.0)
    recent = watched(values, seconds=10.0)
    assert recent.busyness(17) == pytest.approx(4 / (1 + 3 / 24), rel=0.15)
    assert recent.busyness(4) == pytest.approx(1 / (1 + 3 / 24), rel=0.15)


def test_an_empty_sketch_knows_nothing() -> None:
    recent = RecentSurprise(1.0, 3)
    assert recent.tail() is None and recent.highest == 0.0
    assert recent.share_above(5.0) == 1.0 and recent.busyness(3) == 1.0


def test_a_camera_on_which_nothing_ever_moves_has_no_tail() -> None:
    recent = watched(np.zeros(5000))
    assert recent.tail() is None
    assert recent.share_above(0.0) == 1.0 and recent.share_above(1.0) == pytest.approx(1 / 5001, rel=0.01)


def test_the_second_segment_of_a_camera_is_no_miracle() -> None:
    assert watched(np.array([0.1])).share_above(5.0) == pytest.approx(0.5)


def test_what_was_exported_goes_on_as_if_nothing_had_been() -> None:
    values = np.random.default_rng(4).exponential(0.3, 6000)
    one, first = watched(values), watched(values[:3000])
    second = RecentSurprise(100.0, 3)
    second.restore(json.loads(json.dumps(first.export())))
    for index, value in enumerate(values[3000:], 3000):
        second.add(float(value), SECOND, index // 3600 % 24)
    assert second.days == pytest.approx(one.days)
    assert second.share_above(1.0) == pytest.approx(one.share_above(1.0), rel=1e-3)
    tails = one.tail(), second.tail()
    assert tails[0] and tails[1] and tails[0].level(5.0) == pytest.approx(tails[1].level(5.0), rel=0.1)


@pytest.mark.parametrize(
    "damage",
    [{"segments": "x"}, {"segments": [[-1, 2.0]]}, {"peaks": [[1, -2.0]]}, {"days": -1.0}, {"days_by_hour": [1.0]}],
)
def test_a_damaged_export_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    recent = watched(np.random.default_rng(4).exponential(0.3, 2000))
    before = recent.export()
    with pytest.raises((ValueError, TypeError, KeyError)):
        recent.restore(before | damage)
    assert recent.export() == before
