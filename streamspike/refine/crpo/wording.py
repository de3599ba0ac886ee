"""Counterfactuals of captions in free words, by tables of opposite words; for footage the world's grammar knows not.

A caption with a word that a mirror or a reversal turns is something to ask a dynamic question about: is it this, or the
same with the opposite words? One without is static. Crude, and said so: "the sun rises over the left bank" has a word
that turns, "a man fries an egg" does not, though nobody unfries one. A model can be asked instead (`says_dynamic`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from streamspike.belief.prompts import NO, YES
from streamspike.refine.crpo.counterfactual import Branch, Segments
from streamspike.refine.policy import Policy

Pairs = tuple[tuple[str, str], ...]

SIDES: Pairs = (
    ("left", "right"),
    ("leftmost", "rightmost"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("clockwise", "counterclockwise"),
)
"""What a mirror turns."""

OPPOSITES: Pairs = (  # longer phrases first: they are looked for in this order
    ("enters from the", "leaves to the"),
    ("comes in from the", "goes out to the"),
    ("from left to right", "from right to left"),
    ("from the left to the right", "from the right to the left"),
    ("to the left", "to the right"),
    ("sits down", "stands up"),
    ("sitting down", "standing up"),
    ("picks up", "puts down"),
    ("picking up", "putting down"),
    ("puts on", "takes off"),
    ("turns on", "turns off"),
    ("switches on", "switches off"),
    ("goes up", "goes down"),
    ("walks up", "walks down"),
    ("climbs up", "climbs down"),
    ("moves up", "moves down"),
    ("gets in", "gets out"),
    ("gets into", "gets out of"),
    ("walks in", "walks out"),
    ("comes in", "goes out"),
    ("towards", "away from"),
    ("toward", "away from"),
    ("closer", "farther away"),
    ("enters", "leaves"),
    ("entering", "leaving"),
    ("arrives", "departs"),
    ("arriving", "departing"),
    ("approaches", "moves away from"),
    ("opens", "closes"),
    ("opening", "closing"),
    ("appears", "disappears"),
    ("appearing", "disappearing"),
    ("forward", "backward"),
    ("forwards", "backwards"),
    ("lifts", "lowers"),
    ("lifting", "lowering"),
    ("rises", "sinks"),
    ("pushes", "pulls"),
    ("pushing", "pulling"),
    ("fills", "empties"),
    ("folds", "unfolds"),
    ("folding", "unfolding"),
    ("locks", "unlocks"),
    ("loads", "unloads"),
    ("loading", "unloading"),
    ("covers", "uncovers"),
    ("accelerates", "slows down"),
    ("clockwise", "counterclockwise"),
)
"""What a reversal turns."""

TABLES: dict[Branch, Pairs] = {"flip": SIDES, "reverse": OPPOSITES}

ORDER_WORDS = re.compile(r"\b(which way|which direction|in what order|what order|first|last|before|after|next)\b", re.I)
SIDE_WORDS = re.compile(r"\b(which way|which direction|which side|where)\b", re.I)
ASKED_WORDS: dict[Branch, re.Pattern[str]] = {"flip": SIDE_WORDS, "reverse": ORDER_WORDS}

CHANGES = {
    "flip": "If this video were mirrored, left to right, would the answer to the question change: {text} Answer yes or "
    "no.",
    "reverse": "If this video were played backwards, would the answer to the question change: {text} Answer yes or no.",
}


def turn_words(text: str, branch: Branch) -> str | None:
    """The text with every word of the branch's table replaced by its opposite; None if there is none in it.

    Its own inverse, but for words that two others turn into.
    """
    opposites = _opposites(branch)
    turned, count = _pattern(branch).subn(lambda match: _cased(match[0], opposites[match[0].lower()]), text)
    return turned if count else None


def is_dynamic(text: str, branch: Branch) -> bool:
    """Whether an answer to this question changes in the branch, by its words."""
    return turn_words(text, branch) is not None or ASKED_WORDS[branch].search(text) is not None


def says_dynamic(policy: Policy, segments: Segments, text: str, branch: Branch) -> bool:
    """The same by the model itself, adapter off: shown the clip, yes or no."""
    with policy.reference():
        yes, no = policy.choose(segments, "", CHANGES[branch].format(text=text), (YES, NO))
    return yes > no


@cache
def _opposites(branch: Branch) -> dict[str, str]:
    pairs = TABLES[branch]
    return {two: one for one, two in reversed(pairs)} | dict(reversed(pairs))


@cache
def _pattern(branch: Branch) -> re.Pattern[str]:
    phrases: Sequence[str] = sorted(_opposites(branch), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, phrases))})\b", re.I)


def _cased(like: str, text: str) -> str:
    return text[:1].upper() + text[1:] if like[:1].isupper() else text
