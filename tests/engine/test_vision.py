"""Frames to patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from streamspike.core import Pixels
from streamspike.engine.vision import FrameSize, FrameSpec, normalise, patchify, preprocess

HALF = (0.5, 0.5, 0.5)
SPEC = FrameSpec(8, 2, 3, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711), 96, 96)


def random_frames(count: int, height: int, width: int, seed: int = 7) -> list[Pixels]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(("height", "width"), [(96, 96), (48, 144)])
def test_patches_equal_the_official_image_processor(height: int, width: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    (pixels,) = random_frames(1, height, width)
    official = Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=3, size={"shortest_edge": 24 * 24, "longest_edge": 960 * 960}
    )(images=Image.fromarray(pixels), return_tensors="pt")
    assert official["image_grid_thw"].tolist() == [[1, height // 8, width // 8]]
    # An image is a frame shown twice, in the official processor and here.
    ours = preprocess([pixels], SPEC, FrameSize(height, width))
    torch.testing.assert_close(ours, official["pixel_values"], rtol=0, atol=2e-6)


def test_normalising_takes_mean_and_deviation_of_each_channel() -> None:
    frame = torch.tensor([255.0, 0.0, 51.0]).reshape(1, 3, 1, 1)
    spec = FrameSpec(1, 2, 1, (0.5, 0.5, 0.1), (0.5, 0.25, 0.1))
    assert normalise(frame, spec).flatten().tolist() == pytest.approx([1.0, -2.0, 1.0])


def test_patches_come_cell_by_cell_and_hold_channel_time_row_column() -> None:
    # A frame whose pixel value tells its place: 1000 t + 100 c + 10 y + x, 1 px patches, 2 x 2 merge, 2 x 4 frame.
    t, c, y, x = torch.meshgrid(*(torch.arange(n) for n in (2, 3, 2, 4)), indexing="ij")
    patches = patchify((1000 * t + 100 * c + 10 * y + x)[None].float(), FrameSpec(1, 2, 2, HALF, HALF))
    assert patches.shape == (8, 6)
    assert patches[:, 0].tolist() == [0, 1, 10, 11, 2, 3, 12, 13]
    assert patches[0].tolist() == [0, 1000, 100, 1100, 200, 1200]


def test_every_two_frames_are_a_block_and_an_odd_last_one_is_repeated() -> None:
    frames = random_frames(3, 96, 96)
    patches = preprocess(frames, SPEC)
    assert patches.shape == (2 * 144, 3 * 2 * 8 * 8)
    assert torch.equal(patches[:144], preprocess(frames[:2], SPEC))
    assert torch.equal(patches[144:], preprocess([frames[2], frames[2]], SPEC))


def test_frames_of_different_sizes_share_a_block() -> None:
    wide, tall = random_frames(1, 50, 90)[0], random_frames(1, 120, 60)[0]
    assert preprocess([wide, tall], SPEC).shape == (144, 384)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (SPEC, (96, 96)),
        (FrameSpec(14, 2, 2, HALF, HALF), (252, 448)),
        (FrameSpec(16, 2, 2, HALF, HALF), (256, 448)),
        (FrameSpec(14, 2, 2, HALF, HALF, height_px=112), (112, 196)),
        (FrameSpec(14, 2, 2, HALF, HALF, width_px=252), (140, 252)),
        (FrameSpec(14, 2, 2, HALF, HALF, height_px=100, width_px=100), (112, 112)),
    ],
)
def test_the_size_follows_the_picture_unless_it_is_fixed(spec: FrameSpec, expected: tuple[int, int]) -> None:
    size = spec.frame_size(720, 1280)
    assert (size.height_px, size.width_px) == expected


def test_a_sliver_still_has_one_token_in_each_direction() -> None:
    assert FrameSpec(14, 2, 2, HALF, HALF).frame_size(2, 1000) == FrameSize(28, 448)


def test_a_frame_that_does_not_divide_into_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 24"):
        patchify(torch.zeros(1, 2, 3, 96, 100), SPEC)
