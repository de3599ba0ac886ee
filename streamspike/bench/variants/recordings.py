"""Raw log-likelihoods of simulated clips, recorded once to a file, so that every way of scoring them can be compared.

The model is asked for more than any one way needs: sixteen hypotheses, the likelihoods of the published code, sentences
drawn about what was seen, and the caption as a hypothesis of its own. What cannot be computed afterwards, because the
model must see or draw something else, is a recording of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streamspike.belief.hypotheses import sentence_key
from streamspike.belief.pixels import PIXEL_SCORES
from streamspike.belief.tracker import BeliefTracker
from streamspike.bench.datasets.world import WorldDataset
from streamspike.bench.records import Records
from streamspike.bench.variants.crop import LOOKS, Looker, zoom
from streamspike.bench.variants.places import everywhere
from streamspike.config import Config
from streamspike.core import Assessment, Engine, Request, Scores
from streamspike.ingest.motion import Rectangle

FIRST_SEED = 1_500_000_000
"""Validation: above the scenes of training (below 2**30) and below those of `bench surprise` (from 2 000 000 000)."""
SEED_STEP = 100_000
"""Between the clips of one seed and those of the next."""
MAX_SEED = 4_999

NUM_HYPOTHESES = 16
NUM_SIGHTINGS = 8
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is recorded in one pass over a clip."""

    name: str
    belief: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `belief:` that differ: what the model sees."""
    frames: int | None = None
    """Per segment, where they differ."""
    drawings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"default": {}})
    """How hypotheses are drawn, by name: fields of `core.Sampling` that differ."""
    verify: bool = False
    num_sightings: int = 0
    zoom: bool = False
    """Instead of `drawings`: those of the whole picture as "full" and those of its busiest region as "zoom", each with
    its own caption among them."""
    places: bool = False
    """Also, as "places": hypotheses and caption as they would read in each third of the picture."""


BASE = Plan("base", drawings={"default": {"num_hypotheses": NUM_HYPOTHESES}}, verify=True, num_sightings=NUM_SIGHTINGS)
PLANS = (
    BASE,
    Plan(
        "drawings",
        drawings={
            "distinct": {"diversity": "distinct"},
            "groups": {"diversity": "groups"},
            "cold": {"temperature": 0.7},
            "hot": {"temperature": 1.5},
            "whole": {"top_p": 1.0, "top_p_spread": 0.0},
        },
    ),
    Plan("window 2", {"window_segments": 2}),
    Plan("window 4", {"window_segments": 4}),
    Plan("window 4, no memory", {"window_segments": 4, "summary_words": 0}),
    Plan("1 frame", frames=1),
    Plan("4 frames", frames=4),
    Plan("zoom", frames=LOOKS, zoom=True),
    Plan("places", places=True),
)


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """What the model said about one segment that has a past."""

    drawings: Mapping[str, tuple[Scores, ...]]
    """Hypotheses in the order they were drawn, by the name of the drawing."""
    caption: Scores | None
    """The caption as a hypothesis; None: unreadable."""
    sightings: tuple[Scores, ...]


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One clip. Segments are those with a past, from the second."""

    clip: int
    """Its seed."""
    scripted: int
    """Number of the scripted segment, of which the first has 0 and no record."""
    kind: str
    truth: tuple[float, ...]
    """-log p of each segment by the simulator, in nats."""
    pixels: Mapping[str, tuple[float, ...]]
    """The pixel baselines."""
    segments: tuple[SegmentRecord, ...]


