"""What one model is worth: how it watches held-out clips, what it answers, and whether it sees what moves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from streamspike.bench.dynamics.study import measure_dynamics
from streamspike.bench.night.settings import NightSettings
from streamspike.config import Config
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import load_model
from streamspike.progress import Advance
from streamspike.refine.commands import First
from streamspike.refine.crpo.asking import style_of
from streamspike.refine.examples import ExampleSource
from streamspike.refine.gate.viewing import Told, View, Viewing, view_clips
from streamspike.refine.savi.questions import Score, examine

CHUNK = 8
"""Clips that are watched side by side."""


def measure_model(
    config: Config, adapter: Path | None, held_out: ExampleSource, settings: NightSettings, seed: int, progress: Advance
) -> dict[str, Any]:
    """Everything as plain values for JSON, clip by clip, so that models can be compared in pairs.

    Args:
        adapter: its folder, or None for the model as it is.
        progress: called with a share.

    Raises:
        ModelError: the adapter does not belong to the model.
    """
    loaded = load_model(config.model.model_copy(update={"adapter": str(adapter) if adapter else None}))
    engine = IncrementalEngine(loaded, config.segment.seconds, config.engine)
    viewings: list[Viewing] = []
    examples = iter(held_out)
    while chunk := list(islice(examples, CHUNK)):
        viewings += view_clips(engine, chunk, config.belief, config.model.seed)
        progress(0.4 * len(viewings) / len(held_out), "watching held-out clips")
    window = config.belief.window_segments
    some = First(held_out, settings.asked)
    scores = examine(
        loaded,
        some,
        window,
        seed,
        lambda done: progress(0.4 + 0.3 * done / len(some), "asking about held-out clips"),
    )
    dynamics = measure_dynamics(
        loaded,
        settings.pairs,
        style_of(loaded),
        seed,
        config.segment.seconds,
        lambda done, words="", /: progress(0.7 + 0.3 * done / settings.pairs, "asking about clips and their opposites"),
    )
    return {
        "model": loaded.slot.name,
        "base": loaded.slot.base,
        "viewings": [asdict(viewing) for viewing in viewings],
        "questions": [[asdict(score) for score in clip] for clip in scores],
        "dynamics": dynamics,
        "measured_at": time.time(),
    }


def read_viewings(values: Sequence[Mapping[str, Any]]) -> list[Viewing]:
    """As they were before they became JSON."""
    return [
        Viewing(
            Told(
                **{**one["told"], "sentences": tuple(one["told"]["sentences"]),
                   "surprises": tuple(one["told"]["surprises"])}
            ),
            tuple(
                View(**{**view, "hypotheses": tuple(view["hypotheses"]), "log_priors": tuple(view["log_priors"])})
                for view in one["views"]
            ),
        )
        for one in values
    ]  # fmt: skip


def read_scores(values: Sequence[Sequence[Mapping[str, Any]]]) -> list[list[Score]]:
    """As they were before they became JSON."""
    return [[Score(**score) for score in clip] for clip in values]
