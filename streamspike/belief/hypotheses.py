"""Which sentences count as the same hypothesis, and how long a set of them is kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from streamspike.config import BeliefConfig
from streamspike.core import Assessment


def sentence_key(sentence: str) -> str:
    """What two sentences share when they are the same hypothesis: not case, spacing or closing punctuation."""
    plain = unicodedata.normalize("NFKC", sentence).casefold()
    return " ".join(plain.split()).rstrip(" .,;:!?\u2026")


def distinct(sentences: Iterable[str]) -> tuple[str, ...]:
    """The first of each, in order; sentences without a letter or digit are left out."""
    kept: dict[str, str] = {}
    for sentence in sentences:
        key = sentence_key(sentence)
        if any(character.isalnum() for character in key):
            kept.setdefault(key, sentence)
    return tuple(kept.values())


class HypothesisCache:
    """The hypotheses of one camera from segment to segment, bounded by `num_hypotheses`.

    They are sampled anew when there are none, when the epoch changed, when they served `max_age_segments` segments, or
    when the last surprise exceeded `refresh_nats`: then they no longer explain what is seen. An age of 1 is the paper's
    procedure.
    """

    def __init__(self, config: BeliefConfig) -> None:
        self._config = config
        self._texts: tuple[str, ...] = ()
        self._epoch: int | None = None
        self._age_segments = 0
        self._last_surprise_nats = 0.0

    def current(self, epoch: int) -> tuple[str, ...]:
        """The hypotheses to score again; empty means: sample new ones. This operation will not modify the cache."""
        stale = (
            epoch != self._epoch
            or self._age_segments >= self._config.max_age_segments
            or self._last_surprise_nats > self._config.refresh_nats
        )
        return () if stale else self._texts

    def store(self, epoch: int, assessment: Assessment, surprise_nats: float) -> None:
        """Remember what was scored for a segment of `epoch`, and how well it explained the segment.

        A caption that completed the set is not kept: it belongs to its segment, and the set would grow without end.
        """
        if assessment.sampled:
            self._texts = tuple(score.text for score in assessment.scores)[: self._config.num_hypotheses]
            self._age_segments = 0
        self._epoch = epoch
        self._age_segments += 1
        self._last_surprise_nats = surprise_nats
