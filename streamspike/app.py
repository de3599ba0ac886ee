"""Wires everything: from a configuration to a run. The command line above it only reads words and prints sentences."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamspike.clock import Clock, SystemClock
from streamspike.config import CameraConfig, Config
from streamspike.core import Engine, Event, Keyframe, Observation, Sink
from streamspike.errors import SourceError
from streamspike.stats import EngineStats

if TYPE_CHECKING:
    from rich.console import Console

    from streamspike.outputs.metrics import Metrics
    from streamspike.pipeline.scoring import Scored
    from streamspike.pipeline.supervisor import Supervisor


Reload = tuple[Path, Callable[[], Config]]
"""The file of a configuration, and how to read it again with what the command line said."""


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What became of one camera's segments."""

    num_segments: int
    """Cut from its stream."""
    num_scored: int
    num_dropped: dict[str, int]
    """By reason."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run came to."""

    num_segments: int
    num_dropped: dict[str, int]
    """By reason, over all cameras."""
    num_reused: int
    """Segments scored with the last hypotheses, because there was no time to sample new ones."""
    num_events: int
    unsent_events: int
    """In the outbox; the next start delivers them."""
    stage_seconds: dict[str, float]
    """Mean wall time of the engine per segment, by stage."""
    cameras: dict[str, CameraReport]
    """Of those that were watched to the end."""
    unpublished: dict[str, int]
    """Messages that the broker did not get and will not, by kind: all but events, clips and states."""


def load_engine(config: Config) -> Engine:
    """The Video-LLM of the config, on its device, behind what its scorer asks. Takes seconds. Raises ModelError."""
    from streamspike.pipeline.adapters import dress_engine

    engine = _load_bare(config)
    dress_engine(engine, config)
    return engine


def _load_bare(config: Config) -> Engine:
    """Without its adapter."""
    from streamspike.engine.engine import IncrementalEngine
    from streamspike.engine.model import load_model
    from streamspike.engine.rater import RatingEngine

    model = config.model.model_copy(update={"adapter": None})
    if "zero-shot" in config.model_scorers:
        return RatingEngine(load_model(model), config.segment.seconds)
    return IncrementalEngine(load_model(model), config.segment.seconds, config.engine)


def name_camera(source: str, taken: Sequence[str]) -> tuple[str, str]:
    """A camera id for a source on the command line, and the source: `door=rtsp://...` names it, else it is derived."""
    named = re.match(r"^([A-Za-z0-9][A-Za-z0-9_-]{0,63})=(?=.)", source)
    if named:
        return named[1], source[named.end() :]
    scheme, colon, rest = source.partition(":")
    if colon and not rest.startswith("//") and scheme.isalpha() and len(scheme) > 1:
        stem = re.split(r"[?=/]", rest)[0] or scheme
        stem = f"{scheme}{stem}" if stem.isdigit() else stem
    elif "://" in source:
        stem = re.sub(r"^[a-z]+://(?:[^@/]*@)?", "", source, flags=re.IGNORECASE).split("?")[0].strip("/")
    else:
        stem = Path(source).stem
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:48] or "camera"
    camera_id, number = base, 2
    while camera_id in taken:
        camera_id, number = f"{base}-{number}", number + 1
    return camera_id, source


async def run_watch(
    config: Config,
    console: Console,
    events_path: Path | None = None,
    for_seconds: float | None = None,
    engine: Engine | None = None,
    reload: Reload | None = None,
    sinks: Sequence[Sink] = (),
    clock: Clock = SystemClock(),  # noqa: B008  # has no state
) -> RunReport:
    """Watch the cameras of the config until they end, a signal comes, or `for_seconds` have passed.

    Args:
        engine: asked instead of the model of the config.
        reload: the file of the config and how to read it again, when it changes and on SIGHUP; None: never.
        sinks: told of everything too.
        clock: what time it is for everything that is watched, written and told; another one than the machine's makes
            simulated cameras live at another time, or faster.

    Raises:
        BrokerError: the broker cannot be reached or refuses the login, at the start. Later losses are waited out.
        SourceError, ModelError, StoreError, SinkError: nothing can be watched, or nothing can be kept.
    """
    from streamspike.outputs.metrics_server import serve

    with serve(config.metrics) as metrics:  # first: a port that is taken is told before the model is loaded
        return await _watch(config, console, events_path, for_seconds, engine, metrics, reload, sinks, clock)


