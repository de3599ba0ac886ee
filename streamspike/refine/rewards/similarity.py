"""How alike sentences are: by the paper's encoder where it is installed, else by the letters they are written in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.errors import ModelError
from streamspike.measures.encoder import Encoder, load_encoder
from streamspike.measures.localisation import Floats

SimilarityName = Literal["auto", "encoder", "ngram"]
MAX_REMEMBERED = 1 << 15


class Similarity(Protocol):
    """Pure."""

    name: str

    def compare(self, these: Sequence[str], those: Sequence[str]) -> Floats:
        """(these, those) in [0, 1]; 1 for equal sentences."""
        ...


def choose_similarity(name: SimilarityName = "auto") -> Similarity:
    """auto: the encoder if it is installed, else n-grams; the name of what came out says which.

    Raises:
        ModelError: the encoder is asked for by name and is not installed, or is damaged.
    """
    if name == "ngram":
        return NGramSimilarity()
    try:
        return EncoderSimilarity(load_encoder())
    except ModelError:
        if name == "encoder":
            raise
        return NGramSimilarity()


class EncoderSimilarity:
    """Cosine of sentence embeddings; below 0 counts as 0."""

    name = "encoder"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Floats] = {}

    def compare(self, these: Sequence[str], those: Sequence[str]) -> Floats:
        if not these or not those:
            return np.zeros((len(these), len(those)))
        return np.clip(self._vectors(these) @ self._vectors(those).T, 0.0, 1.0)

    def _vectors(self, sentences: Sequence[str]) -> Floats:
        keys = [sentence_key(sentence) for sentence in sentences]
        if len(self._known) > MAX_REMEMBERED:
            self._known.clear()
        if new := [key for key in dict.fromkeys(keys) if key not in self._known]:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[key] for key in keys])


class NGramSimilarity:
    """Cosine of counts of three letters in a row: needs no model, and knows no meaning."""

    name = "ngram"

    def compare(self, these: Sequence[str], those: Sequence[str]) -> Floats:
        keys = [sentence_key(text) for text in those]
        values = [[_cosine(key, other) for other in keys] for key in map(sentence_key, these)]
        return np.asarray(values, dtype=np.float64).reshape(len(these), len(those))


@lru_cache(maxsize=MAX_REMEMBERED)
def _cosine(a: str, b: str) -> float:
    (one, one_norm), (other, other_norm) = _grams(a), _grams(b)
    dot = sum(count * other[gram] for gram, count in one.items() if gram in other)
    return min(1.0, dot / (one_norm * other_norm))


@lru_cache(maxsize=MAX_REMEMBERED)
def _grams(text: str) -> tuple[dict[str, int], float]:
    """Counts, and the length of the vector; never empty, as the text is padded."""
    padded = f"  {text} "
    counts = Counter(padded[start : start + 3] for start in range(len(padded) - 2))
    return dict(counts), math.sqrt(sum(count * count for count in counts.values()))
