"""Looks into the outbox from outside: how much waits, for how long, and how long delivery took.

It has a read-only connection of its own, so that a scrape neither waits for the store's thread nor holds it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamspike.outputs.database import look_up


@dataclass(frozen=True, slots=True)
class OutboxView:
    """The outbox at one moment."""

    num_waiting: int
    oldest_seconds: float
    """Age of the oldest message that waits; 0.0 when none does."""
    published_seconds: tuple[float, ...]
    """For each message acknowledged since the last look: from being written to being acknowledged."""


class OutboxWatch:
    """One look after the other. Blocking; any thread, one at a time.

    What is acknowledged between the last look and the hourly pruning of the outbox is not seen: under one scrape of it
    an hour. Messages are counted exactly in `MqttCounts`; only their times are taken from here.
    """

    def __init__(self, path: Path) -> None:
        """The database must be there; what was acknowledged before is left out.

        Raises:
            sqlite3.Error: it is no store; the store itself has been opened before, so this is a bug.
        """
        self._path = path
        [(self._last_id,)] = look_up(
            self._path, "SELECT coalesce(max(id), 0) FROM outbox WHERE published_at IS NOT NULL"
        )

    def look(self, now: float) -> OutboxView:
        """Args: now: UTC."""
        [(waiting, oldest_at)] = look_up(
            self._path, "SELECT count(*), min(queued_at) FROM outbox WHERE published_at IS NULL"
        )
        published = look_up(
            self._path,
            "SELECT id, published_at - queued_at FROM outbox WHERE published_at IS NOT NULL AND id > ? ORDER BY id",
            self._last_id,
        )
        if published:
            self._last_id = published[-1][0]  # messages are published in the order of their ids
        return OutboxView(
            num_waiting=waiting,
            oldest_seconds=max(0.0, now - oldest_at) if waiting else 0.0,
            published_seconds=tuple(max(0.0, seconds) for _, seconds in published),
        )
