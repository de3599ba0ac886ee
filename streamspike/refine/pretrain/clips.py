"""Training clips for the built-in model: simulated segments as pixels, sentences and dense labels.

Worker processes make them ahead of time. A clip is fully determined by its number, so a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from streamspike.belief.summary import Summary
from streamspike.core import Pixels
from streamspike.engine.resize import resize
from streamspike.refine.pretrain.labels import CHOICES, VALUES, label_cells
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation
from streamspike.world.surprises import SURPRISES

PICTURES = ((320, 240), (384, 216), (256, 192), (256, 144), (208, 156), (384, 192))
"""Sizes that are painted before the squash to the model's square: 4:3, 16:9 and 2:1."""
STUTTERS = (0.0, 0.0, 0.0, 0.1, 0.2, 0.33)
"""Seconds between two different pictures of a camera; 0 is a smooth one."""
LONGEST_PAST = 14
"""Segments that happened before the first: what a summary may tell of."""
EVEN_SHARE = 0.5
"""Of the scripted surprises, how many are of a kind drawn evenly; by their natural rates some are hardly ever seen."""
MAX_SURPRISES = 4
"""A clip has 0 to so many scripted surprises. With one in every other clip, their captions were learned last.
Their segments never teach what to expect, only what was seen."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive segments of one simulated camera."""

    number: int
    frames: NDArray[np.uint8]
    """(segments, 2, side, side, 3) RGB."""
    choices: NDArray[np.uint8]
    """(segments, cells, cells, len(CHOICES)) of `labels.py`."""
    values: NDArray[np.float32]
    """(segments, cells, cells, len(VALUES))"""
    sentences: tuple[str, ...]
    """What happened in each segment."""
    alternatives: tuple[tuple[tuple[str, float], ...], ...]
    """The true distribution over sentences before each segment."""
    summary: str
    """H_t: what happened before the first segment, or empty."""
    scripted: tuple[int, ...]
    """The segments of scripted surprises."""


def make_clip(number: int, seed: int, num_segments: int, side_px: int, cells: int, summary_words: int) -> Clip:
    """Simulate and paint one clip."""
    rng = np.random.default_rng([seed, number])
    width, height = PICTURES[int(rng.integers(len(PICTURES)))]
    scene = build_scene(SCENES[int(rng.integers(len(SCENES)))], int(rng.integers(1 << 30)), width / height)
    past = 0 if rng.random() < 0.4 else int(rng.integers(1, LONGEST_PAST + 1))
    num_surprises = int(rng.integers(MAX_SURPRISES + 1))
    surprising = rng.choice(num_segments, size=min(num_surprises, num_segments), replace=False)
    script = {
        past + int(index): SURPRISES[int(rng.integers(len(SURPRISES)))] if rng.random() < EVEN_SHARE else None
        for index in surprising
    }
    simulation = Simulation(scene, int(rng.integers(1 << 30)), script=script or None)
    painter = Painter(scene, int(rng.integers(1 << 30)), width, height)
    summary = Summary(summary_words)
    for _ in range(past):
        summary.append(simulation.step().sentence)

    frames = np.empty((num_segments, 2, side_px, side_px, 3), np.uint8)
    choices = np.empty((num_segments, cells, cells, len(CHOICES)), np.uint8)
    values = np.empty((num_segments, cells, cells, len(VALUES)), np.float32)
    sentences, alternatives, scripted = [], [], []
    jitter = float(rng.uniform(-0.1, 0.1))  # real cameras do not sample at exact quarters
    stutter = STUTTERS[int(rng.integers(len(STUTTERS)))]
    for index in range(num_segments):
        truth = simulation.step()
        span = truth.end_seconds - truth.start_seconds
        instants = [
            simulation.snapshot(truth.start_seconds + _shown(span * (part + jitter), stutter)) for part in (0.25, 0.75)
        ]
        frames[index] = squash([painter.paint(snapshot) for snapshot in instants], side_px)
        choices[index], values[index] = label_cells(painter, instants, cells)
        sentences.append(truth.sentence)
        alternatives.append(truth.alternatives)
        if truth.scripted:
            scripted.append(index)
    return Clip(number, frames, choices, values, tuple(sentences), tuple(alternatives), summary.text, tuple(scripted))


def squash(pictures: Sequence[Pixels], side_px: int) -> NDArray[np.uint8]:
    """(pictures, side_px, side_px, 3) of pictures of one size, as the engine resizes what a camera sends."""
    frames = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return resize(frames, side_px, side_px).permute(0, 2, 3, 1).contiguous().numpy()


def _shown(seconds: float, stutter: float) -> float:
    """When the picture was taken that such a camera still shows after so many seconds of a segment."""
    return seconds - seconds % stutter if stutter else seconds


def _work(numbers: Iterator[int], out: multiprocessing.Queue[Clip], arguments: tuple[int, ...]) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    os.nice(5)  # training must not starve; a clip can be used twice, a lost training second is gone
    out.cancel_join_thread()  # what nobody takes must not keep this process alive
    for number in numbers:
        if not _hand_over(make_clip(number, *arguments), out):
            return


def _hand_over(clip: Clip, out: multiprocessing.Queue[Clip]) -> bool:
    """Wait for room; False when the trainer was killed, which tells its workers nothing."""
    trainer = multiprocessing.parent_process()
    while True:
        try:
            out.put(clip, timeout=2)
        except queue.Full:
            if trainer is not None and not trainer.is_alive():
                return False
        else:
            return True


class ClipFeed:
    """Clips in order of their numbers, made ahead by `workers` spawned processes (fork deadlocks after OpenCV)."""

    def __init__(
        self, seed: int, first: int, workers: int, num_segments: int, side_px: int, cells: int, summary_words: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        arguments = (seed, num_segments, side_px, cells, summary_words)
        self._queues = [context.Queue(maxsize=64) for _ in range(workers)]
        self._workers = [
            context.Process(
                target=_work, args=(range(first + k, 1 << 40, workers), self._queues[k], arguments), daemon=True
            )
            for k in range(workers)
        ]
        self._next = 0

    def __enter__(self) -> ClipFeed:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.terminate()
            worker.join()

    def take(self) -> Clip:
        """The next clip. Raises RuntimeError when its worker died."""
        turn = self._next % len(self._queues)
        self._next += 1
        while True:
            try:
                clip: Clip = self._queues[turn].get(timeout=5)
                return clip
            except queue.Empty:
                if not self._workers[turn].is_alive():
                    raise RuntimeError(f"clip worker {turn} ended with code {self._workers[turn].exitcode}") from None

    @property
    def pids(self) -> list[int]:
        """Of the workers, once they have started."""
        return [worker.pid for worker in self._workers if worker.pid is not None]
