"""Cues: boxes around what moves and the way it came, drawn into what the model is shown and nowhere else.

As in the study they come from (github.com/4g/visual_cues): a box in the colour of its track, the centres of its boxes
so far as dots, joined by a thinner line. The study found that they do not help, so they are off unless asked for.

Deviations:

1. Its boxes were drawn by people; here they come from the motion stage, which knows nothing but the pixels.
2. Its trajectories begin with the clip; a live camera has no beginning, so these show the last seconds.
3. Its lines had 2 pixels, in pictures 240 pixels high; here they scale with the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamspike.config import CuesName
from streamspike.core import Frame, Pixels
from streamspike.ingest.frames import LazyFrame, render
from streamspike.ingest.motion import MotionStage, Track

WATCH_SECONDS = 0.2
"""The motion stage looks at no more than five frames a second: each one has to be made from what was decoded."""
LINE_PART = 1 / 120
"""Thickness of a box, in parts of the picture's shorter side: 2 pixels of 240, as in the study."""
COLOURS = (
    (255, 48, 48), (40, 120, 255), (60, 220, 60), (255, 200, 0),
    (255, 0, 220), (0, 230, 230), (255, 130, 20), (150, 80, 255),
)  # fmt: skip
"""RGB; a track's colour is that of its id, over and over."""


@dataclass(frozen=True, slots=True)
class CuedFrame(Frame):
    """A frame whose own pixels are clean, and what the model is shown in their place."""

    cued: Pixels | None = None
    """(height, width, 3) uint8 RGB, not to be written to."""

    @property
    def seen(self) -> Pixels:
        """What the model is shown."""
        return self.pixels if self.cued is None else self.cued


class Cues:
    """Draws one camera's cues. Belongs to the reading thread."""

    def __init__(self, name: CuesName) -> None:
        self._name = name
        self.start_epoch()

    def start_epoch(self) -> None:
        """Begin at stream time 0 of a new connection."""
        self._stage = MotionStage()
        self._tracks: tuple[Track, ...] = ()
        self._watched_seconds: float | None = None
        self._last: tuple[Frame, CuedFrame] | None = None

    def watch(self, frame: Frame | LazyFrame) -> None:
        """Let the motion stage see a frame, if it has not seen one just before."""
        if self._watched_seconds is None or frame.stream_seconds >= self._watched_seconds + WATCH_SECONDS - 1e-6:
            self._look(frame)

    def cue(self, frame: Frame) -> CuedFrame:
        """The same frame with cues; its pixels are neither modified nor shared. The same again for the same frame."""
        if self._last is None or self._last[0] is not frame:
            if self._watched_seconds is None or frame.stream_seconds > self._watched_seconds:
                self._look(frame)
            cued = draw_cues(frame.pixels, self._tracks, self._name)
            cued.flags.writeable = False
            self._last = frame, CuedFrame(frame.pixels, frame.stream_seconds, frame.arrived_at, frame.corrupt, cued)
        return self._last[1]

    def _look(self, frame: Frame | LazyFrame) -> None:
        self._watched_seconds = frame.stream_seconds
        if not frame.corrupt:  # concealed errors look like things that move
            self._tracks = self._stage.watch(render(frame).pixels, frame.stream_seconds)


def draw_cues(pixels: Pixels, tracks: Sequence[Track], name: CuesName) -> Pixels:
    """A copy of the picture with boxes, trajectories or both drawn in.

    Args:
        pixels: (height, width, 3) uint8 RGB; not modified.
        tracks: later ones are drawn over earlier ones.
    """
    canvas = pixels.copy()
    height, width = canvas.shape[:2]
    thick_px = max(round(min(height, width) * LINE_PART), 1)
    for track in tracks if name != "off" else ():
        colour = COLOURS[track.track_id % len(COLOURS)]
        if name in ("boxes", "both"):
            x0, y0, x1, y1 = track.box
            corner, opposite = _pixel(x0, y0, width, height), _pixel(x1, y1, width, height)
            cv2.rectangle(canvas, corner, opposite, colour, thick_px)
        if name in ("trajectories", "both"):
            points = [_pixel(x, y, width, height) for x, y in track.trail]
            cv2.polylines(canvas, [np.array(points, np.int32)], False, colour, max(thick_px // 2, 1), cv2.LINE_AA)
            for point in points:
                cv2.circle(canvas, point, thick_px, colour, cv2.FILLED)
    return canvas


def _pixel(x: float, y: float, width: int, height: int) -> tuple[int, int]:
    return min(max(round(x * width), 0), width - 1), min(max(round(y * height), 0), height - 1)
