"""Segments of simulated cameras, painted before anything is timed."""

from __future__ import annotations

from streamspike.config import SegmentConfig
from streamspike.core import Segment, further_looks
from streamspike.ingest.segmenter import mark
from streamspike.world.live import Stage, WorldSettings
from streamspike.world.scene import SCENES


def shoot_film(
    config: SegmentConfig, num_segments: int, seed: int, camera_id: str = "bench", looks: int = 1
) -> list[Segment]:
    """The first segments of a camera; the seed chooses the scene too. Surprises come when they come."""
    stage = Stage(WorldSettings(SCENES[seed % len(SCENES)], seed), config.seconds)
    segments = []
    for index in range(num_segments):
        start = index * config.seconds
        marks = [
            [start + config.seconds * mark(k, config.frames, late) for late in (False, True)[:looks]]
            for k in range(config.frames)
        ]
        shot = [[stage.frame(at, at) for at in each] for each in marks]  # a stage does not go back in time
        frames, *later = zip(*shot, strict=True)
        again = further_looks(frames, later[0], looks) if later else ()
        segments.append(Segment(camera_id, 0, index, start, start + config.seconds, start, frames, again=again))
    return segments
