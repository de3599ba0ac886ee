"""Questions about both branches: one right answer each, dynamic ones another, static ones the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streamspike.errors import DatasetError
from streamspike.refine.crpo.counterfactual import BRANCHES, turn_all
from streamspike.refine.crpo.footage import FootageItems
from streamspike.refine.crpo.questions import DYNAMIC, STATIC, UNKNOWN, Question, View, ask_all
from streamspike.refine.crpo.scenes import ItemSettings, WorldItems, world_items
from streamspike.refine.crpo.wording import is_dynamic, turn_words
from streamspike.refine.examples import Example
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation


def lives(count: int) -> list[list[str]]:
    """Sentences of six segments each."""
    clips = []
    for seed in range(count):
        simulation = Simulation(build_scene(SCENES[seed % len(SCENES)], seed), seed, script={4: "lights_out"})
        told = [simulation.step().sentence for _ in range(24)]
        clips += [told[first : first + 6] for first in range(0, 19, 3)]
    return clips


def true_choices(view: View, sentences: tuple[str | None, ...]) -> list[int]:
    """Choices all of whose claims stand in what is true of the branch."""
    return [
        number
        for number, claims in enumerate(view.claims)
        if all(sentences[claim.num_segments - 1] == claim.sentence for claim in claims)
    ]


def test_each_question_has_exactly_one_right_answer_in_either_branch() -> None:
    seen = Counter[str]()
    for sentences in lives(12):
        for question in ask_all(sentences, (*DYNAMIC, *STATIC), BRANCHES, np.random.default_rng(0)):
            turned = turn_all(sentences, question.branch)
            assert true_choices(question.original, tuple(sentences)) == [question.original.answer], question
            assert true_choices(question.turned, turned) == [question.turned.answer], question
            assert question.goes_with[question.original.answer] == question.turned.answer
            assert (question.original.answer != question.turned.answer) == (question.kind in DYNAMIC)
            for view in question.views:
                assert len(set(view.claims)) == len(view.choices)
            seen[question.kind] += 1
    assert set(seen) == {*DYNAMIC, *STATIC} and min(seen.values()) >= 5, seen


def test_who_comes_and_goes_is_not_asked_in_which_order() -> None:
    """Backwards it comes and goes as well: whoever has learnt that much would be right without looking."""
    sentences = ["the room is quiet", "a dog enters from the left", "the room is quiet", "a dog leaves to the left"]
    rng = np.random.default_rng(0)
    assert not ask_all(sentences, ("sequence",), ("reverse",), rng)
    sentences[3] = "a dog leaves to the right"
    assert len(ask_all(sentences, ("sequence",), ("reverse",), rng)) == 1


def test_choices_that_do_not_go_together_are_refused() -> None:
    question = ask_all(["on the left a person walks to the left"], ("direction",), ("flip",), np.random.default_rng(0))[
        0
    ]
    with pytest.raises(ValueError, match="do not go together"):
        Question("direction", "", "flip", "", question.original, question.turned, (0, 1))


def test_simulated_items_are_the_same_each_time_and_balanced() -> None:
    items = world_items(3, 8, ItemSettings(dynamic_share=0.5))
    assert isinstance(items, WorldItems)
    kinds = [items.kind_of(number) for number in range(600)]
    assert all(kinds.count(kind) == 100 for kind in (*DYNAMIC, *STATIC))
    one, again = items[2], world_items(3, 8, ItemSettings(dynamic_share=0.5))[2]
    assert one.question == again.question and one.question.kind == items.kind_of(2)
    assert np.array_equal(np.array(one.example.segments), np.array(again.example.segments))
    claims = [claim for claims in one.question.original.claims for claim in claims]
    told = one.example.captions
    assert any(told[claim.num_segments - 1] == claim.sentence for claim in claims)


def test_the_benchmark_draws_cameras_that_no_training_sees() -> None:
    training, bench = (world_items(0, 2, ItemSettings(bench=bench)) for bench in (False, True))
    assert not {item.example.camera_id for item in training} & {item.example.camera_id for item in bench}
    with pytest.raises(DatasetError):
        world_items(0, 1, ItemSettings(num_segments=2))


@pytest.mark.parametrize(
    ("text", "branch", "turned"),
    [
        ("A man walks from left to right.", "flip", "A man walks from right to left."),
        ("A man walks from left to right.", "reverse", "A man walks from right to left."),
        ("Opens the door and enters", "reverse", "Closes the door and leaves"),
        ("a woman picks up the brightly coloured cup", "reverse", "a woman puts down the brightly coloured cup"),
        ("a red car is parked", "reverse", None),
        ("somebody sits on the left", "reverse", None),  # the place stays when time turns
        ("somebody sits on the left", "flip", "somebody sits on the right"),
    ],
)
def test_free_words_are_turned_by_tables(text: str, branch: str, turned: str | None) -> None:
    assert turn_words(text, branch) == turned  # type: ignore[arg-type]
    if turned is not None:
        assert turn_words(turned, branch) == text  # type: ignore[arg-type]


def test_questions_are_dynamic_by_their_words() -> None:
    assert is_dynamic("What does he do first?", "reverse") and not is_dynamic("What does he do first?", "flip")
    assert is_dynamic("On which side is the cup?", "flip") and not is_dynamic("How many people are there?", "flip")


class Told:
    """An `ExampleSource` of grey clips with captions."""

    def __init__(self, captions: list[tuple[str, ...]]) -> None:
        self.captions = captions

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, number: int) -> Example:
        if not 0 <= number < len(self):
            raise IndexError(number)
        told = self.captions[number]
        grey = np.full((32, 48, 3), 40 * number, np.uint8)
        return Example(f"clip-{number}", "yard", 0.0, 1.0, tuple((grey, grey) for _ in told), told)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return (self[number] for number in range(len(self)))


def test_captions_make_questions_whose_answers_nobody_knows() -> None:
    captions = [
        ("a man opens the gate", "a red car is parked"),
        ("two children play", "the sky is grey"),
        ("a dog enters from the left", "on the left a dog walks to the right"),
        ("", ""),
    ]
    items = FootageItems(Told(captions), captions, seed=0, dynamic_share=0.5)
    assert [item.example.example_id for item in items] == ["clip-0", "clip-1", "clip-2"]
    assert all(item.question.answers == (UNKNOWN, UNKNOWN) for item in items)
    assert {item.question.kind for item in items} >= {"wording", "other clip"}
    refused = FootageItems(Told(captions), captions, 0, 0.5, lambda example, question: not question.dynamic)
    assert not any(item.question.dynamic for item in refused)
