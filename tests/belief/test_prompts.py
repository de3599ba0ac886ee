"""What the model is asked and how its answers are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.belief.prompts import (
    ANSWER_HEADER,
    HEADER,
    OBSERVE,
    PREDICT,
    parse_sentence,
    render_suffix,
    render_verify,
)


def test_without_a_memory_only_the_question_is_asked() -> None:
    assert render_suffix("", PREDICT) == f"\n{PREDICT}<|im_end|>\n<|im_start|>assistant\n"


def test_the_memory_stands_before_the_question() -> None:
    assert render_suffix("a car stops", OBSERVE) == f"\nBefore: a car stops\n{OBSERVE}{ANSWER_HEADER}"


def test_header_and_suffix_close_every_turn_they_open() -> None:
    row = HEADER + render_suffix("", PREDICT)
    assert row.count("<|im_start|>") == row.count("<|im_end|>") + 1  # the answer closes the last


def test_a_statement_is_asked_about_word_for_word() -> None:
    assert render_verify("a man falls") == "Is this what just happened: a man falls? Answer yes or no."


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("a man falls.", "a man falls"),
        ("  A man falls <|im_end|>", "A man falls"),
        ('"a man falls."', "a man falls"),
        ("- a man falls\n- a dog barks", "a man falls"),
        ("1. a man falls", "a man falls"),
        ("12 people wait", "12 people wait"),
        ("a   man\tfalls", "a man falls"),
        ("<|video_pad|><|im_end|>", ""),
        ("", ""),
        ("...", ""),
    ],
)
def test_an_answer_becomes_one_plain_sentence(answer: str, sentence: str) -> None:
    assert parse_sentence(answer) == sentence


@given(st.text("ab<|im_end>-1.\n\r\u2028\" '", max_size=60))
def test_a_sentence_is_one_line_without_special_tokens(answer: str) -> None:
    sentence = parse_sentence(answer)
    assert len(sentence.splitlines()) <= 1
    assert sentence == " ".join(sentence.split())
    assert "<|im_end|>" not in sentence


def test_control_characters_never_leave_an_answer() -> None:
    assert parse_sentence("a \x1b[31mred\x07 car\u202e stops") == "a [31mred car stops"
