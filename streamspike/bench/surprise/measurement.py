"""Does surprise track what is surprising? Scores every clip of the data sets by every scorer, and measures the scores.

Clips of simulated cameras have a known truth and seeds that no training run uses; the others have labels. What has been
scored is kept in an archive, so that a run that was killed goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from streamspike.bench.datasets.world import WorldDataset, WorldFootage
from streamspike.bench.footage import Dataset, Footage
from streamspike.bench.records import code_digest
from streamspike.bench.surprise.archive import Archive
from streamspike.bench.surprise.contestants import IDEAL, UNREST, Contestant
from streamspike.bench.surprise.footage_scores import measure_footage
from streamspike.bench.surprise.habituation import find_lives, measure_lives, measure_repetitions
from streamspike.bench.surprise.scored import ScoredClip, by_unrest
from streamspike.bench.surprise.scoring import fingerprint, timeless
from streamspike.bench.surprise.workers import Crew, Task, UnderWay, Unreadable
from streamspike.bench.surprise.world_beliefs import measure_beliefs
from streamspike.bench.surprise.world_scores import ideal_clip, measure_world, truths_of
from streamspike.config import Config
from streamspike.errors import DatasetError
from streamspike.progress import Advance
from streamspike.world.simulation import Truth

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
        clips = _with_unrest(clips)
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
            **measure_footage(readable, _with_unrest(clips), seed),
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
            "code": code_digest("engine") if contestant.asks_model else code_digest(),
            "weights": self._crew.model if contestant.asks_model else "",
            **dict(contestant.settings(self._config)),
        }
        return Archive(self._folder, dataset, contestant.name, dependencies)


def _with_unrest(clips: Mapping[str, Sequence[ScoredClip]]) -> dict[str, Sequence[ScoredClip]]:
    """What the model's surprise brings with it stands beside it."""
    rows: dict[str, Sequence[ScoredClip]] = {}
    for name, scored in clips.items():
        rows[name] = scored
        if name == "surprise":
            rows[UNREST] = [by_unrest(clip) for clip in scored]
    return rows
