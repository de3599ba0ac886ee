"""Does surprise track what is surprising? Scores every clip of the data sets by every scorer, and measures the scores.

Clips of simulated cameras have a known truth and seeds that no training run uses; the others have labels. What has been
scored is kept in an archive, so that a run that was killed goes on where it was.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.belief.pixels import PIXEL_SCORES
from streamspike.belief.tracker import BeliefTracker
from streamspike.bench.archive import Archive, code_digest
from streamspike.bench.contestants import IDEAL, Contestant
from streamspike.bench.datasets.world import FIRST_SEED as FIRST_SEED  # others keep away from these seeds
from streamspike.bench.datasets.world import NUM_SEGMENTS, PICTURES, WorldDataset, WorldFootage
from streamspike.bench.footage import Dataset, Footage
from streamspike.bench.footage_scores import measure_footage
from streamspike.bench.habituation import find_lives, measure_lives, measure_repetitions
from streamspike.bench.scored import ScoredClip
from streamspike.bench.scoring import fingerprint, timeless
from streamspike.bench.workers import Crew, Task, UnderWay, Unreadable
from streamspike.bench.world_beliefs import measure_beliefs
from streamspike.bench.world_scores import ideal_clip, measure_world, truths_of
from streamspike.config import Config
from streamspike.core import Engine, Frame, Observation, Pixels, Segment
from streamspike.errors import DatasetError
from streamspike.progress import Advance
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

FORMAT = 1
CLIPS_PER_LIFE = 20
"""Of the clips with a scripted surprise, for each life in which something repeats."""
MAX_LIVES = 25


class Watch(Protocol):
    """Opens a progress display for each stretch of work."""

    def __call__(self, title: str, total: float | None, unit: str, /) -> AbstractContextManager[Advance]: ...


@dataclass(frozen=True, slots=True)
class Board:
    """A data set as it was scored, for whoever wants to show examples."""

    name: str
    footage: Sequence[Footage]
    clips: Mapping[str, Sequence[ScoredClip]]
    """By scorer, in the order of the footage."""
    truths: Sequence[Sequence[Truth]]
    """Of simulated clips, in the same order; empty for others."""
    shown: str
    """The scorer whose examples tell most: the first that has beliefs."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything that was measured, as plain values, and what it was measured on."""

    result: dict[str, Any]
    boards: tuple[Board, ...]


