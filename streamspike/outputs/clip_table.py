"""Which clips there are: one row for each file, around an event or of ordinary footage."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal, cast

from streamspike.outputs.database import Database

ClipKind = Literal["event", "ordinary"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A video file around an event, or of ordinary footage."""

    event_id: str
    """Of its event; ordinary footage has an id of its own, which no event has."""
    camera_id: str
    file_name: str
    """In the folder of clips."""
    started_at: float
    """UTC of its first frame, which is at time 0 of the file."""
    seconds: float
    num_bytes: int
    codec: str
    """FFmpeg's name: h264, hevc, ..."""
    kind: ClipKind = "event"
    """ordinary: drawn at random, for the night shift."""


class ClipTable:
    """The table of clips. Blocking, same thread as the store; knows nothing of the files themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, clip: Clip) -> None:
        """Write a row, on the disk; a clip of the same event is replaced."""
        with self._database.transaction(durable=True):
            self._database.execute("INSERT OR IGNORE INTO cameras (id) VALUES (?)", (clip.camera_id,))
            self._database.execute(
                "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    clip.event_id,
                    clip.camera_id,
                    clip.file_name,
                    clip.started_at,
                    clip.seconds,
                    clip.num_bytes,
                    clip.codec,
                    clip.kind,
                ),
            )

    def find(self, event_id: str) -> Clip | None:
        """The clip of an event."""
        rows = self._database.query("SELECT * FROM clips WHERE event_id = ?", (event_id,))
        return _clip(rows[0]) if rows else None

    def list_oldest_first(self, limit: int = 100_000) -> list[Clip]:
        """All clips, by the time of their first frame."""
        rows = self._database.query("SELECT * FROM clips ORDER BY started_at, event_id LIMIT ?", (limit,))
        return [_clip(row) for row in rows]

    def forget(self, event_id: str) -> None:
        """Delete the row; the file is the caller's."""
        self._database.execute("DELETE FROM clips WHERE event_id = ?", (event_id,))


def _clip(row: sqlite3.Row) -> Clip:
    return Clip(
        row["event_id"],
        row["camera_id"],
        row["file_name"],
        row["started_at"],
        row["seconds"],
        row["bytes"],
        row["codec"],
        cast(ClipKind, row["kind"]),
    )
