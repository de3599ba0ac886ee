"""How much two texts have in common, by their words: ROUGE-L and the cosine of TF-IDF vectors."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from streamspike.belief.hypotheses import readable, sentence_key
from streamspike.belief.prompts import parse_sentence

_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Lower-case words in order, without punctuation."""
    return _WORD.findall(sentence_key(text))


def clean(text: str) -> str:
    """A candidate as a reward reads it: one plain line, or '' when there is nothing to read in it."""
    return next(iter(readable([parse_sentence(text)])), "")


def length_factor(text: str, max_words: int) -> float:
    """1 up to so many words, then in inverse proportion: what lists everything that may happen is right for nothing."""
    return min(1.0, max_words / max(1, len(words_of(text))))


def rouge_l(candidate: str, reference: str) -> float:
    """F1 of the longest common subsequence of words, in [0, 1] (Lin 2004, ROUGE-L with beta 1)."""
    said, wanted = words_of(candidate), words_of(reference)
    common = _longest_common(said, wanted)
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    row = [0] * (len(b) + 1)
    for word in a:
        corner = 0  # the entry left of and above the current one
        for column, other in enumerate(b, start=1):
            above = row[column]
            row[column] = corner + 1 if word == other else max(above, row[column - 1])
            corner = above
    return row[-1]


def tf_idf_cosine(candidate: str, reference: str, others: Sequence[str] = ()) -> float:
    """Cosine of TF-IDF vectors, in [0, 1]; idf is ln((1 + n) / (1 + df)) + 1, as scikit-learn smooths it.

    Args:
        others: further texts to count documents in. Without them there are two, as in SPIKE's published code; with
            them, words that stand in every text count least.
    """
    texts = [Counter(words_of(text)) for text in (candidate, reference, *others)]
    said, wanted = texts[:2]
    idf = {
        word: math.log((1 + len(texts)) / (1 + sum(word in text for text in texts))) + 1 for word in {*said, *wanted}
    }
    dot = sum(said[word] * wanted[word] * idf[word] ** 2 for word in said)
    norms = [math.sqrt(sum((count * idf[word]) ** 2 for word, count in text.items())) for text in (said, wanted)]
    return min(1.0, dot / (norms[0] * norms[1])) if dot else 0.0
