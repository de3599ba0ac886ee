"""The world's sentences taken apart and put together again: which template, and the words in its blanks.

The templates are those of `world/sentences.py`; nothing about them is written down twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from streamspike.world.scene import KINDS, SCENES
from streamspike.world.sentences import BY_ACTOR, BY_THING, FIXED, GOING_ON, HURRIES, PLACES, SIDES, VERBS

GOES_ON = "on:"
"""Before the name of a template of GOING_ON: `sit` is sitting down, `on:sit` is sitting there."""

TEMPLATES: dict[str, str] = {
    **FIXED,
    **BY_ACTOR,
    **BY_THING,
    **{GOES_ON + name: template for name, template in GOING_ON.items()},
    "dark": "it is dark",
    "blocked": "the view is blocked",
    **{f"quiet {name}": f"the {name} is quiet" for name in SCENES},
}

BLANKS = {
    "where": PLACES.values(),
    "who": VERBS,
    "verb": sorted(set(VERBS.values())),
    "what": KINDS,
    "side": SIDES.values(),
    "how": HURRIES.values(),
    "company": ("", " among others", *(f" beside a {kind}" for kind in VERBS)),
}


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence of the world."""

    kind: str
    """A name of TEMPLATES: that of the happening, or what goes on."""
    words: tuple[tuple[str, str], ...]
    """(blank, word) of each blank of the template, the verb apart, which follows from who it is."""

    def __getitem__(self, blank: str) -> str:
        """The word in a blank; empty if the template has no such blank."""
        return dict(self.words).get(blank, "")

    @property
    def text(self) -> str:
        words = dict(self.words)
        return TEMPLATES[self.kind].format(**words, verb=VERBS.get(words.get("who", ""), ""))

    @property
    def goes_on(self) -> bool:
        """Nothing new happens in it."""
        return self.kind.startswith((GOES_ON, "quiet ")) or self.kind in ("dark", "blocked")

    def having(self, **words: str) -> Saying:
        """The same with other words in some of its blanks."""
        return Saying(self.kind, tuple((blank, words.get(blank, word)) for blank, word in self.words))

    def told_as(self, kind: str, **words: str) -> Saying:
        """Another template, filled with these words, and with the same as before in the blanks both have."""
        known = dict(self.words) | words
        return Saying(kind, tuple((blank, known[blank]) for blank in blanks_of(kind)))


@lru_cache(4096)
def read_saying(sentence: str) -> Saying | None:
    """What a sentence says; None if it is none of the world's."""
    for kind in TEMPLATES:
        match = _pattern(kind).fullmatch(sentence)
        if match is not None:
            words = match.groupdict()
            if words.pop("verb", None) == VERBS.get(words.get("who", "")) or "verb" not in match.groupdict():
                return Saying(kind, tuple((blank, words[blank]) for blank in blanks_of(kind)))
    return None


@cache
def blanks_of(kind: str) -> tuple[str, ...]:
    """The blanks of a template that have to be filled, in order, each once."""
    names = re.findall(r"{(\w+)}", TEMPLATES[kind])
    return tuple(dict.fromkeys(name for name in names if name != "verb"))


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    pieces = re.split(r"{(\w+)}", TEMPLATES[kind])  # text, blank, text, blank, ..., text
    for place in range(1, len(pieces), 2):
        # Longer words first: "" stands for "at its ease" and "alone".
        words = sorted(BLANKS[pieces[place]], key=len, reverse=True)
        pieces[place] = f"(?P<{pieces[place]}>{'|'.join(map(re.escape, words))})"
    return re.compile("".join(re.escape(piece) if k % 2 == 0 else piece for k, piece in enumerate(pieces)))
