"""What moves in a camera's picture: a background model, blobs that differ from it, and tracks with ids.

On a small copy of the picture, where most sensor noise has been averaged away:

1. light: the brightness of the whole picture is divided out; if it jumped, nothing is tracked and all is learned anew;
2. background: a mixture of Gaussians per pixel (Zivkovic 2004, in OpenCV), whose pace follows stream time, not frames;
3. blobs: what differs, cleaned by morphology, from a least area on, the largest first;
4. tracks: blobs are matched greedily with where the tracks should be by now, by overlap and distance.

No chance anywhere: the same frames at the same times give the same tracks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels

WIDTH_PX = 160
"""Of the small copy; its height follows the picture."""
LEARNING_SECONDS = 30.0
"""Time constant of the background: what stands still for a tenth of it belongs to it, and what left for as long is
still known, so that somebody who gets up leaves no ghost on the chair."""
MAX_LEARNED_SECONDS = 2.0
"""A frame counts for no longer than this, however long ago the one before it was."""
SQUARED_DEVIATIONS = 20.0
"""A pixel differs from so many variances of its background on (4.5 standard deviations)."""
DARKEST_SHADOW = 0.7
"""A pixel of the background's colour with at least this part of its brightness is in shadow, and no thing. A long
shadow makes a box several times too large; a darker limit takes dark clothes for shadows."""
BRIGHTNESS_FLOOR = 8.0
"""Added to brightness, of 255, before two are compared: in the dark a ratio of few levels says nothing."""
MAX_BRIGHTENING = 1.4
"""A picture that is brighter or darker by more than this factor has other light, and other colours with it."""
MAX_FOREGROUND = 0.45
"""Share of the picture that may move; above it the camera or the light does."""
MIN_AREA = 0.0012
"""Of the picture; smaller blobs are noise, insects and compression."""
MAX_BLOBS = 24
"""In one picture; a crowd has more, and its smallest are left out."""
MAX_PATHS = 48
"""Tracks that are followed, those that wait behind obstacles included."""
MAX_TRACKS = 8
"""Tracks that are told of, the largest: more boxes would hide the picture."""
MEMORY_SECONDS = 2.0
"""How long a track waits behind an obstacle."""
MEMORY_LOOKS = 2
"""... and at least for so many pictures, however slow the camera."""
FROZEN_SECONDS = 5.0
"""A picture that repeats for longer than this shows nothing that moves any more."""
TRAIL_SECONDS = 3.0
TRAIL_POINTS = 32
MIN_SIGHTINGS = 2
"""Before a track is told of: noise is hardly twice at the same place."""
MIN_TRAVEL = 0.25
"""How far a track must have come within its trail, in parts of its own longer side: ghosts and shadows of leaves stay
where they are."""
REACH = 0.6
"""How far from where it should be a blob may lie, in parts of its own longer side,"""
UNKNOWN_SPEED, KNOWN_SPEED = 0.5, 0.12
"""... and in parts of the picture for each second since it was seen: before and after its velocity is known,"""
MAX_REACH = 0.25
"""... but by no more than this part of the picture, however slow the camera."""
MAX_GROWTH = 5.0
"""A blob of so many times the area, or less than its inverse, is another thing."""

Rectangle = tuple[float, float, float, float]
"""x0, y0, x1, y1 in [0, 1] of the picture, x1 > x0 and y1 > y0."""


@dataclass(frozen=True, slots=True)
class Track:
    """One thing that moves, as of the newest frame."""

    track_id: int
    """Counts from 1 within an epoch."""
    box: Rectangle
    trail: tuple[tuple[float, float], ...]
    """Where its centre was in the last seconds, oldest first, the newest last; x and y in [0, 1]."""


class MotionStage:
    """One camera's tracks. Bounded memory; not thread-safe."""

    def __init__(self) -> None:
        self.start_epoch()

    def start_epoch(self) -> None:
        """Forget everything: another connection may show another place."""
        self._model: Any = None
        self._small: Pixels | None = None
        self._seconds = 0.0  # of the newest picture that was not a repetition
        self._paths: list[Path] = []
        self._next_id = 1

    def watch(self, pixels: Pixels, seconds: float) -> tuple[Track, ...]:
        """Take the next picture; return what moves in it. The pixels are not modified.

        Args:
            pixels: (height, width, 3) uint8 RGB.
            seconds: stream time, not before that of the last picture.
        """
        small = _shrink(pixels)
        if self._small is None or small.shape != self._small.shape:
            self._learn_anew(small, seconds)
            return ()
        if np.array_equal(small, self._small):
            return self._tracks() if seconds - self._seconds <= FROZEN_SECONDS else ()
        passed = max(seconds - self._seconds, 1e-3)
        self._small, self._seconds = small, seconds
        mask = self._separate(small, passed)
        if mask is None:
            self._learn_anew(small, seconds)
            return ()
        self._follow(find_blobs(mask), seconds)
        return self._tracks()

    def _learn_anew(self, small: Pixels, seconds: float) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2(
            history=500, varThreshold=SQUARED_DEVIATIONS, detectShadows=True
        )
        self._model.setShadowThreshold(DARKEST_SHADOW)
        self._model.setShadowValue(0)
        self._model.apply(small, learningRate=1.0)
        self._small, self._seconds = small, seconds
        self._paths = []

    def _separate(self, small: Pixels, passed: float) -> NDArray[np.uint8] | None:
        """(height, width) 255 where the picture differs from its background; None: all of it does."""
        brightening = _brightening(small, self._model.getBackgroundImage())
        if not 1 / MAX_BRIGHTENING < brightening < MAX_BRIGHTENING:
            return None
        rate = 1.0 - math.exp(-min(passed, MAX_LEARNED_SECONDS) / LEARNING_SECONDS)
        mask: NDArray[np.uint8] = self._model.apply(
            cv2.convertScaleAbs(small, alpha=1 / brightening), learningRate=rate
        )
        return mask if np.count_nonzero(mask) <= MAX_FOREGROUND * mask.size else None

    def _follow(self, blobs: Sequence[Rectangle], seconds: float) -> None:
        """Match blobs with paths, the best pairs first; start paths for the others, give up those long unseen."""
        pairs = [
            (closeness, -path.track_id, -number)
            for path in self._paths
            for number, blob in enumerate(blobs)
            if (closeness := path.closeness(blob, seconds)) > 0
        ]
        by_id = {path.track_id: path for path in self._paths}
        free = dict(enumerate(blobs))
        for _, minus_id, minus_number in sorted(pairs, reverse=True):
            if -minus_id in by_id and -minus_number in free:
                by_id.pop(-minus_id).see(free.pop(-minus_number), seconds)
        for path in by_id.values():
            path.num_missed += 1
        self._paths = [path for path in self._paths if not path.is_lost(seconds)]
        for blob in list(free.values())[: MAX_PATHS - len(self._paths)]:
            self._paths.append(Path(self._next_id, blob, seconds))
            self._next_id += 1

    def _tracks(self) -> tuple[Track, ...]:
        """The largest last, so that it is drawn over the others."""
        moving = [
            path
            for path in self._paths
            if path.num_missed == 0 and path.num_sightings >= MIN_SIGHTINGS and path.travelled()
        ]
        moving.sort(key=lambda path: (_area(path.box), path.track_id))
        return tuple(path.track() for path in moving[-MAX_TRACKS:])


