"""Simulated clips with one scripted surprise each, from seeds that no training run draws, with their truth."""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from streamspike.bench.footage import Footage
from streamspike.core import Frame, Segment, further_looks
from streamspike.errors import DatasetError
from streamspike.ingest.segmenter import mark
from streamspike.measures.interval import Interval
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

NAME = "world"
NUM_SEGMENTS = 10
FIRST_SEED = 2_000_000_000
"""Training draws scenes below 2**30, so no camera here was ever seen."""
MAX_CLIPS = 100_000
"""Of one `seed`; those of the next one follow."""
PICTURES = ((320, 240), (384, 216))


@dataclass(frozen=True, slots=True)
class WorldFootage(Footage):
    """A simulated clip, which is painted with `play`: a video file would have other pictures.

    The address is for people and for `streamspike score`; it names the segment of the scripted surprise as `script`.
    """

    seed: int = 0
    scene: str = ""
    width_px: int = 0
    height_px: int = 0
    scripted_index: int = 0
    segment_seconds: float = 1.0

    def simulate(self) -> Simulation:
        """The life of the clip, before its first segment."""
        scene = build_scene(self.scene, self.seed, self.width_px / self.height_px)
        return Simulation(scene, self.seed, self.segment_seconds, script={self.scripted_index: None})

    def truths(self) -> tuple[Truth, ...]:
        """What happens in each segment; nothing is painted."""
        simulation = self.simulate()
        return tuple(simulation.step() for _ in range(NUM_SEGMENTS))

    def play(self, num_frames: int, looks: int = 1) -> Iterator[tuple[Segment, Truth]]:
        """Each segment with `num_frames` even frames for each look, and its truth; the same on every machine."""
        simulation = self.simulate()
        painter = Painter(simulation.state.scene, self.seed, self.width_px, self.height_px)
        for _ in range(NUM_SEGMENTS):
            truth = simulation.step()
            yield paint_segment(self.name, simulation, painter, truth, num_frames, looks), truth


def paint_segment(
    camera_id: str, simulation: Simulation, painter: Painter, truth: Truth, num_frames: int, looks: int = 1
) -> Segment:
    """The segment that was stepped last, with `num_frames` evenly spaced frames for each look; the first with the
    picture before."""
    start, span = truth.start_seconds, truth.end_seconds - truth.start_seconds

    def picture(seconds: float) -> Frame:
        return Frame(painter.paint(simulation.snapshot(seconds)), seconds, seconds)

    opening = picture(start) if truth.index == 0 else None
    frames, *later = (
        tuple(picture(start + span * mark(k, num_frames, late)) for k in range(num_frames))
        for late in (False, True)[:looks]
    )
    again = further_looks(frames, later[0], looks) if later else ()
    return Segment(camera_id, 0, truth.index, start, truth.end_seconds, start, frames, opening=opening, again=again)


@dataclass(slots=True)
class WorldDataset:
    """Implements `Dataset`. A clip in which nothing surprising was possible when it was due has no surprises.

    Args:
        seed: same seed, same clips; another one, all others.
        scene: all clips in this one, or "" for all scenes by turns of chance.
        segment_seconds: what the monitor is configured to, as surprises happen once per segment.
    """

    clips: int = 200
    seed: int = 0
    scene: str = ""
    segment_seconds: float = 1.0
    name: str = NAME
    left_out: Counter[str] = field(default_factory=Counter)

    def footage(self) -> Sequence[WorldFootage]:
        """See `Dataset.footage`. Simulates every clip, without pictures: about 3 ms each."""
        return [self.clip(FIRST_SEED + self.seed * MAX_CLIPS + number) for number in range(self.clips)]

    def clip(self, seed: int) -> WorldFootage:
        """The clip of this seed, whoever keeps it apart from others."""
        rng = np.random.default_rng(seed)
        width, height = PICTURES[int(rng.integers(len(PICTURES)))]
        drawn = SCENES[int(rng.integers(len(SCENES)))]
        scripted = int(rng.integers(1, NUM_SEGMENTS))
        scene = self.scene or drawn
        seconds = NUM_SEGMENTS * self.segment_seconds
        clip = WorldFootage(
            name=f"clip-{seed}",
            dataset=NAME,
            address=f"world:{scene}?seed={seed}&size={width}x{height}&seconds={seconds:g}&script={scripted}",
            surprises=(),
            seconds=seconds,
            seed=seed,
            scene=scene,
            width_px=width,
            height_px=height,
            scripted_index=scripted,
            segment_seconds=self.segment_seconds,
        )
        labelled: dict[bool, list[Interval]] = {True: [], False: []}
        for truth in clip.truths():
            one = Interval(truth.start_seconds, truth.end_seconds, truth.sentence, truth.kind)
            labelled[truth.surprising].append(one)
        return replace(clip, surprises=tuple(labelled[True]), ordinary=tuple(labelled[False]))


def parse_world_dataset(query: str) -> WorldDataset:
    """Read `clips=500&seed=0&scene=street`; empty means 200 clips of all scenes.

    Raises:
        DatasetError: no such setting, or a value out of range.
    """
    values: dict[str, str] = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(values) - {"clips", "seed", "scene"})
    if unknown:
        raise DatasetError(f"simulated clips have no setting {unknown[0]!r}; they have clips, seed and scene")
    scene = values.get("scene", "")
    if scene not in ("", *SCENES):
        raise DatasetError(f"there is no simulated scene {scene!r}; there are {', '.join(SCENES)}")
    try:
        clips, seed = int(values.get("clips", WorldDataset().clips)), int(values.get("seed", 0))
    except ValueError as error:
        raise DatasetError(f"clips and seed are whole numbers, not {query!r}") from error
    if not 1 <= clips <= MAX_CLIPS or seed < 0:
        raise DatasetError(f"there are 1 to {MAX_CLIPS} clips, and seeds from 0; not {query!r}")
    return WorldDataset(clips, seed, scene)
