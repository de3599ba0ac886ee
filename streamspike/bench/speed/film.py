"""Segments of simulated cameras, painted before anything is timed."""

from __future__ import annotations

from streamspike.config import SegmentConfig
from streamspike.core import Segment
from streamspike.world.live import Stage, WorldSettings
from streamspike.world.scene import SCENES


def shoot_film(config: SegmentConfig, num_segments: int, seed: int, camera_id: str = "bench") -> list[Segment]:
    """The first segments of a camera; the seed chooses the scene too. Surprises come when they come."""
    stage = Stage(WorldSettings(SCENES[seed % len(SCENES)], seed), config.seconds)
    segments = []
    for index in range(num_segments):
        start = index * config.seconds
        marks = [start + config.seconds * (k + 0.5) / config.frames for k in range(config.frames)]
        frames = tuple(stage.frame(mark, mark) for mark in marks)
        segments.append(Segment(camera_id, 0, index, start, start + config.seconds, start, frames))
    return segments
