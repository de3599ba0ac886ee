"""One clip as one scorer saw it: plain numbers and sentences, one line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from streamspike.measures.localisation import Floats


@dataclass(frozen=True, slots=True)
class ScoredSegment:
    """A segment, and for scorers with beliefs what was believed about it."""

    start_seconds: float  # [start, end)
    end_seconds: float
    score: float
    """In the scorer's own unit; 0 for a segment without a past."""
    caption: str = ""
    hypotheses: tuple[str, ...] = ()
    prior: tuple[float, ...] = ()
    """Sums to 1, same order as the hypotheses."""
    posterior: tuple[float, ...] = ()
    log_priors: tuple[float, ...] = ()
    """Absolute: log-probability of each whole sentence before the segment was seen, in nats."""
    num_drawn: int = 0
    """The first so many hypotheses were there before the segment was seen; the caption and other
    sentences about what was seen may follow them."""
    unrest: float = 0.0
    """In nats; of scorers with beliefs."""

    @property
    def expected(self) -> str:
        """The likeliest of the hypotheses that were there before, or the empty string."""
        drawn = self.prior[: self.num_drawn]
        return self.hypotheses[int(np.argmax(drawn))] if drawn else ""


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """All segments of one video in order of time."""

    footage: str
    """Name, unique within the data set."""
    source: str
    """Tells one file from another of the same name."""
    segments: tuple[ScoredSegment, ...]
    cpu_seconds: float
    """Of the process, for this scorer alone; pictures are not counted, as all scorers share them."""
    stage_seconds: Mapping[str, float]
    """Wall time of the engine by stage, summed over segments."""

    @property
    def starts(self) -> Floats:
        return np.array([segment.start_seconds for segment in self.segments], dtype=np.float64)

    @property
    def ends(self) -> Floats:
        return np.array([segment.end_seconds for segment in self.segments], dtype=np.float64)

    @property
    def scores(self) -> Floats:
        return np.array([segment.score for segment in self.segments], dtype=np.float64)

    @property
    def middles(self) -> Floats:
        return np.asarray((self.starts + self.ends) / 2, dtype=np.float64)


def by_unrest(clip: ScoredClip) -> ScoredClip:
    """The clip with its unrest for a score."""
    segments = tuple(ScoredSegment(one.start_seconds, one.end_seconds, one.unrest) for one in clip.segments)
    return replace(clip, segments=segments)


def encode(clip: ScoredClip) -> dict[str, Any]:
    """Plain values; what a segment does not have is left out."""
    plain = asdict(clip)
    plain["segments"] = [
        {key: value for key, value in segment.items() if value or key == "score"} for segment in plain["segments"]
    ]
    return plain


def decode(plain: Mapping[str, Any]) -> ScoredClip:
    """The other way round. Raises KeyError, TypeError or ValueError: not such a clip."""
    segments = tuple(_decode_segment(segment) for segment in plain["segments"])
    stages = {str(name): float(seconds) for name, seconds in plain["stage_seconds"].items()}
    return ScoredClip(str(plain["footage"]), str(plain["source"]), segments, float(plain["cpu_seconds"]), stages)


def _decode_segment(plain: Mapping[str, Any]) -> ScoredSegment:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    return ScoredSegment(**{"start_seconds": 0.0, **values})
