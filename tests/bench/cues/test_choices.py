from __future__ import annotations

import numpy as np
import pytest

from streamspike.bench.cues.choices import NUM_CHOICES, Question, Questioner, read_blanks
from streamspike.world.sentences import all_sentences

SENTENCES = all_sentences()


@pytest.fixture(scope="module")
def questioner() -> Questioner:
    return Questioner(SENTENCES)


def ask(questioner: Questioner, sentence: str, seed: int = 0) -> dict[str, Question]:
    return {question.kind: question for question in questioner.ask(sentence, 3, np.random.default_rng(seed))}


def test_a_sentence_has_a_blank_for_its_object_and_one_for_its_verb() -> None:
    assert read_blanks("on the left a person slowly walks to the right beside a car") == [
        ("object", "on the left a", "person", "person"),
        ("verb", "on the left a person", "walks", "slowly walks"),
    ]
    assert read_blanks("a cart enters from the left")[0][2] == "cart"


def test_nobody_is_asked_about_where_nobody_does_anything() -> None:
    assert not read_blanks("the street is quiet") and not read_blanks("two people collide")


def test_the_choices_are_words_that_can_stand_there_and_one_is_true(questioner: Questioner) -> None:
    questions = ask(questioner, "in the middle a person suddenly runs to the left")
    for kind, truth in (("object", "person"), ("verb", "runs")):
        question = questions[kind]
        words = [choice.word for choice in question.choices]
        assert words[question.answer] == truth and words.count(truth) == 1
        assert len(words) == len(set(words)) == NUM_CHOICES
        assert question.segment == 3
        for choice in question.choices:
            for wording in choice.wordings:
                assert any(f"{sentence} ".startswith(f"{question.stem} {wording} ") for sentence in SENTENCES)


def test_a_verb_is_known_in_all_its_wordings(questioner: Questioner) -> None:
    verb = ask(questioner, "on the left a car drives to the right")["verb"]
    assert verb.choices[verb.answer].wordings == ("drives", "quickly drives", "slowly drives")


def test_a_blank_that_only_one_word_fits_is_no_question(questioner: Questioner) -> None:
    assert "verb" not in ask(questioner, "on the right a box vanishes")


def test_where_the_truth_stands_among_the_choices_tells_nothing(questioner: Questioner) -> None:
    places = [ask(questioner, "on the left a person walks to the right", seed)["verb"].answer for seed in range(200)]
    assert min(np.bincount(places, minlength=NUM_CHOICES)) > 30


def test_the_same_draws_ask_the_same(questioner: Questioner) -> None:
    sentence = "on the left a dog walks to the right"
    assert ask(questioner, sentence, 4) == ask(questioner, sentence, 4) != ask(questioner, sentence, 5)
