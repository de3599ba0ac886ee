"""Which keyframes there are: those of events, and those chosen under the hourly budget, with their JPEGs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from streamspike.core import Keyframe
from streamspike.outputs.database import Database

COLUMNS = "camera_id, event_id, number, taken_at, width_px, height_px, surprise_nats, saw"
"""Of a keyframe, without its bytes."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One keyframe without its bytes; fields as of `core.Keyframe`."""

    camera_id: str
    event_id: str
    """Empty when it was chosen under the budget."""
    number: int
    """`core.Keyframe.index`."""
    taken_at: float
    """UTC."""
    width_px: int
    height_px: int
    surprise_nats: float | None
    saw: str


class KeyframeTable:
    """The table of keyframes. Blocking, same thread as its database; raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, keyframe: Keyframe) -> None:
        """Write a keyframe of a known camera, within the caller's transaction; the same number again replaces it."""
        self._database.execute(
            f"INSERT INTO keyframes ({COLUMNS}, jpeg) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET taken_at = excluded.taken_at, width_px = excluded.width_px,"
            " height_px = excluded.height_px, surprise_nats = excluded.surprise_nats, saw = excluded.saw,"
            " jpeg = excluded.jpeg",
            (
                keyframe.camera_id,
                keyframe.event_id,
                keyframe.index,
                keyframe.taken_at,
                keyframe.width_px,
                keyframe.height_px,
                keyframe.surprise_nats,
                keyframe.saw,
                keyframe.jpeg,
            ),
        )

    def of_event(self, event_id: str) -> list[Keyframe]:
        """With their pictures, in the order they were taken."""
        rows = self._database.query(
            f"SELECT {COLUMNS}, jpeg FROM keyframes WHERE event_id = ? ORDER BY taken_at, number", (event_id,)
        )
        return [_keyframe(row) for row in rows]

    def list_of_event(self, event_id: str) -> list[StoredFrame]:
        """In the order they were taken."""
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM keyframes WHERE event_id = ? ORDER BY taken_at, number", (event_id,)
        )
        return [StoredFrame(*row) for row in rows]

    def budgeted(self, camera_id: str, start_at: float = 0.0, end_at: float = 1e18, limit: int = 200) -> list[Keyframe]:
        """Of a camera, chosen under its hourly budget and taken in [start_at, end_at); the newest, oldest first."""
        rows = self._database.query(
            f"SELECT {COLUMNS}, jpeg FROM keyframes"
            " WHERE camera_id = ? AND event_id = '' AND taken_at >= ? AND taken_at < ?"
            " ORDER BY taken_at DESC LIMIT ?",
            (camera_id, start_at, end_at, limit),
        )
        return [_keyframe(row) for row in reversed(rows)]

    def list_budgeted(self, camera_id: str, before: int | None = None, limit: int = 200) -> list[StoredFrame]:
        """The same without their pictures, newest first.

        Args:
            before: a number; only those with a lower one, which were taken earlier.
        """
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM keyframes WHERE camera_id = ? AND event_id = '' AND (? IS NULL OR number < ?)"
            " ORDER BY number DESC LIMIT ?",
            (camera_id, before, before, limit),
        )
        return [StoredFrame(*row) for row in rows]

    def jpeg(self, event_id: str, number: int, camera_id: str | None = None) -> bytes | None:
        """The picture.

        Args:
            event_id: or empty, for one of the budget; then the camera must be named.
        """
        found = self._database.query_value(
            "SELECT jpeg FROM keyframes WHERE event_id = ? AND number = ? AND (? IS NULL OR camera_id = ?)",
            (event_id, number, camera_id, camera_id),
        )
        return None if found is None else bytes(found)


def _keyframe(row: sqlite3.Row) -> Keyframe:
    return Keyframe(
        row["camera_id"],
        row["event_id"],
        row["number"],
        row["taken_at"],
        row["width_px"],
        row["height_px"],
        row["jpeg"],
        row["surprise_nats"],
        row["saw"],
    )
