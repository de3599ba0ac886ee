"""Scores of segments that need no model, by the names they have in the configuration.

- `frame-difference`, `rgb-histogram`, `optical-flow` compare the newest frame of a segment with that of the one before;
  in the first of an epoch, with the first picture of the epoch.
- `itti-baldi` sees every frame of a segment; its most surprising one counts.
- `uniform` says the same of every segment, as uniform sampling of frames does: whoever breaks ties decides.
- `middle` says the middle of the video, where people who film something tend to have it: its score falls on both sides.

A score says nothing across names: each has its own unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from streamspike.belief.itti_baldi import IttiBaldi
from streamspike.belief.pixels import PictureChange, frame_difference, histogram_distance, optical_flow
from streamspike.config import ScorerName
from streamspike.core import Pixels, Segment

COMPARISONS = {
    "frame-difference": frame_difference,
    "rgb-histogram": histogram_distance,
    "optical-flow": optical_flow,
}
BASELINES: tuple[ScorerName, ...] = (
    "frame-difference",
    "rgb-histogram",
    "optical-flow",
    "itti-baldi",
    "uniform",
    "middle",
)
FRAME_BASELINES: tuple[ScorerName, ...] = BASELINES[:4]
"""Those that score single frames too."""


class FrameScore(Protocol):
    """Scores pictures of one camera, in order."""

    def see(self, pixels: Pixels) -> float:
        """The score of the next picture, never negative; 0.0 while there is nothing to compare it with."""
        ...

    def forget(self) -> None:
        """A new epoch: the next picture is the first."""
        ...


class Baseline(Protocol):
    """Scores segments of one camera, in order."""

    def score(self, segment: Segment) -> float:
        """Higher is more unusual, never negative; 0.0 where there is nothing to compare a segment with."""
        ...


def make_baseline(name: ScorerName, video_seconds: float | None = None) -> Baseline:
    """A baseline with no past.

    Args:
        video_seconds: the length of the video; only `middle` needs it.

    Raises:
        ValueError: the name is none of BASELINES, or `middle` is not told the length.
    """
    if name == "uniform":
        return Uniform()
    if name == "middle":
        if video_seconds is None:
            raise ValueError("'middle' needs the length of the video: video_seconds")
        return Middle(video_seconds)
    if name == "itti-baldi":
        return SegmentScore(IttiBaldi(), every_frame=True)
    return SegmentScore(make_frame_score(name), every_frame=False)


def make_frame_score(name: ScorerName) -> FrameScore:
    """Raises ValueError: the name is none of FRAME_BASELINES."""
    if name == "itti-baldi":
        return IttiBaldi()
    if name not in COMPARISONS:
        raise ValueError(f"{name!r} scores no frames; these do: {', '.join(FRAME_BASELINES)}")
    return PictureChange(COMPARISONS[name])


def score_frames(name: ScorerName, pictures: Iterable[Pixels]) -> Iterator[float]:
    """A score for each picture, compared with those before it. Raises as `make_frame_score`."""
    frame_score = make_frame_score(name)
    return (frame_score.see(pixels) for pixels in pictures)


class SegmentScore:
    """A score of frames, asked once a segment. No comparison spans two epochs."""

    def __init__(self, frame_score: FrameScore, *, every_frame: bool) -> None:
        """
        Args:
            every_frame: all frames of a segment are seen and the highest score counts; else only its newest is seen,
                and the first picture of an epoch.
        """
        self._frame_score = frame_score
        self._every_frame = every_frame
        self._epoch: int | None = None

    def score(self, segment: Segment) -> float:
        # A camera that delivers too few frames repeats them; a repetition is nothing to see.
        shown = segment.frames if segment.opening is None else (segment.opening, *segment.frames)
        frames = list({id(frame): frame for frame in shown}.values())
        if segment.epoch != self._epoch:
            self._frame_score.forget()
            self._epoch = segment.epoch
            self._frame_score.see(frames.pop(0).pixels)
        seen = frames if self._every_frame else frames[-1:]
        return max((self._frame_score.see(frame.pixels) for frame in seen), default=0.0)


class Uniform:
    """0 for every segment."""

    def score(self, segment: Segment) -> float:
        return 0.0


class Middle:
    """1 in the middle of the video, 0 at both ends."""

    def __init__(self, video_seconds: float) -> None:
        if video_seconds <= 0.0:
            raise ValueError(f"a video has a length: {video_seconds = }")
        self._video_seconds = video_seconds

    def score(self, segment: Segment) -> float:
        """By the middle of the segment."""
        at_seconds = (segment.start_seconds + segment.end_seconds) / 2.0
        return max(0.0, 2.0 * min(at_seconds, self._video_seconds - at_seconds) / self._video_seconds)
