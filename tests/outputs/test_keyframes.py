from dataclasses import replace

import numpy as np
import pytest

from streamspike.core import Keyframe, Pixels
from streamspike.outputs.keyframes import decode_keyframe, encode_keyframe


def encode(pixels: Pixels, max_width_px: int = 480) -> Keyframe:
    return encode_keyframe(
        pixels, camera_id="door", event_id="door-1", index=3, taken_at=5.0, max_width_px=max_width_px
    )


def halves(height: int, width: int) -> Pixels:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    return pixels


def test_colours_survive_the_round_trip() -> None:
    pixels = halves(90, 160)
    decoded = decode_keyframe(encode(pixels)).astype(int)
    assert decoded.shape == (90, 160, 3)
    assert np.abs(decoded[40, 20] - [255, 0, 0]).max() < 10
    assert np.abs(decoded[40, 140] - [0, 0, 255]).max() < 10


def test_wide_pictures_are_scaled_down_at_the_same_aspect() -> None:
    keyframe = encode(halves(1080, 1920))
    assert (keyframe.width_px, keyframe.height_px) == (480, 270)
    assert decode_keyframe(keyframe).shape == (270, 480, 3)
    assert keyframe.jpeg[:2] == b"\xff\xd8" and len(keyframe.jpeg) < 30_000


def test_small_pictures_are_left_as_they_are() -> None:
    keyframe = encode(halves(54, 96))
    assert (keyframe.width_px, keyframe.height_px) == (96, 54)


def test_pixels_are_not_written_to() -> None:
    pixels = halves(90, 160)
    pixels.flags.writeable = False
    encode(pixels, 64)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 10, 3)])
def test_what_is_not_a_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pixels\.shape = "):
        encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("jpeg", [b"", b"\xff\xd8 not really"])
def test_damaged_jpeg_is_said(jpeg: bytes) -> None:
    with pytest.raises(ValueError, match="keyframe 3 of door-1 is not a JPEG"):
        decode_keyframe(replace(encode(halves(20, 20)), jpeg=jpeg))
