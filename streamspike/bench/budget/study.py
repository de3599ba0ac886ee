"""What is a budget of frames worth? Questions about a film, answered from a few of its frames, chosen in several ways.

Rebuilds the paper's downstream ablation (64 frames; uniform, RGB histogram, optical flow, Katna, SPIKE) on simulated
films of 64 segments, half of them with one or two scripted surprises and half with none.

How single frames are fed to a model of pairs. Every chosen frame makes one moment. Its frame block is the frame and,
before it, the chosen frame that comes nearest to half a segment earlier, at most a whole one; a frame that has none is
repeated and fills the block alone. The window goes back in steps of about one segment as long as there are chosen
frames, up to W blocks; where there are none it is the block's first frame, repeated. So no window jumps over a cut, and
a film of which every frame is chosen is seen as a camera is.

How an answer is read: each option is scored as the answer to "What just happened?" at every moment; its best
log-likelihood counts, and the best option is the answer. Ties share. The caption of the film is the set of captions of
its moments.

Baselines choose from 8 frames a segment. Surprise comes from the model itself, scored once for a film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.belief.tracker import BeliefTracker
from streamspike.bench.budget.film import (
    FIRST_SEED,
    FRAMES_PER_SEGMENT,
    NUM_OPTIONS,
    BudgetFilm,
    Question,
    ask,
    shoot,
)
from streamspike.bench.records import Records, code_digest
from streamspike.config import Config
from streamspike.core import Engine, Request, Sampling
from streamspike.measures.estimate import Undefined, bootstrap
from streamspike.report.figures import plain
from streamspike.select.baselines import BASELINES, make_picker
from streamspike.select.sampling import Numbers, allocated_times, covering_times, frames_at, sample_times

SPIKE, SPIKE_ALLOCATED, SPIKE_COVERING = "spike", "spike allocated", "spike covering"
METHODS = (*BASELINES, SPIKE, SPIKE_ALLOCATED, SPIKE_COVERING)
EVERYTHING = "everything"
"""Two frames of each segment: what the model answers when nothing is left out."""
BASE = "uniform"
"""All others are compared with it, film by film."""

FORMAT = 1
KINDS = ("surprising", "ordinary")
MEASURES = {
    "surprising/surprising": "questions about surprises",
    "surprising/ordinary": "ordinary questions, surprising films",
    "ordinary/ordinary": "ordinary questions, ordinary films",
    "surprising/told": "surprises told in the caption",
    "surprising/true": "captions that are true, surprising films",
    "ordinary/true": "captions that are true, ordinary films",
}
"""Kind of film and what is measured, in words."""

Moment = tuple[tuple[tuple[int, int], ...], tuple[int, int]]
"""Window and newest block, each block two frame numbers."""
Reading = tuple[dict[str, float], str]
"""Log-likelihood of each option, and the caption."""
FilmResult = dict[str, dict[str, dict[str, list[float]]]]
"""Method, budget, measure: a value for each question or caption."""


def measure_budget(
    config: Config,
    engine: Engine,
    num_clips: int,
    budgets: Sequence[int],
    seed: int,
    path: Path,
    progress: Callable[[float, str], None],
) -> dict[str, Any]:
    """Shoot, choose, ask; every other film has surprises. An interrupted study is continued.

    Args:
        path: of the file that keeps the films that are done.

    Returns:
        Plain values for JSON.

    Raises:
        ConfigError: the file was begun with another model or other settings, or cannot be read or written.
    """
    records = Records(path, {
        "format": FORMAT, "model": engine.name, "seed": seed, "frames": list(budgets), "model_seed": config.model.seed,
        "belief": config.belief.model_dump(mode="json"), "segment": config.segment.model_dump(mode="json"),
        "engine": config.engine.model_dump(mode="json"), "code": code_digest("engine", "select", "bench/budget"),
    })  # fmt: skip
    if any(not isinstance(line, dict) or set(line) != {*METHODS, EVERYTHING} for line in records.lines):
        raise records.refuse()
    films: dict[str, list[FilmResult]] = {kind: [] for kind in KINDS}
    for number in range(num_clips):
        kind = KINDS[number % len(KINDS)]
        if number == len(records.lines):
            film = shoot(FIRST_SEED + seed * 100_000 + number, kind == KINDS[0], config.segment)
            records.add(measure_film(config, engine, film, budgets, seed))
        films[kind].append(records.lines[number])
        progress(number + 1, kind)
    return {
        "clips": num_clips,
        "frames": list(budgets),
        "seed": seed,
        "model": engine.name,
        "options": NUM_OPTIONS,
        "methods": list(METHODS),
        "measures": {
            name: _summarise(films, name, budgets, seed) for name in MEASURES
        },
        "mean_frames": {
            method: {str(budget): _mean_frames(films, method, str(budget)) for budget in budgets} for method in METHODS
        },
    }  # fmt: skip


def measure_film(
    config: Config, engine: Engine, film: BudgetFilm, budgets: Sequence[int], seed: int
) -> FilmResult:  # fmt: skip
    """All methods and budgets on one film; a moment that several of them share is asked about once."""
    rng = np.random.default_rng([seed, len(film.name), *film.name.encode()])
    questions = ask(film.truths, rng)
    reader = _Reader(config, engine, film, tuple(dict.fromkeys(text for each in questions for text in each.options)))
    picks = choose_frames(film, score_film(config, engine, film), budgets, rng, seed)
    per_segment = FRAMES_PER_SEGMENT // 2
    every = range(per_segment // 2, len(film.frames), per_segment)
    picks[EVERYTHING] = {str(len(every)): list(every)}
    return {
        method: {budget: _answer(film, questions, numbers, reader) for budget, numbers in by_budget.items()}
        for method, by_budget in picks.items()
    }


def score_film(config: Config, engine: Engine, film: BudgetFilm) -> list[float]:
    """Surprise of each segment, as a camera's."""
    tracker = BeliefTracker(film.name, config.belief, engine.name, config.model.seed)
    surprise = []
    for index in range(len(film.truths)):
        segment = film.segment(index, config.segment.frames)
        surprise.append(tracker.observe(segment, engine.assess(tracker.request(segment))).surprise_nats)
    return surprise


