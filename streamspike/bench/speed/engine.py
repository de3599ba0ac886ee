"""How much faster is the incremental engine? The same frames through four ways of scoring them, in one process.

- `published`: what the authors' code does; `naive`: what one writes who knows the library (see `procedures.py`);
- `paper`: the incremental engine with new hypotheses for every segment, as the paper asks. It takes up to three times
  as many draws as the first two, as long as they repeat each other;
- `steady`: the same with hypotheses kept as long as the rule of `belief/hypotheses.py` keeps them, and with the window
  growing by `window_growth_segments` before it is cut back.

`paper` draws; `published`, `naive` and the reference score what it drew (the first two draw all the same, in vain), so
that all surprises are about the same hypotheses. What `steady` scored is scored by the reference too. The variants take
turns segment by segment: whatever else the machine does hits all of them. Nothing counts before the window is full.

Seconds per segment and per stage are medians. Where segments are of several kinds (hypotheses new or kept, more or less
in the window), each kind has a median, and the kinds count as often as they came.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

from streamspike.belief.surprise import measure
from streamspike.belief.tracker import BeliefTracker
from streamspike.bench.machine import describe_machine, find_commit
from streamspike.bench.speed.film import shoot_film
from streamspike.bench.speed.floor import as_json, find_floor, measure_rates
from streamspike.bench.speed.procedures import NaiveEngine, PublishedEngine
from streamspike.config import Config
from streamspike.core import Assessment, Engine, Request, Segment
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from streamspike.engine.stream import NUM_CAPTIONS, drift_nats
from streamspike.progress import Advance
from streamspike.world.live import WorldSettings

WARM_UP = 2
"""Segments with a full window before the first measured one."""
CURVE_SEGMENTS = 3
"""Measured for each point of the curve."""
DIFFERENCES = ("max_abs_difference_nats", "max_abs_log_probability_difference_nats")
"""From the reference: of surprise, and of the log-probabilities it is made of. Of a random model only the second says
much: its likeliest sentence is so much likelier than the drawn ones that belief hardly moves."""
BASELINES = ("published", "naive")


@dataclass(frozen=True, slots=True)
class Turn:
    """One variant at one segment."""

    seconds: float
    stage_seconds: Mapping[str, float]
    drew: bool
    """New hypotheses."""
    num_seen: int
    """Segments in the window."""
    caption: str
    off_nats: float
    """How far its surprise is from the reference's."""
    log_probability_off_nats: float
    """How far at most a log-probability of a hypothesis is, before or after."""


class Contest:
    """All variants on one camera. Counts and times nothing by itself: `turn` is one segment."""

    def __init__(self, config: Config, loaded: LoadedModel, seed: int) -> None:
        seconds = config.segment.seconds
        self.engines: dict[str, Engine] = {
            "published": PublishedEngine(loaded, seconds),
            "naive": NaiveEngine(loaded, seconds),
            "paper": IncrementalEngine(loaded, seconds, config.engine),
            "steady": IncrementalEngine(loaded, seconds, config.engine),
        }
        self.steady: list[tuple[Request, Assessment]] = []
        """What was measured of `steady`."""
        self._reference = ReferenceEngine(loaded, seconds)
        self._belief = config.belief.model_copy(update={"sightings": 0})  # the procedures to compare with draw none
        modes = {
            "paper": self._belief.model_copy(update={"mode": "paper", "window_growth_segments": 0}),
            "steady": self._belief.model_copy(update={"mode": "steady"}),
        }
        self._trackers = {name: BeliefTracker("bench", belief, loaded.name, seed) for name, belief in modes.items()}

    def turn(self, segment: Segment, baselines: Sequence[str], check: bool) -> dict[str, Turn]:
        """All variants at one segment; those in `baselines` besides `paper` and `steady`.

        Args:
            check: ask the reference; without it nothing is off.
        """
        answers = {name: self._answer(name, segment) for name in ("paper", "steady")}
        given, kept = (_given(*answers[name][:2]) for name in ("paper", "steady"))
        answers |= {name: (given, *_timed(self.engines[name], given)) for name in baselines}
        if check:
            self.steady.append(answers["steady"][:2])
            expected = dict.fromkeys(answers, self._reference.assess(given))
            expected["steady"] = self._reference.assess(kept)
        else:
            expected = {name: assessment for name, (_, assessment, _) in answers.items()}
        return {
            name: Turn(
                seconds,
                assessment.stage_seconds,
                drew=name in baselines or assessment.sampled,
                num_seen=len(request.window),
                caption=assessment.caption,
                off_nats=abs(self._surprise(assessment) - self._surprise(expected[name])),
                log_probability_off_nats=drift_nats(assessment.scores, expected[name].scores),
            )
            for name, (request, assessment, seconds) in answers.items()
        }

    def _answer(self, name: str, segment: Segment) -> tuple[Request, Assessment, float]:
        tracker = self._trackers[name]
        request = tracker.request(segment)
        assessment, seconds = _timed(self.engines[name], request)
        tracker.observe(segment, assessment)
        return request, assessment, seconds

    def _surprise(self, assessment: Assessment) -> float:
        return measure(assessment, self._belief).surprise_nats


