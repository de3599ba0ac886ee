"""What a training clip is asked, and what the answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from streamspike.belief.prompts import NO, OBSERVE, PREDICT, YES
from streamspike.refine.pretrain.clips import Clip
from streamspike.refine.pretrain.examiner import Examiner
from streamspike.refine.pretrain.rows import Branch

SCRIPTED = 4
TABLE = (("nothing changes", 0.7), ("a car passes", 0.29), ("the fence falls over", 0.01))


def make_told_clip(clip: Clip, *scripted: int) -> Clip:
    """The same pictures, with a table of futures that is known to the test."""
    sentences = ["nothing changes"] * 9
    for index in scripted:
        sentences[index] = "the fence falls over"
    return replace(clip, sentences=tuple(sentences), alternatives=(TABLE,) * 9, scripted=scripted)


def ask_often(clip: Clip, times: int = 1500) -> Iterator[Branch]:
    rng, examiner = np.random.default_rng(0), Examiner(["a dog runs"])
    for _ in range(times):
        yield from examiner.ask(clip, rng)


def test_what_to_expect_is_drawn_from_the_truth_and_not_from_the_script(clips: list[Clip]) -> None:
    expected = [b for b in ask_often(make_told_clip(clips[0], SCRIPTED)) if b.question == PREDICT]
    counts = Counter(branch.answer for branch in expected if branch.num_blocks == SCRIPTED)
    total = counts.total()
    assert total > 500
    for text, probability in TABLE:
        error = 4 * (probability * (1 - probability) / total) ** 0.5
        assert counts[text] / total == pytest.approx(probability, abs=error)
    assert {branch.num_blocks for branch in expected} == set(range(1, 9)), (
        "the first segment has no past to expect from"
    )


def test_what_was_seen_is_told_of_every_segment(clips: list[Clip]) -> None:
    clip = make_told_clip(clips[0], SCRIPTED)
    seen = [b for b in ask_often(clip, 40) if b.question == OBSERVE]
    assert [branch.num_blocks for branch in seen] == 40 * list(range(1, 10))
    assert all(branch.answer == clip.sentences[branch.num_blocks - 1] for branch in seen)


def test_rivals_could_have_happened_or_differ_by_a_word(clips: list[Clip]) -> None:
    clip = make_told_clip(clips[0], SCRIPTED)
    examiner = Examiner(["nothing moves", "nothing changes", "everything changes", "a dog runs", "a fence falls over"])
    rng = np.random.default_rng(0)
    found: dict[str, set[str]] = {}
    for _ in range(300):
        for branch in examiner.ask(clip, rng):
            assert branch.answer not in branch.rivals and len(set(branch.rivals)) == len(branch.rivals)
            assert not (branch.rivals and (branch.summary or branch.question != OBSERVE))
            found.setdefault(branch.answer, set()).update(branch.rivals)
    futures = {text for text, _ in TABLE}
    assert found["nothing changes"] == futures - {"nothing changes"} | {"nothing moves", "everything changes"}
    assert found["the fence falls over"] == futures - {"the fence falls over"} | {"a fence falls over"}


def test_statements_to_verify_are_true_half_the_time_and_answered_rightly(clips: list[Clip]) -> None:
    clip = make_told_clip(clips[0], SCRIPTED)
    asked = [branch for branch in ask_often(clip, 600) if branch.question not in (PREDICT, OBSERVE)]
    answers = Counter(branch.answer for branch in asked)
    assert len(asked) == 600 and answers[YES] / 600 == pytest.approx(0.5, abs=0.1)
    for branch in asked:
        is_true = clip.sentences[branch.num_blocks - 1] in branch.question
        assert branch.answer == (YES if is_true else NO)
