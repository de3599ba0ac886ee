"""Simulated clips in three views: plain, with cues by the motion stage, and with cues by the simulator's own truth.

The frames of a training clip, two a second of 180 px, are too few and too small for a motion stage. So the camera is
simulated more densely: the stage sees the large picture four times a second, from some seconds before the clip on, as
it does on a live camera. Cues are drawn into the large picture, which is then squashed to the model's square. The truth
follows the same rule for what moves, but with exact boxes: more than that cues cannot give, which bounds their worth.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.belief.summary import Summary
from streamspike.config import CuesName
from streamspike.ingest.cues import draw_cues
from streamspike.ingest.motion import MotionStage, Path, Rectangle, Track, overlap
from streamspike.refine.pretrain.clips import (
    EVEN_SHARE,
    LONGEST_PAST,
    MAX_SURPRISES,
    PICTURES,
    STUTTERS,
    Clip,
    squash,
)
from streamspike.refine.pretrain.labels import label_cells
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, Snapshot, build_scene
from streamspike.world.simulation import Simulation, Truth
from streamspike.world.surprises import SURPRISES

View = Literal["plain", "motion", "truth"]
VIEWS: tuple[View, ...] = ("plain", "motion", "truth")
WATCHED = (0.0, 0.25, 0.5, 0.75)
"""Parts of a segment at which the motion stage looks."""
SHOWN = (1, 3)
"""Which of these the model is shown."""
WARM_SEGMENTS = 3
"""The motion stage has seen so many before the first of a clip."""
FORGETFUL = 0.4
"""Share of clips without a memory of what happened before, as when a camera has just been switched on."""
BOXED_OVERLAP, ON_BODY_OVERLAP = 0.5, 0.3
AHEAD = 4
"""Clips in the making per worker."""


@dataclass(frozen=True, slots=True)
class ClipShape:
    """What all clips of a study have in common."""

    seed: int
    num_segments: int
    side_px: int
    cells: int
    summary_words: int
    cues: CuesName


@dataclass(frozen=True, slots=True)
class StageCounts:
    """How well the motion stage saw what the simulator knows, over the frames the model is shown."""

    moving: int
    """Bodies that move, each frame counted."""
    boxed: int
    """Those with a box that overlaps them by BOXED_OVERLAP."""
    boxes: int
    on_bodies: int
    """Boxes that overlap any body by ON_BODY_OVERLAP; the others are on crowds, shadows, leaves and rain."""


@dataclass(frozen=True, slots=True)
class CuedClip:
    """The same moments of one simulated camera, shown in three ways."""

    views: Mapping[View, Clip]
    counts: StageCounts


def make_cued_clip(number: int, shape: ClipShape) -> CuedClip:
    """Simulate, watch and paint one clip; fully determined by its arguments."""
    rng = np.random.default_rng([shape.seed, 23, number])
    width, height = PICTURES[int(rng.integers(len(PICTURES)))]
    scene = build_scene(SCENES[int(rng.integers(len(SCENES)))], int(rng.integers(1 << 30)), width / height)
    past = int(rng.integers(WARM_SEGMENTS, LONGEST_PAST + 1))
    script = _draw_script(rng, past, shape.num_segments)
    simulation = Simulation(scene, int(rng.integers(1 << 30)), script=script)
    painter = Painter(scene, int(rng.integers(1 << 30)), width, height)
    watcher = _Watcher(painter, simulation, rng, shape.cues)
    summary = Summary(0 if rng.random() < FORGETFUL else shape.summary_words)
    truths: list[Truth] = []
    grids: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []
    frames = {view: np.empty((shape.num_segments, 2, shape.side_px, shape.side_px, 3), np.uint8) for view in VIEWS}
    for index in range(-past, shape.num_segments):
        truth = simulation.step()
        if index < 0:
            summary.append(truth.sentence)
        if index < -WARM_SEGMENTS:
            continue
        instants = []
        for k, instant in enumerate(watcher.instants(truth)):
            watcher.look(instant)
            if index >= 0 and k in SHOWN:
                instants.append(instant)
                for view, picture in watcher.show().items():
                    frames[view][index, SHOWN.index(k)] = squash([picture], shape.side_px)[0]
        if index >= 0:
            truths.append(truth)
            grids.append(label_cells(painter, instants, shape.cells))
    choices, values = (np.stack(grid) for grid in zip(*grids, strict=True))
    plain = Clip(
        number, frames["plain"], choices, values, tuple(truth.sentence for truth in truths),
        tuple(truth.alternatives for truth in truths), summary.text,
        tuple(k for k, truth in enumerate(truths) if truth.scripted),
    )  # fmt: skip
    return CuedClip({view: replace(plain, frames=frames[view]) for view in VIEWS}, watcher.counts)


def _draw_script(rng: np.random.Generator, past: int, num_segments: int) -> dict[int, str | None] | None:
    count = min(int(rng.integers(MAX_SURPRISES + 1)), num_segments)
    where = rng.choice(num_segments, size=count, replace=False)
    return {
        past + int(index): SURPRISES[int(rng.integers(len(SURPRISES)))] if rng.random() < EVEN_SHARE else None
        for index in where
    } or None


class _Watcher:
    """Looks at one camera densely; knows what moves by its pixels and by the truth."""

    def __init__(self, painter: Painter, simulation: Simulation, rng: np.random.Generator, cues: CuesName) -> None:
        self._painter, self._simulation, self._cues = painter, simulation, cues
        self._jitter = float(rng.uniform(-0.1, 0.1))  # real cameras do not sample at exact quarters
        self._stutter = STUTTERS[int(rng.integers(len(STUTTERS)))]
        self._stage = MotionStage()
        self._paths: dict[int, Path] = {}
        self.counts = StageCounts(0, 0, 0, 0)

    def instants(self, truth: Truth) -> Iterator[Snapshot]:
        """What the camera shows at each of WATCHED; the same again while it stutters."""
        span = truth.end_seconds - truth.start_seconds
        for part in WATCHED:
            seconds = max(span * (part + self._jitter), 0.0)
            shown = seconds - seconds % self._stutter if self._stutter else seconds
            yield self._simulation.snapshot(truth.start_seconds + shown)

    def look(self, instant: Snapshot) -> None:
        self._picture = self._painter.paint(instant)
        self._seen = self._stage.watch(self._picture, instant.seconds)
        boxes: dict[int, Rectangle] = {
            box.body_id: (box.x0, box.y0, box.x1, box.y1) for box in self._painter.boxes(instant)
        }
        self._paths = {body_id: path for body_id, path in self._paths.items() if body_id in boxes}
        for body_id, box in boxes.items():
            if body_id not in self._paths:
                self._paths[body_id] = Path(body_id, box, instant.seconds)
            elif instant.seconds > self._paths[body_id].seen_seconds:
                self._paths[body_id].see(box, instant.seconds)
        self._bodies = tuple(boxes.values())

    def show(self) -> dict[View, NDArray[np.uint8]]:
        """The newest picture in each view; counts how well the motion stage saw it."""
        moving = [path.track() for path in self._paths.values() if path.travelled()]
        self._count(moving)
        return {
            "plain": self._picture,
            "motion": draw_cues(self._picture, self._seen, self._cues),
            "truth": draw_cues(self._picture, moving, self._cues),
        }

    def _count(self, moving: list[Track]) -> None:
        def best(box: Rectangle, others: Iterable[Rectangle]) -> float:
            return max((overlap(box, other) for other in others), default=0.0)

        seen = [track.box for track in self._seen]
        self.counts = StageCounts(
            self.counts.moving + len(moving),
            self.counts.boxed + sum(best(track.box, seen) > BOXED_OVERLAP for track in moving),
            self.counts.boxes + len(seen),
            self.counts.on_bodies + sum(best(box, self._bodies) > ON_BODY_OVERLAP for box in seen),
        )


def clips_ahead(numbers: Iterable[int], shape: ClipShape, workers: int) -> Generator[CuedClip, None, None]:
    """Clips of these numbers in their order, made ahead by spawned processes (fork deadlocks after OpenCV).

    Close the iterator when no more are wanted; it ends the processes.
    """
    context = multiprocessing.get_context("spawn")
    rest = iter(numbers)
    pool = ProcessPoolExecutor(workers, context, _start_worker)
    try:
        waiting: deque[Future[CuedClip]] = deque(
            pool.submit(make_cued_clip, number, shape) for number in islice(rest, AHEAD * workers)
        )
        while waiting:
            clip = waiting.popleft().result()
            waiting.extend(pool.submit(make_cued_clip, number, shape) for number in islice(rest, 1))
            yield clip
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    os.nice(5)  # training must not starve
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A study that was killed tells its workers nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
