"""The memory of what left the window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamspike.belief.summary import Summary


def filled(max_words: int, *captions: str) -> str:
    summary = Summary(max_words)
    for caption in captions:
        summary.append(caption)
    return summary.text


def test_sentences_are_joined_as_in_the_paper() -> None:
    assert filled(24, "a car stops", "a man gets out") == "a car stops Then, a man gets out"


def test_the_summary_stands_while_nothing_happens() -> None:
    assert filled(24, "nothing changes", "Nothing changes.", "nothing  changes") == "nothing changes"


def test_a_sentence_may_return_after_another() -> None:
    assert filled(24, "a", "b", "a") == "a Then, b Then, a"


def test_over_the_budget_the_oldest_sentence_goes() -> None:
    assert filled(7, "one two", "three four", "five six") == "three four Then, five six"  # eight words with all three


def test_a_sentence_longer_than_the_budget_is_cut() -> None:
    assert filled(3, "one two three four five") == "one two three"


def test_zero_words_switch_memory_off() -> None:
    assert filled(0, "a car stops") == ""


def test_empty_captions_are_not_remembered() -> None:
    assert filled(24, "", "  ", "a") == "a"


def test_clear_forgets_everything() -> None:
    summary = Summary(24)
    summary.append("a car stops")
    summary.clear()
    summary.append("a car stops")
    assert summary.text == "a car stops"


@given(st.integers(0, 20), st.lists(st.text("ab ", max_size=30), max_size=12))
def test_the_budget_always_holds(max_words: int, captions: list[str]) -> None:
    assert len(filled(max_words, *captions).split()) <= max_words
