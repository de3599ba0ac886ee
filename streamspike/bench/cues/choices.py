"""Multiple-choice questions about what just happened: a sentence with its object or its verb left out, four choices.

As in the study of visual cues (github.com/4g/visual_cues), which fills a blank in a sentence: "_____ plastic spoon
down". Here what stands before the blank is given and what follows is not, because the world's sentences give the answer
away ("drives on" is no person), and because that is what a model that writes from left to right can be held to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamspike.world.scene import KINDS
from streamspike.world.sentences import PLACES

QuestionKind = Literal["object", "verb"]
QUESTION_KINDS: tuple[QuestionKind, ...] = ("object", "verb")
NUM_CHOICES = 4

_SENTENCE = re.compile(
    rf"(?P<place>(?:(?:{'|'.join(PLACES.values())}) )?a) (?P<object>{'|'.join(KINDS)}) "
    r"(?P<wording>(?:(?:slowly|quickly|suddenly) )?(?P<verb>\w+))"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A word that may stand in the blank."""

    word: str
    wordings: tuple[str, ...]
    """All ways to say it there: a verb may have an adverb before it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is it, or what does it do?"""

    kind: QuestionKind
    segment: int
    stem: str
    """The sentence up to the blank."""
    choices: tuple[Choice, ...]
    answer: int
    """Which of the choices is true."""


class Questioner:
    """Knows which words can stand where, from every sentence that can ever be said."""

    def __init__(self, sentences: Sequence[str]) -> None:
        words: dict[QuestionKind, dict[str, dict[str, set[str]]]] = {
            kind: defaultdict(lambda: defaultdict(set)) for kind in QUESTION_KINDS
        }
        for sentence in sentences:
            for kind, stem, word, wording in read_blanks(sentence):
                words[kind][stem][word].add(wording)
        self._choices: Mapping[QuestionKind, Mapping[str, tuple[Choice, ...]]] = {
            kind: {
                stem: tuple(Choice(word, tuple(sorted(wordings))) for word, wordings in sorted(by_word.items()))
                for stem, by_word in by_stem.items()
            }
            for kind, by_stem in words.items()
        }

    def ask(self, sentence: str, segment: int, rng: np.random.Generator) -> list[Question]:
        """The questions about a sentence that have more than one choice; none where nobody does anything."""
        questions = []
        for kind, stem, word, _ in read_blanks(sentence):
            known = self._choices[kind].get(stem, ())
            truth = [choice for choice in known if choice.word == word]
            others = [choice for choice in known if choice.word != word]
            if not truth or not others:
                continue
            picked = rng.choice(len(others), size=min(NUM_CHOICES - 1, len(others)), replace=False)
            choices = [*truth, *(others[int(k)] for k in picked)]
            order = rng.permutation(len(choices))
            shuffled = tuple(choices[int(k)] for k in order)
            questions.append(Question(kind, segment, stem, shuffled, int(np.flatnonzero(order == 0)[0])))
        return questions


def read_blanks(sentence: str) -> list[tuple[QuestionKind, str, str, str]]:
    """Kind, stem, word and wording of each blank a sentence can have; empty for one without a body in it."""
    match = _SENTENCE.match(sentence)
    if match is None:
        return []
    place, thing = match["place"], match["object"]
    return [("object", place, thing, thing), ("verb", f"{place} {thing}", match["verb"], match["wording"])]
