"""Whether a camera sees, what it always saw, and anew each time: blind, moved or frozen, from its segments.

Health is looked at only where there are new frames. While a camera is blind nobody asks whether it was moved: a hand
before the lens is not another view.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2

from streamspike.config import HealthConfig
from streamspike.core import CameraState, Frame, Segment
from streamspike.ingest.freeze import Freeze
from streamspike.ingest.sight import FOUND, LOST, SIGHT_HEIGHT_PX, SIGHT_WIDTH_PX, Grey, Sight
from streamspike.ingest.view import View

BLIND_MEAN = 0.03
"""Mean brightness below this is a lens cap or a night without infrared light."""
BLIND_CONTRAST = 0.015
"""Standard deviation over the picture below this is a covered lens, a spray can, a grey frame of a dead encoder."""
HALF = 0.5
"""When so much of the detail is gone and what is left is not where it was, then it is not of what the camera saw."""

DARK, UNIFORM = "the picture is black", "the picture is uniform"
UNSHARP = "nothing is sharp any more: the lens is covered, dirty or out of focus"
FROZEN = "the picture is frozen: each is the same as the one before"
MOVED = "the camera was moved"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one segment says of its camera's health."""

    state: CameraState
    """WATCHING, BLIND or MOVED."""
    reason: str = ""
    since_at: float = 0.0
    """MOVED: UTC of the first segment that looked elsewhere."""


WELL = Finding(CameraState.WATCHING)


class Health:
    """Looks at one camera's segments, in order. Not thread-safe."""

    def __init__(self, config: HealthConfig) -> None:
        self._notice_moves = config.notice_moves
        self._sight = Sight()
        self._view = View()
        self._freeze = Freeze(config.frozen_after_seconds)
        self._epoch: int | None = None
        self._last: tuple[Frame, Grey] | None = None  # the newest frame of the segment before, of the same epoch
        self._elsewhere_at: float | None = None
        self._unsharp = False

    def look(self, segment: Segment) -> Finding:
        """What the segment says; MOVED only once per move, when it is certain."""
        if segment.epoch != self._epoch:
            self._epoch, self._last = segment.epoch, None
            self._freeze.start_epoch()
        known = None if self._last is None else self._last[0]
        fresh = [frame for frame in {id(frame): frame for frame in segment.frames}.values() if frame is not known]
        if not fresh:
            return WELL  # a gap: nothing new to judge by
        greys = [_grey(frame) for frame in fresh]
        frozen = [self._freeze.look(frame) for frame in fresh][-1]
        # Every frame must be blind: a flash of darkness between two pictures is an event, not a lost eye.
        if all(float(grey.mean()) < BLIND_MEAN for grey in greys):
            finding = Finding(CameraState.BLIND, DARK)
        elif all(float(grey.std()) < BLIND_CONTRAST for grey in greys):
            finding = Finding(CameraState.BLIND, UNIFORM)
        elif frozen:
            finding = Finding(CameraState.BLIND, FROZEN)
        else:
            finding = self._look_closely(segment, greys)
        self._last = fresh[-1], greys[-1]
        return finding

    def _look_closely(self, segment: Segment, greys: list[Grey]) -> Finding:
        seconds = segment.end_seconds - segment.start_seconds
        chain = greys if self._last is None else [self._last[1], *greys]
        kept = min(
            (self._sight.kept_share(*pair, seconds / len(greys)) for pair in itertools.pairwise(chain)), default=1.0
        )
        gone = kept < (FOUND if self._unsharp else LOST)
        self._unsharp = gone or (kept < HALF and not self._view.recognises(greys[-1]))
        if self._unsharp:
            return Finding(CameraState.BLIND, UNSHARP)
        if not self._notice_moves:
            return WELL
        moved = self._view.look(greys[-1], seconds)
        if self._view.doubted_seconds == 0.0:
            self._elsewhere_at = None
        elif self._elsewhere_at is None:
            self._elsewhere_at = segment.started_at
        if not moved:
            return WELL
        since_at = segment.started_at if self._elsewhere_at is None else self._elsewhere_at
        self._view.forget()
        self._sight.forget()
        return Finding(CameraState.MOVED, MOVED, since_at)

    @property
    def settled(self) -> bool:
        """Whether it saw enough of this view to notice the next move."""
        return self._view.known


def _grey(frame: Frame) -> Grey:
    """(SIGHT_HEIGHT_PX, SIGHT_WIDTH_PX) in [0, 1]."""
    small = cv2.resize(frame.pixels, (SIGHT_WIDTH_PX, SIGHT_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    grey: Grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype("float32") / 255.0
    return grey