def _timed(engine: Engine, request: Request) -> tuple[Assessment, float]:
    started = time.perf_counter()
    assessment = engine.assess(request)
    return assessment, time.perf_counter() - started


def _given(request: Request, assessment: Assessment) -> Request:
    """The request with the hypotheses it was answered with, a completing caption included."""
    return replace(request, hypotheses=tuple(score.text for score in assessment.scores), complete=False)


def measure_engines(
    config: Config, loaded: LoadedModel, num_segments: int, num_published: int, seed: int, progress: Advance
) -> dict[str, Any]:
    """Time all variants; returns plain values for JSON.

    Args:
        num_segments: measured ones.
        num_published: the first so many of them are also scored by the published procedure.
    """
    contest = Contest(config, loaded, seed)
    turns = _compete(contest, config, num_segments, num_published, seed, progress)
    variants = {name: _describe(taken) for name, taken in turns.items()}
    for name, variant in variants.items():
        seconds = variant["seconds_per_segment"]
        variant["times_faster_than"] = {
            base: variants[base]["seconds_per_segment"] / seconds for base in BASELINES if base in variants
        }
        variant["cache_bytes"] = getattr(contest.engines[name], "cache_bytes", 0)
    belief, rates = config.belief, measure_rates(loaded)
    floor = find_floor(
        loaded, rates, contest.steady, belief.window_segments, belief.window_growth_segments, config.segment.seconds
    )
    return {
        "model": loaded.name,
        "settings": _settings(config, loaded, contest.steady[0][0], num_segments, num_published, seed),
        "machine": describe_machine(loaded.device),
        "commit": find_commit(),
        "variants": variants,
        **{key: max(variant[key] for variant in variants.values()) for key in DIFFERENCES},
        "floor": as_json(rates, floor),
        "cameras": None,
        "curve": None,
        "soak": None,
    }


def measure_curve(
    config: Config, loaded: LoadedModel, with_published: bool, seed: int, progress: Advance
) -> list[dict[str, Any]]:
    """How the times change with one setting at a time, all others as configured."""
    points: list[dict[str, Any]] = []
    for setting, value in curve_points(loaded):
        belief, frames = config.belief, loaded.frames
        if setting == "frame_width_px":
            frames = replace(frames, width_px=value, height_px=0)
        else:
            belief = belief.model_copy(update={setting: value})
        changed, model = config.model_copy(update={"belief": belief}), replace(loaded, frames=frames)
        contest = Contest(changed, model, seed)
        turns = _compete(contest, changed, CURVE_SEGMENTS, int(with_published), seed, lambda *_: None)
        points.append(
            {
                "setting": setting,
                "value": value,
                "seconds_per_segment": {name: _typical_seconds(taken) for name, taken in turns.items()},
                **_off([turn for taken in turns.values() for turn in taken]),
            }
        )
        progress(len(points), f"{setting} {value}")
    return points


