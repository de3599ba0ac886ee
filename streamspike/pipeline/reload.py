"""A configuration that changes while cameras run: what of it is taken over, and what only a restart can do.

The file is read again when it changed and stood still for a moment, and at `request`, which SIGHUP calls. A file with a
mistake changes nothing, and the mistake is logged. What is taken over touches no camera it does not name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from streamspike.clock import Clock
from streamspike.config import MODEL_SCORERS, CameraConfig, Config, ScorerName
from streamspike.errors import StreamspikeError

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
IN_PLACE = ("events", "belief")
"""Sections that running cameras take over."""
CAMERAS = ("cameras", "scorer")
"""What is looked at camera by camera."""

Stamp = tuple[int, int, int] | None  # modified, size, inode; None: there is no such file


@dataclass(frozen=True, slots=True)
class Plan:
    """From one configuration to the next."""

    config: Config
    """What holds afterwards: the new one, except for what only a restart can change."""
    added: tuple[CameraConfig, ...]
    removed: tuple[str, ...]
    """Ids."""
    replaced: tuple[CameraConfig, ...]
    """Read anew: another source, or another way to read or score it."""
    retuned: tuple[CameraConfig, ...]
    """Go on as they are, with other thresholds or beliefs."""
    refused: tuple[str, ...]
    """One sentence each on what needs a restart."""
    swapped: tuple[str, ...] = ()
    """What the model is to wear from now on, if that changes: the new `model.adapter`."""

    @property
    def sentence(self) -> str:
        """What it does, in words."""
        parts = [
            f"{verb} {', '.join(names)}"
            for verb, names in (
                ("added", [camera.id for camera in self.added]),
                ("removed", self.removed),
                ("restarted", [camera.id for camera in self.replaced]),
                ("changed settings of", [camera.id for camera in self.retuned]),
                ("looks for the adapter", self.swapped),
            )
            if names
        ]
        return "; ".join(parts) or "nothing to change"


def plan_reload(before: Config, after: Config, model_scorers: Collection[ScorerName]) -> Plan:
    """What a running process does about a changed configuration. Nothing is opened.

    Args:
        model_scorers: what the model that runs can be asked; empty when none does.
    """
    worn = {"adapter": after.model.adapter}  # all else of the model needs a restart
    kept = {name: getattr(before, name) for name in Config.model_fields if name not in IN_PLACE + CAMERAS}
    kept["model"] = before.model.model_copy(update=worn)
    refused = [
        f"{name}: changes when streamspike is started again" for name in kept if getattr(after, name) != kept[name]
    ]
    known = {camera.id: camera for camera in before.cameras}
    cameras, added, replaced, retuned = [], [], [], []
    sections_changed = any(getattr(after, name) != getattr(before, name) for name in IN_PLACE)
    for camera in after.cameras:
        scorer, was = after.scorer_of(camera), known.get(camera.id)
        if scorer in MODEL_SCORERS and scorer not in model_scorers:
            refused.append(
                f"camera {camera.id}: scorer {scorer!r} needs another model than runs; start streamspike again"
            )
            cameras += [was.model_copy(update={"scorer": before.scorer_of(was)})] if was is not None else []
            continue
        cameras.append(camera)
        if was is None:
            added.append(camera)
        elif _reads(camera, after) != _reads(was, before):
            replaced.append(camera)
        elif sections_changed or camera.alerts_per_day != was.alerts_per_day:
            retuned.append(camera)
    staying = {camera.id for camera in cameras}
    return Plan(
        config=after.model_copy(update={**kept, "cameras": tuple(cameras)}),
        added=tuple(added),
        removed=tuple(camera_id for camera_id in known if camera_id not in staying),
        replaced=tuple(replaced),
        retuned=tuple(retuned),
        refused=tuple(refused),
        swapped=(str(after.model.adapter or "none"),) if after.model.adapter != before.model.adapter else (),
    )


def _reads(camera: CameraConfig, config: Config) -> tuple[CameraConfig, int]:
    """All of a camera that cannot change while it is read, and how often its segments are looked at."""
    read = camera.model_copy(update={"alerts_per_day": None, "scorer": config.scorer_of(camera)})
    return read, config.looks_of(camera)


@dataclass(frozen=True, slots=True)
class ReloadStatus:
    """How the last attempt went; for the log, and for whoever publishes the state of the process."""

    at: float
    """UTC."""
    accepted: bool
    """False: the old configuration holds."""
    sentence: str
    """What was done, or what is wrong with the file. Without passwords."""
    refused: tuple[str, ...] = ()
    """What needs a restart."""


class Reloader:
    """Looks after one configuration file. Runs on the loop until cancelled."""

    def __init__(
        self,
        path: Path,
        load: Callable[[], Config],
        apply: Callable[[Config], Awaitable[Plan]],
        clock: Clock,
        on_status: Callable[[ReloadStatus], None] = lambda _: None,
    ) -> None:
        """
        Args:
            load: the configuration as it stands, with what the command line says on top. Blocking; raises ConfigError.
            apply: makes it hold, or raises StreamspikeError and changes nothing.
            on_status: told of every attempt, on the loop.
        """
        self.status: ReloadStatus | None = None
        """Of the last attempt; None before the first."""
        self._path = path
        self._load = load
        self._apply = apply
        self._clock = clock
        self._on_status = on_status
        self._requested = asyncio.Event()
        self._loaded = self._seen = _stamp(path)

    def request(self) -> None:
        """Read the file again, changed or not; on the loop. A signal handler may call it."""
        self._requested.set()

    async def run(self) -> None:
        """Until cancelled. Errors of the file are logged; any other error is a bug and comes out of here."""
        while True:
            await self._wait()
            self._requested.clear()
            self._loaded = self._seen = await asyncio.to_thread(_stamp, self._path)
            await self.reload()

    async def reload(self) -> ReloadStatus:
        """Read the file and make it hold, or say why not."""
        try:
            plan = await self._apply(await asyncio.to_thread(self._load))
        except StreamspikeError as error:
            self.status = ReloadStatus(self._clock.now(), False, f"the old configuration stays: {error}")
            logger.error("%s was not taken over; %s", self._path, self.status.sentence)
        else:
            self.status = ReloadStatus(self._clock.now(), True, plan.sentence, plan.refused)
            logger.warning("%s was read again: %s", self._path, plan.sentence)
            for sentence in plan.refused:
                logger.warning("%s: %s", self._path, sentence)
        self._on_status(self.status)
        return self.status

    async def _wait(self) -> None:
        """Until somebody asks, or the file changed and stood still since the last look: editors write in steps."""
        while not self._requested.is_set():
            asked = asyncio.ensure_future(self._requested.wait())
            slept = asyncio.ensure_future(self._clock.sleep(POLL_SECONDS))
            try:
                await asyncio.wait((asked, slept), return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
                slept.cancel()
            now = await asyncio.to_thread(_stamp, self._path)
            if now is not None and now == self._seen != self._loaded:
                return
            self._seen = now


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
