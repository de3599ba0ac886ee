"""Runs the warm-up and the hour through the pipeline of `streamspike watch`, and keeps what came out at both ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from streamspike.app import CameraReport, RunReport, run_watch
from streamspike.bench.hour.listener import Arrival, listen
from streamspike.bench.hour.plan import CameraPlan, HourSettings
from streamspike.clock import ManualClock, SystemClock
from streamspike.config import CameraConfig, Config
from streamspike.core import Assessment, CameraState, Engine, Event, Keyframe, Observation, Request
from streamspike.errors import StreamspikeError
from streamspike.outputs.store import Store
from streamspike.progress import Advance

HOUR_SECONDS = 3600.0
DAY_HOURS = 24.0
LEARNING_SHARE = 0.5
"""Of the warm-up: the budget is in force before the hour begins, and a camera that is moved is soon known again."""
TOPIC = "streamspike-hour"
SETTLE_SECONDS = 5.0
"""For the last messages, which the broker has taken already, to reach the listener."""
NUM_PICTURES = 3
ALL = 1 << 30

Show = Callable[[str, float, str], AbstractContextManager[Advance]]
"""Like `progress.show_progress`."""


class TimedEngine:
    """The engine, and when it was asked about each segment."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self.asked: dict[tuple[str, int], float] = {}
        """Monotonic seconds, by camera and index."""
        self._engine = engine

    def assess(self, request: Request) -> Assessment:
        self._note([request])
        return self._engine.assess(request)

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        self._note(requests)
        return self._engine.assess_batch(requests)

    def check_integrity(self) -> None:
        self._engine.check_integrity()

    def _note(self, requests: Sequence[Request]) -> None:
        now = time.monotonic()
        self.asked |= {(request.camera_id, request.index): now for request in requests}


class StreamTime:
    """A sink that moves a clock on with what the cameras have seen, so that all live in the time of the stream."""

    def __init__(self, num_cameras: int, clock: ManualClock | None, advance: Advance) -> None:
        """
        Args:
            clock: None: the machine's own, which needs no help.
            advance: told how many minutes the slowest camera has seen.
        """
        self._num_cameras = num_cameras
        self._clock = clock
        self._advance = advance
        self._seen: dict[str, tuple[float, float]] = {}  # UTC and stream seconds of what each camera saw last

    async def observe(self, observation: Observation) -> None:
        ended_at = observation.started_at + observation.end_seconds - observation.start_seconds
        self._seen[observation.camera_id] = ended_at, observation.end_seconds
        if len(self._seen) < self._num_cameras:
            return  # a camera that is not yet open takes its time from the clock, and all begin together
        if self._clock is not None:
            self._clock.advance(max(0.0, max(at for at, _ in self._seen.values()) - self._clock.now()))
        self._advance(min(seconds for _, seconds in self._seen.values()) / 60.0)

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None: ...

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class CameraRecording:
    """What the store has of one camera, and what the pipeline counted."""

    plan: CameraPlan
    began_at: float
    """UTC; of the hour's first segment."""
    observations: tuple[Observation, ...]
    """Of the hour."""
    events: tuple[tuple[Event, ...], ...]
    """Of warm-up and hour: all revisions of each, in order."""
    keyframes: tuple[Keyframe, ...]
    """Of the hour, under the budget."""
    pictures: dict[str, tuple[bytes, ...]]
    """JPEGs of the last keyframes of the events of the hour, oldest first."""
    report: CameraReport
    """Of the hour."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that is needed to judge the hour."""

    config: Config
    model: str
    cameras: tuple[CameraRecording, ...]
    arrivals: tuple[Arrival, ...]
    """Of warm-up and hour."""
    num_overflows: int
    asked: dict[tuple[str, int], float]
    """See `TimedEngine`; of the hour."""
    report: RunReport
    wall_seconds: dict[str, float]
    """Of the warm-up and of the hour."""


def configure_hour(config: Config, settings: HourSettings, folder: Path, url: str | None) -> Config:
    """The configuration of both runs, without cameras.

    Args:
        url: of our own broker; None: the one of the configuration.
    """
    learning_seconds = min(config.events.learning_seconds, LEARNING_SHARE * settings.warmup_minutes * 60)
    events = {"alerts_per_day": DAY_HOURS * settings.alerts_per_hour, "learning_seconds": learning_seconds}
    mqtt = {"topic": TOPIC, "discovery_topic": None, **({"url": url} if url is not None else {})}
    tree = config.model_dump()
    for section, values in {
        "events": events,
        "mqtt": mqtt,
        "store": {"path": str(folder / "hour.db")},
        "web": {"port": 0},
        "metrics": {"port": 0},
    }.items():
        tree[section] |= values
    return Config.model_validate(tree | {"cameras": ()})


async def record_hour(
    config: Config,
    settings: HourSettings,
    plans: Sequence[CameraPlan],
    make_engine: Callable[[], Engine],
    show: Show,
) -> Recording:
    """Run the warm-up, then the hour with the thresholds that were learned, and read what is left in the store.

    Args:
        config: of `configure_hour`; its store is new.
        make_engine: a fresh one for each run, as after a restart.

    Raises:
        BrokerError, ModelError, StoreError, WorldError: as `app.run_watch`.
        StreamspikeError: it was stopped before its end.
    """
    warmup_seconds = settings.warmup_minutes * 60
    # Whole clock hours, because keyframes have a budget for each; and past ones, so that nothing is from the future.
    begin_at = (time.time() // HOUR_SECONDS - math.ceil(settings.minutes / 60)) * HOUR_SECONDS
    warmup_clock = ManualClock((time.time() if settings.live else begin_at) - warmup_seconds)
    wall_seconds = {}
    async with listen(config.mqtt) as inbox:
        if warmup_seconds:
            started = time.monotonic()
            with show("warming up", settings.warmup_minutes, "minutes") as advance:
                addresses = {plan.camera_id: plan.warmup for plan in plans}
                report = await _watch(config, addresses, "fast", make_engine(), warmup_clock, advance)
                _check_whole(report, warmup_seconds, config)
            wall_seconds["warmup"] = time.monotonic() - started
        engine, started = TimedEngine(make_engine()), time.monotonic()
        with show("watching", settings.minutes, "minutes") as advance:
            addresses = {plan.camera_id: plan.address for plan in plans}
            clock = None if settings.live else ManualClock(begin_at)
            began_at = time.time() if clock is None else begin_at
            pace = "realtime" if clock is None else "fast"
            report = await _watch(config, addresses, pace, engine, clock, advance)
            _check_whole(report, settings.minutes * 60, config)
        wall_seconds["hour"] = time.monotonic() - started
        cameras = tuple(_read(Path(config.store.path), plan, began_at, report, config) for plan in plans)
        await inbox.wait_for(sum(len(revisions) for camera in cameras for revisions in camera.events), SETTLE_SECONDS)
    return Recording(
        config, engine.name, cameras, tuple(inbox.arrivals), inbox.num_overflows, engine.asked, report, wall_seconds
    )


async def _watch(
    config: Config,
    addresses: dict[str, str],
    pace: str,
    engine: Engine,
    clock: ManualClock | None,
    advance: Advance,
) -> RunReport:
    cameras = tuple(
        CameraConfig.model_validate({"id": camera_id, "source": address, "pace": pace})
        for camera_id, address in addresses.items()
    )
    return await run_watch(
        config.model_copy(update={"cameras": cameras}),
        Console(quiet=True, force_terminal=False),
        engine=engine,
        sinks=[StreamTime(len(cameras), clock, advance)],
        clock=clock if clock is not None else SystemClock(),
    )


def _check_whole(report: RunReport, seconds: float, config: Config) -> None:
    """A signal ends a run in good order, and half an hour must not be judged as a whole one."""
    seen = min(camera.num_segments for camera in report.cameras.values()) * config.segment.seconds
    if seen < seconds - config.segment.seconds:
        raise StreamspikeError(f"stopped after {seen / 60:.1f} of {seconds / 60:g} minutes; there is no report")


def _read(path: Path, plan: CameraPlan, began_at: float, report: RunReport, config: Config) -> CameraRecording:
    store = Store(path, config.mqtt.topic)
    try:
        observations = store.observations(plan.camera_id, began_at, math.inf, ALL)
        first = observations[0]
        events = store.events(plan.camera_id, limit=ALL)
        return CameraRecording(
            plan=plan,
            began_at=first.started_at - first.start_seconds,
            observations=tuple(observations),
            events=tuple(tuple(store.revisions(event.event_id)) for event in events),
            keyframes=tuple(store.keyframes.budgeted(plan.camera_id, began_at, limit=ALL)),
            pictures={
                event.event_id: tuple(frame.jpeg for frame in store.keyframes.of_event(event.event_id)[-NUM_PICTURES:])
                for event in events
                if event.onset_at >= began_at
            },
            report=report.cameras[plan.camera_id],
        )
    finally:
        store.close()
