"""What a camera has shown so far: how often each sentence was said of it.

The model knows the world, but not this camera. What it says of a segment it says again when something like that comes
back, rightly or not: the neighbour who crosses on the wrong side, the chair it takes for a person. So the prior is a
mixture of two, what the model expects now and what this camera has shown (see `surprise.recall`): the second time
surprises less than the first (habituation; Thompson and Spencer 1966), with any model and without training.

Counting is the belief of a Dirichlet prior about which sentence comes, as in Itti and Baldi's surprise, but over words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamspike.belief.hypotheses import sentence_key

HALF_LIFE_SEGMENTS = 86_400
"""What was said so long ago, a day of seconds, counts half."""
PATIENCE_SEGMENTS = 60
"""After so many segments what was counted has half the weight it can ever have: one minute is no experience."""
MAX_SENTENCES = 2_000
"""Of the rarest, and among those the oldest, are dropped beyond: a large model hardly says the same twice."""
LARGEST = 2.0**64
"""Weights grow, in place of all counts shrinking at each segment; here they are brought back."""


class Experience:
    """Sentences counted, old ones fading. Bounded, no clock, not thread-safe."""

    def __init__(self) -> None:
        self._counts: dict[str, float] = {}
        self._total = 0.0
        self._weight = 1.0

    def add(self, sentence: str) -> None:
        """This was said of a segment; the empty sentence says nothing, and is not counted."""
        key = sentence_key(sentence)
        if not key:
            return
        # Behind all others, so that of equally rare ones the oldest stands first.
        self._counts[key] = self._counts.pop(key, 0.0) + self._weight
        self._total += self._weight
        self._weight *= 2.0 ** (1 / HALF_LIFE_SEGMENTS)
        if len(self._counts) > MAX_SENTENCES:
            self._total -= self._counts.pop(min(self._counts, key=self._counts.__getitem__))
        if self._weight > LARGEST:
            self._replace(self._in_segments())

    def frequencies(self, sentences: Iterable[str]) -> tuple[float, ...]:
        """How often each was said, in [0, 1): its share of all segments and PATIENCE_SEGMENTS more."""
        whole = self._total + PATIENCE_SEGMENTS * self._weight
        return tuple(self._counts.get(sentence_key(sentence), 0.0) / whole for sentence in sentences)

    def export(self) -> dict[str, object]:
        """For the next start; see `restore`."""
        return {"sentences": {key: round(count, 3) for key, count in self._in_segments().items()}}

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`.

        Raises:
            ValueError: not an export; nothing is changed.
        """
        sentences = state.get("sentences")
        if not isinstance(sentences, dict) or len(sentences) > MAX_SENTENCES:
            raise ValueError("not the experience of a camera: there are no counted sentences")
        for key, count in sentences.items():
            if not isinstance(key, str) or not isinstance(count, int | float) or not 0 <= count < LARGEST:
                raise ValueError(f"not the experience of a camera: {key!r} cannot have been said {count!r} times")
        self._replace({key: float(count) for key, count in sentences.items()})

    def _in_segments(self) -> dict[str, float]:
        """The counts as numbers of segments, newest weight 1."""
        return {key: count / self._weight for key, count in self._counts.items()}

    def _replace(self, counts: dict[str, float]) -> None:
        self._counts, self._total, self._weight = counts, sum(counts.values()), 1.0
