"""One example in the making: its video as its segments come, and then its row."""

from __future__ import annotations

import math
from pathlib import Path

from streamspike.outputs.clips import name_clip
from streamspike.refine.dataset.candidate import Candidate, Said
from streamspike.refine.dataset.cutting import Cut
from streamspike.refine.dataset.format import VIDEOS, Row, hash_file
from streamspike.refine.dataset.likeness import Print, take_print
from streamspike.refine.dataset.video import ExampleVideo

SAID_OF_SHARE = 0.25
"""What the journal says of a segment is about the one whose beginning is no further away than this part of one."""


class Piece:
    """Segments of one clip, at most as many as an example may have. Methods raise OSError and SourceError."""

    def __init__(self, folder: Path, example_id: str, candidate: Candidate) -> None:
        self.prints: list[Print] = []
        """Of its frames."""
        self._example_id = example_id
        self._candidate = candidate
        self._folder = folder
        self._name = f"{VIDEOS}/{name_clip(example_id)}"
        self._video = ExampleVideo(folder / self._name, candidate.segment_seconds)
        self._starts: list[float] = []
        self._is_open = True

    @property
    def num_segments(self) -> int:
        return len(self._starts)

    def add(self, cut: Cut) -> None:
        """Write the next segment."""
        self._video.add(cut.frames)
        self._starts.append(cut.start_seconds)
        self.prints += [take_print(frame) for frame in cut.frames]

    def close(self) -> Row:
        """Finish the video. Returns the row."""
        self._is_open = False
        self._video.close()
        candidate = self._candidate
        said = [_find(candidate.said, start, candidate.segment_seconds) for start in self._starts]
        is_told = any(said)
        return Row(
            example_id=self._example_id,
            camera_id=candidate.camera_id,
            started_at=candidate.started_at + self._starts[0],
            segment_seconds=candidate.segment_seconds,
            num_segments=len(self._starts),
            frames_per_segment=len(self.prints) // len(self._starts),
            width_px=self._video.width_px,
            height_px=self._video.height_px,
            video=self._name,
            video_sha256=hash_file(self._folder / self._name),
            captions=["" if one is None else one.caption for one in said] if is_told else [],
            reference=candidate.reference,
            surprise_nats=[math.nan if one is None else one.surprise_nats for one in said] if is_told else [],
            surprising=candidate.surprising,
            verdict=candidate.verdict,
            model=candidate.model,
        )

    def discard(self) -> None:
        """Delete what was written."""
        if self._is_open:
            self._is_open = False
            self._video.abandon()
        (self._folder / self._name).unlink(missing_ok=True)


def _find(said: tuple[Said, ...], start_seconds: float, segment_seconds: float) -> Said | None:
    near = min(said, key=lambda one: abs(one.start_seconds - start_seconds), default=None)
    return near if near and abs(near.start_seconds - start_seconds) <= SAID_OF_SHARE * segment_seconds else None
