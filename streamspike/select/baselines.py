"""Frames of a finished video without asking what is in it: evenly, by how much the picture changes, or like Katna.

A picker is shown every frame once, in order, and remembers numbers, not pictures.

- uniform: the middle frames of F equal parts.
- histogram, optical-flow: the F frames that differ most from the one before, by the pixel scores of `belief/pixels.py`.
- katna: Katna (github.com/keplerlab/katna) takes the local maxima of the smoothed difference in LUV, leaves out what is
  too dark, too bright or too flat, clusters grey histograms into F groups and takes the sharpest frame of each.

Where `Katna` differs from the program:
1. Pictures are compared at the small size that all pixel scores share, and one pass takes the whole video, not 2500
   frames at a time.
2. The frame of a cluster is the sharpest of that cluster; the program looks up sharpness under the wrong number.
3. Flatness is the entropy of the whole picture's grey levels, not the mean of local ones; blank pictures have neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.belief.pixels import PIXEL_SCORES, SIZE_PX
from streamspike.core import Pixels

Score = Callable[[Pixels, Pixels], float]
Numbers = NDArray[np.float64]

BY_CHANGE = {"histogram": "RGB histogram", "optical-flow": "optical flow"}
"""Name of the picker to its pixel score."""

BASELINES = ("uniform", *BY_CHANGE, "katna")

# Katna's settings. Limits open by a step each as long as there are too few frames.
SMOOTHED_FRAMES = 20
BRIGHTNESS_PERCENT, BRIGHTNESS_STEP = (10.0, 90.0), 2.0
ENTROPY_BITS, ENTROPY_STEP = (1.0, 10.0), 0.5
WIDEST_STEP = 5
"""After so many steps no picture is too dark, too bright or too flat."""

MAX_ROUNDS = 50
"""Of the clustering; it rarely needs more than ten."""


class Picker(Protocol):
    """Chooses frames of one video."""

    scores: list[float]
    """Of each frame looked at: what it was chosen by."""

    def look(self, pixels: Pixels) -> None:
        """Take the next frame, (height, width, 3) RGB."""
        ...

    def pick(self, budget: int) -> list[int]:
        """At most `budget` frames by number, ascending."""
        ...


def make_picker(name: str, seed: int = 0) -> Picker:
    """One of BASELINES. Raises ValueError for another name."""
    if name == "uniform":
        return Uniform()
    if name == "katna":
        return Katna(seed)
    if name in BY_CHANGE:
        return MostChanged(PIXEL_SCORES[BY_CHANGE[name]])
    raise ValueError(f"there is no way to pick frames called {name!r}; there are {', '.join(BASELINES)}")


class Uniform:
    """Evenly spaced."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def look(self, pixels: Pixels) -> None:
        self.scores.append(0.0)

    def pick(self, budget: int) -> list[int]:
        return spaced(len(self.scores), budget)


class MostChanged:
    """The frames that differ most from the one before; of equals the earlier."""

    def __init__(self, score: Score) -> None:
        self.scores: list[float] = []
        self._score = score
        self._before: Pixels | None = None

    def look(self, pixels: Pixels) -> None:
        self.scores.append(0.0 if self._before is None else self._score(self._before, pixels))
        self._before = pixels

    def pick(self, budget: int) -> list[int]:
        return sorted(np.argsort(-np.asarray(self.scores), kind="stable")[:budget].tolist())


@dataclass(frozen=True, slots=True)
class _Looks:
    """What is remembered of a picture."""

    brightness_percent: float
    entropy_bits: float
    sharpness: float
    """Variance of the Laplacian."""
    histogram: Numbers  # (256,) shares of grey levels


