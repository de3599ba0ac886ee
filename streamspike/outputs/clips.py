"""The folder of clips: each file under another name until it is whole, and room made by the oldest.

    door-20260727T101500Z-123.mp4.4711.part    being written by process 4711
    door-20260727T101500Z-123.mp4              whole, with a row in the store

The row is written first and the file renamed then, so that every whole file has a row and is found by retention; a
crash in between leaves a row without a file, which the next start forgets. Files that have no row are never touched.

Clips give way to everything else: `min_free_bytes` of the disk are left to the store. Below that the oldest clips are
deleted, and when none is left no clip is begun until there is room again. Events are not concerned. Ordinary footage,
which is logged for the night shift, gives way to the clips of events: it goes first, and never makes one of them go.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from streamspike.clock import Clock
from streamspike.config import ClipConfig, StoreConfig
from streamspike.errors import SinkError, StoreError
from streamspike.outputs.clip_table import Clip, ClipKind
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.retention import choose_expired

P = ParamSpec("P")
T = TypeVar("T")

PART = re.compile(r"^.+\.mp4\.(\d+)\.part$")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
MAX_STEM = 120
"""Letters of a file name that come from the event's id."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ClipCounts:
    """For the metrics. All cameras together; written on the loop."""

    num_written: int = 0
    """Of both kinds."""
    num_bytes_written: int = 0
    num_shortened: Counter[str] = field(default_factory=Counter)
    """Clips that are whole files but end before their time, by reason: bound (max_clip_seconds), connection (lost),
    paused (by command), gap (the ring had dropped what came next), picture (size or codec changed), crowded (too many
    at once), disk_full, end (of the file or the run)."""
    num_lost: Counter[str] = field(default_factory=Counter)
    """Events without a clip, by reason: disk_full, failed (cannot be written), nothing (the ring held no picture)."""
    num_ordinary_dropped: Counter[str] = field(default_factory=Counter)
    """Stretches of ordinary footage that were drawn and not kept, by reason: event (one came too near), or one of those
    for which a clip is shortened or lost."""
    num_deleted: Counter[str] = field(default_factory=Counter)
    """By reason: age, bytes, disk_full."""
    held_bytes: int = 0
    """Gauge: of all clips."""
    paused: bool = False
    """Gauge: the disk is full, no clip is begun."""


def clips_folder(clips: ClipConfig, store: StoreConfig) -> Path:
    """Where the clips of a configuration lie."""
    return Path(clips.folder) if clips.folder is not None else Path(store.path).parent / "clips"


