"""The resize of the official processors, in torch's CPU kernel and as two products that run on any device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.engine.resize import integer_weights, resize, resize_by_products
from streamspike.engine.vision import send_frames
from tests.engine.test_vision import random_frames

CPU = torch.device("cpu")
SIDE = st.integers(2, 150)
"""torch 2.13 stops at an assertion of its own when a picture one pixel wide stays so."""


def test_the_resize_is_the_one_the_official_video_processors_make() -> None:
    # Computed once with torchvision 0.28 installed: bit-equal to both official video processors at seven sizes.
    frames = send_frames(random_frames(2, 61, 97), CPU)
    for resized in (resize(frames, 32, 48), resize_by_products(frames, 32, 48)):
        assert resized.dtype == torch.uint8
        assert resized[1, 2, 5, :8].tolist() == [116, 89, 114, 120, 104, 154, 117, 140]
        assert int(resized.sum(dtype=torch.int64)) == 1175987


def test_a_frame_of_the_right_size_is_not_touched() -> None:
    frames = send_frames(random_frames(2, 96, 96), CPU)
    assert resize(frames, 96, 96) is frames


@settings(max_examples=100, deadline=None, derandomize=True)
@given(source=st.tuples(SIDE, SIDE), target=st.tuples(SIDE, SIDE), seed=st.integers(0, 9), stark=st.booleans())
def test_both_ways_agree_to_the_last_bit_whatever_the_sizes(
    source: tuple[int, int], target: tuple[int, int], seed: int, stark: bool
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (2, 3, *source), dtype=np.uint8)
    frames = torch.from_numpy(np.where(pixels > 127, 255, 0).astype(np.uint8) if stark else pixels)  # stark: clips
    assert torch.equal(resize_by_products(frames, *target), resize(frames, *target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((1080, 1920), (252, 448)),
        ((720, 1280), (256, 448)),
        ((480, 640), (480, 320)),
        ((33, 100), (200, 100)),
        ((2160, 16), (28, 448)),
        ((1, 1), (28, 28)),
    ],
)
def test_cameras_sizes_agree_to_the_last_bit(source: tuple[int, int], target: tuple[int, int]) -> None:
    frames = send_frames(random_frames(1, *source), CPU)
    assert torch.equal(resize_by_products(frames, *target), resize(frames, *target))


@pytest.mark.parametrize(("source", "target"), [(1920, 448), (97, 48), (48, 97), (20_000, 1)])
def test_sums_of_a_pass_are_exact_in_float64(source: int, target: int) -> None:
    weights, precision = integer_weights(source, target)
    assert np.array_equal(weights, np.rint(weights)) and np.abs(weights).max() <= 1 << 15
    assert 255 * np.abs(weights).sum(axis=1).max() < 1 << 53
    assert np.abs(weights.sum(axis=1) - (1 << precision)).max() <= source


@pytest.mark.gpu
def test_on_a_gpu_frames_are_those_of_the_cpu() -> None:
    frames = random_frames(2, 1080, 1920)
    on_device = resize(send_frames(frames, torch.device("cuda")), 252, 448)
    assert torch.equal(on_device.cpu(), resize(send_frames(frames, CPU), 252, 448))
