"""Does memory stay flat? One camera without end, as fast as it goes, and what the process holds every now and then."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamspike.belief.tracker import BeliefTracker
from streamspike.config import Config
from streamspike.core import Segment
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import LoadedModel
from streamspike.progress import Advance

NUM_LOOKS = 10
"""At the memory, evenly spaced. The first one is after the window, the caches and the allocator have filled."""


def measure_soak(
    config: Config, loaded: LoadedModel, film: Sequence[Segment], num_segments: int, progress: Advance
) -> dict[str, Any]:
    """Score `num_segments` segments; the film is repeated, each time as new arrays, as a camera would deliver them."""
    engine = IncrementalEngine(loaded, config.segment.seconds, config.engine)
    tracker = BeliefTracker("soak", config.belief, loaded.name, config.model.seed)
    every = max(1, num_segments // NUM_LOOKS)
    looks: list[dict[str, int]] = []
    for index in range(num_segments):
        shown = film[index % len(film)]
        frames, *again = (
            tuple(replace(frame, pixels=frame.pixels.copy()) for frame in look) for look in (shown.frames, *shown.again)
        )
        segment = replace(shown, index=index, frames=frames, again=tuple(again))
        tracker.observe(segment, engine.assess(tracker.request(segment)))
        if (index + 1) % every == 0:
            engine.check_integrity()
            looks.append(
                {
                    "segments": index + 1,
                    "process_bytes": _resident_bytes(),
                    "cache_bytes": engine.cache_bytes,
                    "feature_bytes": engine.feature_bytes,
                }
            )
            progress(index + 1, f"{looks[-1]['process_bytes'] / 1e6:.0f} MB")
    return {"segments": num_segments, "looks": looks}


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
