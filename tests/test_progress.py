"""Progress: a bar where somebody looks, a line now and then where it goes to a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from streamspike import progress
from streamspike.progress import show_progress


class Screen:
    """Stands in for standard error; `is_terminal` says what it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> None:
        self.text = io.StringIO()
        console = Console(file=self.text, force_terminal=is_terminal, width=80, color_system=None)
        monkeypatch.setattr(progress, "Console", lambda **_: console)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says; the test moves it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_elsewhere_a_line_comes_every_quarter_of_a_minute(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    screen = Screen(monkeypatch, is_terminal=False)
    with show_progress("scoring", 60.0, "s") as show:
        for step in range(40):
            seconds[0] = 100.0 + step
            show(float(step), "all is well")
    assert screen.text.getvalue().splitlines() == [
        "scoring: 15.0 of 60.0 s  all is well",
        "scoring: 30.0 of 60.0 s  all is well",
    ]


def test_a_short_job_says_nothing(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> None:
    screen = Screen(monkeypatch, is_terminal=False)
    with show_progress("scoring", None, "s") as show:
        seconds[0] += 14.9
        show(1.0)
    assert screen.text.getvalue() == ""


def test_a_line_is_one_line_however_long_and_brackets_stay(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    screen = Screen(monkeypatch, is_terminal=False)
    words = "[bold]next 1.234  " + "caption 2.345  " * 10
    with show_progress("training", None, "min") as show:
        seconds[0] += 20
        show(0.3, words)
    assert screen.text.getvalue() == f"training: 0.3 min  {words}\n"


def test_on_a_terminal_there_is_a_bar_with_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, is_terminal=True)
    with show_progress("painting", 10.0, "s") as show:
        show(10.0, "done well")
    text = screen.text.getvalue()
    assert "painting" in text and "10.0 s" in text and "━" in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_error_of_the_work_comes_through(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    Screen(monkeypatch, is_terminal=is_terminal)
    with pytest.raises(KeyError), show_progress("painting", 10.0, "s"):
        raise KeyError("lost")