@dataclass(slots=True)
class Path:
    """One thing over time: where it is, how it moves, and the way it came."""

    track_id: int
    box: Rectangle
    seen_seconds: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """Parts of the picture per second."""
    num_sightings: int = 1
    num_missed: int = 0
    points: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=TRAIL_POINTS))

    def __post_init__(self) -> None:
        self.points.append((self.seen_seconds, *_centre(self.box)))

    def closeness(self, blob: Rectangle, seconds: float) -> float:
        """In (0, 2] when `blob` may be this thing now, else 0: overlap plus nearness to where it should be."""
        growth = _area(blob) / _area(self.box)
        if not 1 / MAX_GROWTH < growth < MAX_GROWTH:
            return 0.0
        passed = seconds - self.seen_seconds
        ahead = min(passed, MEMORY_SECONDS)
        dx, dy = self.velocity[0] * ahead, self.velocity[1] * ahead
        x0, y0, x1, y1 = self.box
        expected = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
        size = max(x1 - x0, y1 - y0, blob[2] - blob[0], blob[3] - blob[1])
        speed = UNKNOWN_SPEED if self.num_sightings == 1 else KNOWN_SPEED
        reach = REACH * size + min(speed * passed, MAX_REACH)
        nearness = 1.0 - math.dist(_centre(expected), _centre(blob)) / reach
        return overlap(expected, blob) + nearness if nearness > 0 else 0.0

    def see(self, blob: Rectangle, seconds: float) -> None:
        """It is here now. Modifies the path."""
        passed = max(seconds - self.seen_seconds, 1e-3)
        (x, y), (was_x, was_y) = _centre(blob), _centre(self.box)
        speed = (x - was_x) / passed, (y - was_y) / passed
        weight = 1.0 if self.num_sightings == 1 else 0.5
        self.velocity = (
            (1 - weight) * self.velocity[0] + weight * speed[0],
            (1 - weight) * self.velocity[1] + weight * speed[1],
        )
        self.box, self.seen_seconds, self.num_missed = blob, seconds, 0
        self.num_sightings += 1
        self.points.append((seconds, x, y))
        while self.points[0][0] < seconds - TRAIL_SECONDS - 1e-6:
            self.points.popleft()

    def is_lost(self, seconds: float) -> bool:
        """It has been away for so long that it will not be known again."""
        return self.num_missed > MEMORY_LOOKS and seconds - self.seen_seconds > MEMORY_SECONDS

    def travelled(self) -> bool:
        """In the last seconds it has come far enough, for its size, to count as moving."""
        _, xs, ys = zip(*self.points, strict=True)
        x0, y0, x1, y1 = self.box
        return bool(max(max(xs) - min(xs), max(ys) - min(ys)) >= MIN_TRAVEL * max(x1 - x0, y1 - y0))

    def track(self) -> Track:
        return Track(self.track_id, self.box, tuple((x, y) for _, x, y in self.points))


