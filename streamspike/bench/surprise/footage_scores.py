"""What scores are worth on labelled footage: by frame, by video, by event, at the onset, and against false alarms.

One threshold serves all videos of a data set; none is tuned to a clip. The first segment counts like any other: who has
nothing to compare it with gives it 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from streamspike.bench.footage import Footage
from streamspike.bench.surprise.detecting import measure_detection, track_of
from streamspike.bench.surprise.scored import ScoredClip
from streamspike.bench.surprise.world_scores import cost
from streamspike.measures.detection import Tolerance, auroc, average_precision
from streamspike.measures.estimate import Undefined, bootstrap
from streamspike.measures.interval import Interval
from streamspike.measures.localisation import (
    Floats,
    moment_spans,
    overlap_seconds,
    peak_accuracy,
    peak_iou,
    touches,
)
from streamspike.report.figures import plain

TOLERANCE = Tolerance()
"""A peak is at the onset from 0.5 s before to 1.5 s after: labels are no more exact."""
PUBLISHED_SECONDS = (0.25, 1.0)
"""Acc@d of Oops!, as SPIKE reports it."""
NUM_DRAWS = 400


@dataclass(frozen=True, slots=True)
class _Scored:
    """A video and its scores."""

    footage: Footage
    starts: Floats
    ends: Floats
    scores: Floats

    @property
    def middles(self) -> Floats:
        return np.asarray((self.starts + self.ends) / 2, dtype=np.float64)

    @property
    def onsets(self) -> list[float]:
        """By every annotator, of every surprise."""
        if self.footage.onsets:
            return [moment for group in self.footage.onsets for moment in group]
        return [one.start_seconds for one in self.footage.surprises]

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Of every surprise; a moment has half a second on both sides."""
        long = [(one.start_seconds, one.end_seconds) for one in self.footage.surprises if _has_length(one)]
        return long + moment_spans([one.start_seconds for one in self.footage.surprises if not _has_length(one)])

    def peak_within(self, interval: Interval) -> float | None:
        """The highest score of a segment that shares time with the interval; None where there is none."""
        near = touches(self.starts, self.ends, (interval,))
        return float(self.scores[near].max()) if near.any() else None


def measure_footage(footage: Sequence[Footage], clips: Mapping[str, Sequence[ScoredClip]], seed: int) -> dict[str, Any]:
    """Plain values.

    Args:
        clips: by scorer, in the order of the footage.
        seed: of the bootstrap, which draws videos.
    """
    first = next(iter(clips.values()))
    return {
        "videos": len(footage),
        "hours": sum(float(clip.ends[-1]) for clip in first if clip.segments) / 3600,
        "surprises": sum(len(one.surprises) for one in footage),
        "videos_with_surprises": sum(bool(one.surprises) for one in footage),
        "scorers": {name: _measure(footage, scored, seed) for name, scored in clips.items()},
    }


def _measure(footage: Sequence[Footage], clips: Sequence[ScoredClip], seed: int) -> dict[str, Any]:
    scored = [
        _Scored(one, clip.starts, clip.ends, clip.scores)
        for one, clip in zip(footage, clips, strict=True)
        if clip.segments
    ]
    tracks = [track_of(one, clip) for one, clip in zip(footage, clips, strict=True)]
    surprising = [one for one in scored if one.footage.surprises]
    frames = [_frames(one) for one in scored]
    events = [_events(one) for one in scored]
    videos = [(float(one.scores.max()), bool(one.footage.surprises)) for one in scored]
    accuracies = {
        f"accuracy_{seconds:g}s": [peak_accuracy(one.middles, one.scores, one.onsets, seconds) for one in surprising]
        for seconds in PUBLISHED_SECONDS
    }
    means = {
        "peak_at_onset": [_peak_at_onset(one) for one in surprising],
        **accuracies,
        "iou": [peak_iou(one.middles, one.scores, one.spans) for one in surprising],
    }
    return {
        "frame_auroc": plain(bootstrap(frames, partial(_pooled, auroc), seed, NUM_DRAWS)),
        "frame_average_precision": plain(bootstrap(frames, partial(_pooled, average_precision), seed, NUM_DRAWS)),
        "video_auroc": plain(bootstrap(videos, _auroc_of_pairs, seed, NUM_DRAWS)),
        "event_auroc": plain(bootstrap(events, _auroc_of_events, seed, NUM_DRAWS)),
        **{key: plain(bootstrap(values, _mean, seed)) for key, values in means.items()},
        **measure_detection(tracks, TOLERANCE, seed),
        **cost(clips),
    }


def _frames(one: _Scored) -> Floats:
    """(n, 3): score, labelled and other seconds of each segment; frames share its score, however dense they are."""
    spans = tuple(Interval(max(0.0, low), high) for low, high in one.spans)
    labelled = overlap_seconds(one.starts, one.ends, spans)
    return np.stack([one.scores, labelled, np.clip(one.ends - one.starts - labelled, 0.0, None)], axis=1)


def _pooled(measure: Any, frames: Sequence[Floats]) -> float:
    scores, labelled, others = np.concatenate(frames).T
    return float(measure(scores, labelled, others))


def _auroc_of_pairs(pairs: Sequence[tuple[float, bool]]) -> float:
    scores, labels = zip(*pairs, strict=True)
    return auroc(scores, labels)


def _events(one: _Scored) -> list[tuple[float, bool]]:
    """The peak in every labelled happening, and whether it is a surprise."""
    found = [(one.peak_within(event), True) for event in one.footage.surprises]
    found += [(one.peak_within(event), False) for event in one.footage.ordinary]
    return [(peak, label) for peak, label in found if peak is not None]


def _auroc_of_events(events: Sequence[Sequence[tuple[float, bool]]]) -> float:
    pairs = [pair for some in events for pair in some]
    return _auroc_of_pairs(pairs) if pairs else Undefined("no labelled event")


def _peak_at_onset(one: _Scored) -> float:
    """Share of the highest scores (mostly one) that lie at an onset."""
    times = one.middles[one.scores == one.scores.max()][:, None]
    onsets = np.array(one.onsets)
    near = (times >= onsets - TOLERANCE.before_seconds) & (times <= onsets + TOLERANCE.after_seconds)
    return float(near.any(axis=1).mean())


def _has_length(interval: Interval) -> bool:
    return interval.end_seconds > interval.start_seconds


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else Undefined("no labelled moment")
