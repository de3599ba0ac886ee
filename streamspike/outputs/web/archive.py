"""What the page reads of the past: events by words, their pictures, a camera's surprise; on a connection of its own.

Readers do not wait for the writer, nor the writer for them, so nobody's search holds up an alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from streamspike.core import Event, Observation
from streamspike.outputs.database import Database, Value
from streamspike.outputs.keyframe_table import StoredFrame
from streamspike.outputs.store import Store

P = ParamSpec("P")
T = TypeVar("T")


TEXTS = "saw || " + " || ".join(
    f"coalesce((SELECT char(10) || group_concat(value ->> 0, char(10)) FROM json_each({column})), '')"
    for column in ("expected", "believed")
)
"""Of an event: what was seen, and every hypothesis without its probability."""


@dataclass(frozen=True, slots=True)
class Found:
    """An event as it stands, and its newest picture."""

    event: Event
    frame: StoredFrame | None


class Archive:
    """Reads the store of a run. Methods block and belong to the thread of `run`; all raise StoreError."""

    def __init__(self, path: Path) -> None:
        """Open a store that exists."""
        self.store = Store(path)
        self._database = Database(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web-store")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of this archive or its store on its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def close(self) -> None:
        """Finish what was begun."""
        await self.run(self.store.close)
        await self.run(self._database.close)
        self._thread.shutdown(wait=False)

    def search(self, words: str, camera_id: str | None, before_id: str | None, limit: int) -> list[Found]:
        """Events as they stand, newest first.

        A camera has a handful of events a day, so looking at all of them is fast: 2 ms for a thousand.

        Args:
            words: each must stand in what was seen, expected or believed; upper and lower case are the same in ASCII.
            before_id: an event; only those that began before it.
        """
        conditions, values = ["TRUE"], list[Value]()
        if camera_id is not None:
            conditions.append("camera_id = ?")
            values.append(camera_id)
        if before_id is not None:
            conditions.append("(onset_at, id) < (SELECT onset_at, id FROM events WHERE id = ? LIMIT 1)")
            values.append(before_id)
        for word in words.split():
            conditions.append(f"({TEXTS}) LIKE ? ESCAPE '!'")
            values.append("%" + "".join(f"!{letter}" if letter in "!%_" else letter for letter in word) + "%")
        rows = self._database.query(
            "SELECT id FROM (SELECT *, max(revision) FROM events GROUP BY id)"
            f" WHERE {' AND '.join(conditions)} ORDER BY onset_at DESC, id DESC LIMIT ?",
            (*values, limit),
        )
        return [self._found(row["id"]) for row in rows]

    def find(self, event_id: str) -> tuple[list[Event], list[StoredFrame]]:
        """All revisions of an event and all its pictures, in order; nothing when there is no such event."""
        return self.store.revisions(event_id), self.store.keyframes.list_of_event(event_id)

    def observations(self, camera_id: str, start_at: float, end_at: float, limit: int) -> list[Observation]:
        """As `Store.observations`."""
        return self.store.observations(camera_id, start_at, end_at, limit)

    def _found(self, event_id: str) -> Found:
        frames = self.store.keyframes.list_of_event(event_id)
        return Found(self.store.revisions(event_id)[-1], frames[-1] if frames else None)
