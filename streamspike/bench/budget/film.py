"""Minute-long simulated films whose every frame may be chosen, and questions about what happened in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamspike.config import SegmentConfig
from streamspike.core import Frame, Pixels, Segment
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

NUM_SEGMENTS = 64
FRAMES_PER_SEGMENT = 8
"""That may be chosen. The two at 1/4 and 3/4 are those the model would see of a camera."""
FIRST_SEED = 3_000_000_000
"""Training draws scenes below 2**30, `bench surprise` from 2 * 10**9 on."""
PICTURES = ((208, 156), (256, 144))
QUIET_SEGMENTS = 8
"""At the start: a surprise before there is a window could not be told from the beginning of the film."""
MAX_SURPRISES = 2

NUM_OPTIONS = 4
MAX_ORDINARY_QUESTIONS = 3
RARE = 0.01
"""A sentence that was never likelier than this in the film is surprising; ordinary happenings have 0.015 and more."""


@dataclass(frozen=True, slots=True, eq=False)
class BudgetFilm:
    """One simulated film with its truth."""

    name: str
    segment_seconds: float
    frames: tuple[Pixels, ...]
    """FRAMES_PER_SEGMENT of each segment, evenly spaced."""
    truths: tuple[Truth, ...]

    @property
    def times(self) -> list[float]:
        """Seconds of the frames."""
        return [number * self.segment_seconds / FRAMES_PER_SEGMENT for number in range(len(self.frames))]

    def segment(self, index: int, num_frames: int) -> Segment:
        """A segment with as many frames as the model gets of a camera, evenly spaced."""
        first = index * FRAMES_PER_SEGMENT
        numbers = [first + int((k + 0.5) / num_frames * FRAMES_PER_SEGMENT) for k in range(num_frames)]
        times = self.times
        frames = tuple(Frame(self.frames[number], times[number], times[number]) for number in numbers)
        start, end = index * self.segment_seconds, (index + 1) * self.segment_seconds
        opening = Frame(self.frames[0], 0.0, 0.0) if index == 0 else None
        return Segment(self.name, 0, index, start, end, start, frames, opening=opening)


@dataclass(frozen=True, slots=True)
class Question:
    """Which of these happened? Only the first one did."""

    options: tuple[str, ...]
    surprising: bool


def shoot(seed: int, surprising: bool, config: SegmentConfig, num_segments: int = NUM_SEGMENTS) -> BudgetFilm:
    """Simulate and paint one film; with one or two scripted surprises, or with none at all."""
    rng = np.random.default_rng(seed)
    width, height = PICTURES[int(rng.integers(len(PICTURES)))]
    scene = build_scene(SCENES[int(rng.integers(len(SCENES)))], seed, width / height)
    count = int(rng.integers(1, MAX_SURPRISES + 1)) if surprising else 0
    places = rng.choice(np.arange(QUIET_SEGMENTS, num_segments), size=count, replace=False)
    script: dict[int, str | None] = {int(place): None for place in places}
    simulation = Simulation(scene, seed, config.seconds, script=script)  # a script that is empty forbids surprises
    painter = Painter(scene, seed, width, height)
    frames: list[Pixels] = []
    truths = []
    for _ in range(num_segments):
        truth = simulation.step()
        truths.append(truth)
        span = truth.end_seconds - truth.start_seconds
        instants = [truth.start_seconds + span * k / FRAMES_PER_SEGMENT for k in range(FRAMES_PER_SEGMENT)]
        frames += [painter.paint(simulation.snapshot(seconds)) for seconds in instants]
    return BudgetFilm(f"budget-{seed}", config.seconds, tuple(frames), tuple(truths))


def ask(truths: Sequence[Truth], rng: np.random.Generator) -> list[Question]:
    """One question for each scripted surprise, and up to three about ordinary happenings.

    The other options could have happened in this very film, at some moment of it, and did not: surprises beside
    surprises, ordinary happenings beside ordinary ones. That somebody goes on as before is no happening.
    """
    likeliest: dict[str, float] = {}
    for truth in truths:
        for text, probability in truth.alternatives:
            likeliest[text] = max(probability, likeliest.get(text, 0.0))
    happened = {truth.sentence for truth in truths}
    going_on = {truth.sentence for truth in truths if truth.kind == "continue"}
    missed = {text: value for text, value in likeliest.items() if text not in happened}
    told = {truth.sentence: truth.scripted for truth in truths if truth.kind != "continue"}
    questions = []
    for surprising, most in ((True, MAX_SURPRISES), (False, MAX_ORDINARY_QUESTIONS)):
        true = sorted(text for text, scripted in told.items() if scripted == surprising and text not in going_on)
        false = sorted(text for text, value in missed.items() if (value < RARE) == surprising)
        if len(false) < NUM_OPTIONS - 1:
            continue
        for text in rng.permutation(true)[:most].tolist():
            others = rng.choice(false, size=NUM_OPTIONS - 1, replace=False).tolist()
            questions.append(Question((text, *others), surprising))
    return questions
