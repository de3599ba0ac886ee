"""Messages that must reach the broker at least once, kept in the database until it has acknowledged them.

A row is written in the same transaction as what it tells about, and marked when the acknowledgement came. A crash
between the two delivers it twice, never not at all; id, revision and sequence in the payload let a consumer see that.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamspike.outputs.database import Database


@dataclass(frozen=True, slots=True)
class Message:
    """One row that waits."""

    row_id: int
    """Grows; the order of publishing, hence also the order per camera."""
    topic: str
    payload: str
    qos: int
    retain: bool


class Outbox:
    """The outbox table. Blocking, same thread as the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        camera_id: str,
        sequence: int,
        topic: str,
        payload: str,
        *,
        now: float,
        qos: int = 1,
        retain: bool = False,
    ) -> None:
        """Queue a message. Call it inside the transaction that writes what the message tells about."""
        self._database.execute(
            "INSERT INTO outbox (camera_id, sequence, topic, payload, qos, retain, queued_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (camera_id, sequence, topic, payload, qos, int(retain), now),
        )

    def pending(self, limit: int = 32) -> list[Message]:
        """The oldest messages that were not acknowledged."""
        rows = self._database.query(
            "SELECT id, topic, payload, qos, retain FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT ?",
            (limit,),
        )
        return [Message(row["id"], row["topic"], row["payload"], row["qos"], bool(row["retain"])) for row in rows]

    def count_pending(self) -> int:
        """How many messages wait, for the metrics and for the words at the end."""
        return int(self._database.query_value("SELECT count(*) FROM outbox WHERE published_at IS NULL"))

    def mark_published(self, row_id: int, now: float) -> None:
        """The broker has acknowledged it."""
        self._database.execute("UPDATE outbox SET published_at = ? WHERE id = ?", (now, row_id))

    def prune(self) -> int:
        """Delete what was acknowledged (the events themselves stay in the store). Returns how many."""
        return self._database.execute("DELETE FROM outbox WHERE published_at IS NOT NULL")