def curve_points(loaded: LoadedModel) -> list[tuple[str, int]]:
    """Settings and values; frames at half, once and twice the width the model is asked at."""
    picture = WorldSettings("street")
    width = loaded.frames.frame_size(picture.height, picture.width).width_px
    return [
        *(("window_segments", value) for value in (4, 8, 16)),
        *(("num_hypotheses", value) for value in (2, 4, 8)),
        *(("frame_width_px", value) for value in (width // 2, width, width * 2)),
    ]


def _compete(
    contest: Contest, config: Config, num_segments: int, num_published: int, seed: int, progress: Advance
) -> dict[str, list[Turn]]:
    """The measured turns of each variant, in the order of `contest.engines`."""
    num_warm = config.belief.window_segments + config.belief.window_growth_segments + WARM_UP
    film = shoot_film(config.segment, num_warm + num_segments, seed)
    turns: dict[str, list[Turn]] = {name: [] for name in contest.engines}
    for segment in film:
        number = segment.index - num_warm  # of the measured ones
        baselines = [] if number < -1 else [*BASELINES] if 0 <= number < num_published else ["naive"]
        for name, turn in contest.turn(segment, baselines, check=number >= 0).items():
            if number >= 0:
                turns[name].append(turn)
        progress(max(0, number + 1), f"segment {segment.index + 1} of {len(film)}")
    return {name: taken for name, taken in turns.items() if taken}


def _typical_seconds(turns: Sequence[Turn], stage: str | None = None) -> float:
    """Of the whole segment, or of one stage of it."""
    kinds: dict[tuple[bool, int], list[float]] = defaultdict(list)
    for turn in turns:
        seconds = turn.seconds if stage is None else turn.stage_seconds.get(stage, 0.0)
        kinds[turn.drew, turn.num_seen].append(seconds)
    return sum(len(seconds) * median(seconds) for seconds in kinds.values()) / len(turns)


def _describe(turns: Sequence[Turn]) -> dict[str, Any]:
    stages = dict.fromkeys(stage for turn in turns for stage in turn.stage_seconds)
    kept = [turn for turn in turns if not turn.drew]
    drew = [turn for turn in turns if turn.drew]
    return {
        "segments": len(turns),
        "seconds_per_segment": _typical_seconds(turns),
        "mean_seconds_per_segment": fmean(turn.seconds for turn in turns),
        "stages": {stage: _typical_seconds(turns, stage) for stage in stages},
        "sampled_share": len(drew) / len(turns),
        "seconds_when_sampled": _typical_seconds(drew) if drew else None,
        "seconds_when_kept": _typical_seconds(kept) if kept else None,
        "guessed_captions_share": _guessed_share([turn.caption for turn in turns]),
        **_off(turns),
    }


def _guessed_share(captions: Sequence[str]) -> float:
    """How many of all but the first are among the last different ones, which the incremental engine computes along."""
    last: list[str] = []
    guessed = []
    for caption in captions:
        guessed.append(caption in last)
        last = [caption, *(other for other in last if other != caption)][:NUM_CAPTIONS]
    return fmean(guessed[1:] or [0.0])


def _off(turns: Sequence[Turn]) -> dict[str, float]:
    """The largest differences, by their names in `DIFFERENCES`."""
    pairs = zip(*((turn.off_nats, turn.log_probability_off_nats) for turn in turns), strict=True)
    return dict(zip(DIFFERENCES, map(max, pairs), strict=True))


def _settings(
    config: Config, loaded: LoadedModel, request: Request, num_segments: int, num_published: int, seed: int
) -> dict[str, Any]:
    size = loaded.frames.frame_size(*request.observation[0].shape[:2])
    rows, columns = loaded.frames.token_grid(size)
    return {
        "segments": num_segments,
        "published_segments": num_published,
        "seed": seed,
        "frame_width_px": size.width_px,
        "frame_height_px": size.height_px,
        "video_tokens_per_segment": rows * columns * loaded.frames.num_blocks(len(request.observation)),
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "vision_dtype": str(loaded.model.model.visual.dtype).removeprefix("torch."),
        "device": loaded.device.type,
        "parameters": loaded.num_parameters,
        "segment": config.segment.model_dump(),
        "belief": config.belief.model_dump(),
    }