def find_blobs(mask: NDArray[np.uint8]) -> list[Rectangle]:
    """Boxes of what is not 0 in a (height, width) mask, the largest first, at most MAX_BLOBS."""
    height, width = mask.shape
    clean = cv2.medianBlur(mask, 3)
    clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones((7, 5), np.uint8))  # head, body and legs are one thing
    count, _, found, _ = cv2.connectedComponentsWithStats(clean)
    parts = [found[k] for k in range(1, count) if found[k, cv2.CC_STAT_AREA] >= MIN_AREA * mask.size]
    parts.sort(key=lambda part: (-part[cv2.CC_STAT_AREA], part[cv2.CC_STAT_LEFT], part[cv2.CC_STAT_TOP]))
    return [
        (float(x / width), float(y / height), float((x + w) / width), float((y + h) / height))
        for x, y, w, h, _ in parts[:MAX_BLOBS]
    ]


def overlap(one: Rectangle, other: Rectangle) -> float:
    """Intersection over union, in [0, 1]."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (_area(one) + _area(other) - across * down)


def _area(box: Rectangle) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _centre(box: Rectangle) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _shrink(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    size = (WIDTH_PX, max(round(WIDTH_PX * height / width), 8))
    small: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return small


def _brightening(small: Pixels, background: Pixels) -> float:
    """The factor by which most of the picture is brighter than its background."""
    now, before = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) + BRIGHTNESS_FLOOR
        for picture in (small, background)
    )
    return float(np.median(now / before))
