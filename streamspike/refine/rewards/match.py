"""Rewards of captions: how well each matches what somebody said of the clip.

What stands against a policy that games them, beside the published measures:
1. Empty or unreadable is worth 0, and more words than `max_words` shrink the score.
2. With decoys (references of other clips) the score is contrastive: one half plus half of how much better the caption
   fits its own reference than it fits the others on average. A sentence that is the same for every clip, or that is
   made of the words all references share, gets one half on average, whatever it says. Without decoys the score is the
   published one, which such a sentence can win part of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from streamspike.refine.rewards.context import RewardContext, Subject
from streamspike.refine.rewards.similarity import Similarity
from streamspike.refine.rewards.words import clean, length_factor, rouge_l, tf_idf_cosine, words_of

MAX_WORDS = 20
"""What the published prompt asks for; more where the reference has more."""

Measure = Callable[[str, Sequence[str], Sequence[str]], Sequence[float]]
"""Candidate, texts, decoys -> how well it fits each of the texts, in [0, 1]."""


class MatchReward:
    """A caption against the reference, by any measure of two texts."""

    subject: Subject = "captions"

    def __init__(self, name: str, measure: Measure, max_decoys: int | None = None) -> None:
        """
        Args:
            max_decoys: the first so many are compared with; None: all.
        """
        self.name = name
        self._measure = measure
        self._max_decoys = max_decoys

    def score(self, candidates: Sequence[str], context: RewardContext) -> list[float]:
        """
        Raises:
            ValueError: the clip has no reference.
        """
        if not words_of(context.reference):
            raise ValueError(f"the reward {self.name!r} compares with a reference, and this clip has none")
        return [self._score_one(clean(text), context) for text in candidates]

    def value(self, candidates: Sequence[str], context: RewardContext) -> float:
        return float(np.mean(self.score(candidates, context))) if candidates else 0.0

    def _score_one(self, caption: str, context: RewardContext) -> float:
        if not caption:
            return 0.0
        factor = length_factor(caption, max(MAX_WORDS, len(words_of(context.reference))))
        decoys = context.decoys[: self._max_decoys]
        own, *others = self._measure(caption, [context.reference, *decoys], context.decoys)
        return factor * (0.5 + 0.5 * (own - float(np.mean(others))) if others else own)


def rouge_l_reward() -> MatchReward:
    """ROUGE-L, F1."""
    return MatchReward("rouge-l", _rouge)


def tf_idf_reward() -> MatchReward:
    """Cosine of TF-IDF vectors."""
    return MatchReward("tf-idf", _tf_idf)


def lexical_reward() -> MatchReward:
    """Mean of ROUGE-L and TF-IDF cosine, as SPIKE's published code offers."""

    def both(caption: str, texts: Sequence[str], decoys: Sequence[str]) -> list[float]:
        pairs = zip(_rouge(caption, texts, decoys), _tf_idf(caption, texts, decoys), strict=True)
        return [(one + other) / 2 for one, other in pairs]

    return MatchReward("lexical", both)


def similarity_reward(similarity: Similarity) -> MatchReward:
    """Cosine of sentence embeddings, or of n-grams: named after what compares."""
    return MatchReward(similarity.name, lambda caption, texts, _: similarity.compare([caption], texts)[0].tolist())


def _rouge(caption: str, texts: Sequence[str], decoys: Sequence[str]) -> list[float]:
    return [rouge_l(caption, text) for text in texts]


def _tf_idf(caption: str, texts: Sequence[str], decoys: Sequence[str]) -> list[float]:
    return [tf_idf_cosine(caption, text, decoys) for text in texts]
