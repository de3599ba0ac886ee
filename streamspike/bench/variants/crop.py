"""The busiest region of a segment at the camera's own resolution: a second look at what moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streamspike.core import Frame, Pixels, Request, Segment
from streamspike.ingest.motion import MotionStage, Rectangle

LOOKS = 6
"""Frames of a segment in which motion is looked for; the model is shown those at a quarter and at three quarters."""
SHOWN = (1, 4)
GROWTH = 1.5
"""The region is so many times as long as what moves: who falls must not fall out of it."""
SHORTEST_SIDE, LONGEST_SIDE = 0.4, 0.95
"""In parts of the picture. A smaller region has nothing to tell what moves from; a larger one is the picture."""


class Looker:
    """Says for each segment of one camera where it is busiest. Not thread-safe."""

    def __init__(self) -> None:
        self._stage = MotionStage()

    def look(self, segment: Segment) -> tuple[Segment, Rectangle | None]:
        """A segment of LOOKS frames, reduced to the two that are shown, and its busiest region if there is one."""
        boxes = [box for frame in segment.frames for box in self._watch(frame)]
        return replace(segment, frames=tuple(segment.frames[k] for k in SHOWN)), region_of(boxes)

    def _watch(self, frame: Frame) -> list[Rectangle]:
        return [track.box for track in self._stage.watch(frame.pixels, frame.stream_seconds)]


def region_of(boxes: Sequence[Rectangle]) -> Rectangle | None:
    """A square part of the picture around all boxes, within the picture; None if nothing moves, or nearly all does."""
    if not boxes:
        return None
    x0, y0 = (min(box[k] for box in boxes) for k in (0, 1))
    x1, y1 = (max(box[k] for box in boxes) for k in (2, 3))
    side = max(GROWTH * (x1 - x0), GROWTH * (y1 - y0), SHORTEST_SIDE)
    if side >= LONGEST_SIDE:
        return None
    x, y = (min(max((low + high) / 2, side / 2), 1 - side / 2) for low, high in ((x0, x1), (y0, y1)))
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def zoom(request: Request, region: Rectangle) -> Request:
    """The same question about the region alone, which the past is shown as well. An epoch of its own: no cache of the
    engine holds these pictures."""

    def cut(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        top, bottom = round(region[1] * height), round(region[3] * height)
        left, right = round(region[0] * width), round(region[2] * width)
        return np.ascontiguousarray(pixels[top:bottom, left:right])

    return replace(
        request,
        camera_id=f"{request.camera_id}-zoom",
        epoch=request.index,
        window=tuple(tuple(map(cut, frames)) for frames in request.window),
        observation=tuple(map(cut, request.observation)),
    )
