from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamspike.bench.cues.clips import VIEWS
from streamspike.bench.cues.tables import plot_cues, render_cues, summarise
from streamspike.errors import SinkError

MODELS = ("start", *VIEWS)


def line(clip: int, right: bool, cued_right: bool) -> dict[str, Any]:
    """Two questions about one clip, answered by all models alike: one way shown plain, one way shown cues."""
    questions = [
        {"type": "object", "choices": ["dog", "person"], "answer": 1},
        {"type": "verb", "choices": ["runs", "walks", "sits", "falls"], "answer": clip % 4},
    ]

    def choose(well: bool) -> list[int]:
        return [1 if well else 0, clip % 4 if well else (clip + 1) % 4]

    chosen = {model: {view: choose(right if view == "plain" else cued_right) for view in VIEWS} for model in MODELS}
    stage = {"moving": 4, "boxed": 3, "boxes": 5, "on_bodies": 4}
    return {"clip": clip, "questions": questions, "chosen": chosen, "stage": stage}


def count(lines: list[dict[str, Any]]) -> dict[str, Any]:
    study = {"start": "nano", "cues": "both"}
    return {"study": study, "steps": 7, **summarise(lines, MODELS, np.random.default_rng(0))}


HALF = count([line(clip, clip % 2 == 0, True) for clip in range(40)])


def test_accuracy_is_the_share_of_right_answers_with_an_interval_around_it() -> None:
    plain, cued = (HALF["accuracy"]["object"]["motion"][view] for view in ("plain", "truth"))
    assert plain["value"] == 0.5 and 0.25 < plain["low"] < 0.5 < plain["high"] < 0.75
    assert cued == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_a_difference_is_paired() -> None:
    differences = HALF["differences"]["verb"]
    assert differences["plain shown motion minus plain shown plain"]["value"] == 0.5
    assert differences["motion shown plain minus plain shown plain"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_floors_are_what_nobody_needs_eyes_for() -> None:
    assert HALF["floors"]["object"] == {"chance": 0.5, "commonest": 1.0, "questions": 40}
    assert HALF["floors"]["verb"]["chance"] == 0.25


def test_intervals_come_from_clips_and_not_from_questions() -> None:
    def repeat(times: int) -> dict[str, Any]:
        lines = [line(clip, clip % 2 == 0, True) for clip in range(40)]
        for each in lines:
            each["questions"] *= times
            each["chosen"] = {
                model: {view: answers * times for view, answers in views.items()}
                for model, views in each["chosen"].items()
            }
        return count(lines)["accuracy"]["object"]["plain"]["plain"]

    assert repeat(5) == repeat(1)


def test_clips_without_a_question_of_a_kind_are_no_obstacle() -> None:
    lines = [line(clip, True, True) for clip in range(4)]
    for each in lines:
        each["questions"] = each["questions"][:1]
    result = count(lines)
    assert list(result["accuracy"]) == ["object"]
    assert "object" in render_cues(result) and "verb" not in render_cues(result)


def test_the_table_states_every_cell_difference_and_floor() -> None:
    text = render_cues(HALF)
    assert text.count("50.0 [") >= 8 and "minus plain shown plain" in text
    assert "chance" in text and "commonest" in text and "75% of 160 moving bodies" in text


def test_the_plot_is_a_picture_and_says_when_it_cannot_be_written(tmp_path: Path) -> None:
    plot_cues(HALF, tmp_path / "cues.png")
    assert (tmp_path / "cues.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SinkError, match=r"cannot write the picture"):
        plot_cues(HALF, tmp_path / "missing" / "cues.png")
