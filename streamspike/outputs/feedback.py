"""What people say of events: useful or not. Kept with the events, and heeded once by whoever watches the camera.

A verdict may be given by another process than the one that watches (the command line, the page), hence the way through
the database: it is written down, and the process that runs the camera takes note of it. A verdict that is changed
takes back what the first one did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from streamspike.outputs.database import Database

USEFUL = "useful"
NOT_USEFUL = "not_useful"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of one event and has not been heeded."""

    event_id: str
    camera_id: str
    is_useful: bool
    steps: int
    """For `Calibrator.heed`: +-1, or +-2 where the opposite was heeded before."""


class FeedbackTable:
    """The feedback table. Blocking, same thread as the store; methods raise StoreError as the store does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, event_id: str, is_useful: bool, now: float) -> str | None:
        """Write down a verdict; the last one on an event counts.

        Returns:
            The camera of the event, or None when there is no such event; nothing is written then.
        """
        with self._database.transaction(durable=True):
            camera_id = self._database.query_value("SELECT camera_id FROM events WHERE id = ? LIMIT 1", (event_id,))
            if camera_id is None:
                return None
            self._database.execute(
                "INSERT INTO feedback (event_id, camera_id, verdict, given_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET verdict = excluded.verdict, given_at = excluded.given_at",
                (event_id, camera_id, 1 if is_useful else -1, now),
            )
        return str(camera_id)

    def pending(self, camera_id: str) -> list[Verdict]:
        """What was said of a camera's events and not heeded yet, oldest first."""
        rows = self._database.query(
            "SELECT * FROM feedback WHERE camera_id = ? AND verdict <> heeded ORDER BY given_at", (camera_id,)
        )
        return [
            Verdict(row["event_id"], row["camera_id"], row["verdict"] > 0, row["verdict"] - row["heeded"])
            for row in rows
        ]

    def mark_heeded(self, verdicts: list[Verdict], threshold_state: Mapping[str, object]) -> None:
        """They moved the threshold of their camera, whose state is saved with them: both are on the disk or neither.

        Args:
            verdicts: of one camera, not empty.
            threshold_state: what its calibrator exported afterwards.
        """
        with self._database.transaction(durable=True):
            for verdict in verdicts:
                self._database.execute(
                    "UPDATE feedback SET heeded = ? WHERE event_id = ?",
                    (1 if verdict.is_useful else -1, verdict.event_id),
                )
            self._database.execute(
                "UPDATE cameras SET threshold_state = ? WHERE id = ?",
                (json.dumps(dict(threshold_state)), verdicts[0].camera_id),
            )

    def of_event(self, event_id: str) -> bool | None:
        """Whether an event was called useful; None when nobody said anything."""
        verdict = self._database.query_value("SELECT verdict FROM feedback WHERE event_id = ?", (event_id,))
        return None if verdict is None else bool(verdict > 0)
