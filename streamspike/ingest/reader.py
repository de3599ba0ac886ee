"""The camera reader: one thread that connects, reads, cuts segments, and connects again when the camera is lost."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from random import Random

from streamspike.clock import Clock
from streamspike.config import CameraConfig, IngestConfig, SegmentConfig
from streamspike.core import CameraState, Frame, Segment
from streamspike.errors import SourceError
from streamspike.ingest.channel import Channel
from streamspike.ingest.container import SilentSource
from streamspike.ingest.frames import FrameSource, LazyFrame, render
from streamspike.ingest.ring import Ring
from streamspike.ingest.segmenter import Segmenter
from streamspike.stats import CameraStats

logger = logging.getLogger(__name__)

Report = Callable[[CameraState, str], None]

MIN_LIVE_FRACTION = 0.5
"""A connection that broke earlier than this in a segment leaves nothing worth scoring."""

CLIP_FPS = 8.0
"""Of a source without packets so many frames a second are kept for clips, besides those of its segments."""


class CameraReader:
    """Runs one camera from `run()` to its end; segments come out of `channel`, which it closes.

    Args:
        opener: connects, blocking, and raises SourceError when it cannot. Called in the reading thread, once per epoch.
        is_live: whether a source that cannot be opened is tried again; once it is open, its own word counts.
        channel: live sources drop the oldest segment of a full one and count it; all others wait.
        looks: at each segment; see `Segmenter`.
        ring: is told of epochs and sampled frames here; the source fills in the packets.
        report: called on the loop with connecting, watching, offline or finished, and the reason.
        random: spreads the reconnects of many cameras.
    """

    def __init__(
        self,
        camera: CameraConfig,
        opener: Callable[[], FrameSource],
        *,
        is_live: bool,
        ingest: IngestConfig,
        segment: SegmentConfig,
        looks: int,
        channel: Channel[Segment],
        ring: Ring,
        stats: CameraStats,
        clock: Clock,
        random: Random,
        report: Report,
    ) -> None:
        self._camera = camera
        self._opener = opener
        self._is_live = is_live
        self._ingest = ingest
        self._channel = channel
        self._ring = ring
        self._stats = stats
        self._clock = clock
        self._random = random
        self._report = report
        self._segmenter = Segmenter(camera.id, segment, stats, looks)
        self._between: list[Frame] = []  # of the segment that is open, for clips
        self._stop = threading.Event()
        self._state = CameraState.CONNECTING
        self._num_failures = 0  # in a row, without a whole segment between
        self._heard_seconds = 0.0  # monotonic; written by the thread, read by the watchdog
        self._hang_reported = False
        self.failure: SourceError | None = None
        """Why a file could not be played; set before `run` returns. Live sources are tried for ever."""

    def stop(self) -> None:
        """Ask the thread to emit the segment it is in and end. Any thread; returns at once; `run` returns then."""
        self._stop.set()

    async def run(self) -> None:
        """Read until the file ends or `stop`. A cancelled run stops the thread and waits for it first.

        Errors that are no SourceError come out of here: a bug must not look like a flaky camera.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        thread = threading.Thread(
            target=self._run_thread, args=(loop, ended), name=f"camera[{self._camera.id}].ingest", daemon=True
        )
        self._heard_seconds = self._clock.monotonic()
        thread.start()
        try:
            while not ended.done() and not self._stop.is_set():
                await asyncio.wait([ended], timeout=min(0.1, self._ingest.silence_timeout_seconds / 4))
                self._watch()
        finally:
            self._stop.set()
            await self._join(ended)
            self._channel.close()
        if ended.done():
            ended.result()

    async def _join(self, ended: asyncio.Future[None]) -> None:
        """Wait for the thread, but no longer than FFmpeg may hang; a thread that does holds nothing we need."""
        patience_seconds = max(self._ingest.open_timeout_seconds, self._ingest.silence_timeout_seconds) + 1.0
        await asyncio.wait([ended], timeout=patience_seconds)
        if not ended.done():
            logger.error("camera %s: its thread hangs in FFmpeg and was left behind", self._camera.id)

    def _watch(self) -> None:
        """Show that the camera is silent even while the thread hangs in a read that no timeout ends (a webcam's)."""
        silent_seconds = self._clock.monotonic() - self._heard_seconds
        hangs = self._state is CameraState.WATCHING and silent_seconds > 1.5 * self._ingest.silence_timeout_seconds
        if hangs and self._is_live and not self._hang_reported:
            self._hang_reported = True
            self._set_state(CameraState.OFFLINE, f"no frame for {silent_seconds:.0f} s")

    def _set_state(self, state: CameraState, reason: str) -> None:
        self._state = state
        self._stats.state = state.value
        self._report(state, reason)

    # Everything below runs in the reading thread.

    def _run_thread(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        self._loop = loop
        failure: BaseException | None = None
        try:
            self._read_epochs()
        except BaseException as error:  # noqa: BLE001  not handled, but carried to `run`, which raises it on the loop
            failure = error
        self._call_loop(_settle, ended, failure)

    def _read_epochs(self) -> None:
        epoch = 0
        while not self._stop.is_set():
            self._announce(CameraState.CONNECTING, f"attempt {self._num_failures + 1}")
            failure = self._read_epoch(epoch)
            if self._stop.is_set():
                return
            if failure is None and not self._is_live:
                if not self._camera.loop:
                    self._announce(CameraState.FINISHED, "played to the end")
                    return
            elif not self._is_live:
                self.failure = failure
                self._announce(CameraState.OFFLINE, str(failure))
                return
            else:
                self._back_off(failure or SourceError("the stream ended"))
            epoch = self._stats.epochs

    def _read_epoch(self, epoch: int) -> SourceError | None:
        """One connection from open to close. Returns what broke it; None when it just ended."""
        try:
            source = self._opener()
        except SourceError as error:
            self._stats.connection_failures["open"] += 1
            return error
        failure: SourceError | None = None
        try:
            self._is_live = source.is_live
            self._stats.epochs += 1
            self._segmenter.start_epoch(epoch)
            self._between = []
            self._ring.start_epoch(epoch)
            try:
                self._read_frames(source)
            except SourceError as error:
                failure = error
            for segment in self._segmenter.flush(MIN_LIVE_FRACTION if self._is_live else 0.0):
                self._deliver(segment)
        finally:
            source.close()
        if not self._stop.is_set() and (failure is not None or self._is_live):
            self._stats.connection_failures["silence" if isinstance(failure, SilentSource) else "read"] += 1
        return failure

    def _read_frames(self, source: FrameSource) -> None:
        began_seconds: float | None = None
        paced = not self._is_live and self._camera.pace == "realtime"
        for frame in source:
            if began_seconds is None:
                began_seconds = self._clock.monotonic()
                self._announce(CameraState.WATCHING, "")
            self._heard_seconds = self._clock.monotonic()
            if paced:
                self._stop.wait(max(0.0, frame.stream_seconds - (self._heard_seconds - began_seconds)))
            self._take(frame)
            if self._stop.is_set():
                return

    def _take(self, frame: Frame | LazyFrame) -> None:
        if self._hang_reported:
            self._hang_reported = False
            self._announce(CameraState.WATCHING, "")
        for segment in self._segmenter.push(frame):
            self._num_failures = 0
            self._deliver(segment)
        self._keep_between(frame)

    def _keep_between(self, frame: Frame | LazyFrame) -> None:
        """Of a source without packets, clips are made of frames: more of them than are scored, as far as they fit."""
        if self._ring.has_packets:
            self._between = []
            return
        last = self._between[-1] if self._between else None
        apart_seconds = 0.0 if last is None else max(1 / CLIP_FPS - 1e-3, self._ring.seconds_between(last))
        if last is None or frame.stream_seconds - last.stream_seconds >= apart_seconds:
            self._between.append(render(frame))

    def _deliver(self, segment: Segment) -> None:
        # Frames before the segment repeat what the ring has already seen.
        held = {frame.stream_seconds: frame for frame in (*self._between, *segment.frames)}
        for at in sorted(held):
            if segment.start_seconds <= at < segment.end_seconds:
                self._ring.add_frame(held[at])
        self._between = [frame for frame in self._between if frame.stream_seconds >= segment.end_seconds]
        if self._is_live or self._stop.is_set():
            if self._channel.offer(segment) is not None:
                self._stats.dropped_segments["stopped" if self._stop.is_set() else "queue_full"] += 1
        elif not self._channel.put(segment, self._stop) and self._channel.offer(segment) is not None:
            self._stats.dropped_segments["stopped"] += 1
        self._stats.queued_segments = len(self._channel)

    def _back_off(self, failure: SourceError) -> None:
        """Say that the camera is offline, and wait: twice as long each time, give or take, so that cameras spread."""
        ceiling = self._ingest.backoff_max_seconds
        seconds = min(ceiling, self._ingest.backoff_min_seconds * 2.0 ** min(self._num_failures, 30))
        seconds *= self._random.uniform(0.5, 1.0)
        self._num_failures += 1
        self._stats.reconnects += 1
        self._announce(CameraState.OFFLINE, f"{failure}; next attempt in {seconds:.1f} s")
        self._stop.wait(seconds)

    def _announce(self, state: CameraState, reason: str) -> None:
        logger.info("camera %s: %s %s", self._camera.id, state.value, reason)
        self._call_loop(self._set_state, state, reason)

    def _call_loop(self, function: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():  # closed under a thread that was left behind: nobody listens any more
            self._loop.call_soon_threadsafe(function, *arguments)


def _settle(ended: asyncio.Future[None], failure: BaseException | None) -> None:
    if ended.done():
        return
    if failure is None:
        ended.set_result(None)
    else:
        ended.set_exception(failure)
