"""Simulated clips whose truth is known, for studies and tests; neither pretraining nor a bench draws such scenes."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from streamspike.core import Pixels
from streamspike.errors import DatasetError
from streamspike.refine.examples import Example
from streamspike.world.painter import Painter
from streamspike.world.rules import keep_left
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

FIRST_SEED = 3_000_000_000
"""Of scenes. Pretraining draws them below 2**30, the bench from two billion on."""
NUM_SEEDS = 1 << 30
HELD_OUT_SEED = 500_000
"""Added to the seed of clips to learn from, for those that are held out."""
ADDRESS = re.compile(r"world:(\d+):(\d+)(?:\?(.*))?")
PICTURES = ((320, 240), (384, 216))
"""(width, height) that are painted: 4:3 and 16:9."""
MAX_DRAWS = 20
"""A life in which no scripted surprise was possible when it was due is drawn again, at most so often."""
MAX_REFERENCE_SENTENCES = 3
"""Of an ordinary clip: those that were the least to be expected."""


@dataclass(frozen=True, slots=True)
class WorldClips:
    """What kind of simulated clips. Same settings, seed and number: same example, byte by byte, on any machine."""

    num_segments: int = 8
    segment_seconds: float = 1.0
    num_frames: int = 2
    """Per segment, evenly spaced."""
    num_surprises: int = 1
    """Scripted in each surprising clip, in segments drawn at random, never in the first."""
    surprising_share: float = 0.3
    """Of the clips, spread evenly over the numbers; nothing surprises in the others."""
    scene: str = ""
    """One of world.scene.SCENES; empty: one drawn for each clip."""
    rule: Literal["", "left"] = ""
    """left: traffic keeps to the left, as nobody knows who learned from other cameras; with the scene street."""
    size_px: tuple[int, int] | None = None
    """(width, height) to which frames are squashed; None leaves them as painted, and the model squashes."""


class WorldExamples:
    """Implements `ExampleSource`. Made on access; the last `cached` are kept."""

    def __init__(self, seed: int, count: int, clips: WorldClips, cached: int) -> None:
        self._seed = seed
        self._count = count
        self._clips = clips
        self._make = lru_cache(maxsize=cached)(self._make_example)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Example:
        if not 0 <= number < self._count:
            raise IndexError(f"there are {self._count} examples, from 0: {number = }")
        return self._make(number)

    def __iter__(self) -> Iterator[Example]:
        return (self[number] for number in range(self._count))

    def _make_example(self, number: int) -> Example:
        clips = self._clips
        width_px, height_px, simulation, truths, scene_seed = self._draw(number)
        painter = Painter(simulation.state.scene, scene_seed, width_px, height_px)
        segments = []
        for _ in truths:
            truth = simulation.step()
            span = truth.end_seconds - truth.start_seconds
            marks = [truth.start_seconds + span * (k + 0.5) / clips.num_frames for k in range(clips.num_frames)]
            segments.append(tuple(self._squash(painter.paint(simulation.snapshot(mark))) for mark in marks))
        surprises = tuple(index for index, truth in enumerate(truths) if truth.surprising)
        sentences = tuple(truth.sentence for truth in truths)
        return Example(
            example_id=f"world-{self._seed}-{number}",
            camera_id=f"world-{scene_seed}",
            started_at=number * clips.num_segments * clips.segment_seconds,
            segment_seconds=clips.segment_seconds,
            segments=tuple(segments),
            captions=sentences,
            reference=describe_clip(truths),
            surprise_nats=tuple(truth.surprise_nats for truth in truths),
            surprising=bool(surprises),
            surprises=surprises,
            truth=sentences,
        )

    def _draw(self, number: int) -> tuple[int, int, Simulation, list[Truth], int]:
        """(width, height, the life before its first segment, what will happen in it, seed of scene and life)."""
        clips = self._clips
        # The share of every run of numbers, whoever asks for which of them.
        due = [int(clips.surprising_share * (number + step) + 0.5) for step in (0, 1)]
        is_surprising = due[1] > due[0]
        for draw in range(MAX_DRAWS):
            rng = np.random.default_rng([self._seed, number, draw])
            width_px, height_px = PICTURES[int(rng.integers(len(PICTURES)))]
            name = clips.scene or SCENES[int(rng.integers(len(SCENES)))]
            seed = FIRST_SEED + int(rng.integers(NUM_SEEDS))
            later = rng.permutation(np.arange(1, clips.num_segments))[: clips.num_surprises]
            script: dict[int, str | None] = {int(index): None for index in later} if is_surprising else {}

            scene = build_scene(name, seed, width_px / height_px)
            if clips.rule == "left":
                scene = keep_left(scene)
            preview = Simulation(scene, seed, clips.segment_seconds, script)
            truths = [preview.step() for _ in range(clips.num_segments)]
            if not is_surprising or any(truth.surprising for truth in truths):
                break
        return width_px, height_px, Simulation(scene, seed, clips.segment_seconds, script), truths, seed

    def _squash(self, picture: Pixels) -> Pixels:
        size_px = self._clips.size_px
        pixels = picture if size_px is None else cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA)
        pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
        pixels.flags.writeable = False
        return pixels


def world_examples(seed: int, count: int, clips: WorldClips | None = None, cached: int = 64) -> WorldExamples:
    """`count` simulated clips of this seed.

    Args:
        seed: another one, all other clips; from 0.
        cached: examples kept in memory; one of 8 segments has about 4 MB as painted.

    Raises:
        DatasetError: a setting is out of range; the message says which.
    """
    clips = clips or WorldClips()
    if clips.scene not in ("", *SCENES):
        raise DatasetError(f"there is no simulated scene {clips.scene!r}; there are {', '.join(SCENES)}")
    if clips.rule and clips.scene != "street":
        raise DatasetError(f"rules of traffic are for the scene street, not {clips.scene or 'any scene'!r}")
    if seed < 0 or count < 0 or clips.num_segments < 2 or clips.num_frames < 1 or clips.segment_seconds <= 0:
        raise DatasetError(f"simulated clips have 2 segments or more, with frames, and seeds from 0: {clips}")
    if not 0 <= clips.surprising_share <= 1 or not 1 <= clips.num_surprises < clips.num_segments:
        raise DatasetError(f"a share is in [0, 1], and there are fewer surprises than segments: {clips}")
    return WorldExamples(seed, count, clips, cached)


@dataclass(frozen=True, slots=True)
class WorldSplit:
    """Simulated clips to learn from, and as many of other cameras that are held out."""

    seed: int
    count: int
    clips: WorldClips

    @property
    def train(self) -> WorldExamples:
        """Raises DatasetError: a setting is out of range."""
        return world_examples(self.seed, self.count, self.clips)

    @property
    def held_out(self) -> WorldExamples:
        """Raises DatasetError: a setting is out of range."""
        return world_examples(self.seed + HELD_OUT_SEED, self.count, self.clips)


def parse_world_clips(address: str, clips: WorldClips | None = None) -> WorldSplit:
    """Read `world:SEED:COUNT`, such as `world:0:200` or `world:0:200?scene=street&rule=left&surprising=0.6`.

    Args:
        clips: what is not said.

    Raises:
        DatasetError: something else, or a value that cannot be.
    """
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise DatasetError(f"simulated clips are world:SEED:COUNT, such as world:0:200; not {address!r}")
    clips = clips or WorldClips()
    for key, value in urllib.parse.parse_qsl(match[3] or "", keep_blank_values=True):
        try:
            if key == "scene":
                clips = replace(clips, scene=value)
            elif key == "rule":
                rules: dict[str, Literal["", "left"]] = {"left": "left", "right": ""}
                clips = replace(clips, rule=rules[value])
            elif key == "surprising":
                clips = replace(clips, surprising_share=float(value))
            else:
                raise DatasetError(f"simulated clips have no setting {key!r}; they have scene, rule and surprising")
        except (ValueError, KeyError) as error:
            raise DatasetError(f"{key}={value!r} is not a value for simulated clips") from error
    return WorldSplit(int(match[1]), int(match[2]), clips)


def describe_clip(truths: Sequence[Truth]) -> str:
    """What somebody would say of the clip: what surprised, or else what was the least to be expected, in order."""
    told = [truth for truth in truths if truth.surprising]
    if not told:
        rarest = sorted(truths, key=lambda truth: -truth.surprise_nats)[:MAX_REFERENCE_SENTENCES]
        told = sorted(rarest, key=lambda truth: truth.index)
    return "; ".join(dict.fromkeys(truth.sentence for truth in told))
