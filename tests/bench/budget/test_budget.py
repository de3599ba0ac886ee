"""The measurement itself: who sees everything answers everything, who sees nothing answers by chance."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from streamspike.bench.budget.command import parse_budgets
from streamspike.bench.budget.film import (
    FRAMES_PER_SEGMENT,
    NUM_OPTIONS,
    RARE,
    BudgetFilm,
    Question,
    ask,
    shoot,
)
from streamspike.bench.budget.report import plot_budget, render_table
from streamspike.bench.budget.study import (
    EVERYTHING,
    FORMAT,
    METHODS,
    choose_frames,
    is_right,
    measure_budget,
    moments,
)
from streamspike.bench.records import Records
from streamspike.config import Config
from streamspike.core import Assessment, Pixels, Request, Scores
from streamspike.errors import ConfigError

CONFIG = Config()
NUM_SHORT = 24
"""Segments of the films here."""


@functools.cache
def short_film(seed: int, surprising: bool) -> BudgetFilm:
    return shoot(seed, surprising, CONFIG.segment, NUM_SHORT)


@pytest.fixture(scope="module")
def films() -> dict[bool, BudgetFilm]:
    """One with surprises, one without."""
    return {surprising: short_film(11, surprising) for surprising in (True, False)}


class Witness:
    """An engine that recognises the frames of films and knows what happened in the segment of the newest one."""

    name = "witness@0"

    def __init__(self) -> None:
        self._sentences: Mapping[bytes, str] = {}
        self.num_requests = 0

    def attend(self, film: BudgetFilm) -> None:
        self._sentences = {
            pixels.tobytes(): film.truths[number // FRAMES_PER_SEGMENT].sentence
            for number, pixels in enumerate(film.frames)
        }

    def assess(self, request: Request) -> Assessment:
        self.num_requests += 1
        sentence = self._sentences[self._key(request.observation[-1])]
        texts = request.hypotheses or (sentence, "something else")
        scores = tuple(Scores(text, 5, -5.0, 0.0 if text == sentence else -9.0) for text in texts)
        return Assessment(scores if request.window else (), sentence, sampled=not request.hypotheses)

    def assess_batch(self, requests: list[Request]) -> list[Assessment | Exception]:
        return [self.assess(request) for request in requests]

    def check_integrity(self) -> None:
        return

    @staticmethod
    def _key(pixels: Pixels) -> bytes:
        return pixels.tobytes()


class Guesser(Witness):
    """One that looks at nothing."""

    name = "guesser@0"

    def assess(self, request: Request) -> Assessment:
        texts = request.hypotheses or ("this", "that")
        scores = tuple(Scores(text, 5, -5.0, -5.0) for text in texts)
        return Assessment(scores if request.window else (), "something happens", sampled=not request.hypotheses)


def test_a_film_has_surprises_only_where_it_is_told_to(films: dict[bool, BudgetFilm]) -> None:
    for surprising, film in films.items():
        assert len(film.frames) == NUM_SHORT * FRAMES_PER_SEGMENT == len(film.times)
        assert (1 <= sum(truth.scripted for truth in film.truths) <= 2) == surprising
        assert any(truth.surprising for truth in film.truths) == surprising


def test_a_segment_shows_what_a_camera_would(films: dict[bool, BudgetFilm]) -> None:
    segment = films[True].segment(5, 2)
    assert [frame.stream_seconds for frame in segment.frames] == [5.25, 5.75]
    assert (segment.start_seconds, segment.end_seconds, segment.index) == (5.0, 6.0, 5)


def test_only_the_first_option_of_a_question_happened(films: dict[bool, BudgetFilm]) -> None:
    for surprising, film in films.items():
        questions = ask(film.truths, np.random.default_rng(0))
        assert any(question.surprising for question in questions) == surprising
        happened = {truth.sentence for truth in film.truths}
        likely = {text for truth in film.truths for text, p in truth.alternatives if p >= RARE}
        for question in questions:
            assert len(set(question.options)) == NUM_OPTIONS
            assert [option in happened for option in question.options] == [True, False, False, False]
            assert not any((option in likely) == question.surprising for option in question.options[1:])


def test_the_best_moment_answers_and_ties_share() -> None:
    question = Question(("a", "b", "c", "d"), False)
    low = dict.fromkeys("abcd", -9.0)
    assert is_right(question, [({**low, "b": -2.0}, ""), ({**low, "a": -1.0}, "")]) == 1.0
    assert is_right(question, [({**low, "b": -1.0}, ""), ({**low, "a": -2.0}, "")]) == 0.0
    assert is_right(question, [(low, "")]) == 0.25
    assert is_right(question, []) == 0.25, "no frame, no idea"


def test_a_lone_frame_fills_its_block_and_its_window() -> None:
    assert moments([100], 8) == [(((100, 100),), (100, 100))]
    assert moments([100, 200], 8) == [(((100, 100),), (100, 100)), (((200, 200),), (200, 200))]


def test_consecutive_frames_pair_up() -> None:
    first, second = moments([100, 104], 8)
    assert first == (((100, 100),), (100, 100))
    assert second == (((100, 100),), (100, 104))
    assert moments([100, 108], 8)[1][1] == (100, 108), "a whole segment apart is near enough"
    assert moments([100, 109], 8)[1][1] == (109, 109), "more is not"


def test_a_film_seen_whole_is_seen_as_a_camera_is() -> None:
    every = list(range(2, 512, 4))
    window, newest = moments(every, 8)[every.index(406)]
    assert newest == (402, 406)
    assert window == tuple((402 - 8 * back, 406 - 8 * back) for back in range(8, 0, -1))


def test_a_window_never_jumps_over_a_cut() -> None:
    window, newest = moments([10, 14, 300, 304, 308, 312], 8)[-1]
    assert newest == (308, 312) and all(first >= 300 for first, _ in window)


def test_every_method_keeps_to_the_budget(films: dict[bool, BudgetFilm]) -> None:
    surprise = [9.0 if index in (10, 20) else 0.1 for index in range(NUM_SHORT)]
    picks = choose_frames(films[True], surprise, [4, 24], np.random.default_rng(0), 0)
    assert tuple(picks) == METHODS
    for by_budget in picks.values():
        for budget, numbers in by_budget.items():
            assert len(numbers) <= int(budget) and numbers == sorted(set(numbers))
    assert len(picks["uniform"]["24"]) == 24
    of_peaks = [number // FRAMES_PER_SEGMENT in (10, 20) for number in picks["spike"]["24"]]
    assert sum(of_peaks) == len(of_peaks) > FRAMES_PER_SEGMENT, "none but of the two peaks"


@pytest.mark.slow
def test_who_sees_everything_answers_everything_and_a_guesser_by_chance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from streamspike.bench.budget import study as budget

    witness, shown = Witness(), []

    def shoot_and_show(seed: int, surprising: bool, config: object) -> BudgetFilm:
        film = short_film(seed % 2, surprising)
        witness.attend(film)
        return film

    monkeypatch.setattr(budget, "shoot", shoot_and_show)
    monkeypatch.setattr(budget, "BASELINES", ("uniform",))
    monkeypatch.setattr(budget, "METHODS", ("uniform", "spike", "spike allocated", "spike covering"))
    path = tmp_path / "records.jsonl"
    measure_budget(CONFIG, witness, 2, [4, 24], 0, path, lambda *_: None)
    path.write_text(path.read_text()[:-40])
    asked = witness.num_requests
    measure_budget(CONFIG, witness, 2, [4, 24], 0, path, lambda *_: None)
    of_one_film = witness.num_requests - asked
    assert 0 < of_one_film < asked, "the film whose line was cut off, and no other"
    result = measure_budget(CONFIG, witness, 4, [4, 24], 0, path, lambda done, words: shown.append(done))
    assert shown == [1, 2, 3, 4]
    for values in result["measures"].values():
        assert values[EVERYTHING]["mean"] == 1.0
        assert values["uniform"]["24"]["mean"] == 1.0, "a frame of each segment"
        assert values["uniform"]["4"]["over_uniform"]["mean"] == 0.0
    assert result["mean_frames"]["uniform"]["24"] == 24
    assert json.loads(json.dumps(result)) == result, "plain values"
    table = render_table(result)
    assert "witness@0" in table and "spike covering - uniform" in table and "1.00" in table
    plot_budget(result, tmp_path / "budget.png")
    plot_budget(result, tmp_path / "budget.svg")
    assert (tmp_path / "budget.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "budget.svg").read_text()

    guesses = measure_budget(CONFIG, Guesser(), 2, [4], 0, tmp_path / "guesses.jsonl", lambda *_: None)
    for name in ("surprising/surprising", "surprising/ordinary", "ordinary/ordinary"):
        assert guesses["measures"][name]["uniform"]["4"]["mean"] == 1 / NUM_OPTIONS
    assert guesses["measures"]["surprising/told"]["uniform"]["4"]["mean"] == 0.0


def test_films_of_another_study_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    header = Records(path, {"format": FORMAT, "model": "witness@0"})
    with pytest.raises(ConfigError, match=r"another .*frames"):
        measure_budget(CONFIG, Witness(), 2, [4], 0, path, lambda *_: None)
    assert Records(path, {"format": FORMAT, "model": "witness@0"}).lines == header.lines == []


def test_films_that_other_code_has_asked_about_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from streamspike.bench.budget import study as budget

    path = tmp_path / "records.jsonl"
    measure_budget(CONFIG, Witness(), 0, [4], 0, path, lambda *_: None)
    monkeypatch.setattr(budget, "code_digest", lambda *parts: "another")
    with pytest.raises(ConfigError, match="another code;"):
        measure_budget(CONFIG, Witness(), 0, [4], 0, path, lambda *_: None)


def test_budgets_are_numbers() -> None:
    assert parse_budgets("64, 4,16,4") == [4, 16, 64]
    for wrong in ("", "0", "4;5", "-1"):
        with pytest.raises(ConfigError, match="--frames"):
            parse_budgets(wrong)