def choose_frames(
    film: BudgetFilm, surprise: Sequence[float], budgets: Sequence[int], rng: np.random.Generator, seed: int
) -> dict[str, dict[str, list[int]]]:
    """Frame numbers, ascending, by method and budget."""
    picks: dict[str, dict[str, list[int]]] = {}
    for name in BASELINES:
        picker = make_picker(name, seed)
        for pixels in film.frames:
            picker.look(pixels)
        picks[name] = {str(budget): picker.pick(budget) for budget in budgets}
    bounds = [index * film.segment_seconds for index in range(len(film.truths) + 1)]
    samplers: dict[str, Callable[[int], Numbers]] = {
        SPIKE: lambda budget: sample_times(surprise, bounds, budget, rng),
        SPIKE_ALLOCATED: lambda budget: allocated_times(surprise, bounds, budget),
        SPIKE_COVERING: lambda budget: covering_times(surprise, bounds, budget),
    }
    for name, sampler in samplers.items():
        picks[name] = {str(budget): frames_at(sampler(budget), film.times).tolist() for budget in budgets}
    return picks


def moments(numbers: Sequence[int], max_window: int) -> list[Moment]:
    """What is shown to the model for each chosen frame; see above.

    Args:
        numbers: frames, ascending.
        max_window: blocks before the newest.
    """
    blocks = {number: (_nearest(numbers, number, FRAMES_PER_SEGMENT / 2, 1), number) for number in numbers}
    pairs = {number: (number if first is None else first, number) for number, (first, _) in blocks.items()}
    found = []
    for number in numbers:
        window: list[tuple[int, int]] = []
        before = _nearest(numbers, number, FRAMES_PER_SEGMENT, FRAMES_PER_SEGMENT / 2)
        while before is not None and len(window) < max_window:
            window.insert(0, pairs[before])
            before = _nearest(numbers, before, FRAMES_PER_SEGMENT, FRAMES_PER_SEGMENT / 2)
        first = pairs[number][0]
        found.append((tuple(window) or ((first, first),), pairs[number]))
    return found