async def _watch(
    config: Config,
    console: Console,
    events_path: Path | None,
    for_seconds: float | None,
    engine: Engine | None,
    metrics: Metrics | None,
    reload: Reload | None,
    more_sinks: Sequence[Sink],
    clock: Clock,
) -> RunReport:
    from streamspike.outputs.broker import probe
    from streamspike.outputs.clips import clips_folder, open_archive
    from streamspike.outputs.console import ConsoleSink
    from streamspike.outputs.jsonl import JsonlSink
    from streamspike.outputs.mqtt import MqttSink
    from streamspike.outputs.recorder import Recorder
    from streamspike.outputs.store import Store
    from streamspike.outputs.web.server import WebServer
    from streamspike.pipeline.inference import InferenceService
    from streamspike.pipeline.opener import check_address
    from streamspike.pipeline.supervisor import Supervisor

    if not config.cameras:
        raise SourceError("there is no camera: name a source, or list cameras in the config file")
    for camera in config.cameras:
        check_address(camera)  # before the model is loaded, which may take minutes
    topic = config.mqtt.topic if config.mqtt.url is not None else None
    if topic is not None:
        await probe(config.mqtt)
    if engine is None and config.model_scorers:
        with console.status(f"loading the model {config.model.name}"):
            engine = await asyncio.to_thread(_load_bare, config)  # the supervisor puts on its adapter, and swaps it
    stats = EngineStats()
    store = Store(Path(config.store.path), topic)
    service = InferenceService(engine, stats, config.engine, clock) if engine is not None else contextlib.nullcontext()
    async with (
        Recorder(store, clock.now) as recorder,
        service as inference,
        open_archive(config.clips, config.store, recorder, clock) as archive,
    ):
        mqtt = MqttSink(config.mqtt, recorder, clock.now) if topic is not None else None
        async with contextlib.AsyncExitStack() as stack:
            jsonl = [stack.enter_context(JsonlSink(events_path))] if events_path is not None else []
            supervisor: Supervisor  # the panel asks it for thresholds, and it tells the panel what happens
            panel = ConsoleSink(lambda camera: supervisor.threshold_of(camera), lambda: _footer(supervisor), console)
            measured = [metrics] if metrics is not None else []
            pages = []
            if config.web.port:
                paths = Path(config.store.path), clips_folder(config.clips, config.store)
                name_of = functools.partial(getattr, engine, "name", None)  # asked each time: it may be another one
                pages.append(WebServer(config.web, recorder, *paths, lambda: supervisor.cameras, clock.now, name_of))
            sinks: list[Sink] = [*jsonl, panel, *measured, *pages, *more_sinks]
            supervisor = Supervisor(config, inference, recorder, sinks, mqtt, clock, archive)
            await supervisor.prepare()
            for page in pages:
                await stack.enter_async_context(page.serve())
                if page.url is not None:
                    console.print(f"page: {page.url}", soft_wrap=True)
            if metrics is not None:
                counted = [stats, recorder.counts, *(page.hub.counts for page in pages)]
                counted += [part.counts for part in (mqtt, archive) if part is not None]
                metrics.watch(supervisor.cameras, counted, store_path=Path(config.store.path), engine=engine)
            stack.enter_context(panel)
            stack.enter_context(_stop_on_signals(supervisor.stop))
            if reload is not None:
                supervisor.watch_config(*reload)
            if reload is not None or config.model.adapter is not None:
                stack.enter_context(_on_hangup(supervisor.look_again))
            if for_seconds is not None:
                asyncio.get_running_loop().call_later(for_seconds, supervisor.stop)
            await supervisor.run()
        return _report(supervisor, recorder.counts.num_events, stats, dict(mqtt.counts.num_dropped) if mqtt else {})


def _footer(supervisor: Supervisor) -> str:
    queued = sum(camera.stats.queued_segments for camera in supervisor.cameras)
    dropped = sum(camera.stats.dropped_segments.total() for camera in supervisor.cameras)
    return f"{queued} segments waiting, {dropped} dropped"


def _report(supervisor: Supervisor, num_events: int, stats: EngineStats, unpublished: dict[str, int]) -> RunReport:
    dropped: dict[str, int] = {}
    counted = [*supervisor.departed, *((camera.num_scored, camera.stats) for camera in supervisor.cameras)]
    for _, camera_stats in counted:
        for reason, count in camera_stats.dropped_segments.items():
            dropped[reason] = dropped.get(reason, 0) + count
    scored = max(1, stats.segments)
    return RunReport(
        num_segments=sum(num_scored for num_scored, _ in counted),
        num_dropped=dropped,
        num_reused=stats.shed_requests["reuse"],
        num_events=num_events,
        unsent_events=supervisor.unsent_events,
        stage_seconds={stage: seconds / scored for stage, seconds in stats.stage_seconds.items()},
        cameras={
            camera.camera_id: CameraReport(
                camera.stats.segments, camera.num_scored, dict(camera.stats.dropped_segments)
            )
            for camera in supervisor.cameras
        },
        unpublished=unpublished,
    )


@contextlib.contextmanager
def _on_hangup(request: Callable[[], None]) -> Iterator[None]:
    """SIGHUP has the configuration read and the adapter looked for again."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, request)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@contextlib.contextmanager
def _stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and Ctrl-C finish what was begun: the segment, the events, the outbox. A second one ends the process."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def first() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
        stop()

    for number in signals:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def plot_run(config: Config, camera_id: str, picture_path: Path, title: str) -> bool:
    """Draw what the store of a config knows of a camera since it was made; False when it knows nothing.

    Raises:
        StoreError, SinkError: the store cannot be read, the picture not written.
    """
    from streamspike.outputs.store import Store
    from streamspike.outputs.timeline import plot_timeline

    store = Store(Path(config.store.path))
    try:
        observations = store.observations(camera_id, 0.0, 1e18)
        if not observations:
            return False
        events = store.events(camera_id)
        keyframes = [keyframe for event in events for keyframe in store.keyframes.of_event(event.event_id)]
    finally:
        store.close()
    levels = [observation.threshold_nats for observation in observations]
    plot_timeline(observations, events, keyframes, picture_path, threshold_nats=levels, title=title)
    return True


@dataclass(slots=True)
class ScoreResult:
    """Everything that came out of a video."""

    observations: list[Observation]
    events: list[Event]
    keyframes: list[Keyframe]
    counts: Any
    scores: list[float]
    """In the scorer's own unit, one per observation."""


def run_score(config: Config, camera: CameraConfig, on_segment: Callable[[Scored], None]) -> ScoreResult:
    """Score one finished video. Raises SourceError, ModelError, EngineError."""
    from streamspike.pipeline.scoring import VideoScorer

    scorer = VideoScorer(camera, config, load_engine(config) if config.model_scorers else None)
    result = ScoreResult([], [], [], scorer.stats, [])
    for scored in scorer.run():
        result.observations.append(scored.observation)
        result.scores.append(scored.score)
        if scored.event is not None:
            result.events.append(scored.event)
        if scored.keyframe is not None:
            result.keyframes.append(scored.keyframe)
        on_segment(scored)
    return result
