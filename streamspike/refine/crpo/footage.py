"""Questions about clips of any dataset, made from their captions: by the world's grammar, or by opposite words.

caption in the world's words      every question of questions.py
free words, some with opposites   dynamic, `wording`: is it this, or the same with the opposite words?
free words without                static, `other clip`: is it this, or what another clip shows?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from streamspike.refine.crpo.counterfactual import BRANCHES, Branch, turn_index
from streamspike.refine.crpo.grammar import read_saying
from streamspike.refine.crpo.questions import DYNAMIC, STATIC, UNKNOWN, Claim, Question, View, ask_all
from streamspike.refine.crpo.scenes import Item
from streamspike.refine.crpo.wording import is_dynamic, turn_words
from streamspike.refine.examples import Example, ExampleSource

Agrees = Callable[[Example, Question], bool]
"""Whether a question may be asked of an example; see `wording.says_dynamic`."""

MAX_DECOYS = 3
WORDING_TEXT, OTHER_TEXT = "Which of these happens at the end?", "Which of these is to be seen at the end?"


class FootageItems:
    """Implements `ItemSource`: one question for each clip that there is something to ask about, known beforehand."""

    def __init__(
        self,
        source: ExampleSource,
        captions: Sequence[Sequence[str]],
        seed: int,
        dynamic_share: float,
        agrees: Agrees | None = None,
    ) -> None:
        """
        Args:
            captions: of each example's segments, so that no video is decoded for them.
            dynamic_share: of the questions, as far as captions allow.
            agrees: asked about every question that could be asked, which takes time; None: all may be.
        """
        self._source = source
        self._asked: list[tuple[int, Question]] = []
        num_dynamic = 0
        for number, told in enumerate(captions):
            rng = np.random.default_rng([seed, number])
            others = [text for k, texts in enumerate(captions) if k != number for text in texts if text]
            possible = ask_about(told, others, rng)
            if agrees is not None:
                example = source[number]
                possible = [question for question in possible if agrees(example, question)]
            if not possible:
                continue
            wanted = num_dynamic <= dynamic_share * len(self._asked)
            question = _draw([q for q in possible if q.dynamic == wanted] or possible, rng)
            num_dynamic += question.dynamic
            self._asked.append((number, question))

    def __len__(self) -> int:
        return len(self._asked)

    def __getitem__(self, number: int) -> Item:
        place, question = self._asked[number]
        return Item(self._source[place], question)

    def __iter__(self) -> Iterator[Item]:
        return (self[number] for number in range(len(self)))


def ask_about(captions: Sequence[str], others: Sequence[str], rng: np.random.Generator) -> list[Question]:
    """All questions about a clip, without their answers: a caption of the journal is not the truth.

    Args:
        captions: of its segments.
        others: captions of other clips.
    """
    asked = ask_all(captions, (*DYNAMIC, *STATIC), BRANCHES, rng)
    for index, caption in enumerate(captions):
        if caption and read_saying(caption) is None:
            for branch in BRANCHES:
                after = index + 1, turn_index(index, len(captions), branch) + 1
                made = _ask_wording(caption, branch, after, rng) or _ask_other(caption, others, branch, after, rng)
                asked += [made] if made is not None else []
    return [_unanswered(question) for question in asked]


def _draw(questions: Sequence[Question], rng: np.random.Generator) -> Question:
    """Each topic as likely as another."""
    topics = sorted({(question.kind, question.topic) for question in questions})
    topic = topics[int(rng.integers(len(topics)))]
    fitting = [question for question in questions if (question.kind, question.topic) == topic]
    return fitting[int(rng.integers(len(fitting)))]


def _ask_wording(caption: str, branch: Branch, after: tuple[int, int], rng: np.random.Generator) -> Question | None:
    opposite = turn_words(caption, branch)
    if opposite is None:
        return None
    order = rng.permutation(2).tolist()
    choices = [(caption, opposite)[k] for k in order]
    original, turned = _views(choices, after, (order.index(0), order.index(1)))
    return Question("wording", "opposite words", branch, WORDING_TEXT, original, turned, (1, 0))


def _ask_other(
    caption: str, others: Sequence[str], branch: Branch, after: tuple[int, int], rng: np.random.Generator
) -> Question | None:
    foreign = sorted({text for text in others if text != caption and not is_dynamic(text, branch)})
    if not foreign:
        return None
    drawn = rng.permutation(len(foreign))[:MAX_DECOYS].tolist()
    choices = [caption, *(foreign[k] for k in drawn)]
    order = rng.permutation(len(choices)).tolist()
    answer = order.index(0)
    original, turned = _views([choices[k] for k in order], after, (answer, answer))
    return Question("other clip", "other clip", branch, OTHER_TEXT, original, turned, tuple(range(len(choices))))


def _views(choices: Sequence[str], after: tuple[int, int], truths: tuple[int, int]) -> tuple[View, View]:
    clip, branch = (
        View(tuple(choices), tuple((Claim(number, text),) for text in choices), true)
        for number, true in zip(after, truths, strict=True)
    )
    return clip, branch


def _unanswered(question: Question) -> Question:
    original, turned = (replace(view, answer=UNKNOWN) for view in question.views)
    return replace(question, original=original, turned=turned)
