"""Does surprise wear off? The k-th time that the same thing happens, against the first.

In simulated clips: lives in which the same arrival comes again and again, each time while the model still sees the time
before, and nothing is scripted. On footage: labelled happenings of one kind within one video.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamspike.bench.datasets.world import NAME, PICTURES, paint_segment
from streamspike.bench.footage import Footage
from streamspike.bench.surprise.scored import ScoredClip
from streamspike.core import Segment
from streamspike.measures.estimate import bootstrap
from streamspike.measures.localisation import touches
from streamspike.report.figures import plain
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

MAX_TIMES = 4
NUM_SEGMENTS = 30
MAX_GAP_SEGMENTS = 8
"""From one time to the next: the window that the model sees by default."""
FIRST_SEED = 2_900_000_000
"""Neither training nor the clips with a scripted surprise come this far."""
SEEDS_PER_LIFE = 200
"""Simulated in search of one; about one in twenty will do."""


@dataclass(frozen=True, slots=True)
class Life(Footage):
    """A simulated camera without surprises, in which one arrival repeats. Implements `scoring.Painted`."""

    scene: str = ""
    seed: int = 0
    width_px: int = 0
    height_px: int = 0
    segment_seconds: float = 1.0
    arrival: str = ""
    """The sentence that comes again and again."""
    times: tuple[int, ...] = ()
    """Its segments, MAX_TIMES of them."""

    def simulate(self) -> Simulation:
        """From its beginning; an empty script keeps surprises away."""
        scene = build_scene(self.scene, self.seed, self.width_px / self.height_px)
        return Simulation(scene, self.seed, self.segment_seconds, script={})

    def play(self, num_frames: int, looks: int = 1) -> Iterator[tuple[Segment, Truth]]:
        """See `scoring.Painted`."""
        simulation = self.simulate()
        painter = Painter(simulation.state.scene, self.seed, self.width_px, self.height_px)
        for _ in range(NUM_SEGMENTS):
            truth = simulation.step()
            yield paint_segment(self.name, simulation, painter, truth, num_frames, looks), truth


def find_lives(count: int, seed: int, segment_seconds: float) -> list[Life]:
    """The first so many lives of a seed in which an arrival repeats; fewer where they are rarer than expected."""
    lives: list[Life] = []
    first = FIRST_SEED + seed * 100_000
    for number in range(first, first + count * SEEDS_PER_LIFE):
        life = _live(number, segment_seconds)
        if life is not None:
            lives.append(life)
        if len(lives) == count:
            break
    return lives


def _live(seed: int, segment_seconds: float) -> Life | None:
    rng = np.random.default_rng(seed)
    width, height = PICTURES[int(rng.integers(len(PICTURES)))]
    scene = SCENES[int(rng.integers(len(SCENES)))]
    name = f"life-{seed}"
    address = f"world:{scene}?seed={seed}&size={width}x{height}"
    life = Life(name, NAME, address, (), (), None, (), scene, seed, width, height, segment_seconds)
    simulation = life.simulate()
    arrivals: dict[str, list[int]] = {}
    for truth in (simulation.step() for _ in range(NUM_SEGMENTS)):
        # The first segment has no past, and what comes then cannot surprise.
        if truth.kind == "enter" and truth.index:
            arrivals.setdefault(truth.sentence, []).append(truth.index)
    for sentence, indices in arrivals.items():
        times = _in_a_row(indices)
        if len(times) >= MAX_TIMES:
            return Life(
                name, NAME, address, (), (), None, (), scene, seed, width, height, segment_seconds,
                sentence, tuple(times[:MAX_TIMES]),
            )  # fmt: skip
    return None


def _in_a_row(indices: Sequence[int]) -> list[int]:
    """The longest run with no gap that the window does not bridge."""
    best: list[int] = []
    run: list[int] = []
    for index in indices:
        run = [*run, index] if run and index - run[-1] <= MAX_GAP_SEGMENTS else [index]
        best = max(best, run, key=len)
    return best


def measure_lives(lives: Sequence[Life], clips: Mapping[str, Sequence[ScoredClip]], ideal: str, seed: int) -> Any:
    """Plain values: by scorer, the mean score of the k-th arrival and of the difference to the first.

    Args:
        clips: by scorer, in the order of the lives.
        ideal: the name under which the simulator's own -log p joins them.
    """
    tables = {
        name: [clip.scores[list(life.times)] for life, clip in zip(lives, scored, strict=True)]
        for name, scored in clips.items()
    }
    tables[ideal] = [_truth(life) for life in lives]
    return {"clips": len(lives), "scorers": {name: _by_time(rows, seed) for name, rows in tables.items()}}


def _truth(life: Life) -> np.ndarray:
    simulation = life.simulate()
    nats = np.array([simulation.step().surprise_nats for _ in range(NUM_SEGMENTS)])
    return nats[list(life.times)]


def measure_repetitions(footage: Sequence[Footage], clips: Mapping[str, Sequence[ScoredClip]], seed: int) -> Any:
    """Plain values: by kind that repeats within a video and by scorer, the mean peak of the k-th happening."""
    kinds = sorted({kind for one in footage for kind in _repeated(one)})
    tables: dict[str, Any] = {}
    for kind in kinds:
        having = [index for index, one in enumerate(footage) if kind in _repeated(one)]
        tables[kind] = {
            "clips": len(having),
            "scorers": {
                name: _by_time([_peaks(footage[index], scored[index], kind) for index in having], seed)
                for name, scored in clips.items()
            },
        }
    return tables


def _repeated(footage: Footage) -> set[str]:
    kinds = [one.kind for one in (*footage.surprises, *footage.ordinary)]
    return {kind for kind in kinds if kind and kinds.count(kind) > 1}


def _peaks(footage: Footage, clip: ScoredClip, kind: str) -> np.ndarray:
    """The highest score in each happening of the kind, the first MAX_TIMES of them; NaN where no segment was scored."""
    intervals = sorted(
        (one for one in (*footage.surprises, *footage.ordinary) if one.kind == kind), key=lambda one: one.start_seconds
    )
    peaks = []
    for interval in intervals[:MAX_TIMES]:
        near = touches(clip.starts, clip.ends, (interval,))
        peaks.append(clip.scores[near].max() if near.any() else np.nan)
    return np.array(peaks, dtype=np.float64)


def _by_time(rows: Sequence[np.ndarray], seed: int) -> list[dict[str, Any]]:
    table = []
    for k in range(max(map(len, rows), default=0)):
        pairs = [(row[0], row[k]) for row in rows if len(row) > k and not np.isnan(row[[0, k]]).any()]
        table.append(
            {
                "time": k + 1,
                "clips": len(pairs),
                "mean": plain(bootstrap([later for _, later in pairs], _mean, seed)),
                "against_first": plain(bootstrap([later - first for first, later in pairs], _mean, seed)),
            }
        )
    return table


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