class Katna:
    """As Katna picks; where few moments stand out, fewer frames than the budget."""

    def __init__(self, seed: int = 0) -> None:
        self.scores: list[float] = []
        self._rng = np.random.default_rng(seed)
        self._looks: list[_Looks] = []
        self._before: NDArray[np.uint8] | None = None

    def look(self, pixels: Pixels) -> None:
        small: Any = cv2.resize(pixels, SIZE_PX, interpolation=cv2.INTER_AREA)
        luv: NDArray[np.uint8] = cv2.cvtColor(small, cv2.COLOR_RGB2LUV)
        self.scores.append(0.0 if self._before is None else float(cv2.absdiff(luv, self._before).mean()))
        self._before = luv
        self._looks.append(_describe(small))

    def pick(self, budget: int) -> list[int]:
        # Of a change, the program takes the frame before its maximum.
        candidates = [number - 1 for number in local_maxima(smooth(np.asarray(self.scores), SMOOTHED_FRAMES))]
        kept = self._presentable(candidates, budget)
        if len(kept) <= budget:
            return kept
        histograms = np.stack([self._looks[number].histogram for number in kept])
        labels = cluster(histograms, budget, self._rng)
        groups = [[kept[place] for place in np.flatnonzero(labels == label)] for label in range(budget)]
        return sorted(max(group, key=lambda number: self._looks[number].sharpness) for group in groups if group)

    def _presentable(self, candidates: list[int], budget: int) -> list[int]:
        kept: list[int] = []
        for step in range(WIDEST_STEP + 1):
            low, high = _widen(BRIGHTNESS_PERCENT, BRIGHTNESS_STEP * step, 100.0)
            flat, rich = _widen(ENTROPY_BITS, ENTROPY_STEP * step, 10.0)
            kept = [
                number
                for number in candidates
                if low <= self._looks[number].brightness_percent <= high
                and flat <= self._looks[number].entropy_bits <= rich
            ]
            if len(kept) >= budget:
                break
        return kept


def spaced(count: int, budget: int) -> list[int]:
    """The middles of `budget` equal parts of `count` frames, each once."""
    if budget >= count:
        return list(range(count))
    return [int((part + 0.5) * count / budget) for part in range(budget)]


def smooth(values: Numbers, window: int) -> Numbers:
    """A running mean under a Hann window of so many values, the ends mirrored; short series stay as they are."""
    if len(values) <= window:
        return values
    weights = np.hanning(window)
    mirrored = np.pad(values, (window // 2, window - 1 - window // 2), mode="reflect")
    return np.convolve(mirrored, weights / weights.sum(), mode="valid")


def local_maxima(values: Numbers) -> list[int]:
    """Places that are larger than both neighbours."""
    inner = (values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])
    places: list[int] = (np.flatnonzero(inner) + 1).tolist()
    return places


def cluster(points: Numbers, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k-means with k-means++ seeds: the group of each point, (num_points,) in [0, count); a group may stay empty.

    Args:
        points: (num_points, dimensions), at least `count` of them.
    """
    centres = points[[int(rng.integers(len(points)))]]
    while len(centres) < count:
        far = _squared_distances(points, centres).min(axis=1)
        total = far.sum()
        # All points are centres already when nothing is far from one.
        chosen = int(rng.choice(len(points), p=far / total)) if total > 0.0 else len(centres)
        centres = np.concatenate([centres, points[[chosen]]])
    labels = np.full(len(points), -1, dtype=np.int64)
    for _ in range(MAX_ROUNDS):
        nearest = _squared_distances(points, centres).argmin(axis=1)
        if (nearest == labels).all():
            break
        labels = nearest
        for label in np.unique(labels):
            centres[label] = points[labels == label].mean(axis=0)
    return labels


def _squared_distances(points: Numbers, centres: Numbers) -> Numbers:
    """(num_points, num_centres)."""
    return np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)


def _describe(small: Pixels) -> _Looks:
    grey: NDArray[np.uint8] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    present = shares[shares > 0.0]
    return _Looks(
        brightness_percent=100.0 * float(small.max(axis=2).mean()) / 255.0,  # V of HSV
        entropy_bits=float(-(present * np.log2(present)).sum()),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        histogram=shares,
    )


def _widen(limits: tuple[float, float], by: float, most: float) -> tuple[float, float]:
    return max(0.0, limits[0] - by), min(most, limits[1] + by)
