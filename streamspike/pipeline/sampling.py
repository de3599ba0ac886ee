"""Frames of a finished video under a budget: chosen in one pass over it, taken out in a second one."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from streamspike.clock import ManualClock
from streamspike.config import CameraConfig, Config
from streamspike.core import Engine, Frame
from streamspike.errors import SourceError
from streamspike.ingest.frames import FrameSource, LazyFrame, render
from streamspike.ingest.ring import Ring
from streamspike.pipeline.opener import make_opener
from streamspike.pipeline.scoring import VideoScorer
from streamspike.select.baselines import make_picker
from streamspike.select.sampling import allocated_times, covering_times, sample_times
from streamspike.stats import CameraStats

_NO_END = "this source never ends, so there is no whole to choose from: give a file, or a simulated camera &seconds=60"

SAMPLERS = ("covering", "softmax", "gumbel", "allocated")
"""How frames follow surprise; see `select/sampling.py`. gumbel is softmax with noise."""


@dataclass(frozen=True, slots=True)
class Choice:
    """When to take a frame, and what speaks for it."""

    seconds: float
    score: float
    """By surprise, nats of the segment; by a baseline, how much the picture changed, in its own unit."""
    segment: int | None
    """Number of the segment; None where no segments were scored."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A frame that was taken out."""

    frame: Frame
    choice: Choice


def choose_by_surprise(
    camera: CameraConfig,
    config: Config,
    engine: Engine,
    budget: int,
    sampler: str,
    seed: int,
    progress: Callable[[float], None],
) -> list[Choice]:
    """Score the video and choose times in it, ascending.

    Args:
        sampler: one of SAMPLERS.
        progress: called with the seconds scored so far.

    Raises:
        SourceError, EngineError: as `VideoScorer.run`.
    """
    observations = []
    for scored in VideoScorer(camera, config, engine).run():
        observations.append(scored.observation)
        progress(scored.observation.end_seconds)
    bounds = [*(observation.start_seconds for observation in observations), observations[-1].end_seconds]
    surprise = [observation.surprise_nats for observation in observations]
    if sampler == "covering":
        times = covering_times(surprise, bounds, budget)
    elif sampler == "allocated":
        times = allocated_times(surprise, bounds, budget)
    else:
        times = sample_times(surprise, bounds, budget, np.random.default_rng(seed), gumbel=sampler == "gumbel")
    numbers = [min(bisect.bisect_right(bounds, at), len(observations)) - 1 for at in times.tolist()]
    return [
        Choice(at, surprise[number], observations[number].index)
        for at, number in zip(times.tolist(), numbers, strict=True)
    ]


def choose_by_picture(
    camera: CameraConfig, config: Config, by: str, budget: int, seed: int, progress: Callable[[float], None]
) -> list[Choice]:
    """Look at every frame once; no model is asked.

    Args:
        by: one of `baselines.BASELINES`.

    Raises:
        SourceError: missing, empty, not a video, or a stream that never ends.
    """
    picker, times = make_picker(by, seed), []
    for frame in _frames(camera, config):
        picker.look(render(frame).pixels)
        times.append(frame.stream_seconds)
        progress(frame.stream_seconds)
    return [Choice(times[number], picker.scores[number], None) for number in picker.pick(budget)]


def take_frames(camera: CameraConfig, config: Config, choices: list[Choice]) -> Iterator[Chosen]:
    """The frames that are shown at the chosen times, in order, each once. Only they are ever turned into pixels.

    Args:
        choices: ascending.
    """
    waiting = list(reversed(choices))
    shown: Frame | LazyFrame | None = None
    for frame in _frames(camera, config):
        if shown is not None and (chosen := _due(waiting, frame.stream_seconds)) is not None:
            yield Chosen(render(shown), chosen)
        shown = frame
    if shown is not None and (chosen := _due(waiting, float("inf"))) is not None:
        yield Chosen(render(shown), chosen)


def _due(waiting: list[Choice], before_seconds: float) -> Choice | None:
    """Take off all choices before this time; the first of them stands for the frame."""
    first = None
    while waiting and waiting[-1].seconds < before_seconds:
        choice = waiting.pop()
        first = first or choice
    return first


def _frames(camera: CameraConfig, config: Config) -> Iterator[Frame | LazyFrame]:
    stats = CameraStats()
    ring = Ring(0.0, 1 << 20, stats)
    opener = make_opener(camera, config.ingest, config.segment, ManualClock(0.0), stats, ring)
    if opener.is_endless:
        raise SourceError(_NO_END)
    with closing(opener.connect()) as source:
        _check_end(source)
        yield from source


def _check_end(source: FrameSource) -> None:
    if source.is_live:
        raise SourceError(_NO_END)
