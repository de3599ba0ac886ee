"""How many cameras does one engine keep up with? Segments fall due in real time, and wait while the engine is busy.

Every camera delivers one segment per `segment.seconds`, the cameras evenly staggered. Pictures are painted beforehand
and shared: a few scenes, each camera at its own place in one of them, over and over. So neither painting nor decoding
counts, and to the engine all are different cameras. Whoever was served longest ago goes first, at most
`engine.max_batch` in one step; a camera whose queue is full loses its oldest segment. Latency is the time from the end
of a segment to its score.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from streamspike.belief.tracker import BeliefTracker
from streamspike.config import Config
from streamspike.core import Assessment, Engine, Segment
from streamspike.errors import StreamspikeError

MAX_P95_SECONDS = 1.0
"""A number of cameras holds when 95 of 100 segments are scored within this, and none is dropped."""


class Ticker(Protocol):
    """The module `time`, or a test's own."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Due:
    """A segment that waits to be scored."""

    segment: Segment
    ended_at: float
    """Of the ticker."""


class PlayedCamera:
    """One camera: its place in the film, its belief, its queue."""

    def __init__(self, name: str, config: Config, model_name: str, film: Sequence[Segment], place: int) -> None:
        self.tracker = BeliefTracker(name, config.belief, model_name, config.model.seed)
        self.queue: deque[Due] = deque()
        self.num_dropped = 0
        self.served_at = 0.0
        """Of the ticker; 0: never."""
        self._name = name
        self._config = config.segment
        self._film = film
        self._place = place
        self._index = 0

    def next_segment(self) -> Segment:
        """The next one of the film, which has no end."""
        seconds, index = self._config.seconds, self._index
        self._index += 1
        shown = self._film[(self._place + index) % len(self._film)]
        start = index * seconds
        return replace(
            shown, camera_id=self._name, index=index, start_seconds=start, end_seconds=start + seconds, started_at=start
        )

    def begin(self, began_at: float) -> None:
        """The camera's next segment starts at this moment."""
        self._next_end_at = began_at + self._config.seconds

    def deliver(self, now: float) -> None:
        """Queue what has ended by now; a full queue loses its oldest."""
        while self._next_end_at <= now:
            self.queue.append(Due(self.next_segment(), self._next_end_at))
            self._next_end_at += self._config.seconds
            if len(self.queue) > self._config.max_queued:
                self.tracker.skip(self.queue.popleft().segment)
                self.num_dropped += 1

    @property
    def next_end_at(self) -> float:
        return self._next_end_at


class Fleet:
    """Cameras that share an engine."""

    def __init__(
        self, config: Config, engine: Engine, films: Sequence[Sequence[Segment]], num_cameras: int, clock: Ticker
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._seconds = config.segment.seconds
        self._max_batch = config.engine.max_batch
        self._window_segments = config.belief.window_segments
        self._cameras = [
            PlayedCamera(f"camera-{number}", config, engine.name, films[number % len(films)], number)
            for number in range(num_cameras)
        ]
        self._counts: Counter[str] = Counter()
        self._latencies: list[float] = []

    def warm_up(self) -> None:
        """Fill all windows and answer every camera twice: new hypotheses, and what the engine prepares by itself."""
        for camera in self._cameras:
            for _ in range(self._window_segments):
                camera.tracker.skip(camera.next_segment())
        for _ in range(2):
            for start in range(0, len(self._cameras), self._max_batch):
                batch = self._cameras[start : start + self._max_batch]
                self._answer([(camera, camera.next_segment()) for camera in batch])

    def run(self, seconds: float) -> dict[str, Any]:
        """Deliver segments for so long, and score what was queued by then; plain values for JSON."""
        began_at = self._clock.monotonic()
        end_at = began_at + seconds
        self._counts.clear()
        for number, camera in enumerate(self._cameras):
            # The first segments end within the first period, evenly spread.
            camera.begin(began_at + self._seconds * (number / len(self._cameras) - 1))
        while self._step(end_at):
            pass
        return self._report(self._clock.monotonic() - began_at)

    def _step(self, end_at: float) -> bool:
        """Answer whoever waits, or sleep until somebody does; False when all is done."""
        now = self._clock.monotonic()
        for camera in self._cameras:
            camera.deliver(min(now, end_at))
        waiting = sorted(
            (camera for camera in self._cameras if camera.queue),
            key=lambda camera: (camera.served_at, camera.queue[0].ended_at),
        )
        if waiting:
            taken = [(camera, camera.queue.popleft()) for camera in waiting[: self._max_batch]]
            scored = self._answer([(camera, due.segment) for camera, due in taken])
            done_at = self._clock.monotonic()
            for (camera, due), is_scored in zip(taken, scored, strict=True):
                camera.served_at = now
                if is_scored:
                    self._latencies.append(done_at - due.ended_at)
            return True
        if now < end_at:
            self._clock.sleep(max(0.0, min(end_at, *(camera.next_end_at for camera in self._cameras)) - now))
        return now < end_at

    def _answer(self, asked: Sequence[tuple[PlayedCamera, Segment]]) -> list[bool]:
        """Which of them were scored."""
        answers = self._engine.assess_batch([camera.tracker.request(segment) for camera, segment in asked])
        self._counts["steps"] += 1
        for (camera, segment), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Assessment):
                camera.tracker.observe(segment, answer)
                self._counts["scored"] += 1
                self._counts["sampled"] += answer.sampled
            elif isinstance(answer, StreamspikeError):
                camera.tracker.skip(segment)
                self._counts["failed"] += 1
            else:
                raise answer
        return [isinstance(answer, Assessment) for answer in answers]

    def _report(self, seconds: float) -> dict[str, Any]:
        scored, dropped = self._counts["scored"], sum(camera.num_dropped for camera in self._cameras)
        p50, p95, p99 = np.quantile(self._latencies, [0.5, 0.95, 0.99]).tolist() if scored else (None, None, None)
        return {
            "cameras": len(self._cameras),
            "scored": scored,
            "dropped": dropped,
            "failed": self._counts["failed"],
            "late": sum(latency > MAX_P95_SECONDS for latency in self._latencies),
            "segments_per_second": scored / seconds,
            "latency_seconds": {"p50": p50, "p95": p95, "p99": p99},
            "mean_batch": scored / max(1, self._counts["steps"]),
            "sampled_share": self._counts["sampled"] / max(1, scored),
            "cache_bytes": getattr(self._engine, "cache_bytes", 0),
            "held": p95 is not None and p95 <= MAX_P95_SECONDS and not dropped and not self._counts["failed"],
        }


def measure_cameras(
    config: Config,
    make_engine: Callable[[int], Engine],
    films: Sequence[Sequence[Segment]],
    counts: Sequence[int],
    seconds: float,
    clock: Ticker,
) -> Iterator[dict[str, Any]]:
    """Each number of cameras in turn, until one does not hold.

    Args:
        make_engine: for a number of cameras.
        films: each longer than the window at its longest, so that no picture stands in it twice.
        counts: ascending.
    """
    for count in counts:
        fleet = Fleet(config, make_engine(count), films, count, clock)
        fleet.warm_up()
        report = fleet.run(seconds)
        yield report
        if not report["held"]:
            return
