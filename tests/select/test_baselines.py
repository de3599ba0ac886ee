"""Pickers that ask no model: each finds what it is made for, within the budget."""

from __future__ import annotations

import numpy as np
import pytest

from streamspike.core import Pixels
from streamspike.select.baselines import BASELINES, cluster, local_maxima, make_picker, smooth, spaced

NUM_FRAMES = 120


def film(jumps: dict[int, int]) -> list[Pixels]:
    """Noise on grey whose level jumps at some frames; 96 x 72."""
    rng = np.random.default_rng(0)
    level, frames = 100, []
    for number in range(NUM_FRAMES):
        level = jumps.get(number, level)
        frames.append(np.clip(level + rng.integers(-20, 21, (72, 96, 3)), 0, 255).astype(np.uint8))
    return frames


def pick(name: str, frames: list[Pixels], budget: int, seed: int = 0) -> list[int]:
    picker = make_picker(name, seed)
    for frame in frames:
        picker.look(frame)
    assert len(picker.scores) == len(frames)
    return picker.pick(budget)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("budget", [1, 7, 200])
def test_a_pick_is_in_order_within_the_budget_and_the_same_again(name: str, budget: int) -> None:
    frames = film({30: 160, 60: 60, 90: 130})
    chosen = pick(name, frames, budget)
    assert chosen == sorted(set(chosen)) and len(chosen) <= budget
    assert all(0 <= number < NUM_FRAMES for number in chosen)
    assert chosen == pick(name, frames, budget)


def test_uniform_takes_the_middles_of_equal_parts() -> None:
    assert spaced(8, 4) == [1, 3, 5, 7] and spaced(100, 1) == [50] and spaced(3, 5) == [0, 1, 2]
    assert pick("uniform", film({}), 4) == [15, 45, 75, 105]


def test_the_histogram_takes_the_frames_after_the_largest_jumps() -> None:
    assert pick("histogram", film({30: 160, 60: 60, 90: 70}), 2) == [30, 60]


def test_optical_flow_takes_the_frames_that_moved() -> None:
    still = np.random.default_rng(3).integers(0, 256, (72, 96, 1)).astype(np.uint8).repeat(3, axis=2)
    moved = np.roll(still, 3, axis=1)
    assert pick("optical-flow", [still, still, moved, moved, still, still], 2) == [2, 4]


def test_katna_takes_one_frame_of_each_look() -> None:
    # Three looks, each reached twice; every jump is a maximum of the smoothed change.
    chosen = pick("katna", film({20: 160, 40: 60, 60: 160, 80: 60, 100: 110}), 3)
    assert 2 <= len(chosen) <= 3
    assert all(min(abs(number - jump) for jump in (20, 40, 60, 80, 100)) <= 3 for number in chosen)


def test_katna_leaves_out_what_is_black() -> None:
    frames = film({40: 160, 80: 60})
    dark = [frame if abs(number - 40) > 8 else np.zeros_like(frame) for number, frame in enumerate(frames)]
    assert not any(not dark[number].any() for number in pick("katna", dark, 1))


def test_katna_finds_nothing_where_nothing_changes() -> None:
    assert pick("katna", [np.full((72, 96, 3), 90, np.uint8)] * 50, 4) == []


def test_smoothing_keeps_the_mean_and_the_place_of_a_peak() -> None:
    values = np.zeros(60)
    values[30] = 1.0
    smoothed = smooth(values, 20)
    assert len(smoothed) == 60 and smoothed.sum() == pytest.approx(1.0)
    assert abs(int(smoothed.argmax()) - 30) <= 1
    assert smooth(values[:5], 20).tolist() == values[:5].tolist()


def test_maxima_are_larger_than_both_neighbours() -> None:
    assert local_maxima(np.array([3.0, 1.0, 2.0, 1.0, 1.0, 5.0, 5.0, 0.0])) == [2]


def test_clusters_are_the_groups_that_are_there() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(middle, 0.1, (10, 4)) for middle in (0.0, 5.0, 9.0)])
    labels = cluster(points, 3, rng)
    assert [len(set(labels[start : start + 10])) for start in (0, 10, 20)] == [1, 1, 1]
    assert len(set(labels)) == 3
    assert set(cluster(np.zeros((4, 2)), 3, rng)) <= {0, 1, 2}, "fewer looks than groups"


def test_an_unknown_picker_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'magic'.*uniform, histogram, optical-flow, katna"):
        make_picker("magic")
