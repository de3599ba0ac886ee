"""Sentences that differ from another one in one thing: who, where, which way, or how fast."""

from __future__ import annotations

from functools import lru_cache

from streamspike.refine.crpo.grammar import BLANKS, read_saying
from streamspike.world.sentences import all_sentences

ASPECTS = {"who": "who", "what": "who", "side": "direction", "where": "place", "how": "speed"}
"""Blank of the grammar to what a question about it asks."""


@lru_cache(4096)
def nearby(sentence: str) -> dict[str, tuple[str, ...]]:
    """Aspect to the other sentences that can be said; empty for one that is none of the world's."""
    saying = read_saying(sentence)
    if saying is None:
        return {}
    possible = _possible()
    found: dict[str, tuple[str, ...]] = {}
    for blank, word in saying.words:
        if blank not in ASPECTS:
            continue
        others = [saying.having(**{blank: other}).text for other in BLANKS[blank] if other != word]
        known = tuple(text for text in dict.fromkeys(others) if text in possible and text != sentence)
        if known:
            found[ASPECTS[blank]] = known
    return found


def nearby_sentences(sentence: str) -> tuple[str, ...]:
    """All of them, each once."""
    return tuple(dict.fromkeys(text for texts in nearby(sentence).values() for text in texts))


@lru_cache(1)
def _possible() -> frozenset[str]:
    return frozenset(all_sentences())
