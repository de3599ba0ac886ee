"""What is remembered: cameras, segments, observations with their beliefs, events, keyframes; in one SQLite file.

An event, its keyframe and its outbox row are one durable transaction, committed before anything is published.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamspike.core import CameraState, Event, EventKind, EventPhase, Keyframe, Observation
from streamspike.outputs import messages
from streamspike.outputs.clip_table import Clip, ClipTable
from streamspike.outputs.database import Database
from streamspike.outputs.feedback import FeedbackTable
from streamspike.outputs.keyframe_table import KeyframeTable
from streamspike.outputs.outbox import Outbox
from streamspike.outputs.registry import AdapterTable
from streamspike.outputs.topics import Topics

DAY_SECONDS = 86_400.0
PRUNE_ROWS = 2000
"""Segments deleted at a time, so that retention never holds up an event for long."""


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """What was last reported of a camera."""

    camera_id: str
    state: CameraState | None
    reason: str
    reported_at: float | None
    """UTC."""


@dataclass(frozen=True, slots=True)
class RecentSegments:
    """Of one camera in one connection: what of its latest segments is in the store."""

    count: int
    first_number: int
    last_number: int
    ended_at: float
    """UTC of the end of the last one."""


class Store:
    """Blocking; used by one thread at a time. The loop goes through `recorder.Recorder`.

    Every method raises StoreError when the file cannot be used. Writing the same thing twice changes nothing.
    """

    def __init__(self, path: Path, topic: str | None = None) -> None:
        """Open or make the file.

        Args:
            path: of the database; missing folders are made.
            topic: prefix of the MQTT topics, when there is a broker; None leaves the outbox alone.
        """
        self._database = Database(path)
        self._topic = topic
        self.outbox = Outbox(self._database)
        self.clips = ClipTable(self._database)
        self.feedback = FeedbackTable(self._database)
        self.adapters = AdapterTable(self._database)
        self.keyframes = KeyframeTable(self._database)

    def close(self) -> None:
        self._database.close()

    def record_observation(self, observation: Observation) -> None:
        """Write a segment and what was believed about it."""
        beliefs = [
            {"text": text, "prior": prior, "posterior": posterior}
            for text, prior, posterior in zip(
                observation.hypotheses, observation.prior, observation.posterior, strict=True
            )
        ]
        with self._database.transaction():
            self._know(observation.camera_id)
            segment_id = self._database.query_value(
                "INSERT INTO segments (camera_id, started_at, epoch, number, start_seconds, end_seconds, motion)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET motion = excluded.motion RETURNING id",
                (
                    observation.camera_id,
                    observation.started_at,
                    observation.epoch,
                    observation.index,
                    observation.start_seconds,
                    observation.end_seconds,
                    observation.motion,
                ),
            )
            self._database.execute(
                "INSERT OR REPLACE INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    segment_id,
                    observation.model,
                    observation.surprise_nats,
                    observation.jensen_shannon,
                    observation.caption,
                    observation.summary,
                    json.dumps(beliefs, ensure_ascii=False),
                    json.dumps(dict(observation.stage_seconds)),
                    observation.p_value,
                    observation.threshold_nats,
                    observation.kind.value,
                    observation.change_nats,
                    observation.unrest_nats,
                ),
            )

    def record_event(self, event: Event, keyframe: Keyframe | None, now: float) -> bool:
        """Write one revision of an event, its keyframe and its outbox row: all of them or none, and on the disk.

        Returns:
            False when this revision of this event was there already (the same recording scored again).
        """
        known = "SELECT 1 FROM events WHERE id = ? AND revision = ?"
        with self._database.transaction(durable=True):
            if self._database.query(known, (event.event_id, event.revision)):
                return False
            self._know(event.camera_id)
            sequence = int(
                self._database.query_value(
                    "UPDATE cameras SET last_sequence = last_sequence + 1 WHERE id = ? RETURNING last_sequence",
                    (event.camera_id,),
                )
            )
            self._database.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    event.event_id,
                    event.revision,
                    event.camera_id,
                    sequence,
                    event.phase.value,
                    event.epoch,
                    event.onset_at,
                    event.peak_at,
                    event.end_at,
                    event.onset_index,
                    event.peak_index,
                    event.surprise_nats,
                    event.threshold_nats,
                    json.dumps(event.expected, ensure_ascii=False),
                    json.dumps(event.believed, ensure_ascii=False),
                    event.saw,
                    event.model,
                    event.p_value,
                    event.kind.value,
                    event.change_nats,
                ),
            )
            if keyframe is not None:
                self.keyframes.insert(keyframe)
            if self._topic is not None:
                numbers = [frame.number for frame in self.keyframes.list_of_event(event.event_id)]
                has_clip = self.clips.find(event.event_id) is not None
                payload = messages.event_payload(event, sequence, keyframes=numbers, has_clip=has_clip)
                topic = Topics(self._topic).event(event.camera_id)
                self.outbox.append(event.camera_id, sequence, topic, payload, now=now)
        return True

    def announce_clip(self, clip: Clip, now: float) -> None:
        """Queue the message that a clip can be fetched, when there is a broker. Its file must be in its place."""
        if self._topic is None:
            return
        payload = messages.clip_payload(clip.event_id, clip.camera_id, clip.seconds, clip.num_bytes, clip.codec)
        topic = Topics(self._topic).clip(clip.camera_id)
        with self._database.transaction(durable=True):
            known = "SELECT last_sequence FROM cameras WHERE id = ?"
            sequence = int(self._database.query_value(known, (clip.camera_id,)))  # of the event messages before it
            self.outbox.append(clip.camera_id, sequence, topic, payload, now=now)

    def record_keyframe(self, keyframe: Keyframe) -> None:
        """Write one more frame chosen for an event or under the budget; the same number again replaces it."""
        with self._database.transaction():
            self._know(keyframe.camera_id)
            self.keyframes.insert(keyframe)

    def record_state(self, camera_id: str, state: CameraState, reason: str, now: float) -> None:
        """Remember the state of a camera."""
        with self._database.transaction():
            self._know(camera_id)
            self._database.execute(
                "UPDATE cameras SET state = ?, state_reason = ?, state_at = ? WHERE id = ?",
                (state.value, reason, now, camera_id),
            )

    def save_threshold(self, camera_id: str, state: Mapping[str, object]) -> None:
        """Keep what a calibrator exported, for the next start."""
        with self._database.transaction():
            self._know(camera_id)
            self._database.execute(
                "UPDATE cameras SET threshold_state = ? WHERE id = ?", (json.dumps(dict(state)), camera_id)
            )

    def save_refine(self, camera_id: str, refine: bool) -> None:
        """Remember whether models may learn from the footage of a camera: also without its configuration it holds."""
        with self._database.transaction():
            self._know(camera_id)
            self._database.execute("UPDATE cameras SET refine = ? WHERE id = ?", (int(refine), camera_id))

    def kept_from_refine(self) -> frozenset[str]:
        """The cameras from whose footage no model may learn."""
        return frozenset(row["id"] for row in self._database.query("SELECT id FROM cameras WHERE refine = 0"))

    def load_threshold(self, camera_id: str) -> dict[str, object] | None:
        """What `save_threshold` kept, or None."""
        text = self._database.query_value("SELECT threshold_state FROM cameras WHERE id = ?", (camera_id,))
        return None if text is None else dict(json.loads(text))

    def save_usual(
        self, camera_id: str, scorer: Mapping[str, object] | None, fallback: Mapping[str, object] | None
    ) -> None:
        """Keep what a camera's scorer and its fallback exported, for the next start."""
        kept = [None if state is None else json.dumps(dict(state)) for state in (scorer, fallback)]
        with self._database.transaction():
            self._know(camera_id)
            self._database.execute(
                "UPDATE cameras SET scorer_state = ?, fallback_state = ? WHERE id = ?", (*kept, camera_id)
            )

    def load_usual(self, camera_id: str) -> tuple[dict[str, object] | None, dict[str, object] | None]:
        """What `save_usual` kept."""
        rows = self._database.query("SELECT scorer_state, fallback_state FROM cameras WHERE id = ?", (camera_id,))
        texts = tuple(rows[0]) if rows else (None, None)
        scorer, fallback = (None if text is None else dict(json.loads(text)) for text in texts)
        return scorer, fallback

    def save_commanded(self, camera_id: str, settings: Mapping[str, object]) -> None:
        """Keep what was commanded of a camera, for the next start."""
        with self._database.transaction():
            self._know(camera_id)
            self._database.execute(
                "UPDATE cameras SET commanded = ? WHERE id = ?", (json.dumps(dict(settings)), camera_id)
            )

    def load_commanded(self, camera_id: str) -> dict[str, object]:
        """What `save_commanded` kept; empty when nothing was commanded."""
        text = self._database.query_value("SELECT commanded FROM cameras WHERE id = ?", (camera_id,))
        return {} if text is None else dict(json.loads(text))

    def report_night_shift(self, progress: float, words: str, now: float) -> None:
        """Say how far training has come, in [0, 1], for whoever looks at the page; other processes may."""
        said = json.dumps({"progress": progress, "words": words, "at": messages.iso_utc(now)}, ensure_ascii=False)
        with self._database.transaction():
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('night_shift', ?)", (said,))

    def night_shift(self) -> dict[str, object] | None:
        """What `report_night_shift` was told last."""
        text = self._database.query_value("SELECT value FROM meta WHERE key = 'night_shift'")
        return None if text is None else dict(json.loads(text))

    def recent_segments(self, since: float) -> list[RecentSegments]:
        """Of each camera and connection, what began at `since`, UTC, or later."""
        rows = self._database.query(
            "SELECT count(*) AS n, min(number) AS first, max(number) AS last,"
            " max(started_at + end_seconds - start_seconds) AS ended_at"
            " FROM segments WHERE started_at >= ? GROUP BY camera_id, epoch",
            (since,),
        )
        return [RecentSegments(row["n"], row["first"], row["last"], row["ended_at"]) for row in rows]

    def cameras(self) -> list[CameraRecord]:
        """All cameras ever seen, by id."""
        rows = self._database.query("SELECT id, state, state_reason, state_at FROM cameras ORDER BY id")
        return [
            CameraRecord(
                row["id"], CameraState(row["state"]) if row["state"] else None, row["state_reason"], row["state_at"]
            )
            for row in rows
        ]

    def observations(self, camera_id: str, start_at: float, end_at: float, limit: int = 10_000) -> list[Observation]:
        """Of segments that started in [start_at, end_at), the newest `limit`, oldest first."""
        rows = self._database.query(
            "SELECT * FROM segments JOIN observations ON segment_id = segments.id"
            " WHERE camera_id = ? AND started_at >= ? AND started_at < ? ORDER BY started_at DESC, model DESC LIMIT ?",
            (camera_id, start_at, end_at, limit),
        )
        return [_observation(row) for row in reversed(rows)]

    def events(
        self, camera_id: str | None = None, start_at: float = 0.0, end_at: float = 1e18, limit: int = 200
    ) -> list[Event]:
        """The newest revision of each event with its onset in [start_at, end_at); the newest `limit`, oldest first."""
        rows = self._database.query(
            "SELECT *, max(revision) FROM events WHERE onset_at >= ? AND onset_at < ? AND (? IS NULL OR camera_id = ?)"
            " GROUP BY id ORDER BY onset_at DESC, id DESC LIMIT ?",
            (start_at, end_at, camera_id, camera_id, limit),
        )
        return [_event(row) for row in reversed(rows)]

    def revisions(self, event_id: str) -> list[Event]:
        """Everything that was said about one event, in order."""
        rows = self._database.query("SELECT * FROM events WHERE id = ? ORDER BY revision", (event_id,))
        return [_event(row) for row in rows]

    def open_events(self) -> list[Event]:
        """Events without an end: those going on, or after a crash those that nobody ended."""
        rows = self._database.query(
            "SELECT * FROM (SELECT *, max(revision) FROM events GROUP BY id) WHERE phase <> 'end' ORDER BY sequence"
        )
        return [_event(row) for row in rows]

    def last_observed_at(self, camera_id: str) -> float | None:
        """UTC of the end of the newest segment of a camera."""
        value = self._database.query_value(
            "SELECT max(started_at + end_seconds - start_seconds) FROM segments WHERE camera_id = ?", (camera_id,)
        )
        return None if value is None else float(value)

    def prune(self, now: float, keep_days: float, limit: int = PRUNE_ROWS) -> int:
        """Delete observations and budgeted keyframes older than `keep_days`, and what the outbox has delivered.

        Events and their own keyframes stay.

        Returns:
            Number of segments deleted, at most `limit`: call again while it is, so that events come in between.
        """
        with self._database.transaction():
            self.outbox.prune()
            oldest = now - keep_days * DAY_SECONDS
            self._database.execute(
                "DELETE FROM keyframes WHERE id IN"
                " (SELECT id FROM keyframes WHERE event_id = '' AND taken_at < ? LIMIT ?)",
                (oldest, limit),
            )
            return self._database.execute(
                "DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE started_at < ? LIMIT ?)",
                (oldest, limit),
            )

    def _know(self, camera_id: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO cameras (id) VALUES (?)", (camera_id,))


def _observation(row: sqlite3.Row) -> Observation:
    beliefs = json.loads(row["beliefs"])
    return Observation(
        camera_id=row["camera_id"],
        epoch=row["epoch"],
        index=row["number"],
        start_seconds=row["start_seconds"],
        end_seconds=row["end_seconds"],
        started_at=row["started_at"],
        hypotheses=tuple(belief["text"] for belief in beliefs),
        prior=tuple(belief["prior"] for belief in beliefs),
        posterior=tuple(belief["posterior"] for belief in beliefs),
        surprise_nats=row["surprise_nats"],
        jensen_shannon=row["jensen_shannon"],
        caption=row["caption"],
        summary=row["summary"],
        motion=row["motion"],
        model=row["model"],
        stage_seconds=json.loads(row["stage_seconds"]),
        p_value=row["p_value"],
        threshold_nats=row["threshold_nats"],
        kind=EventKind(row["kind"]),
        change_nats=row["change_nats"],
        unrest_nats=row["unrest_nats"],
    )


def _event(row: sqlite3.Row) -> Event:
    return Event(
        event_id=row["id"],
        camera_id=row["camera_id"],
        revision=row["revision"],
        phase=EventPhase(row["phase"]),
        epoch=row["epoch"],
        onset_at=row["onset_at"],
        peak_at=row["peak_at"],
        end_at=row["end_at"],
        onset_index=row["onset_index"],
        peak_index=row["peak_index"],
        surprise_nats=row["surprise_nats"],
        threshold_nats=row["threshold_nats"],
        expected=tuple((text, probability) for text, probability in json.loads(row["expected"])),
        believed=tuple((text, probability) for text, probability in json.loads(row["believed"])),
        saw=row["saw"],
        model=row["model"],
        p_value=row["p_value"],
        kind=EventKind(row["kind"]),
        change_nats=row["change_nats"],
    )