class Recorder:
    """Implements `core.Engine`: asks another engine what a plan says, for each question of a tracker."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self.name = engine.name
        self.segments: list[SegmentRecord] = []
        self.region: Rectangle | None = None
        """With `zoom`: where the coming segment is busiest."""
        self._engine = engine
        self._plan = plan

    def assess(self, request: Request) -> Assessment:
        """The answer to the first drawing; all of them are kept."""
        plan = self._plan
        request = replace(request, hypotheses=(), complete=False, verify=plan.verify, num_sightings=0)
        if not request.window:
            return self._engine.assess(request)
        if plan.zoom:
            return self._look_twice(replace(request, complete=True))
        if plan.places:
            return self._ask_everywhere(replace(request, complete=True))
        answers = {}
        num_sightings = plan.num_sightings
        for name, changes in plan.drawings.items():
            sampling = replace(request.sampling, **changes)
            answers[name] = self._engine.assess(replace(request, sampling=sampling, num_sightings=num_sightings))
            num_sightings = 0  # once is enough: they do not depend on the hypotheses
        first = next(iter(answers.values()))
        caption = self._engine.assess(replace(request, hypotheses=(first.caption,))) if first.caption else None
        drawings = {name: answer.scores for name, answer in answers.items()}
        # An unreadable caption makes the engine draw hypotheses instead.
        scored = caption.scores[0] if caption and not caption.sampled else None
        self.segments.append(SegmentRecord(drawings, scored, first.sightings))
        return first

    def _look_twice(self, request: Request) -> Assessment:
        """Where nothing moves the second look is the first."""
        full = self._engine.assess(request)
        near = self._engine.assess(zoom(request, self.region)) if self.region else full
        self.segments.append(SegmentRecord({"full": full.scores, "zoom": near.scores}, None, ()))
        return full

    def _ask_everywhere(self, request: Request) -> Assessment:
        first = self._engine.assess(request)
        texts = everywhere([score.text for score in first.scores])
        answer = self._engine.assess(replace(request, hypotheses=texts, complete=False))
        said = sentence_key(first.caption)
        caption = next((score for score in answer.scores if sentence_key(score.text) == said), None)
        self.segments.append(SegmentRecord({"default": first.scores, "places": answer.scores}, caption, ()))
        return first

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        return [self.assess(request) for request in requests]

    def check_integrity(self) -> None:
        self._engine.check_integrity()


def record_clip(config: Config, engine: Engine, plan: Plan, clip: int) -> ClipRecord:
    """Simulate a clip and ask about each of its segments."""
    # The tracker only makes the questions; what it would make of the answers is not recorded.
    belief = config.belief.model_copy(update={"posterior": "nll", "opening": 0.0, "looks": 1, **plan.belief})
    segment = config.segment.model_copy(update={"frames": plan.frames} if plan.frames else {})
    recorder = Recorder(engine, plan)
    tracker = BeliefTracker(f"clip-{clip}", belief, engine.name, config.model.seed)
    footage = WorldDataset(segment_seconds=segment.seconds).clip(clip)
    scripted, kind, truths, before = footage.scripted_index, "", [], None
    pixels: dict[str, list[float]] = {name: [] for name in PIXEL_SCORES}
    looker = Looker()
    for whole, truth in footage.play(segment.frames):
        seen = whole
        if plan.zoom:
            seen, recorder.region = looker.look(whole)
        tracker.observe(seen, recorder.assess(tracker.request(seen)))
        after = seen.frames[-1].pixels
        if truth.scripted:
            scripted, kind = truth.index, truth.kind
        if before is not None:
            truths.append(truth.surprise_nats)
            for name, score in PIXEL_SCORES.items():
                pixels[name].append(score(before, after))
        before = after
    scores = {name: tuple(values) for name, values in pixels.items()}
    return ClipRecord(clip, scripted, kind, tuple(truths), scores, tuple(recorder.segments))


def record(
    config: Config,
    engine: Engine,
    path: Path,
    num_clips: Mapping[str, int],
    seed: int,
    progress: Callable[[float, str], None],
) -> dict[str, list[ClipRecord]]:
    """Record what the file does not hold yet; an interrupted recording is continued.

    Args:
        num_clips: of each plan by name; a plan that is not named is left out.

    Returns:
        By plan, the first clips of the seed, in order.

    Raises:
        ConfigError: the file was recorded with another model or other settings, or cannot be read or written.
    """
    header = {
        "format": FORMAT,
        "model": engine.name,
        "seed": seed,
        "belief": config.belief.model_dump(mode="json"),
        "segment": config.segment.model_dump(mode="json"),
        "model_seed": config.model.seed,
    }
    records = Records(path, header)
    try:
        known = {(line["plan"], line["clip"]): decode(line) for line in records.lines}
    except (ValueError, TypeError, KeyError) as error:
        raise records.refuse() from error
    clips = {name: [FIRST_SEED + seed * SEED_STEP + k for k in range(count)] for name, count in num_clips.items()}
    plans = {plan.name: plan for plan in PLANS}
    done = 0
    for name, wanted in clips.items():
        for clip in wanted:
            if (name, clip) not in known:
                known[name, clip] = record_clip(config, engine, plans[name], clip)
                records.add({"plan": name, **encode(known[name, clip])})
            done += 1
            progress(done, name)
    return {name: [known[name, clip] for clip in wanted] for name, wanted in clips.items()}


def encode(record: ClipRecord) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "clip": record.clip,
        "scripted": record.scripted,
        "kind": record.kind,
        "truth": record.truth,
        "pixels": record.pixels,
        "segments": [
            {
                "drawings": {name: [*map(_list, scores)] for name, scores in segment.drawings.items()},
                "caption": segment.caption and _list(segment.caption),
                "sightings": [*map(_list, segment.sightings)],
            }
            for segment in record.segments
        ],
    }


def decode(line: Mapping[str, Any]) -> ClipRecord:
    """The other way round. Raises KeyError, TypeError or ValueError: not such a record."""
    segments = tuple(
        SegmentRecord(
            {name: tuple(Scores(*score) for score in scores) for name, scores in segment["drawings"].items()},
            Scores(*segment["caption"]) if segment["caption"] else None,
            tuple(Scores(*score) for score in segment["sightings"]),
        )
        for segment in line["segments"]
    )
    pixels = {name: tuple(values) for name, values in line["pixels"].items()}
    return ClipRecord(line["clip"], line["scripted"], line["kind"], tuple(line["truth"]), pixels, segments)


def _list(score: Scores) -> list[Any]:
    return [score.text, score.num_tokens, score.log_prior, score.log_posterior, score.log_likelihood]
