"""Questions about both branches of a clip: dynamic ones, whose answer must change, and static ones, whose must not.

A question has one set of choices, and a view on each branch: what choosing the first, the second, ... means there, as
words for a model that reads questions, and as sentences after certain segments for one that only knows to say what
just happened. A choice keeps its number in both views, so that answers can be compared across branches.

    direction    which way it moves                    changes when mirrored, and when reversed
    reversible   which of two opposite happenings      changes when reversed: enters, leaves; sits down, gets up; ...
    sequence     which of two happenings came first    changes when reversed
    who          what it is                            stays
    company      how many others are there             stays
    place        in which third of the picture         stays when reversed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Literal

import numpy as np

from streamspike.refine.crpo.counterfactual import Branch, turn_all, turn_index, turn_saying
from streamspike.refine.crpo.grammar import GOES_ON, Saying, read_saying
from streamspike.world.sentences import PLACES, SIDES, VERBS, all_sentences

QuestionKind = Literal["direction", "reversible", "sequence", "who", "company", "place", "wording", "other clip"]
DYNAMIC: tuple[QuestionKind, ...] = ("direction", "reversible", "sequence")
STATIC: tuple[QuestionKind, ...] = ("who", "company", "place")
"""Of the world's grammar. Captions in free words have `wording` (dynamic) and `other clip` (static)."""

OPPOSITES = ("enter", "leave", "sit", "bend", "lie_down", "get_up", "put_down", "pick_up", "leave_behind", "lights_out",
             "lights_on", "covered", "uncovered")  # fmt: skip