def _nearest(numbers: Sequence[int], to: int, back: float, least: float) -> int | None:
    """Of the frames from `least` to half a segment more than `back` before `to`, the one nearest to `back`; of equals
    the later one. None when there is none."""
    most = back + FRAMES_PER_SEGMENT / 2
    within = [number for number in numbers if least <= to - number <= most]
    return min(within, key=lambda number: (abs(to - number - back), -number), default=None)


class _Reader:
    """Asks the engine about moments of one film, each once."""

    def __init__(self, config: Config, engine: Engine, film: BudgetFilm, options: tuple[str, ...]) -> None:
        self._engine = engine
        self._film = film
        self._options = options
        self._sampling = Sampling(max_caption_tokens=config.belief.max_caption_tokens)
        self._known: dict[Moment, Reading] = {}
        self.max_window = config.belief.window_segments

    def read(self, moment: Moment) -> Reading:
        if moment not in self._known:
            frames = self._film.frames
            window, newest = moment
            request = Request(
                camera_id=self._film.name,
                epoch=1 + len(self._known),  # nothing is shared between moments; the film's own scoring was epoch 0
                index=len(self._known),
                window=tuple((frames[first], frames[second]) for first, second in window),
                observation=(frames[newest[0]], frames[newest[1]]),
                summary="",
                hypotheses=self._options or (self._film.truths[0].sentence,),
                sampling=self._sampling,
                seed=0,
                complete=False,
                verify=False,
            )
            assessment = self._engine.assess(request)
            likelihoods = {score.text: score.log_posterior for score in assessment.scores}
            self._known[moment] = (likelihoods, assessment.caption)
        return self._known[moment]


def _answer(
    film: BudgetFilm, questions: Sequence[Question], numbers: list[int], reader: _Reader
) -> dict[str, list[float]]:
    readings = [reader.read(moment) for moment in moments(numbers, reader.max_window)]
    captions = {sentence_key(caption) for _, caption in readings}
    happened = {sentence_key(truth.sentence) for truth in film.truths}
    right = {kind: [is_right(q, readings) for q in questions if q.surprising == (kind == KINDS[0])] for kind in KINDS}
    return {
        **right,
        "told": [float(sentence_key(truth.sentence) in captions) for truth in film.truths if truth.scripted],
        "true": [float(caption in happened) for caption in sorted(captions)],
        "frames": [float(len(numbers))],
    }


def is_right(question: Question, readings: Sequence[Reading]) -> float:
    """1 when the true option is the likeliest, its share when several are; without a frame, chance."""
    if not readings:
        return 1.0 / len(question.options)
    best = [max(likelihoods[option] for likelihoods, _ in readings) for option in question.options]
    return (best[0] == max(best)) / best.count(max(best))


def _summarise(films: Mapping[str, list[FilmResult]], name: str, budgets: Sequence[int], seed: int) -> dict[str, Any]:
    """Method, budget: the measure over all films, and its difference to the base film by film."""
    kind, measure = name.split("/")
    results = films[kind]
    summary: dict[str, Any] = {}
    for method in METHODS:
        summary[method] = {}
        for budget in map(str, budgets):
            pairs = [(film[method][budget][measure], film[BASE][budget][measure]) for film in results]
            summary[method][budget] = {
                **plain(bootstrap([one for one, _ in pairs], _pooled, seed)),
                "over_uniform": plain(bootstrap(pairs, _pooled_difference, seed)),
            }
    everything = [values[measure] for film in results for values in film[EVERYTHING].values()]
    summary[EVERYTHING] = plain(bootstrap(everything, _pooled, seed))
    return summary


def _pooled(films: Iterable[Sequence[float]]) -> float:
    values = [value for film in films for value in film]
    return float(np.mean(values)) if values else Undefined("there is nothing to count")


def _pooled_difference(films: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    return _pooled(one for one, _ in films) - _pooled(base for _, base in films)


def _mean_frames(films: Mapping[str, list[FilmResult]], method: str, budget: str) -> float:
    return _pooled(film[method][budget]["frames"] for kind in KINDS for film in films[kind])
