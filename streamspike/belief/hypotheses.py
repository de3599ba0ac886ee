"""Which sentences count as the same hypothesis, which tells best what was seen, and how long a set is kept."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores


def sentence_key(sentence: str) -> str:
    """What two sentences share when they are the same hypothesis: not case, spacing or closing punctuation."""
    plain = unicodedata.normalize("NFKC", sentence).casefold()
    return " ".join(plain.split()).rstrip(" .,;:!?\u2026")


def readable(sentences: Iterable[str]) -> tuple[str, ...]:
    """Those with a letter or digit, in order."""
    return tuple(sentence for sentence in sentences if any(map(str.isalnum, sentence_key(sentence))))


def distinct(sentences: Iterable[str]) -> tuple[str, ...]:
    """The first of each, in order; sentences without a letter or digit are left out."""
    kept: dict[str, str] = {}
    for sentence in readable(sentences):
        kept.setdefault(sentence_key(sentence), sentence)
    return tuple(kept.values())


def believed(assessment: Assessment) -> tuple[Scores, ...]:
    """What belief moves among: what was scored, then what was drawn about what was seen, no sentence twice."""
    kept = {sentence_key(score.text): score for score in assessment.scores}
    for score in assessment.sightings:
        kept.setdefault(sentence_key(score.text), score)
    return tuple(kept.values())


def likeliest_reading(assessment: Assessment, posterior: Sequence[float]) -> str:
    """The caption, or a sentence drawn about what was seen that is believed more.

    A caption takes the likeliest word each time, and that need not lead to the likeliest sentence.

    Args:
        posterior: of each sentence that is `believed`, in order.
    """
    beliefs = {sentence_key(score.text): belief for score, belief in zip(believed(assessment), posterior, strict=True)}
    readings = (assessment.caption, *(score.text for score in assessment.sightings))
    return max(readings, key=lambda reading: beliefs.get(sentence_key(reading), 0.0))  # the first of equals


class HypothesisCache:
    """The hypotheses of one camera from segment to segment, bounded by `num_hypotheses`.

    In paper mode they are sampled anew for every segment. In steady mode they stand until they no longer explain what
    is seen: the epoch changed, they served `max_age_segments` segments, the last surprise exceeded `refresh_nats`, or
    the likelihood of all of them together, after seeing, fell below `refresh_share` of what it was when they were new.
    """

    def __init__(self, config: BeliefConfig) -> None:
        self._config = config
        self._texts: tuple[str, ...] = ()
        self._epoch: int | None = None
        self._age_segments = 0
        self._last_surprise_nats = 0.0
        self._log_mass = 0.0
        self._first_log_mass = 0.0

    def current(self, epoch: int) -> tuple[str, ...]:
        """The hypotheses to score again; empty means: sample new ones. This operation will not modify the cache."""
        config = self._config
        stale = (
            config.mode == "paper"
            or epoch != self._epoch
            or self._age_segments >= config.max_age_segments
            or self._last_surprise_nats > config.refresh_nats
            or math.exp(min(0.0, self._log_mass - self._first_log_mass)) < config.refresh_share
        )
        return () if stale else self._texts

    def previous(self, epoch: int) -> tuple[str, ...]:
        """The last hypotheses of this epoch, stale or not."""
        return self._texts if epoch == self._epoch else ()

    def store(self, epoch: int, assessment: Assessment, surprise_nats: float) -> None:
        """Remember what was scored for a segment of `epoch`, and how well it explained the segment.

        A caption that completed the set is not kept: it belongs to its segment, and the set would grow without end.
        """
        if assessment.sampled:
            self._texts = tuple(score.text for score in assessment.scores)[: self._config.num_hypotheses]
            self._age_segments = 0
        kept = set(self._texts)
        likelihoods = [score.log_posterior for score in assessment.scores if score.text in kept]
        if likelihoods:
            top = max(likelihoods)
            self._log_mass = top + math.log(sum(math.exp(value - top) for value in likelihoods))
        if assessment.sampled:
            self._first_log_mass = self._log_mass
        self._epoch = epoch
        self._age_segments += 1
        self._last_surprise_nats = surprise_nats