"""Happenings whose reversal is an ordinary happening too, and another one."""
MAX_WHO = 4
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that would be said after so many segments of a branch."""

    num_segments: int
    sentence: str


@dataclass(frozen=True, slots=True)
class View:
    """A question as it is asked of one branch."""

    choices: tuple[str, ...]
    """In words."""
    claims: tuple[tuple[Claim, ...], ...]
    """Each choice as what would be said; as many claims for each, at the same segments."""
    answer: int
    """The number of the true choice; UNKNOWN where nobody said."""

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or len(self.choices) != len(self.claims):
            raise ValueError(f"two choices or more, each with its claims: {self.choices}, {self.claims}")
        if not UNKNOWN <= self.answer < len(self.choices):
            raise ValueError(f"{len(self.choices)} choices: {self.answer = }")

    @property
    def num_segments(self) -> int:
        """How much of the branch has to be seen."""
        return max(claim.num_segments for claims in self.claims for claim in claims)


@dataclass(frozen=True, slots=True)
class Question:
    """The same question about a clip and about one of its counterfactual branches."""

    kind: QuestionKind
    topic: str
    """What it was made from: the template of the sentence, or of both."""
    branch: Branch
    text: str
    original: View
    turned: View
    goes_with: tuple[int, ...]
    """For each choice about the clip, the one about the branch that is true if it is."""

    def __post_init__(self) -> None:
        if sorted(self.goes_with) != list(range(len(self.original.choices))):
            raise ValueError(f"every choice goes with one of the other branch: {self.goes_with = }")
        if UNKNOWN not in self.answers and self.goes_with[self.original.answer] != self.turned.answer:
            raise ValueError(f"the answers {self.answers} do not go together: {self.goes_with = }")

    @property
    def dynamic(self) -> bool:
        return any(number != other for number, other in enumerate(self.goes_with))

    @property
    def answers(self) -> tuple[int, int]:
        """About the clip and about its branch."""
        return self.original.answer, self.turned.answer

    @property
    def views(self) -> tuple[View, View]:
        return self.original, self.turned


def ask_all(
    sentences: Sequence[str], kinds: Sequence[QuestionKind], branches: Sequence[Branch], rng: np.random.Generator
) -> list[Question]:
    """Every question of these kinds about a clip in whose segments happened what the sentences say.

    What is not one of the world's sentences is passed over. `rng` shuffles choices and draws wrong ones.
    """
    asked: list[Question] = []
    sayings = [read_saying(sentence) for sentence in sentences]
    for branch in branches:
        turned = turn_all(sentences, branch)
        for index, saying in enumerate(sayings):
            back = turned[turn_index(index, len(sentences), branch)]
            if saying is None or back is None:
                continue
            place = _Place(index, len(sentences), branch)
            makers = {"direction": _ask_direction, "who": _ask_who, "company": _ask_company, "place": _ask_place}
            found = [make(saying, place, rng) for kind, make in makers.items() if kind in kinds]
            if "reversible" in kinds:
                found.append(_ask_reversible(saying, read_saying(back), place, rng))
            asked += [question for question in found if question is not None]
        if branch == "reverse" and "sequence" in kinds:
            asked += _ask_sequences(sentences, turned, rng)
    return asked


@dataclass(frozen=True, slots=True)
class _Place:
    """A segment of a clip, and where it is in the branch."""

    index: int
    num_segments: int
    branch: Branch

    @property
    def inside(self) -> bool:
        """There are segments before and after it, so that a happening is seen from both sides in either branch."""
        return 0 < self.index < self.num_segments - 1

    def ask(
        self, kind: QuestionKind, topic: str, text: str, choices: Sequence[str],
        options: tuple[Sequence[Saying], Sequence[Saying | None]], answer: int, goes_with: Sequence[int] | None = None,
    ) -> Question | None:  # fmt: skip
        """The question, if every choice can be said of both branches, each in words of its own."""
        after = self.index + 1, turn_index(self.index, self.num_segments, self.branch) + 1
        answers = answer, answer if goes_with is None else goes_with[answer]
        texts = [[saying.text for saying in side if saying is not None] for side in options]
        if any(len(set(said)) != len(choices) for said in texts):
            return None
        original, turned = (
            View(tuple(choices), tuple((Claim(number, sentence),) for sentence in said), true)
            for said, number, true in zip(texts, after, answers, strict=True)
        )
        return Question(kind, topic, self.branch, text, original, turned, tuple(goes_with or range(len(choices))))


def _ask_direction(saying: Saying, place: _Place, rng: np.random.Generator) -> Question | None:
    crosses = saying.kind in ("enter", "leave") and place.branch == "flip"
    if not saying["side"] or not (saying.kind.startswith(GOES_ON) or crosses):
        return None
    sides = tuple(SIDES.values())
    mirror = turn_saying(saying, place.branch)
    if mirror is None:
        return None
    thing = saying["who"] or saying["what"]
    texts = {"enter": f"From which side does the {thing} enter?", "leave": f"To which side does the {thing} leave?"}
    text = texts.get(saying.kind, f"Which way does the {thing} move at the end?")
    options = [saying.having(side=side) for side in sides], [mirror.having(side=side) for side in sides]
    return place.ask("direction", saying.kind, text, sides, options, sides.index(saying["side"]), (1, 0))


def _ask_reversible(
    saying: Saying, opposite: Saying | None, place: _Place, rng: np.random.Generator
) -> Question | None:
    if place.branch != "reverse" or saying.kind not in OPPOSITES or opposite is None or not place.inside:
        return None
    order = rng.permutation(2).tolist()
    options = [(saying, opposite)[k] for k in order]
    texts = [option.text for option in options]
    return place.ask("reversible", saying.kind, "What happens at the end?", texts, (options, options),
                     order.index(0), (1, 0))  # fmt: skip


def _ask_who(saying: Saying, place: _Place, rng: np.random.Generator) -> Question | None:
    blank = "who" if saying["who"] else "what"
    if saying.kind not in ("enter", "leave") and not saying.kind.startswith(GOES_ON):
        return None
    others = [kind for kind in VERBS if kind != saying[blank]]
    possible = []
    for kind in others:
        other = saying.having(**{blank: kind})
        if other.text in _known() and turn_saying(other, place.branch) is not None:
            possible.append(kind)
    if not possible:
        return None
    drawn = rng.permutation(len(possible))[: MAX_WHO - 1].tolist()
    kinds = [saying[blank], *(possible[k] for k in drawn)]
    order = rng.permutation(len(kinds)).tolist()
    kinds = [kinds[k] for k in order]
    options = [saying.having(**{blank: kind}) for kind in kinds]
    turned = [turn_saying(option, place.branch) for option in options]
    text = "Who or what moves or rests nearest to the camera at the end?"
    return place.ask("who", saying.kind, text, [f"a {kind}" for kind in kinds], (options, turned), order.index(0))


def _ask_company(saying: Saying, place: _Place, rng: np.random.Generator) -> Question | None:
    if not saying.kind.startswith(GOES_ON):
        return None
    company = saying["company"]
    one = company if company.startswith(" beside") else f" beside a {list(VERBS)[int(rng.integers(len(VERBS)))]}"
    words = ("", one, " among others")
    options = [saying.having(company=word) for word in words]
    turned = [turn_saying(option, place.branch) for option in options]
    choices = ("nobody else", "one other", "several others")
    text = f"Who is there at the end besides the {saying['who']}?"
    return place.ask("company", saying.kind, text, choices, (options, turned), words.index(company))


def _ask_place(saying: Saying, place: _Place, rng: np.random.Generator) -> Question | None:
    if place.branch != "reverse" or not saying.kind.startswith(GOES_ON):
        return None
    places = tuple(PLACES.values())
    options = [saying.having(where=where) for where in places]
    turned = [turn_saying(option, place.branch) for option in options]
    text = f"In which third of the picture is the {saying['who']} at the end?"
    return place.ask("place", saying.kind, text, places, (options, turned), places.index(saying["where"]))


def _ask_sequences(sentences: Sequence[str], turned: Sequence[str | None], rng: np.random.Generator) -> list[Question]:
    """Pairs of happenings, each told once, that do not read the same backwards."""
    count = len(sentences)
    told = []
    for index, sentence in enumerate(sentences):
        saying, back = read_saying(sentence), turned[count - 1 - index]
        if saying is not None and not saying.goes_on and back is not None and sentences.count(sentence) == 1:
            told.append((index, saying, back))
    questions = []
    for (i, one, one_back), (j, two, two_back) in combinations(told, 2):
        if one_back in (two.text, two_back):
            continue  # who comes and goes, comes and goes backwards too
        order = rng.permutation(2).tolist()
        original = _order_view((one.text, two.text), (i + 1, j + 1), order)
        turned_view = _order_view((two_back, one_back), (count - j, count - i), order[::-1])
        topic = f"{one.kind}, {two.kind}"
        text = "In which order did it happen?"
        questions.append(Question("sequence", topic, "reverse", text, original, turned_view, (1, 0)))
    return questions


def _order_view(happened: tuple[str, str], after: tuple[int, int], order: Sequence[int]) -> View:
    """The two orders of what happened, the true one where `order` has 0."""
    orders = [(happened, happened[::-1])[k] for k in order]
    words = tuple(f"first {one}, then {two}" for one, two in orders)
    claims = tuple((Claim(after[0], one), Claim(after[1], two)) for one, two in orders)
    return View(words, claims, order.index(0))


@cache
def _known() -> frozenset[str]:
    return frozenset(all_sentences())
