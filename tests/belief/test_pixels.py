"""The baselines, on pictures whose change is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamspike.belief.pixels import PIXEL_SCORES, frame_difference, histogram_distance, optical_flow
from streamspike.core import Pixels


def flat(red: int, green: int, blue: int, height: int = 72, width: int = 96) -> Pixels:
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def texture(shift_px: int = 0) -> Pixels:
    """Soft blobs, (144, 192, 3), moved to the right."""
    noise = np.random.default_rng(0).integers(0, 256, (144, 192), dtype=np.uint8)
    soft = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 5), None, 0, 255, cv2.NORM_MINMAX)
    return np.repeat(np.roll(soft, shift_px, axis=1)[:, :, None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", PIXEL_SCORES)
def test_the_same_picture_scores_nothing(name: str) -> None:
    assert PIXEL_SCORES[name](texture(), texture()) == pytest.approx(0, abs=1e-4)  # flow is found by iteration


def test_a_frame_difference_is_the_share_of_the_range() -> None:
    assert frame_difference(flat(0, 0, 0), flat(255, 255, 255)) == pytest.approx(1)
    assert frame_difference(flat(50, 50, 50), flat(101, 101, 101)) == pytest.approx(0.2)
    half = flat(0, 0, 0)
    half[:, :48] = 255
    assert frame_difference(flat(0, 0, 0), half) == pytest.approx(0.5)


def test_a_histogram_does_not_see_where_but_what() -> None:
    left, right = flat(10, 10, 10), flat(10, 10, 10)
    left[:, :24] = (200, 10, 10)
    right[:, -24:] = (200, 10, 10)
    assert histogram_distance(left, right) == pytest.approx(0, abs=1e-9)
    assert histogram_distance(flat(10, 10, 10), left) == pytest.approx(0.25)
    assert histogram_distance(flat(200, 10, 10), flat(10, 200, 10)) == 1  # of the same brightness, about


def test_optical_flow_is_the_movement_in_parts_of_the_width() -> None:
    moved = optical_flow(texture(), texture(6))
    assert moved == pytest.approx(6 / 192, rel=0.25)
    assert optical_flow(texture(), texture(3)) < moved


def test_the_size_of_the_pictures_does_not_matter() -> None:
    large, small = flat(50, 60, 70, 720, 1280), flat(80, 90, 100, 90, 160)
    small_before = flat(50, 60, 70, 90, 160)
    large_after = flat(80, 90, 100, 720, 1280)
    for score in PIXEL_SCORES.values():
        assert score(large, large_after) == pytest.approx(score(small_before, small), abs=1e-6)
