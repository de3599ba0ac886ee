"""Does surprise track the truth? Fresh simulated clips, one scripted surprise in ten segments, against pixel baselines.

A hit is a clip whose highest-scoring segment, of the nine that have a past, is the scripted one (chance 1 in 9). The
ideal observer scores with the simulator's own -log p. Clips have seeds no training run uses.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.belief.pixels import PIXEL_SCORES
from streamspike.belief.tracker import BeliefTracker
from streamspike.config import Config
from streamspike.core import Engine, Frame, Observation, Pixels, Segment
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import Simulation, Truth

NUM_SEGMENTS = 10
FIRST_SEED = 2_000_000_000
"""Training draws scenes below 2**30, so no camera here was ever seen."""
PICTURES = ((320, 240), (384, 216))
BOOTSTRAPS = 2000


@dataclass(slots=True)
class ClipScores:
    """One clip: by segment 1..9 every score; the scripted segment; and what was said."""

    scripted: int
    kind: str
    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    captions_right: list[bool] = field(default_factory=list)
    first_guess_right: list[bool] = field(default_factory=list)
    stage_seconds: list[dict[str, float]] = field(default_factory=list)


def measure_surprise(
    config: Config, engine: Engine, num_clips: int, seed: int, progress: Callable[[float, str], None]
) -> dict[str, Any]:
    """Score `num_clips` clips; returns plain values for JSON."""
    clips: list[ClipScores] = []
    for number in range(num_clips):
        clips.append(score_clip(config, engine, FIRST_SEED + seed * 100_000 + number))
        progress(number + 1, f"hits {np.mean([_hit(clip.scripted, clip.scores['surprise']) for clip in clips]):.2f}")
    names = list(clips[0].scores)
    rng = np.random.default_rng(seed)
    hits = {name: np.array([_hit(clip.scripted, clip.scores[name]) for clip in clips]) for name in names}
    kinds = sorted({clip.kind for clip in clips})
    stages = [stage for clip in clips for stage in clip.stage_seconds]
    return {
        "clips": num_clips,
        "seed": seed,
        "model": engine.name,
        "chance": 1 / (NUM_SEGMENTS - 1),
        "hit_at_1": {name: _interval(values, rng) for name, values in hits.items()},
        "hit_at_1_by_kind": {
            kind: {
                "clips": sum(clip.kind == kind for clip in clips),
                **{name: float(hits[name][[clip.kind == kind for clip in clips]].mean()) for name in names},
            }
            for kind in kinds
        },
        "caption_exact": _interval(np.array([np.mean(clip.captions_right) for clip in clips]), rng),
        "first_guess_exact": _interval(np.array([np.mean(clip.first_guess_right) for clip in clips]), rng),
        "spearman_with_truth": _spearman(
            [score for clip in clips for score in clip.scores["surprise"]],
            [score for clip in clips for score in clip.scores["ideal observer"]],
        ),
        "seconds_per_segment_by_stage": {
            name: float(np.mean([stage.get(name, 0.0) for stage in stages]))
            for name in sorted({name for stage in stages for name in stage})
        },
    }  # fmt: skip


def score_clip(config: Config, engine: Engine, seed: int) -> ClipScores:
    """Simulate one clip and run it through tracker and engine, as a camera would."""
    rng = np.random.default_rng(seed)
    width, height = PICTURES[int(rng.integers(len(PICTURES)))]
    scene = build_scene(SCENES[int(rng.integers(len(SCENES)))], seed, width / height)
    scripted = int(rng.integers(1, NUM_SEGMENTS))
    simulation = Simulation(scene, seed, config.segment.seconds, script={scripted: None})
    painter = Painter(scene, seed, width, height)
    tracker = BeliefTracker(f"clip-{seed}", config.belief, engine.name, config.model.seed)
    clip = ClipScores(scripted, "")
    before: Pixels | None = None
    for index in range(NUM_SEGMENTS):
        truth = simulation.step()
        segment = _segment(simulation, painter, truth, config.segment.frames)
        assessment = engine.assess(tracker.request(segment))
        observation = tracker.observe(segment, assessment)
        clip.captions_right.append(sentence_key(observation.caption) == sentence_key(truth.sentence))
        if truth.scripted:
            clip.scripted, clip.kind = index, truth.kind
        if before is not None:
            _score(clip, observation, truth, before, segment.frames[-1].pixels)
            clip.stage_seconds.append(dict(assessment.stage_seconds))
        before = segment.frames[-1].pixels
    return clip


def _score(clip: ClipScores, observation: Observation, truth: Truth, before: Pixels, after: Pixels) -> None:
    clip.scores["surprise"].append(observation.surprise_nats)
    clip.scores["ideal observer"].append(truth.surprise_nats)
    for name, score in PIXEL_SCORES.items():
        clip.scores[name].append(score(before, after))
    likeliest = observation.hypotheses[int(np.argmax(observation.prior))]
    clip.first_guess_right.append(sentence_key(likeliest) == sentence_key(truth.sentence))


def _segment(simulation: Simulation, painter: Painter, truth: Truth, num_frames: int) -> Segment:
    span = truth.end_seconds - truth.start_seconds
    frames = []
    for k in range(num_frames):
        seconds = truth.start_seconds + span * (k + 0.5) / num_frames
        frames.append(Frame(painter.paint(simulation.snapshot(seconds)), seconds, seconds))
    return Segment("clip", 0, truth.index, truth.start_seconds, truth.end_seconds, truth.start_seconds, tuple(frames))


def _hit(scripted: int, scores: Sequence[float]) -> float:
    """1 when the scripted segment is on top, its share when several are; scores start at segment 1."""
    top = max(scores)
    tied = [index for index, score in enumerate(scores, start=1) if score == top]
    return 1 / len(tied) if scripted in tied else 0.0


def _interval(values: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Mean with a 95 % bootstrap interval over clips."""
    means = rng.choice(values, size=(BOOTSTRAPS, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def _spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation, ties sharing their mean rank."""
    x, y = _ranks(np.asarray(a)), _ranks(np.asarray(b))
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum() + 1e-12))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + ends - 1) / 2)[inverse]


def render_table(result: dict[str, Any]) -> str:
    """The result as text a person reads."""
    lines = [
        f"{result['clips']} clips of {NUM_SEGMENTS} segments, one scripted surprise each; model {result['model']}",
        "",
    ]
    lines.append(f"{'top segment is the scripted one':34s} chance {result['chance']:.2f}")
    for name, value in result["hit_at_1"].items():
        lines.append(f"  {name:32s} {value['mean']:.3f}  [{value['low']:.3f}, {value['high']:.3f}]")
    for key, words in (
        ("caption_exact", "captions right word for word"),
        ("first_guess_exact", "likeliest hypothesis came true"),
    ):
        value = result[key]
        lines.append(f"{words:34s} {value['mean']:.3f}  [{value['low']:.3f}, {value['high']:.3f}]")
    lines.append(f"{'Spearman with the true -log p':34s} {result['spearman_with_truth']:.3f}")
    lines += ["", "by kind of surprise: clips, hits by surprise, by frame difference"]
    for kind, row in result["hit_at_1_by_kind"].items():
        lines.append(f"  {kind:16s} {row['clips']:4d}  {row['surprise']:.2f}  {row['frame difference']:.2f}")
    stages = result["seconds_per_segment_by_stage"]
    lines += ["", "milliseconds per segment: " + ", ".join(f"{k} {1000 * v:.0f}" for k, v in stages.items())]
    return "\n".join(lines)
