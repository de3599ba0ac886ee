"""Simulated clips with one question each, balanced over kinds: what CRPO trains on, and what the benchmark asks.

In the manner of DyBench (arXiv 2605.21988): reversible dynamics, moving direction, event sequence, and static controls.
Training and benchmark draw their cameras from ranges of seeds that do not meet, nor meet those of anything else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from streamspike.errors import DatasetError
from streamspike.refine.crpo.counterfactual import BRANCHES, Branch
from streamspike.refine.crpo.questions import DYNAMIC, STATIC, Question, QuestionKind, ask_all
from streamspike.refine.examples import Example
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

TRAINING_SEED, NUM_TRAINING_SEEDS = 3_000_000_000, 1 << 30
"""Of scenes; the range of the night shift's simulated clips."""
BENCH_SEED, NUM_BENCH_SEEDS = 2_500_000_000, 400_000_000
PICTURES = ((320, 240), (384, 216))
LIFE_SEGMENTS = 48
"""How long a camera is watched for something to ask about."""
MAX_LIVES = 200
SCRIPTED = ("lights_out", "covered", "leave_behind")
"""Opposites that hardly ever take place by nature."""
SCRIPTED_SHARE = 0.25
NUM_FRAMES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A clip and a question about it and its branch."""

    example: Example
    question: Question


class ItemSource(Protocol):
    """Items by number; the same item each time."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Item: ...


@dataclass(frozen=True, slots=True)
class ItemSettings:
    """What kind of clips and questions."""

    num_segments: int = 6
    segment_seconds: float = 1.0
    dynamic_share: float = 0.75
    """Of the questions; the rest are static. Kinds take turns within each."""
    bench: bool = False
    """Cameras of the benchmark, which no training sees."""


class WorldItems:
    """Implements `ItemSource`. Painted on access; the last `cached` are kept."""

    def __init__(self, seed: int, count: int, settings: ItemSettings, cached: int) -> None:
        self._seed = seed
        self._count = count
        self._settings = settings
        self._make = lru_cache(maxsize=cached)(self._make_item)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Item:
        if not 0 <= number < self._count:
            raise IndexError(f"there are {self._count} items, from 0: {number = }")
        return self._make(number)

    def __iter__(self) -> Iterator[Item]:
        return (self[number] for number in range(self._count))

    def kind_of(self, number: int) -> QuestionKind:
        """Kinds take turns, dynamic and static ones in their shares."""
        share = self._settings.dynamic_share
        before, after = int(share * number + 0.5), int(share * (number + 1) + 0.5)
        return DYNAMIC[before % len(DYNAMIC)] if after > before else STATIC[(number - before) % len(STATIC)]

    def _make_item(self, number: int) -> Item:
        kind = self.kind_of(number)
        for life in range(MAX_LIVES):
            rng = np.random.default_rng([self._seed, number, life])
            camera = _Camera.draw(rng, self._settings)
            found = self._find(camera.truths(), kind, rng)
            if found is not None:
                first, question = found
                return Item(camera.shoot(f"world-{self._seed}-{number}", first), question)
        raise DatasetError(f"no {kind} question in {MAX_LIVES} simulated lives; clips may be too short for it")

    def _find(
        self, truths: Sequence[Truth], kind: QuestionKind, rng: np.random.Generator
    ) -> tuple[int, Question] | None:
        """A window of the life and a question about it; each topic and branch that is there as likely as another."""
        length = self._settings.num_segments
        by_topic: defaultdict[tuple[str, Branch], list[tuple[int, Question]]] = defaultdict(list)
        for first in range(len(truths) - length + 1):
            sentences = [truth.sentence for truth in truths[first : first + length]]
            for question in ask_all(sentences, (kind,), BRANCHES, rng):
                by_topic[question.topic, question.branch].append((first, question))
        if not by_topic:
            return None
        topics = sorted(by_topic)
        chosen = by_topic[topics[int(rng.integers(len(topics)))]]
        return chosen[int(rng.integers(len(chosen)))]


def world_items(seed: int, count: int, settings: ItemSettings | None = None, cached: int = 64) -> WorldItems:
    """`count` clips of this seed with a question each.

    Args:
        seed: another one, all other clips; from 0.
        cached: items kept in memory; one of 6 segments has about 3 MB.

    Raises:
        DatasetError: a setting is out of range.
    """
    settings = settings or ItemSettings()
    if seed < 0 or count < 0 or not 3 <= settings.num_segments <= LIFE_SEGMENTS:
        raise DatasetError(f"seeds and counts are not negative, clips have 3 to {LIFE_SEGMENTS} segments: {settings}")
    if not 0 <= settings.dynamic_share <= 1 or settings.segment_seconds <= 0:
        raise DatasetError(f"a share is in [0, 1], and a segment has a duration: {settings}")
    return WorldItems(seed, count, settings, cached)


@dataclass(frozen=True, slots=True)
class _Camera:
    """One simulated camera and its life."""

    scene: str
    seed: int
    width_px: int
    height_px: int
    script: dict[int, str | None]
    settings: ItemSettings

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: ItemSettings) -> _Camera:
        width_px, height_px = PICTURES[int(rng.integers(len(PICTURES)))]
        scene = SCENES[int(rng.integers(len(SCENES)))]
        first, count = (BENCH_SEED, NUM_BENCH_SEEDS) if settings.bench else (TRAINING_SEED, NUM_TRAINING_SEEDS)
        seed = first + int(rng.integers(count))
        script: dict[int, str | None] = {}
        if rng.random() < SCRIPTED_SHARE:
            script[int(rng.integers(2, LIFE_SEGMENTS - 2))] = SCRIPTED[int(rng.integers(len(SCRIPTED)))]
        return cls(scene, seed, width_px, height_px, script, settings)

    def simulate(self) -> Simulation:
        scene = build_scene(self.scene, self.seed, self.width_px / self.height_px)
        return Simulation(scene, self.seed, self.settings.segment_seconds, self.script)

    def truths(self) -> list[Truth]:
        simulation = self.simulate()
        return [simulation.step() for _ in range(LIFE_SEGMENTS)]

    def shoot(self, example_id: str, first: int) -> Example:
        """The clip that begins with segment `first`, painted."""
        simulation = self.simulate()
        painter = Painter(simulation.state.scene, self.seed, self.width_px, self.height_px)
        for _ in range(first):
            simulation.step()
        segments, sentences = [], []
        for _ in range(self.settings.num_segments):
            truth = simulation.step()
            span = truth.end_seconds - truth.start_seconds
            marks = [truth.start_seconds + span * (k + 0.5) / NUM_FRAMES for k in range(NUM_FRAMES)]
            segments.append(tuple(painter.paint(simulation.snapshot(mark)) for mark in marks))
            sentences.append(truth.sentence)
        return Example(
            example_id=example_id,
            camera_id=f"world-{self.seed}",
            started_at=first * self.settings.segment_seconds,
            segment_seconds=self.settings.segment_seconds,
            segments=tuple(segments),
            captions=tuple(sentences),
            truth=tuple(sentences),
        )
