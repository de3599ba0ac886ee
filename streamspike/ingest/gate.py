"""The gate: cheap checks that tell whether a segment is worth the model's time, or the camera is blind."""

from __future__ import annotations

from streamspike.core import CameraState, Frame, Segment
from streamspike.ingest.segmenter import shrink_to_grey
from streamspike.stats import CameraStats

STILL_MOTION = 0.004
"""One grey level of 255 on average: below it is sensor noise and compression."""
BLIND_MEAN = 0.03
"""Mean brightness below this is a lens cap or a night without infrared light."""
BLIND_CONTRAST = 0.015
"""Standard deviation over the picture below this is a covered lens, a spray can, a grey frame of a dead encoder."""
DEBOUNCE_SEGMENTS = 3


class Gate:
    """Judges one camera's segments. A verdict changes after several segments in a row that say the same.

    Leaving STILL takes one segment only: motion must reach the model at once.
    """

    def __init__(
        self, stats: CameraStats, still_motion: float = STILL_MOTION, debounce_segments: int = DEBOUNCE_SEGMENTS
    ) -> None:
        if debounce_segments < 1:
            raise ValueError(f"a verdict needs at least one segment: {debounce_segments = }")
        self._stats = stats
        self._still_motion = still_motion
        self._debounce_segments = debounce_segments
        self._state = CameraState.WATCHING
        self._candidate = CameraState.WATCHING
        self._num_agreeing = 0

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
        self._stats.still_segments += self._state is CameraState.STILL
        self._stats.blind_segments += self._state is CameraState.BLIND
        return self._state

    def _look(self, segment: Segment) -> CameraState:
        # Every frame must be blind: a flash of darkness between two pictures is an event, not a lost eye.
        if all(_is_blind(frame) for frame in {id(frame): frame for frame in segment.frames}.values()):
            return CameraState.BLIND
        return CameraState.STILL if segment.motion < self._still_motion else CameraState.WATCHING


def _is_blind(frame: Frame) -> bool:
    small = shrink_to_grey(frame)
    return float(small.mean()) < BLIND_MEAN or float(small.std()) < BLIND_CONTRAST
