"""Scores one video by several scorers at once: its pictures are made once, and each scorer sees every segment."""

from __future__ import annotations

import contextlib
import re
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from streamspike.belief.baselines import make_baseline
from streamspike.belief.hypotheses import believed
from streamspike.belief.scorers import NOTHING_ASKED, make_scorer, score_of
from streamspike.bench.datasets.reading import read_frames
from streamspike.bench.footage import Footage
from streamspike.bench.surprise.contestants import Contestant
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.config import CameraConfig, Config, IngestConfig, ScorerName
from streamspike.core import Assessment, Engine, Frame, Observation, Request, Segment
from streamspike.ingest.frames import LazyFrame
from streamspike.ingest.segmenter import Segmenter
from streamspike.stats import CameraStats
from streamspike.world.simulation import Truth

Engines = Mapping[ScorerName, Engine]
"""Who answers what a scorer asks; scorers without a model are absent."""

PROGRESS_SECONDS = 5.0
"""Of stream time between two words about how far a long video is."""
_NOTHING = Frame(np.zeros((1, 1, 3), np.uint8), 0.0, 0.0)


@runtime_checkable
class Painted(Protocol):
    """Footage of a simulated camera, whose frames no encoder has touched."""

    def play(self, num_frames: int, looks: int = 1) -> Iterator[tuple[Segment, Truth]]:
        """Each segment with so many frames for each look, and what is true of it."""
        ...


@runtime_checkable
class Composed(Protocol):
    """Footage that is put together from several videos while it is read."""

    def frames(self, config: IngestConfig) -> Generator[Frame | LazyFrame]:
        """All frames in order of time. Raises SourceError: one of the videos cannot be read."""
        ...


def score_footage(
    footage: Footage,
    contestants: Sequence[Contestant],
    config: Config,
    engines: Engines,
    progress: Callable[[float], None],
) -> tuple[ScoredClip, ...]:
    """One clip per contestant, in their order.

    Args:
        engines: of all scorers that ask a model.
        progress: called now and then with the seconds of the video that are done.

    Raises:
        SourceError: the video cannot be read.
        EngineError: the model failed.
    """
    players = [_Player(contestant, footage, config, engines.get(contestant.scorer)) for contestant in contestants]
    shown = 0.0
    for segment in play(footage, config):
        for player in players:
            player.see(segment)
        if segment.end_seconds - shown >= PROGRESS_SECONDS:
            shown = segment.end_seconds
            progress(shown)
    source = fingerprint(footage)
    return tuple(player.clip(footage.name, source) for player in players)


def play(footage: Footage, config: Config) -> Iterator[Segment]:
    """The segments of a video, as fast as they can be made: painted, or decoded as `streamspike score` does.

    Raises:
        SourceError: the video cannot be read.
    """
    if isinstance(footage, Painted):
        yield from (segment for segment, _ in footage.play(config.segment.frames, config.belief.looks))
        return
    name = camera_id(footage)
    segmenter = Segmenter(name, config.segment, CameraStats(), config.belief.looks)
    if isinstance(footage, Composed):
        frames = footage.frames(config.ingest)
    else:
        frames = read_frames(footage.address, config.ingest, name)
    with contextlib.closing(frames):
        for frame in frames:
            yield from segmenter.push(frame)
    yield from segmenter.flush()


def camera_id(footage: Footage) -> str:
    """An id that a camera may have. It seeds what is drawn, so it depends on the name of the video alone."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", footage.name):
        return footage.name
    plain = re.sub(r"[^A-Za-z0-9]+", "-", footage.name).strip("-")[-24:].strip("-")
    return f"{plain or 'video'}-{zlib.crc32(footage.name.encode()):08x}"


def fingerprint(footage: Footage) -> str:
    """Changes when the video does: seeds of a simulated one, size and time of change of a file."""
    if isinstance(footage, Painted):
        return footage.address
    path = Path(footage.address)
    if not path.is_file():
        return footage.address  # a pattern of pictures
    status = path.stat()
    return f"{status.st_size} bytes of {status.st_mtime_ns}"


def timeless(contestant: Contestant, clip: ScoredClip) -> ScoredClip:
    """What a scorer that looks at nothing says of a clip that another one has seen."""
    if not clip.segments:
        return ScoredClip(clip.footage, clip.source, (), 0.0, {})
    baseline = make_baseline(contestant.scorer, clip.segments[-1].end_seconds)
    segments = []
    for index, seen in enumerate(clip.segments):
        start, end = seen.start_seconds, seen.end_seconds
        segment = Segment("none", 0, index, start, end, start, (_NOTHING,))
        segments.append(ScoredSegment(start, end, baseline.score(segment)))
    return ScoredClip(clip.footage, clip.source, tuple(segments), 0.0, {})


class _Player:
    """One contestant on its way through one video."""

    def __init__(self, contestant: Contestant, footage: Footage, config: Config, engine: Engine | None) -> None:
        # The engine remembers by camera. The default keeps the plain name, and with it the draws of its own clips.
        name = camera_id(footage)
        name = name if contestant.name == "surprise" else f"{name}-{contestant.name}"
        camera = CameraConfig.model_validate({"id": name, "source": footage.address})
        settings = config.model_copy(update={"belief": contestant.belief, "scorer": contestant.scorer})
        self._contestant = contestant
        self._engine = engine
        self._scorer = make_scorer(camera, settings, engine.name if engine is not None else "", in_event=lambda: False)
        self._segments: list[ScoredSegment] = []
        self._cpu_seconds = 0.0
        self._stage_seconds: dict[str, float] = {}

    def see(self, segment: Segment) -> None:
        began = time.process_time()
        request, assessment = self._scorer.request(segment), NOTHING_ASKED
        if request is not None:
            assert self._engine is not None, "whoever asks a model is given one"
            assessment = self._engine.assess(request)
        observation = self._scorer.observe(segment, assessment)
        self._cpu_seconds += time.process_time() - began
        for stage, seconds in assessment.stage_seconds.items():
            self._stage_seconds[stage] = self._stage_seconds.get(stage, 0.0) + seconds
        self._segments.append(self._describe(observation, request, assessment))

    def _describe(self, observation: Observation, request: Request | None, assessment: Assessment) -> ScoredSegment:
        start, end = observation.start_seconds, observation.end_seconds
        score = score_of(self._scorer, observation)
        if request is None or not self._contestant.has_beliefs:
            return ScoredSegment(start, end, score)
        return ScoredSegment(
            start,
            end,
            score,
            observation.caption,
            observation.hypotheses,
            observation.prior,
            observation.posterior,
            tuple(one.log_prior for one in believed(assessment)),
            len(assessment.scores) - assessment.joined,
            observation.unrest_nats,
        )

    def clip(self, name: str, source: str) -> ScoredClip:
        """What has been seen so far."""
        return ScoredClip(name, source, tuple(self._segments), self._cpu_seconds, self._stage_seconds)
