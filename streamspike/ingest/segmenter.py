"""The segmenter: cuts stream time into fixed slices and picks evenly spaced frames from each.

    slice k   [k * seconds ........................ (k + 1) * seconds)
    2 frames            ^ 1/4               ^ 3/4
    frames    |    |    *    |    |    |    *    |    |         * picked: the last one at or before the mark
                          *                   *            for further looks: an eighth of their distance later

The first whole frame of an epoch goes along with its first segment. Besides, only one undecided frame is held, so
memory does not depend on the frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.config import SegmentConfig
from streamspike.core import Frame, Segment, further_looks
from streamspike.ingest.cues import Cues
from streamspike.ingest.frames import LazyFrame, render
from streamspike.stats import CameraStats

MOTION_WIDTH_PX, MOTION_HEIGHT_PX = 64, 36
"""Motion is measured on grey pictures of this size, where sensor noise has been averaged away."""
DEFAULT_FRAME_SECONDS = 0.04
"""How long the only frame of an epoch is taken to last."""


def mark(frame: int, num_frames: int, later: bool = False) -> float:
    """When a frame of a segment is picked, as a share of its length; for further looks an eighth of their distance
    later."""
    return (frame + 0.5 + later / 8) / num_frames


class Segmenter:
    """One camera's segments. Not thread-safe; belongs to the reading thread."""

    def __init__(self, camera_id: str, config: SegmentConfig, stats: CameraStats, looks: int = 1) -> None:
        """
        Args:
            looks: more than 1 to pick frames a moment later, too, for further looks (`Segment.again`).
        """
        self._camera_id = camera_id
        self._seconds = config.seconds
        self._num_frames = config.frames
        self._looks = looks
        self._stats = stats
        self._cues = Cues(config.cues) if config.cues != "off" else None
        self._index = 0
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Begin at stream time 0 of a new connection. Call `flush` first, or lose the segment that was open."""
        self._epoch = epoch
        self._slice = 0
        self._picked: list[Frame] = []
        self._opening: Frame | None = None
        self._latest: Frame | LazyFrame | None = None
        self._latest_in_slice = False
        self._interval_seconds = DEFAULT_FRAME_SECONDS
        self._utc_offset: float | None = None  # UTC of stream time 0, as of the frames of this slice
        self._last_utc_offset = 0.0
        self._last_small: NDArray[np.float32] | None = None
        if self._cues is not None:
            self._cues.start_epoch()

    def push(self, frame: Frame | LazyFrame) -> list[Segment]:
        """Take the next frame; return the segments it completes: mostly none, several after a gap."""
        segments = []
        while frame.stream_seconds >= self._end(self._slice):
            segments.append(self._close(self._end(self._slice)))
        self._pick_before(frame)
        if self._slice == 0 and self._opening is None and not frame.corrupt:  # what was lost would come as a surprise
            self._opening = self._show(frame)
        if self._cues is not None:
            self._cues.watch(frame)
        if self._latest is not None:
            self._interval_seconds = frame.stream_seconds - self._latest.stream_seconds
        self._latest = frame
        self._latest_in_slice = True
        # The least delayed frame tells best when stream time 0 was.
        offset = frame.arrived_at - frame.stream_seconds
        self._utc_offset = offset if self._utc_offset is None else min(self._utc_offset, offset)
        return segments

    def flush(self, min_fraction: float = 0.0) -> list[Segment]:
        """End the epoch: emit the open segment with its true end, if it is at least `min_fraction` of a whole one.

        0.0 is for files, where no footage may be lost. What is too short is counted as dropped.
        """
        if self._latest is None or not self._latest_in_slice:
            return []
        start = self._slice * self._seconds
        last = self._latest.stream_seconds
        # The last frame lasts as long as the one before it, but not past the slice.
        end = max(min(last + min(self._interval_seconds, self._seconds), self._end(self._slice)), last + 1e-3)
        if end - start < min_fraction * self._seconds:
            self._stats.dropped_segments["partial"] += 1
            self._latest_in_slice = False
            return []
        if end < self._end(self._slice) - 1e-6:
            self._stats.partial_segments += 1
        return [self._close(end)]

    def _end(self, number: int) -> float:
        return (number + 1) * self._seconds

    def _pick_before(self, frame: Frame | LazyFrame) -> None:
        """Decide the marks that `frame` has passed."""
        while len(self._picked) < self._num_marks and self._mark(len(self._picked)) < frame.stream_seconds:
            # A frame of an earlier slice is staler than one of this slice that comes a little late.
            self._picked.append(self._show(self._latest if self._latest_in_slice and self._latest else frame))

    def _show(self, frame: Frame | LazyFrame) -> Frame:
        rendered = render(frame)
        return rendered if self._cues is None else self._cues.cue(rendered)

    @property
    def _num_moments(self) -> int:
        return min(self._looks, 2)

    @property
    def _num_marks(self) -> int:
        return self._num_frames * self._num_moments

    def _mark(self, number: int) -> float:
        frame, later = divmod(number, self._num_moments)
        return (self._slice + mark(frame, self._num_frames, later=bool(later))) * self._seconds

    def _close(self, end_seconds: float) -> Segment:
        assert self._latest is not None, "time passes only with frames"
        self._stats.gap_segments += not self._latest_in_slice
        while len(self._picked) < self._num_marks:
            self._picked.append(self._show(self._latest))
        frames = tuple(self._picked[:: self._num_moments])
        again = further_looks(frames, self._picked[1 :: self._num_moments], self._looks) if self._looks > 1 else ()
        start_seconds = self._slice * self._seconds
        offset = self._last_utc_offset if self._utc_offset is None else self._utc_offset
        segment = Segment(
            camera_id=self._camera_id,
            epoch=self._epoch,
            index=self._index,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            started_at=offset + start_seconds,
            frames=frames,
            motion=self._measure_motion(frames),
            opening=self._opening,
            again=again,
        )
        self._stats.segments += 1
        self._index += 1
        self._slice += 1
        self._picked = []
        self._opening = None
        self._latest_in_slice = False
        self._utc_offset, self._last_utc_offset = None, offset
        return segment

    def _measure_motion(self, frames: Sequence[Frame]) -> float:
        """Mean difference from picked frame to picked frame, from the last one of the slice before; no repeats."""
        differences = []
        previous: Frame | None = None
        for frame in frames:
            if frame is previous:
                continue
            previous = frame
            small = shrink_to_grey(frame)
            if self._last_small is not None:
                differences.append(float(np.abs(small - self._last_small).mean()))
            self._last_small = small
        return min(1.0, float(np.mean(differences))) if differences else 0.0


def shrink_to_grey(frame: Frame) -> NDArray[np.float32]:
    """(MOTION_HEIGHT_PX, MOTION_WIDTH_PX) in [0, 1]: the picture without detail, colour and noise."""
    small = cv2.resize(frame.pixels, (MOTION_WIDTH_PX, MOTION_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    result: NDArray[np.float32] = grey.astype(np.float32) / np.float32(255.0)
    return result
