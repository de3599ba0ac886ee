"""The gate: cheap checks that tell whether a segment is worth the model's time, or the camera is blind."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from streamspike.core import CameraState, Segment
from streamspike.ingest.segmenter import shrink_to_grey
from streamspike.stats import CameraStats

STILL_CHANGE = 0.03
"""Change of the most changed part of the picture, in [0, 1]. Measured on real clips: sensor noise and compression make
0.005 to 0.03, a person standing about 0.02 to 0.1, one walking 0.1 to 0.6. The mean over the picture, which `motion`
is, cannot tell them apart: it was 0.003 for noise of a bad camera and for a person far away."""
BLOCK_PX = 4
"""The parts are so large, on the small grey picture (64 x 36)."""
BLIND_MEAN = 0.03
"""Mean brightness below this is a lens cap or a night without infrared light."""
BLIND_CONTRAST = 0.015
"""Standard deviation over the picture below this is a covered lens, a spray can, a grey frame of a dead encoder."""
DEBOUNCE_SEGMENTS = 3


class Gate:
    """Judges one camera's segments, in order. A verdict changes after several segments in a row that say the same.

    Leaving STILL takes one segment only: motion must reach the model at once.
    """

    def __init__(
        self, stats: CameraStats, still_change: float = STILL_CHANGE, debounce_segments: int = DEBOUNCE_SEGMENTS
    ) -> None:
        if debounce_segments < 1:
            raise ValueError(f"a verdict needs at least one segment: {debounce_segments = }")
        self._stats = stats
        self._still_change = still_change
        self._debounce_segments = debounce_segments
        self._state = CameraState.WATCHING
        self._candidate = CameraState.WATCHING
        self._num_agreeing = 0
        self._last: tuple[int, NDArray[np.float32]] | None = None  # epoch and small grey last frame

    def judge(self, segment: Segment) -> CameraState:
        """WATCHING, STILL or BLIND."""
        verdict = self._look(segment)
        if verdict == self._state:
            self._num_agreeing = 0
        else:
            self._num_agreeing = self._num_agreeing + 1 if verdict == self._candidate else 1
            woke = verdict is CameraState.WATCHING and self._state is CameraState.STILL
            if woke or self._num_agreeing >= self._debounce_segments:
                self._state = verdict
                self._num_agreeing = 0
        self._candidate = verdict
        if self._state is CameraState.STILL:
            self._stats.still_segments += 1
        elif self._state is CameraState.BLIND:
            self._stats.blind_segments += 1
        return self._state

    def _look(self, segment: Segment) -> CameraState:
        distinct = list({id(frame): frame for frame in segment.frames}.values())
        pictures = [shrink_to_grey(frame) for frame in distinct]
        change = self._measure_change(segment.epoch, pictures)
        # Every frame must be blind: a flash of darkness between two pictures is an event, not a lost eye.
        if all(float(p.mean()) < BLIND_MEAN or float(p.std()) < BLIND_CONTRAST for p in pictures):
            return CameraState.BLIND
        return CameraState.STILL if change < self._still_change else CameraState.WATCHING

    def _measure_change(self, epoch: int, pictures: list[NDArray[np.float32]]) -> float:
        """Change of the most changed part from any picture to the next, from the last one of the segment before."""
        before = [self._last[1]] if self._last is not None and self._last[0] == epoch else []
        self._last = (epoch, pictures[-1])
        chain = before + pictures
        changes = [_change_of_blocks(a, b) for a, b in itertools.pairwise(chain)]
        return max(changes, default=0.0)


def _change_of_blocks(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    height, width = before.shape
    blocks = np.abs(after - before).reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    return float(blocks.mean(axis=(1, 3)).max())
