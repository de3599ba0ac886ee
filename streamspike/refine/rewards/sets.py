"""Rewards of a set of hypotheses made for one window: hindsight, diversity, and what people said of the event.

What stands against a policy that games them:
1. A sentence counts once, however often it is in the set, and the value of a set shrinks by the share of repetitions.
   A set without a readable sentence is worth 0.
2. The set is paid for its best match (coverage), not for the mean match, which the safest sentence N times would win;
   and for the logarithm of what its prior foretold, which is best for who says what is likely as likely as it is.
   Sentences added at random take from the one and give nothing to the other.
3. Similarity is counted from what a sentence about another moment gets (decoys). Where everything is captioned alike
   nothing can be foretold: a policy that describes and foretells one and the same gains nothing.
4. The information gain is over saying that all goes on as before, so that copies of the last caption gain nothing.
5. Sentences longer than MAX_WORDS shrink.
6. Diversity pays only as far as the sentences are like something that was ever seen here, and for as many as were asked
   for: a shorter set is no way out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streamspike.belief.hypotheses import distinct, sentence_key
from streamspike.measures.localisation import Floats
from streamspike.refine.rewards.context import RewardContext, Subject
from streamspike.refine.rewards.similarity import Similarity
from streamspike.refine.rewards.words import clean, length_factor

MAX_WORDS = 15
NEUTRAL = 0.5
"""Where nothing can be told; the same for every readable hypothesis, so that it neither pulls nor pushes."""
LATE_SHARE = 0.5
"""A hypothesis that comes true one segment later is worth so much, two later its square; then no more."""
MAX_LATE = 2
DOUBT = 0.05
"""Added to what is foretold before the logarithm is taken: nothing is held for impossible."""
MOST_NATS = math.log((1 + DOUBT) / DOUBT)
"""The largest gain, of who foretells all over who foretells nothing."""


def first_of_each(candidates: Sequence[str]) -> list[str]:
    """Cleaned candidates in their order; '' for unreadable ones and for repetitions of an earlier one."""
    seen: set[str] = {""}
    kept = []
    for text in map(clean, candidates):
        key = sentence_key(text)
        kept.append("" if key in seen else text)
        seen.add(key)
    return kept


def distinct_part(texts: Sequence[str]) -> float:
    """Of what `first_of_each` made, the part that is readable and no repetition."""
    return sum(map(bool, texts)) / max(1, len(texts))


class Hindsight:
    """How well the set foretold what was seen afterwards. Needs no captions but the model's own.

    The match of a hypothesis is its similarity with the caption of what came, above that of decoys; where the
    reference policy's likelihood after seeing is known, the mean of both. The value of a set is the mean of
    - coverage: the best match in it;
    - information gain: ln (q + DOUBT) - ln (base + DOUBT), put into [0, 1] so that no gain is 1/2. q is the match
      expected under the prior, and base that of who knows less: of the decoys, of the last caption repeated, or of the
      reference policy's set, whichever is best.
    A hypothesis gets half the value of its set, and half of what the set would lose without it.

    Where a person said that the surprise was right, every set is worth NEUTRAL: nothing should be pulled to what had
    better stay surprising. So it is where nobody knows what was seen.
    """

    name = "hindsight"
    subject: Subject = "hypotheses"

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity

    def value(self, candidates: Sequence[str], context: RewardContext) -> float:
        texts = first_of_each(candidates)
        return distinct_part(texts) * self._value(texts, context) if any(texts) else 0.0

    def score(self, candidates: Sequence[str], context: RewardContext) -> list[float]:
        texts = first_of_each(candidates)
        if _is_open(context):
            return [NEUTRAL if text else 0.0 for text in texts]
        whole = self._value(texts, context) if any(texts) else 0.0
        scores = []
        for number, text in enumerate(texts):
            others = [other if place != number else "" for place, other in enumerate(texts)]
            lost = whole - self._value(others, context) if any(others) else whole
            scores.append(0.5 * whole + 0.5 * max(0.0, lost) if text else 0.0)
        return scores

    def _value(self, texts: Sequence[str], context: RewardContext) -> float:
        if _is_open(context):
            return NEUTRAL
        kept = np.array([bool(text) for text in texts], dtype=np.bool_)
        matches = self.match(texts, context)[kept]
        prior = np.asarray(context.prior or np.ones(len(texts)), dtype=np.float64)[kept]
        expected = float(matches @ prior / prior.sum())
        gain_nats = math.log(expected + DOUBT) - math.log(self._base(context) + DOUBT)
        return 0.5 * float(matches.max()) + 0.25 * (1 + gain_nats / MOST_NATS)

    def match(self, texts: Sequence[str], context: RewardContext) -> Floats:
        """(num_texts,) in [0, 1]; 0 for ''."""
        values = self._foretold(texts, context)
        if context.posterior_nats:
            values = (values + np.exp(np.asarray(context.posterior_nats, dtype=np.float64))) / 2
        factors = [length_factor(text, MAX_WORDS) if text else 0.0 for text in texts]
        return np.asarray(values * factors, dtype=np.float64)

    def _foretold(self, texts: Sequence[str], context: RewardContext) -> Floats:
        """(num_texts,) similarity with what was seen, or half of it with what was seen soon after."""
        best = np.zeros(len(texts))
        for late, target in enumerate([context.caption, *context.next_captions[:MAX_LATE]]):
            if clean(target):
                best = np.maximum(best, LATE_SHARE**late * self._above_decoys(texts, target, context.decoys))
        return best

    def _above_decoys(self, texts: Sequence[str], target: str, decoys: Sequence[str]) -> Floats:
        """(num_texts,) 0 for what is no more like the target than the decoys are on average, 1 for what is equal."""
        alike = self._similarity.compare(texts, [target])[:, 0]
        common = float(self._similarity.compare(decoys, [target]).mean()) if decoys else 0.0
        if common > 1 - 1e-6:
            return np.zeros(len(texts))
        return np.clip((alike - common) / (1 - common), 0.0, 1.0)

    def _base(self, context: RewardContext) -> float:
        rivals = [[decoy for decoy in context.decoys if clean(decoy)], [clean(context.previous_caption)]]
        rivals.append(list(distinct(map(clean, context.reference_hypotheses))))
        return max(float(self._foretold(texts, context).mean()) if any(texts) else 0.0 for texts in rivals)


def _is_open(context: RewardContext) -> bool:
    """There is nothing to match: nobody knows what was seen, or it had better stay surprising."""
    return context.verdict > 0 or not clean(context.caption)


class Diversity:
    """Mean over pairs of 1 - similarity (SPIKE, diversity), each pair by its less plausible sentence.

    Plausible is what is like anything that was seen or expected here (SPIKE, plausibility): else words drawn by lot
    would win. Without anything to compare with, every sentence is.
    """

    name = "diversity"
    subject: Subject = "hypotheses"

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity

    def value(self, candidates: Sequence[str], context: RewardContext) -> float:
        return math.fsum(self.score(candidates, context)) / max(len(candidates), context.num_wanted, 1)

    def score(self, candidates: Sequence[str], context: RewardContext) -> list[float]:
        texts = first_of_each(candidates)
        weights = self._plausible(texts, context) * [length_factor(text, MAX_WORDS) if text else 0.0 for text in texts]
        apart = (1 - self._similarity.compare(texts, texts)) * np.minimum(weights[:, None], weights[None, :])
        np.fill_diagonal(apart, 0.0)
        others = max(len(texts), context.num_wanted) - 1
        return [float(value) / others if others else 0.0 for value in apart.sum(axis=1)]

    def _plausible(self, texts: Sequence[str], context: RewardContext) -> Floats:
        seen = (context.caption, context.previous_caption, *context.next_captions, *context.decoys)
        known = [text for text in (*seen, *context.reference_hypotheses) if clean(text)]
        return self._similarity.compare(texts, known).max(axis=1) if known else np.ones(len(texts))


class Feedback:
    """What people said of the event: where it was routine, matching what was seen counts once more.

    Elsewhere every set with something readable in it is worth NEUTRAL. That a surprise was right pushes nothing away
    either, or nonsense would win; it only takes the pull of `Hindsight` off.
    """

    name = "feedback"
    subject: Subject = "hypotheses"

    def __init__(self, similarity: Similarity) -> None:
        self._hindsight = Hindsight(similarity)

    def value(self, candidates: Sequence[str], context: RewardContext) -> float:
        if context.verdict < 0:
            return self._hindsight.value(candidates, context)
        return NEUTRAL * distinct_part(first_of_each(candidates))

    def score(self, candidates: Sequence[str], context: RewardContext) -> list[float]:
        if context.verdict < 0:
            return self._hindsight.score(candidates, context)
        return [NEUTRAL if text else 0.0 for text in first_of_each(candidates)]
