"""Frames of a camera that never ends: so many pictures and bytes an hour, the most surprising ones, and no two alike.

A candidate is decided once, `delay_seconds` after its time at the latest, and what is kept stays kept. So the question
at each decision is whether something better will come before the hour is over. The answer is a threshold: as many
candidates above it are to be expected in the rest of the hour, with those that wait, as the hour's budget still has
room for. What is expected follows from what came lately: rates of surprises above each level, under a short and a long
memory, as bursts last minutes and days differ from nights.

    decided                 waiting                       not yet seen
    ...............|...........................|.................................|
                   now - delay_seconds         now                               end of the hour

Hours are clock hours of the candidates' own times, so two hours' worth may lie close together around a full hour.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels

HOUR_SECONDS = 3600.0
MEMORY_SECONDS = (600.0, 7200.0)
"""Half-lives of the two memories; what they expect is averaged."""

LEVELS = np.geomspace(0.01, 40.0, 257)
"""Nats at which rates are known; one is 3.3 % above the one before."""

THRESHOLD_SECONDS = 30.0
"""The threshold is worked out anew that often, and after every frame that is kept."""

BYTES_SHARE = 0.01
"""Of a new frame in the running mean of their sizes."""

SIGNATURE_PX = (32, 18)  # (width, height)

Signature = NDArray[np.float32]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SelectorLimits:
    """What an hour may cost, and how long a decision may take."""

    keyframes_per_hour: int
    bytes_per_hour: int
    delay_seconds: float
    """No more than the ring holds: a frame that is kept must still be there."""
    floor_nats: float = 0.0
    """Frames that surprise no more than this are never kept, even if the budget is left over."""
    min_difference: float = 0.0
    """Two frames that are kept within `alike_seconds` differ by more, as `difference` measures it; 0.0 to 1.0."""
    alike_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.keyframes_per_hour < 1 or self.bytes_per_hour < 1:
            raise ValueError(f"an hour has room for something: {self.keyframes_per_hour = }, {self.bytes_per_hour = }")
        if not 0.0 <= self.delay_seconds < HOUR_SECONDS or self.alike_seconds < 0.0 or self.min_difference < 0.0:
            raise ValueError(f"durations and differences are not negative, a delay is below an hour: {self}")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A frame that could be kept."""

    at_seconds: float
    """Ascending; hours are multiples of 3600 of it, so it is UTC where hours shall be those of the clock."""
    surprise_nats: float
    num_bytes: int
    signature: Signature | None = None
    """See `sign`; None: alike to no other frame."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.surprise_nats) and self.surprise_nats >= 0.0) or self.num_bytes < 0:
            raise ValueError(f"surprise is finite, nothing is negative: {self.surprise_nats = }, {self.num_bytes = }")


@dataclass(slots=True)
class SelectorCounts:
    """What became of the candidates. Each counts once."""

    kept: int = 0
    alike: int = 0
    """A better frame that looks the same was kept, or was waiting."""
    unsurprising: int = 0
    """Below the threshold or the floor."""
    over_budget: int = 0
    """The hour had no room left."""


@dataclass(slots=True)
class _Waiting:
    candidate: Candidate
    eclipsed: bool = False
    """A better one that looks the same waits too."""


class _Memory:
    """How often surprise exceeds each level, the past counting less and less."""

    def __init__(self, half_life_seconds: float) -> None:
        self._half_life_seconds = half_life_seconds
        self._seconds = 0.0
        self._counts = np.zeros(len(LEVELS) + 1)  # counts[i]: in (LEVELS[i - 1], LEVELS[i]]

    def add(self, surprises: Sequence[float], elapsed_seconds: float) -> None:
        """Candidates of the last `elapsed_seconds`."""
        factor = 0.5 ** (elapsed_seconds / self._half_life_seconds)
        self._counts *= factor
        self._seconds = self._seconds * factor + elapsed_seconds
        self._counts += np.bincount(np.searchsorted(LEVELS, surprises), minlength=len(self._counts))

    def rates(self, above: Numbers, seconds: float) -> Numbers:
        """Candidates a second above each of LEVELS.

        Args:
            above: so many more of them in `seconds` that are not yet remembered.
        """
        counts: Numbers = np.cumsum(self._counts[::-1])[-2::-1]
        return (counts + above) / max(self._seconds + seconds, 1e-9)


class OnlineSelector:
    """Chooses keyframes of one camera. Bounded memory, no clock, not thread-safe.

    Call `offer` for each candidate, `advance` when time passes without one, `flush` at the end. What they return is to
    be kept, oldest first, and nothing else will be.
    """

    def __init__(self, limits: SelectorLimits) -> None:
        self.counts = SelectorCounts()
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._kept: list[Candidate] = []  # of the last alike_seconds
        self._memories = [_Memory(seconds) for seconds in MEMORY_SECONDS]
        self._now = -math.inf
        self._decided: list[float] = []  # surprises that no memory has yet
        self._remembered_at: float | None = None  # up to where the memories reach
        self._hour = 0
        self._frames_left, self._bytes_left = limits.keyframes_per_hour, limits.bytes_per_hour
        self._mean_bytes: float | None = None
        self._threshold = 0.0
        self._threshold_until = -math.inf

    def offer(self, candidate: Candidate) -> list[Candidate]:
        """Take the next candidate; returns what is now to be kept. Raises ValueError: it is older than the last one."""
        kept = self.advance(candidate.at_seconds)
        newest = _Waiting(candidate)
        for waiting in self._waiting:
            if self._alike(candidate, waiting.candidate):
                newer_is_better = candidate.surprise_nats > waiting.candidate.surprise_nats
                (waiting if newer_is_better else newest).eclipsed = True
        self._waiting.append(newest)
        if self._mean_bytes is None:
            self._mean_bytes = float(candidate.num_bytes)
        self._mean_bytes += BYTES_SHARE * (candidate.num_bytes - self._mean_bytes)
        return kept + self._settle()

    def advance(self, now_seconds: float) -> list[Candidate]:
        """Time passes; returns what is now to be kept. Raises ValueError: time goes back."""
        if now_seconds < self._now:
            raise ValueError(f"time does not go back: {now_seconds = } after {self._now}")
        hour = math.floor(now_seconds / HOUR_SECONDS)
        closed = []
        if hour != self._hour:
            closed = self.flush()
            self._hour = hour
            self._frames_left, self._bytes_left = self._limits.keyframes_per_hour, self._limits.bytes_per_hour
            self._threshold_until = -math.inf
        self._now = now_seconds
        self._kept = [kept for kept in self._kept if kept.at_seconds > now_seconds - self._limits.alike_seconds]
        return closed + self._settle()

    def flush(self) -> list[Candidate]:
        """The end, of an hour or of all: keeps the most surprising that wait, as far as the hour's budget goes."""
        best_first = sorted(self._waiting, key=lambda waiting: -waiting.candidate.surprise_nats)
        kept = [waiting.candidate for waiting in best_first if self._keeps(waiting, 0.0)]
        self._waiting.clear()
        return sorted(kept, key=lambda candidate: candidate.at_seconds)

    def _settle(self) -> list[Candidate]:
        """Decide the candidates that may wait no longer."""
        kept = []
        while self._waiting and self._waiting[0].candidate.at_seconds <= self._now - self._limits.delay_seconds:
            threshold = self._current_threshold()
            oldest = self._waiting.popleft()
            if self._keeps(oldest, threshold):
                kept.append(oldest.candidate)
        return kept

    def _keeps(self, waiting: _Waiting, threshold: float) -> bool:
        """Keep it or not, and count why. This operation will modify what is left of the hour's budget."""
        candidate = waiting.candidate
        # What looks like a better one says nothing about what else there is to come.
        self._decided.append(0.0 if waiting.eclipsed else candidate.surprise_nats)
        if waiting.eclipsed or any(self._alike(candidate, kept) for kept in self._kept):
            self.counts.alike += 1
        elif candidate.surprise_nats <= self._limits.floor_nats:
            self.counts.unsurprising += 1
        elif self._frames_left < 1 or candidate.num_bytes > self._bytes_left:
            self.counts.over_budget += 1
        elif candidate.surprise_nats <= threshold:
            self.counts.unsurprising += 1
        else:
            self._frames_left -= 1
            self._bytes_left -= candidate.num_bytes
            self._kept.append(candidate)
            self.counts.kept += 1
            self._threshold_until = -math.inf
            return True
        return False

    def _current_threshold(self) -> float:
        if self._now >= self._threshold_until:
            self._threshold = self._find_threshold((self._hour + 1) * HOUR_SECONDS - self._now)
            self._threshold_until = self._now + THRESHOLD_SECONDS
        return self._threshold

    def _find_threshold(self, rest_seconds: float) -> float:
        """The lowest level at which fewer better ones are to be expected than there is room for.

        Candidates between two levels count as equal: of equals the first ones are kept, for nothing better will come.
        """
        oldest_at = self._waiting[0].candidate.at_seconds
        self._remember(oldest_at)
        eligible = [waiting.candidate.surprise_nats for waiting in self._waiting if not waiting.eclipsed]
        better = len(eligible) - np.searchsorted(np.sort(eligible), LEVELS, side="right").astype(np.float64)
        rates = np.mean([memory.rates(better, self._now - oldest_at) for memory in self._memories], axis=0)
        room = min(float(self._frames_left), self._bytes_left / max(self._mean_bytes or 0.0, 1.0))
        fits = np.flatnonzero(rates * rest_seconds + better < room)
        if not len(fits):
            return math.inf
        return float(LEVELS[fits[0] - 1]) if fits[0] else 0.0

    def _remember(self, until_seconds: float) -> None:
        """Bring the memories up to date."""
        since = self._remembered_at if self._remembered_at is not None else until_seconds
        for memory in self._memories:
            memory.add(self._decided, until_seconds - since)
        self._decided.clear()
        self._remembered_at = until_seconds

    def _alike(self, one: Candidate, other: Candidate) -> bool:
        if one.signature is None or other.signature is None:
            return False
        if abs(one.at_seconds - other.at_seconds) >= self._limits.alike_seconds:
            return False
        return difference(one.signature, other.signature) <= self._limits.min_difference


def sign(pixels: Pixels) -> Signature:
    """What a frame looks like, (18, 32) grey in [0, 1]: without detail and noise."""
    small = cv2.resize(pixels, SIGNATURE_PX, interpolation=cv2.INTER_AREA)
    grey: Signature = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255.0)
    return grey


def difference(one: Signature, other: Signature) -> float:
    """Root mean square of the difference of grey, in [0, 1]: a small thing that moved weighs more than in the mean."""
    return float(np.sqrt(np.mean(np.square(one - other))))
