"""The frames of an example as a video, and back: encoded so that the eye sees no loss, of any size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from streamspike.core import Pixels
from streamspike.ingest.clip_file import EncodedFile
from streamspike.ingest.frames import render
from streamspike.refine.dataset.cutting import read_frames

CRF = 18
"""x264's measure of loss that is taken for lossless by the eye."""
MAX_HEIGHT_PX = 4320
"""Of what is read back: nothing is scaled."""


class ExampleVideo:
    """A file in the making. Methods raise OSError and SourceError as `EncodedFile` does."""

    def __init__(self, path: Path, segment_seconds: float) -> None:
        self.num_segments = 0
        self.width_px = self.height_px = 0
        self._segment_seconds = segment_seconds
        self._file = EncodedFile(path, crf=CRF)

    def add(self, frames: Sequence[Pixels]) -> None:
        """Write the frames of the next segment; all of the size of the very first, others are scaled to it."""
        for number, frame in enumerate(frames):
            if not self.width_px:
                self.height_px, self.width_px = frame.shape[:2]
            if frame.shape[:2] != (self.height_px, self.width_px):
                size = (self.width_px, self.height_px)
                frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
            at = (self.num_segments + (number + 0.5) / len(frames)) * self._segment_seconds
            self._file.add_pixels(_make_even(frame), at)
        self.num_segments += 1

    def close(self) -> None:
        """Finish the file and make sure that it is whole."""
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file, which is then no video."""
        self._file.abandon()


def read_video(path: Path, width_px: int, height_px: int, frames_per_segment: int) -> tuple[tuple[Pixels, ...], ...]:
    """The frames of each segment, (height_px, width_px, 3), not to be written to. Raises SourceError."""
    frames = [_crop(render(frame).pixels, width_px, height_px) for frame in read_frames(path, MAX_HEIGHT_PX)]
    starts = range(0, len(frames), frames_per_segment)
    return tuple(tuple(frames[start : start + frames_per_segment]) for start in starts)


def _make_even(frame: Pixels) -> Pixels:
    """H.264 has no odd sizes: the last row and column are repeated."""
    odd_rows, odd_columns = frame.shape[0] % 2, frame.shape[1] % 2
    if not odd_rows and not odd_columns:
        return frame
    return np.asarray(cv2.copyMakeBorder(frame, 0, odd_rows, 0, odd_columns, cv2.BORDER_REPLICATE), np.uint8)


def _crop(frame: Pixels, width_px: int, height_px: int) -> Pixels:
    if frame.shape[:2] == (height_px, width_px):
        return frame
    cropped = np.ascontiguousarray(frame[:height_px, :width_px])
    cropped.flags.writeable = False
    return cropped
