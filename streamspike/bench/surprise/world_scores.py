"""What scores are worth on simulated clips, whose truth is known: one scripted surprise in ten segments.

A hit is a clip whose highest-scoring segment is the scripted one (chance 1 in 10). The ideal observer scores with the
simulator's own -log p. Frames of a segment share its score and its label, so that measures by frame and by segment are
the same here. Only the correlation with the truth leaves the first segment out: what came before it, which the truth
knows, nobody saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamspike.bench.datasets.world import NUM_SEGMENTS, WorldFootage
from streamspike.bench.surprise.detecting import measure_detection, track_of
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.measures.detection import Tolerance, auroc, average_precision
from streamspike.measures.estimate import Undefined, bootstrap
from streamspike.measures.localisation import Bools, Floats, hit_at_k, spearman
from streamspike.report.figures import plain
from streamspike.world.scene import build_scene
from streamspike.world.simulation import Simulation, Truth

TOLERANCE = Tolerance(before_seconds=0.0, after_seconds=2.0)
"""Labels are exact here, so nothing alarms too early; an alarm one segment late is about the surprise still."""
NUM_DRAWS = 400
"""Of the bootstrap of what must be ranked anew in each draw."""


def truths_of(footage: WorldFootage) -> tuple[Truth, ...]:
    """What happens in each segment; nothing is painted."""
    scene = build_scene(footage.scene, footage.seed, footage.width_px / footage.height_px)
    script = {footage.scripted_index: None}
    simulation = Simulation(scene, footage.seed, footage.segment_seconds, script=script)
    return tuple(simulation.step() for _ in range(NUM_SEGMENTS))


def ideal_clip(footage: WorldFootage, truths: Sequence[Truth]) -> ScoredClip:
    """The clip as somebody would score it who knows the rules and the state."""
    segments = [ScoredSegment(one.start_seconds, one.end_seconds, one.surprise_nats) for one in truths]
    return ScoredClip(footage.name, footage.address, tuple(segments), 0.0, {})


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One clip, by segment."""

    scores: Floats
    scripted: Bools
    truth: Floats


def measure_world(
    footage: Sequence[WorldFootage],
    truths: Sequence[Sequence[Truth]],
    clips: Mapping[str, Sequence[ScoredClip]],
    ideal: str,
    seed: int,
) -> dict[str, Any]:
    """Plain values.

    Args:
        clips: by scorer, in the order of the footage; `ideal` is among them.
        seed: of the bootstrap.
    """
    hits = {name: _hits(footage, scored) for name, scored in clips.items()}
    return {
        "clips": len(footage),
        "chance": 1 / NUM_SEGMENTS,
        "scorers": {
            name: {
                "hit_at_1": plain(bootstrap(hits[name].tolist(), _mean, seed)),
                "share_of_ideal": plain(
                    bootstrap(list(zip(hits[name].tolist(), hits[ideal].tolist(), strict=True)), _ratio, seed)
                ),
                **_measure_ranks(_rank(footage, truths, scored), seed),
                **measure_detection(
                    [track_of(one, clip) for one, clip in zip(footage, scored, strict=True)], TOLERANCE, seed
                ),
                **cost(scored),
            }
            for name, scored in clips.items()
        },
        "by_kind": _by_kind(truths, footage, hits),
    }


def _hits(footage: Sequence[WorldFootage], scored: Sequence[ScoredClip]) -> Floats:
    return np.array(
        [
            hit_at_k(clip.scores, np.arange(NUM_SEGMENTS) == one.scripted_index, 1)
            for one, clip in zip(footage, scored, strict=True)
        ]
    )


def _rank(
    footage: Sequence[WorldFootage], truths: Sequence[Sequence[Truth]], scored: Sequence[ScoredClip]
) -> list[_Ranked]:
    return [
        _Ranked(
            clip.scores,
            np.arange(NUM_SEGMENTS) == one.scripted_index,
            np.array([truth.surprise_nats for truth in known]),
        )
        for one, known, clip in zip(footage, truths, scored, strict=True)
    ]


def _measure_ranks(ranked: Sequence[_Ranked], seed: int) -> dict[str, Any]:
    return {
        "spearman_with_truth": plain(bootstrap(ranked, _spearman, seed, NUM_DRAWS)),
        "auroc": plain(bootstrap(ranked, lambda some: auroc(*_joined(some)), seed, NUM_DRAWS)),
        "average_precision": plain(bootstrap(ranked, lambda some: average_precision(*_joined(some)), seed, NUM_DRAWS)),
    }


def _joined(ranked: Sequence[_Ranked]) -> tuple[Floats, Bools]:
    return np.concatenate([one.scores for one in ranked]), np.concatenate([one.scripted for one in ranked])


def _spearman(ranked: Sequence[_Ranked]) -> float:
    return spearman(
        np.concatenate([one.scores[1:] for one in ranked]), np.concatenate([one.truth[1:] for one in ranked])
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    mine, ideals = np.sum(pairs, axis=0)
    return float(mine / ideals) if ideals else Undefined("the ideal observer hits nothing")


def _by_kind(
    truths: Sequence[Sequence[Truth]], footage: Sequence[WorldFootage], hits: Mapping[str, Floats]
) -> dict[str, Any]:
    """Kinds of the scripted segment; where no surprise was possible it is an ordinary kind."""
    kinds = np.array([known[one.scripted_index].kind for one, known in zip(footage, truths, strict=True)])
    return {
        str(kind): {
            "clips": int((kinds == kind).sum()),
            "hit_at_1": {name: float(values[kinds == kind].mean()) for name, values in hits.items()},
        }
        for kind in np.unique(kinds)
    }


def cost(scored: Sequence[ScoredClip]) -> dict[str, Any]:
    """Seconds of processor time per segment, and of the engine by stage."""
    num_segments = sum(len(clip.segments) for clip in scored) or 1
    stages = sorted({stage for clip in scored for stage in clip.stage_seconds})
    return {
        "cpu_seconds_per_segment": sum(clip.cpu_seconds for clip in scored) / num_segments,
        "seconds_per_segment_by_stage": {
            stage: sum(clip.stage_seconds.get(stage, 0.0) for clip in scored) / num_segments for stage in stages
        },
    }