class Bench:
    """One run over data sets."""

    def __init__(
        self, config: Config, contestants: Sequence[Contestant], crew: Crew, folder: Path | None, watch: Watch
    ) -> None:
        """
        Args:
            folder: where scored clips are kept; None keeps nothing.
            watch: shows progress; see `streamspike.progress.show_progress`.
        """
        self._config = config
        self._contestants = contestants
        self._crew = crew
        self._folder = folder
        self._watch = watch
        believers = [contestant for contestant in contestants if contestant.has_beliefs]
        self._shown = (believers or [contestant for contestant in contestants if contestant.is_recorded])[0].name

    def measure(self, found: Sequence[tuple[Dataset, Sequence[Footage]]], seed: int) -> Measurement:
        """Score what has not been scored yet, and measure.

        Args:
            found: data sets, each with its footage.
            seed: of bootstrap draws and of the lives in which something repeats.

        Raises:
            DatasetError: none of the videos of a data set can be read.
            ModelError, EngineError: the model cannot be loaded, or failed.
        """
        began = time.monotonic()
        boards: list[Board] = []
        tables: dict[str, dict[str, Any]] = {}
        for dataset, footage in found:
            name = dataset.name if dataset.name not in tables else f"{dataset.name} {len(tables) + 1}"
            if isinstance(dataset, WorldDataset):
                board, tables[name] = self._measure_world(name, footage, seed)
            else:
                board, tables[name] = self._measure_footage(name, footage, seed)
            tables[name]["left_out"] = dict(dataset.left_out)
            boards.append(board)
        result = {
            "format": FORMAT,
            "model": self._crew.model,
            "seed": seed,
            "contestants": [contestant.name for contestant in self._contestants],
            "settings": {contestant.name: dict(contestant.settings(self._config)) for contestant in self._contestants},
            "seconds": time.monotonic() - began,
            "datasets": tables,
        }
        return Measurement(result, tuple(boards))

    def _measure_world(self, name: str, footage: Sequence[Footage], seed: int) -> tuple[Board, dict[str, Any]]:
        clips, _ = self._score(name, footage)
        painted = [one for one in footage if isinstance(one, WorldFootage)]
        truths = [truths_of(one) for one in painted]
        clips[IDEAL] = [ideal_clip(one, known) for one, known in zip(painted, truths, strict=True)]
        lives = find_lives(min(MAX_LIVES, -(-len(footage) // CLIPS_PER_LIFE)), seed, self._config.segment.seconds)
        lived, _ = self._score(f"{name}-lives", lives)
        table = {
            "kind": "world",
            **measure_world(painted, truths, clips, IDEAL, seed),
            "beliefs": {
                contestant.name: measure_beliefs(clips[contestant.name], truths, contestant.belief.num_hypotheses, seed)
                for contestant in self._contestants
                if contestant.has_beliefs
            },
            "habituation": measure_lives(lives, self._seeing(lived), IDEAL, seed),
        }
        return Board(name, footage, clips, truths, self._shown), table

    def _measure_footage(self, name: str, footage: Sequence[Footage], seed: int) -> tuple[Board, dict[str, Any]]:
        clips, unreadable = self._score(name, footage)
        readable = [one for one in footage if one.name not in unreadable]
        if not readable:
            raise DatasetError(f"{name}: no video can be read; the first says: {next(iter(unreadable.values()))}")
        table = {
            "kind": "footage",
            "unreadable": unreadable,
            **measure_footage(readable, clips, seed),
            "habituation": measure_repetitions(readable, self._seeing(clips), seed),
        }
        return Board(name, readable, clips, (), self._shown), table

    def _score(self, name: str, footage: Sequence[Footage]) -> tuple[dict[str, Sequence[ScoredClip]], dict[str, str]]:
        """Clips by contestant in the order of the footage, and why the videos that are not among them are not."""
        recorded = [contestant for contestant in self._contestants if contestant.is_recorded]
        archives = {contestant.name: self._open(name, contestant) for contestant in recorded}
        sources = {one.name: fingerprint(one) for one in footage}
        tasks, unreadable = [], {}
        for one in footage:
            missing = tuple(
                contestant
                for contestant in recorded
                if archives[contestant.name].find(one.name, sources[one.name]) is None
            )
            if missing:
                tasks.append(Task(one, missing))
        with self._watch(f"scoring {name}", float(len(tasks)), "clips") as progress:
            done = 0
            for word in self._crew.score(tasks):
                if isinstance(word, UnderWay):
                    progress(done, f"{word.task.footage.name}: {word.seconds:.0f} s")
                    continue
                done += 1
                if isinstance(word, Unreadable):
                    unreadable[word.task.footage.name] = word.reason
                else:
                    for contestant, clip in zip(word.task.contestants, word.clips, strict=True):
                        archives[contestant.name].add(clip)
                progress(done, word.task.footage.name)
        readable = [one for one in footage if one.name not in unreadable]
        clips: dict[str, Sequence[ScoredClip]] = {}
        for contestant in recorded:
            kept = [archives[contestant.name].find(one.name, sources[one.name]) for one in readable]
            clips[contestant.name] = [clip for clip in kept if clip is not None]
        carrier = clips[recorded[0].name]
        for contestant in self._contestants:
            if not contestant.is_recorded:
                clips[contestant.name] = [timeless(contestant, clip) for clip in carrier]
        return {contestant.name: clips[contestant.name] for contestant in self._contestants}, unreadable

    def _seeing(self, clips: Mapping[str, Sequence[ScoredClip]]) -> dict[str, Sequence[ScoredClip]]:
        """Of those whose scores depend on the pictures."""
        return {contestant.name: clips[contestant.name] for contestant in self._contestants if contestant.is_recorded}

    def _open(self, dataset: str, contestant: Contestant) -> Archive:
        dependencies = {
            "code": code_digest(contestant.asks_model),
            "weights": self._crew.model if contestant.asks_model else "",
            **dict(contestant.settings(self._config)),
        }
        return Archive(self._folder, dataset, contestant.name, dependencies)


@dataclass(slots=True)
class ClipScores:
    """One clip: by segment 1..9 every score; the scripted segment; and what was said."""

    scripted: int
    kind: str
    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    captions_right: list[bool] = field(default_factory=list)
    first_guess_right: list[bool] = field(default_factory=list)
    stage_seconds: list[dict[str, float]] = field(default_factory=list)


def score_clip(config: Config, engine: Engine, seed: int) -> ClipScores:
    """Simulate one clip and run it through tracker and engine, as a camera would."""
    rng = np.random.default_rng(seed)
    width, height = PICTURES[int(rng.integers(len(PICTURES)))]
    scene = build_scene(SCENES[int(rng.integers(len(SCENES)))], seed, width / height)
    scripted = int(rng.integers(1, NUM_SEGMENTS))
    simulation = Simulation(scene, seed, config.segment.seconds, script={scripted: None})
    painter = Painter(scene, seed, width, height)
    tracker = BeliefTracker(f"clip-{seed}", config.belief, engine.name, config.model.seed)
    clip = ClipScores(scripted, "")
    before: Pixels | None = None
    for index in range(NUM_SEGMENTS):
        truth = simulation.step()
        segment = _segment(simulation, painter, truth, config.segment.frames)
        assessment = engine.assess(tracker.request(segment))
        observation = tracker.observe(segment, assessment)
        clip.captions_right.append(sentence_key(observation.caption) == sentence_key(truth.sentence))
        if truth.scripted:
            clip.scripted, clip.kind = index, truth.kind
        if before is not None:
            _score(clip, observation, truth, before, segment.frames[-1].pixels)
            clip.stage_seconds.append(dict(assessment.stage_seconds))
        before = segment.frames[-1].pixels
    return clip


def _score(clip: ClipScores, observation: Observation, truth: Truth, before: Pixels, after: Pixels) -> None:
    clip.scores["surprise"].append(observation.surprise_nats)
    clip.scores["ideal observer"].append(truth.surprise_nats)
    for name, score in PIXEL_SCORES.items():
        clip.scores[name].append(score(before, after))
    likeliest = observation.hypotheses[int(np.argmax(observation.prior))]
    clip.first_guess_right.append(sentence_key(likeliest) == sentence_key(truth.sentence))


def _segment(simulation: Simulation, painter: Painter, truth: Truth, num_frames: int) -> Segment:
    span = truth.end_seconds - truth.start_seconds
    frames = []
    for k in range(num_frames):
        seconds = truth.start_seconds + span * (k + 0.5) / num_frames
        frames.append(Frame(painter.paint(simulation.snapshot(seconds)), seconds, seconds))
    return Segment("clip", 0, truth.index, truth.start_seconds, truth.end_seconds, truth.start_seconds, tuple(frames))
