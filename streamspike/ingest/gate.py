"""The gate: what a camera's segments say of it: is anything moving, is it blind, was it moved?"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamspike.config import HealthConfig
from streamspike.core import CameraState, Segment
from streamspike.ingest.health import Health
from streamspike.ingest.segmenter import shrink_to_grey
from streamspike.stats import CameraStats

STILL_CHANGE = 0.03
"""Change of the most changed part of the picture, in [0, 1]. Measured on real clips: sensor noise and compression make
0.005 to 0.03, a person standing about 0.02 to 0.1, one walking 0.1 to 0.6. The mean over the picture, which `motion`
is, cannot tell them apart: it was 0.003 for noise of a bad camera and for a person far away."""
BLOCK_PX = 4
"""The parts are so large, on the small grey picture (64 x 36)."""
DEBOUNCE_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """On a camera, as of a segment."""

    state: CameraState
    """WATCHING, STILL, BLIND, or MOVED until the new view is known."""
    reason: str = ""
    moved_at: float | None = None
    """UTC; set in the one segment in which it became certain that the camera was moved: since when it looks elsewhere.
    """


class Gate:
    """Judges one camera's segments, in order. A verdict changes after several segments in a row that say the same.

    Leaving STILL takes one segment only: motion must reach the model at once. A move needs no more of them: it was
    certain when it was said.
    """

    def __init__(
        self,
        stats: CameraStats,
        still_change: float = STILL_CHANGE,
        debounce_segments: int = DEBOUNCE_SEGMENTS,
        health: HealthConfig = HealthConfig(),  # noqa: B008  # frozen
    ) -> None:
        if debounce_segments < 1:
            raise ValueError(f"a verdict needs at least one segment: {debounce_segments = }")
        self._stats = stats
        self._still_change = still_change
        self._debounce_segments = debounce_segments
        self._health = Health(health)
        self._state = CameraState.WATCHING
        self._reason = ""
        self._candidate = CameraState.WATCHING
        self._num_agreeing = 0
        self._settling = ""  # after a move: what is said until the new view is known
        self._last: tuple[int, NDArray[np.float32]] | None = None  # epoch and small grey last frame

    def judge(self, segment: Segment) -> Verdict:
        """The verdict after this segment."""
        change = self._measure_change(segment)
        finding = self._health.look(segment)
        if finding.state is CameraState.MOVED:
            self._settling = finding.reason
            self._stats.camera_moves += 1
            self._state, self._num_agreeing = CameraState.WATCHING, 0
            return Verdict(CameraState.MOVED, finding.reason, finding.since_at)
        said = finding.state
        if said is CameraState.WATCHING and change < self._still_change:
            said = CameraState.STILL
        self._debounce(said, finding.reason)
        if self._state is CameraState.BLIND:
            return Verdict(CameraState.BLIND, self._reason)
        if self._settling and not self._health.settled:
            return Verdict(CameraState.MOVED, self._settling)
        self._settling = ""
        return Verdict(self._state)

    def _debounce(self, said: CameraState, reason: str) -> None:
        if said is self._state:
            self._num_agreeing = 0
            self._reason = reason
        else:
            self._num_agreeing = self._num_agreeing + 1 if said is self._candidate else 1
            woke = said is CameraState.WATCHING and self._state is CameraState.STILL
            if woke or self._num_agreeing >= self._debounce_segments:
                self._state, self._reason = said, reason
                self._num_agreeing = 0
        self._candidate = said
        if self._state is CameraState.STILL:
            self._stats.still_segments += 1
        elif self._state is CameraState.BLIND:
            self._stats.blind_segments += 1

    def _measure_change(self, segment: Segment) -> float:
        """Change of the most changed part from any picture to the next, from the last one of the segment before."""
        distinct = list({id(frame): frame for frame in segment.frames}.values())
        pictures = [shrink_to_grey(frame) for frame in distinct]
        before = [self._last[1]] if self._last is not None and self._last[0] == segment.epoch else []
        self._last = (segment.epoch, pictures[-1])
        chain = before + pictures
        changes = [_change_of_blocks(a, b) for a, b in itertools.pairwise(chain)]
        return max(changes, default=0.0)


def _change_of_blocks(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    height, width = before.shape
    blocks = np.abs(after - before).reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    return float(blocks.mean(axis=(1, 3)).max())
