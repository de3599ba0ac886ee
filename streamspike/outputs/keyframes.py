"""Turns a frame chosen for the user into a JPEG of bounded width, and back into pixels."""

from __future__ import annotations

import cv2
import numpy as np

from streamspike.core import Keyframe, Pixels

JPEG_QUALITY = 85


def encode_keyframe(
    pixels: Pixels,
    *,
    camera_id: str,
    event_id: str,
    index: int,
    taken_at: float,
    max_width_px: int,
    surprise_nats: float | None = None,
    saw: str = "",
) -> Keyframe:
    """Scale down, never up, and compress.

    Args:
        pixels: (height, width, 3) uint8 RGB; not modified.
        camera_id: whose frame it is.
        event_id: the event it was chosen for.
        index: of the frame within the event.
        taken_at: UTC.
        max_width_px: wider pictures are scaled down, at the same aspect.
        surprise_nats: of its segment; None when it was not chosen by it.
        saw: the caption of its segment.

    Raises:
        ValueError: not a picture.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"a frame is (height, width, 3) uint8: {pixels.shape = }, {pixels.dtype = }")
    height_px, width_px = pixels.shape[:2]
    if width_px > max_width_px:
        height_px = max(1, round(height_px * max_width_px / width_px))
        width_px = max_width_px
        # INTER_AREA averages what it removes: no moiré on fences and shirts.
        pixels = cv2.resize(pixels, (width_px, height_px), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    encoded, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise ValueError(f"cannot be written as JPEG: {pixels.shape = }")
    return Keyframe(camera_id, event_id, index, taken_at, width_px, height_px, jpeg.tobytes(), surprise_nats, saw)


def decode_keyframe(keyframe: Keyframe) -> Pixels:
    """The pixels of a keyframe, (height, width, 3) RGB. Raises ValueError when the JPEG is damaged."""
    bgr = cv2.imdecode(np.frombuffer(keyframe.jpeg, np.uint8), cv2.IMREAD_COLOR) if keyframe.jpeg else None
    if bgr is None:
        raise ValueError(f"keyframe {keyframe.index} of {keyframe.event_id} is not a JPEG")
    rgb: Pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb
