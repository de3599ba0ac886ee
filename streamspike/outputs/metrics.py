"""Everything Prometheus reads of one run: counters as they stand at the scrape, and histograms filled as a sink.

Counts are read from the dataclasses that the hot paths fill, by whichever thread serves the scrape. Labels are camera
and what can be listed beforehand, as reason, stage and state; never a caption, the id of an event, or anything else
without an end.
"""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from streamspike import __version__
from streamspike.belief.events import EventTracker
from streamspike.core import CameraState, Engine, Event, EventPhase, Keyframe, Observation
from streamspike.outputs import metric_families as names
from streamspike.outputs.clips import ClipCounts
from streamspike.outputs.mqtt import MqttCounts
from streamspike.outputs.night_watch import look_at_night
from streamspike.outputs.outbox_watch import OutboxWatch
from streamspike.outputs.recorder import RecorderCounts
from streamspike.outputs.thread_times import read_thread_times
from streamspike.outputs.web.hub import HubCounts
from streamspike.stats import CameraStats, EngineStats

COUNTED: dict[type, Sequence[names.Family]] = {
    EngineStats: names.ENGINE,
    RecorderCounts: names.STORE,
    MqttCounts: names.MQTT,
    ClipCounts: names.CLIPS,
    HubCounts: names.WEB,
}
"""What is counted once per run, and its metrics."""
LATENCY_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
INFERENCE_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
PUBLISH_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0, 300.0, 3600.0)
SURPRISE_BUCKETS = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0)


class MeasuredCamera(Protocol):
    """What is read of a camera; `pipeline.camera.CameraPipeline` is one."""

    camera_id: str
    stats: CameraStats
    num_scored: int
    events: EventTracker

    @property
    def keyframes(self) -> object:
        """Its `counts` say what became of the candidates for a keyframe."""
        ...


@runtime_checkable
class EngineMemory(Protocol):
    """An engine that remembers streams; `engine.engine.IncrementalEngine` is one."""

    @property
    def num_streams(self) -> int: ...

    @property
    def cache_bytes(self) -> int: ...

    @property
    def feature_bytes(self) -> int: ...

    @property
    def evicted(self) -> Mapping[str, int]: ...


class Metrics(Collector):
    """A sink, and the collector of its own registry. The process and the build are known before `watch` is called.

    `watch` and the methods of a sink belong to the loop; `collect` is for any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            clock: UTC.
        """
        self.registry = CollectorRegistry(auto_describe=False)
        self._clock = clock
        self._lock = threading.Lock()  # two scrapes at a time would count what was published twice
        self._cameras: Sequence[MeasuredCamera] = ()
        self._rows: list[tuple[Sequence[names.Family], object]] = []
        self._memory: EngineMemory | None = None
        self._memory_metrics: list[Metric] = []
        self._outbox: OutboxWatch | None = None
        self._store_path: Path | None = None
        self._engine: Engine | None = None
        self._ended_at: dict[str, float] = {}  # by camera: UTC of the end of the segment scored last
        self._make_histograms()
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def _make_histograms(self) -> None:
        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(names.PREFIX + name, text, labels, buckets=buckets, registry=self.registry)

        after = "not for files that play faster than life."
        text = f"From the end of a segment to its score; {after}"
        self._score_latency = histogram("score_latency_seconds", text, LATENCY_BUCKETS, "camera")
        text = f"From the end of a segment to its alert in the store; {after}"
        self._event_latency = histogram("event_latency_seconds", text, LATENCY_BUCKETS, "camera")
        text = "From a message in the outbox to its acknowledgement by the broker."
        self._publish_latency = histogram("publish_latency_seconds", text, PUBLISH_BUCKETS)
        text = "Wall time of the model per segment."
        self._inference = histogram("inference_seconds", text, INFERENCE_BUCKETS, "camera")
        self._surprise = histogram("surprise_nats", "Surprise of segments.", SURPRISE_BUCKETS, "camera")
        text = "Surprise of the newest segment, what lasts of earlier ones, and how much moves."
        self._unrest = Gauge(names.PREFIX + "unrest_nats", text, ["camera"], registry=self.registry)
        text = "What surprise is compared with."
        self._threshold = Gauge(names.PREFIX + "threshold_nats", text, ["camera"], registry=self.registry)
        text = "Segments scored with the hypotheses of an earlier one."
        self._cache_hits = Counter(
            names.PREFIX + "hypothesis_cache_hits_total", text, ["camera"], registry=self.registry
        )
        latencies = (self._score_latency, self._event_latency)
        self._by_camera = (*latencies, self._inference, self._surprise, self._unrest, self._threshold, self._cache_hits)

    def watch(
        self,
        cameras: Sequence[MeasuredCamera],
        counted: Iterable[object],
        *,
        store_path: Path,
        engine: Engine | None,
    ) -> None:
        """Read these from now on. Call it once, on the loop, before the cameras run.

        Args:
            cameras: those that run; the list may change while they do.
            counted: what other parts of the run count, each of a class in COUNTED.
            engine: read for its name, and for its memory if it has any; None when no model is asked.
        """
        self._rows = [(COUNTED[type(each)], each) for each in counted]
        self._memory = engine if isinstance(engine, EngineMemory) else None
        self._outbox = OutboxWatch(store_path)
        self._store_path = store_path
        self._engine = engine
        for camera in cameras:
            for metric in self._by_camera:
                metric.labels(camera.camera_id)  # there from the start, so that the first one is an increase
            self._threshold.labels(camera.camera_id).set(camera.events.calibrator.level)
        self._cameras = cameras

    async def observe(self, observation: Observation) -> None:
        camera_id = observation.camera_id
        self._surprise.labels(camera_id).observe(observation.surprise_nats)
        self._unrest.labels(camera_id).set(observation.unrest_nats)
        self._threshold.labels(camera_id).set(observation.threshold_nats)
        if observation.stage_seconds:
            self._inference.labels(camera_id).observe(sum(observation.stage_seconds.values()))
            if observation.hypotheses and "sample" not in observation.stage_seconds:
                self._cache_hits.labels(camera_id).inc()
        ended_at = observation.started_at + observation.end_seconds - observation.start_seconds
        self._ended_at[camera_id] = ended_at
        self._note_latency(self._score_latency, camera_id)

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        if event.phase is not EventPhase.END:  # an end may come long after the last segment
            self._note_latency(self._event_latency, event.camera_id)

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        """The state itself is read from the camera's stats; one that was taken out is told once, and forgotten."""
        if all(camera.camera_id != camera_id for camera in self._cameras):
            self._ended_at.pop(camera_id, None)
            for metric in self._by_camera:
                metric.remove(camera_id)

    def _note_latency(self, histogram: Histogram, camera_id: str) -> None:
        seconds = self._clock() - self._ended_at[camera_id]
        if seconds >= 0:  # a file that plays faster than life is scored before its time
            histogram.labels(camera_id).observe(seconds)

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            return list(self._collect())

    def _collect(self) -> Iterator[Metric]:
        name = self._engine.name if self._engine is not None else ""  # it may wear another adapter than before
        yield InfoMetricFamily(
            "streamspike_build",
            "What runs.",
            {"version": __version__, "python": platform.python_version(), "model": name},
        )
        base, _, adapter = name.partition("+")
        yield InfoMetricFamily("streamspike_model", "Which model is in service.", {"model": base, "adapter": adapter})
        cameras = list(self._cameras)  # the loop may add or remove one meanwhile
        labelled = [({"camera": camera.camera_id}, camera) for camera in cameras]
        yield from names.collect(names.CAMERA, [(labels, camera.stats) for labels, camera in labelled])
        yield from names.collect(names.SCORED, labelled)
        yield from names.collect(names.EVENTS, [(labels, camera.events.counts) for labels, camera in labelled])
        yield from names.collect(names.BUDGET, [(labels, camera.events.calibrator) for labels, camera in labelled])
        for families, source in self._rows:
            yield from names.collect(families, [({}, source)])
        yield from names.collect(names.THREADS, [({}, read_thread_times())])
        yield from self._collect_memory()
        if self._outbox is not None:
            view = self._outbox.look(self._clock())
            for seconds in view.published_seconds:
                self._publish_latency.observe(seconds)
            yield from names.collect(names.OUTBOX, [({}, view)])
        if self._store_path is not None:
            yield from names.collect(names.NIGHT, [({}, look_at_night(self._store_path))])

    def _collect_memory(self) -> list[Metric]:
        """What the engine holds; as it was at the last scrape when a step changes it at this very moment."""
        if self._memory is not None:
            with contextlib.suppress(RuntimeError):  # a dictionary that changed while it was summed
                self._memory_metrics = list(names.collect(names.MEMORY, [({}, self._memory)]))
        return self._memory_metrics
