"""Patterns repeat without a seam and are laid out in the camera's perspective."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspike.world.brush import Brush, ground_distances
from streamspike.world.laying import lay, paper
from streamspike.world.scene import Camera
from streamspike.world.textures import PATTERNS, SIDE, sample, tile_of

CAMERA = Camera(math.radians(33), 2.5, math.radians(18), 4 / 3)


def brush(snow: float = 0.0) -> Brush:
    return Brush(np.zeros((150, 200, 3), np.uint8), CAMERA, snow)


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_tile_has_a_version_for_every_distance_and_keeps_its_brightness(kind: str) -> None:
    tile = tile_of(kind, np.random.default_rng(3), (150, 120, 90), 1.0)
    assert [level.shape[0] for level in tile.levels] == [SIDE >> k for k in range(len(tile.levels))]
    assert tile.levels[-1].shape == (1, 1, 3)
    assert tile.levels[4].mean() == pytest.approx(tile.levels[0].mean(), abs=4)


def test_a_pattern_repeats_every_tile() -> None:
    tile = tile_of("blobs", np.random.default_rng(1), (150, 120, 90), 2.0)
    across, along = np.linspace(0, 2, 50)[None, :].repeat(40, axis=0), np.linspace(0, 2, 40)
    fine = np.zeros(40)
    assert np.array_equal(sample(tile, across, along, fine), sample(tile, across - 6.0, along + 4.0, fine))


def test_the_ground_is_seen_where_the_camera_projects_it() -> None:
    for z in (3.0, 6.0, 15.0):
        row = CAMERA.project(0.0, 0.0, z)[1]
        assert ground_distances(CAMERA, np.array([row]), 100.0)[0] == pytest.approx(z)
    assert ground_distances(CAMERA, np.array([-1.0]), 100.0)[0] == 100.0


def test_what_is_laid_covers_its_rectangle_and_nothing_else() -> None:
    tile = tile_of("carpet", np.random.default_rng(1), (150, 120, 90), 1.0)
    laid, flat = brush(), brush()
    lay(laid, tile, -1.0, 1.5, 3.0, 6.0)
    flat.ground(-1.0, 1.5, 3.0, 6.0, (255, 255, 255))
    assert ((laid.canvas.max(axis=2) > 0) != (flat.canvas.max(axis=2) > 128)).mean() < 0.01
    hung, wall = brush(), brush()
    paper(hung, tile, -1.0, 1.5, 0.5, 2.0, 5.0)
    wall.wall(-1.0, 1.5, 0.5, 2.0, 5.0, (255, 255, 255))
    assert ((hung.canvas.max(axis=2) > 0) != (wall.canvas.max(axis=2) > 128)).mean() < 0.01


def test_snow_covers_what_is_laid() -> None:
    tile = tile_of("carpet", np.random.default_rng(1), (60, 50, 40), 1.0)
    bare, white = brush(), brush(snow=0.9)
    for canvas in (bare, white):
        lay(canvas, tile, -9.0, 9.0, 2.0, 9.0)
    assert white.canvas.mean() > 2 * bare.canvas.mean()
