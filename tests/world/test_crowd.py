"""The crowd in the distance walks on for ever, slowly, small, and the same at any instant."""

from __future__ import annotations

import numpy as np
import pytest

from streamspike.world.crowd import CHANCES, Crowd, crowd_of
from streamspike.world.scene import SCENES, build_scene


def drawn(crowd: Crowd, seconds: float) -> np.ndarray:
    canvas = np.full((312, 416, 3), 128, np.uint8)
    crowd.draw(canvas, seconds)
    return canvas


def first(name: str) -> Crowd:
    scene = build_scene(name, 1)
    return next(crowd for seed in range(100) if (crowd := crowd_of(scene, seed)) is not None)


@pytest.mark.parametrize("name", SCENES)
def test_as_many_cameras_have_a_crowd_as_promised(name: str) -> None:
    scene = build_scene(name, 1)
    share = np.mean([crowd_of(scene, seed) is not None for seed in range(300)])
    assert share == pytest.approx(CHANCES.get(name, 0.0), abs=0.1)


@pytest.mark.parametrize("name", CHANCES)
def test_a_crowd_moves_a_little_and_covers_little(name: str) -> None:
    crowd = first(name)
    now, soon = drawn(crowd, 10.0), drawn(crowd, 10.5)
    assert 0 < (now != 128).any(axis=2).mean() < 0.2
    assert 0 < (now != soon).any(axis=2).mean() < 0.1


def test_a_crowd_never_runs_out() -> None:
    crowd = first("walkway")
    assert all((drawn(crowd, at) != 128).any() for at in (0.0, 60.0, 3600.0, 86400.0))
    assert np.array_equal(drawn(crowd, 60.0), drawn(crowd, 60.0))
