"""Questions whose answer is known: they differ in one thing, and count as they should."""

from __future__ import annotations

import numpy as np
import pytest

from streamspike.belief.prompts import NO, YES
from streamspike.engine.model import LoadedModel
from streamspike.refine.commands import First
from streamspike.refine.crpo.grammar import read_saying
from streamspike.refine.dataset.world import WorldClips, world_examples
from streamspike.refine.savi.command import render_accuracy
from streamspike.refine.savi.nearby import nearby
from streamspike.refine.savi.questions import ALL, KINDS, Score, accuracy, ask_known, difference, examine
from streamspike.world.sentences import all_sentences

CLIPS = world_examples(1, 3, WorldClips(num_segments=3, size_px=(96, 96)))


def test_sentences_nearby_can_be_said_and_differ_in_one_thing() -> None:
    possible = set(all_sentences())
    near = nearby("on the left a person walks to the right")
    assert set(near) == {"who", "direction", "place", "speed"}
    assert near["direction"] == ("on the left a person walks to the left",)
    assert "on the left a dog walks to the right" in near["who"]
    for texts in near.values():
        for text in texts:
            assert text in possible and read_saying(text) is not None
    assert nearby("the street is quiet") == {} == nearby("something else")


def test_the_first_choice_is_right_and_no_other_is() -> None:
    for clip in CLIPS:
        asked = ask_known(clip, np.random.default_rng(0))
        assert {choice.kind for choice in asked} <= set(KINDS)
        for choice in asked:
            truth = clip.truth[choice.num_segments - 1]
            assert 2 <= len(choice.choices) <= 4 and len(set(choice.choices)) == len(choice.choices)
            if choice.kind == "statement":
                assert choice.choices[0] == (YES if f": {truth}?" in choice.question else NO)
            else:
                assert choice.choices[0] == truth


def test_the_built_in_model_knows_more_than_chance(nano: LoadedModel) -> None:
    scores = examine(nano, First(CLIPS, 2), 8, seed=0)
    assert scores == examine(nano, First(CLIPS, 2), 8, seed=0)
    told = [score.right for clip in scores for score in clip if score.kind not in ("statement", "which")]
    assert len(told) > 8 and np.mean(told) > 0.5, "chance is about a third"


def test_accuracy_is_of_questions_and_its_difference_of_clips() -> None:
    before = [[Score("who", 1.0), Score("place", 0.0)], [Score("who", 0.0)]]
    after = [[Score("who", 1.0), Score("place", 1.0)], [Score("who", 1.0)]]
    assert accuracy(before, "who").mean == 0.5 and accuracy(before, ALL).mean == pytest.approx(1 / 3)
    assert difference(before, after, ALL).mean == pytest.approx(2 / 3)
    assert "no question of the kind speed" in accuracy(before, "speed").reason
    assert "place           1    0.000    1.000  +1.000" in render_accuracy(before, after, 0)