def name_clip(event_id: str) -> str:
    """A file name without anything that a path could mean; different events have different names."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", event_id)[:MAX_STEM] or "_"
    if stem != event_id:
        stem += "-" + hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{stem}.mp4"


def measure_free_bytes(folder: Path) -> int:
    """Free bytes of the disk under a folder."""
    return shutil.disk_usage(folder).free


@contextlib.asynccontextmanager
async def open_archive(
    clips: ClipConfig, store: StoreConfig, recorder: Recorder, clock: Clock
) -> AsyncIterator[ClipArchive | None]:
    """The archive of a configuration; None when it wants no clips. Raises SinkError: its folder cannot be used."""
    if not clips.enabled:
        yield None
        return
    async with ClipArchive(clips, clips_folder(clips, store), recorder, clock) as archive:
        yield archive


class ClipArchive:
    """The clips of all cameras. What blocks runs on one thread of its own, so that neither loop nor camera waits.

    Used as `async with`: it begins by cleaning up what an earlier run left.
    """

    def __init__(
        self,
        config: ClipConfig,
        folder: Path,
        recorder: Recorder,
        clock: Clock,
        measure_free: Callable[[Path], int] = measure_free_bytes,
    ) -> None:
        self.counts = ClipCounts()
        self.folder = folder
        self._config = config
        self._recorder = recorder
        self._clock = clock
        self._measure_free = measure_free
        self._making_room = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clips")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks on the thread of the clips."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def reserve(self, clip_id: str, kind: ClipKind = "event") -> Path | None:
        """Where to write a clip until it is whole; None, and counted, while there is no room."""
        if not await self.has_room(kind):
            self._lost(kind)["disk_full"] += 1
            return None
        return self.folder / f"{name_clip(clip_id)}.{os.getpid()}.part"

    async def keep(self, part: Path, clip: Clip) -> None:
        """Give a whole file its name and its row, then delete what is too much now."""
        try:
            await self._recorder.run(self._recorder.store.clips.record, clip)
            await self.run(os.replace, part, self._path_of(clip))
        except (OSError, StoreError) as error:
            await self.discard(part, error, clip.kind)
            await self._forget(clip)
            return
        self.counts.num_written += 1
        self.counts.num_bytes_written += clip.num_bytes
        if clip.kind == "event":
            try:
                await self._recorder.run(self._recorder.store.announce_clip, clip, self._clock.now())
            except StoreError as error:  # the clip is there and the page finds it
                log.error("the clip of %s is not announced: %s", clip.event_id, error)
        await self.make_room()

    async def discard(
        self, part: Path, error: Exception | None, kind: ClipKind = "event", reason: str = "nothing"
    ) -> None:
        """Delete a file that did not become a clip, and count why.

        Args:
            error: what went wrong; None when nothing did, and `reason` says why there is no clip.
        """
        if error is None:
            pass
        elif isinstance(error, OSError) and error.errno in DISK_FULL:
            reason = "disk_full"
        else:
            reason = "failed"
        if error is not None:
            log.error("no clip %s: %s", part.name.partition(".mp4")[0], error)
        self._lost(kind)[reason] += 1
        num_bytes = await self.run(_delete, part)
        if reason == "disk_full" and kind == "event":  # a quota, or others who write: the next clip needs as much
            await self.make_room(num_bytes)

    async def has_room(self, kind: ClipKind = "event") -> bool:
        """Whether clips may grow; makes room for those of events. Cheap, for everybody who writes."""
        if kind == "ordinary":
            return not self.counts.paused and await self._measure_missing() <= 0
        if self.counts.paused or await self._measure_missing() > 0:
            await self.make_room()
        return not self.counts.paused

    async def make_room(self, extra_bytes: int = 0) -> None:
        """Delete the clips that must go; pause when the disk is too full all the same, go on when it no longer is.

        Args:
            extra_bytes: to be freed besides.
        """
        async with self._making_room:
            missing = await self._measure_missing()
            clips = await self._list()
            bounds = self._config.keep_days, self._config.max_bytes, max(0, missing) + extra_bytes
            expired = choose_expired(clips, self._clock.now(), *bounds)
            self.counts.held_bytes = sum(clip.num_bytes for clip in clips)
            for clip, reason in expired:
                try:
                    await self.run(self._path_of(clip).unlink, missing_ok=True)
                except OSError as error:  # it keeps its row, and is tried again
                    log.error("cannot delete the clip %s: %s", clip.file_name, error.strerror)
                    continue
                await self._forget(clip)
                self.counts.num_deleted[reason] += 1
                self.counts.held_bytes -= clip.num_bytes
            self._pause(missing > 0 and await self._measure_missing() > 0)

    async def __aenter__(self) -> ClipArchive:
        """Make the folder and clean up. Raises SinkError when the folder cannot be used."""
        try:
            await self.run(self._clean)
        except OSError as error:
            self._thread.shutdown(wait=False)
            raise SinkError(
                f"the folder of clips {self.folder} cannot be used: {error.strerror}; choose another clips.folder"
            ) from error
        for clip in await self._list():
            if not await self.run(self._path_of(clip).is_file):
                await self._forget(clip)
        await self.make_room()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=False)

    async def _measure_missing(self) -> int:
        return self._config.min_free_bytes - await self.run(self._measure_free, self.folder)

    async def _list(self) -> list[Clip]:
        return await self._recorder.run(self._recorder.store.clips.list_oldest_first)

    async def _forget(self, clip: Clip) -> None:
        try:
            await self._recorder.run(self._recorder.store.clips.forget, clip.event_id)
        except StoreError as error:  # its file is gone, and the next start will see that
            log.error("the row of a deleted clip stays: %s", error)

    def _lost(self, kind: ClipKind) -> Counter[str]:
        return self.counts.num_lost if kind == "event" else self.counts.num_ordinary_dropped

    def _pause(self, paused: bool) -> None:
        if paused and not self.counts.paused:
            log.error(
                "the disk under %s has less than %d bytes left and no clip to delete: no clips until there is room",
                self.folder,
                self._config.min_free_bytes,
            )
        elif self.counts.paused and not paused:
            log.info("there is room under %s again: clips go on", self.folder)
        self.counts.paused = paused

    def _path_of(self, clip: Clip) -> Path:
        return self.folder / Path(clip.file_name).name  # the name alone, whatever the row says

    def _clean(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            part = PART.match(path.name)
            if part and not is_other_process(int(part[1])):
                path.unlink(missing_ok=True)


def is_other_process(process_id: int) -> bool:
    """Whether such a process runs and is not this one, which has not begun to write yet (in a container all are 1)."""
    if process_id == os.getpid():
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _delete(part: Path) -> int:
    """Delete a file if it is there; returns the bytes it had. What cannot be deleted is left to the next start."""
    try:
        num_bytes = part.stat().st_size
        part.unlink()
    except OSError:
        return 0
    return num_bytes
