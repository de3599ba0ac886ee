"""When two sentences about a simulated camera mean the same: who does what and which way, not where or how fast."""

from __future__ import annotations

import re

from streamspike.belief.hypotheses import sentence_key

_PLACE = re.compile(r"^(?:on the left|in the middle|on the right) ")
_PACE = re.compile(r"\b(?:slowly|quickly) ")
_COMPANY = re.compile(r" (?:beside an? \w+|among others)$")


def meaning(sentence: str) -> str:
    """What is left of a sentence without place, pace and company: equal for sentences that mean the same."""
    plain = _PLACE.sub("", sentence_key(sentence))
    return _COMPANY.sub("", _PACE.sub("", plain))
