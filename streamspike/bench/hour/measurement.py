"""The hour as numbers: what was told, what was missed, what nobody asked for, how late it came, and what was lost."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from streamspike.bench.hour.listener import Arrival
from streamspike.bench.hour.matching import Alert, Matching, Message, match, quantiles
from streamspike.bench.hour.oracle import MAX_SIGNED, distinct_mass, free_mass, repaint
from streamspike.bench.hour.plan import HourSettings
from streamspike.bench.hour.recording import CameraRecording, Recording
from streamspike.core import Event, EventKind, EventPhase, Observation
from streamspike.pipeline.camera_keyframes import MIN_DIFFERENCE
from streamspike.select.online import Candidate, SelectorLimits

IMPROBABLE_NATS = 3.0
"""By the rules of the simulation: what happens less than once in twenty times. Scripted surprises have 5 and more."""


def measure_hour(recording: Recording, settings: HourSettings) -> dict[str, Any]:
    """Everything as plain values, for JSON and for those who read."""
    config = recording.config
    judged = [_Judge(camera, recording, settings) for camera in recording.cameras]
    cameras = {judge.camera.plan.camera_id: judge.measure() for judge in judged}
    hits = [row for camera in cameras.values() for row in camera["surprises"] if row["hit"]]
    delays = {
        name: quantiles([row[name] for row in hits if row[name] is not None])
        for name in ("stream_seconds", "wall_seconds", "live_seconds")
    }
    counts = ("alerts", "hits", "misses", "again", "false_alarms", "improbable_false_alarms", "warmup_alerts")
    delivered = ("stored", "arrived", "repeated", "missing", "unknown", "gaps", "disordered")
    masses = {key: sum(camera["keyframes"][key] for camera in cameras.values()) for key in ("nats", "free", "distinct")}
    totals = {
        **{key: sum(camera[key] for camera in cameras.values()) for key in counts},
        "surprises": sum(len(camera["surprises"]) for camera in cameras.values()),
        "budget": sum(camera["budget"] for camera in cameras.values()),
        "keyframes": {**masses, **_shares(masses)},
        "delivery": {key: sum(camera["delivery"][key] for camera in cameras.values()) for key in delivered},
    }
    unaccounted = sum(abs(camera["segments"]["unaccounted"]) for camera in cameras.values())
    lost = sum(totals["delivery"][key] for key in ("missing", "unknown", "gaps", "disordered"))
    return {
        "settings": {
            "minutes": settings.minutes,
            "warmup_minutes": settings.warmup_minutes,
            "alerts_per_hour": settings.alerts_per_hour,
            "seed": settings.seed,
            "live": settings.live,
            "picture": settings.picture,
            "segment_seconds": config.segment.seconds,
            "learning_seconds": config.events.learning_seconds,
            "extreme_nats": config.events.extreme_nats,
            "floor_nats": config.events.floor_nats,
            "belief_mode": config.belief.mode,
            "keyframes_per_hour": config.keyframes.per_hour,
            "improbable_nats": IMPROBABLE_NATS,
        },
        "model": recording.model,
        "totals": totals,
        "delays": delays,
        "lost": {
            "event_messages": lost,
            "unsent": recording.report.unsent_events,
            "overflows": recording.num_overflows,
            "segments_unaccounted": unaccounted,
        },
        "unpublished": recording.report.unpublished,
        "wall_seconds": {name: round(seconds, 1) for name, seconds in recording.wall_seconds.items()},
        "stage_seconds": recording.report.stage_seconds,
        "cameras": cameras,
    }


class _Judge:
    """Of one camera."""

    def __init__(self, camera: CameraRecording, recording: Recording, settings: HourSettings) -> None:
        self.camera = camera
        self._recording = recording
        self._settings = settings
        self._seconds = recording.config.segment.seconds
        self._by_index = {observation.index: observation for observation in camera.observations}
        is_of_hour = [revisions[0].onset_at >= camera.began_at for revisions in camera.events]
        pairs = list(zip(camera.events, is_of_hour, strict=True))
        self._events = {revisions[0].event_id: revisions for revisions, inside in pairs if inside}
        self._num_before = sum(not inside for _, inside in pairs)
        self._arrivals = [arrival for arrival in recording.arrivals if arrival.camera_id == camera.plan.camera_id]
        alerts = [self._alert(revisions) for revisions in self._events.values()]
        self._matching = match(alerts, camera.plan.scripted)

    def measure(self) -> dict[str, Any]:
        matching, plan = self._matching, self.camera.plan
        false = [self._false_alarm(alert) for alert in matching.false]
        return {
            "alerts": len(self._events),
            "moved": sum(revisions[0].kind is EventKind.MOVED for revisions in self._events.values()),
            "budget": self._settings.alerts_per_hour * self._settings.minutes / 60,
            "hits": len(matching.hits),
            "misses": len(matching.misses),
            "again": len(matching.again),
            "false_alarms": len(false),
            "improbable_false_alarms": sum(row["improbable"] for row in false),
            "warmup_alerts": self._num_before,
            "surprises": [self._surprise(index, matching) for index in plan.scripted],
            "false": false,
            "keyframes": self._keyframes(),
            "delivery": check_delivery(self.camera.events, self._arrivals),
            "segments": self._segments(),
            "surprise_nats": [round(observation.surprise_nats, 3) for observation in self.camera.observations],
            "threshold_nats": [round(observation.threshold_nats, 3) for observation in self.camera.observations],
            "indices": [observation.index for observation in self.camera.observations],
        }

    def _alert(self, revisions: Sequence[Event]) -> Alert:
        messages = []
        for event in revisions:
            if event.phase is not EventPhase.END:
                start = event.phase is EventPhase.START
                about = self._index_at(event.onset_at if start else event.peak_at)
                messages.append(Message(event.revision, about, event.onset_index if start else event.peak_index))
        return Alert(revisions[0].event_id, tuple(messages))

    def _index_at(self, at: float) -> int:
        return int((at - self.camera.began_at) / self._seconds + 1e-6)

    def _surprise(self, index: int, matching: Matching) -> dict[str, Any]:
        truth, seen = self.camera.plan.truths[index], self._by_index.get(index)
        row: dict[str, Any] = {
            "index": index,
            "kind": truth.kind,
            "happened": truth.sentence,
            "truth_nats": round(truth.surprise_nats, 2),
            **_belief(seen),
            "hit": index in matching.hits,
            "event_id": None,
            **dict.fromkeys(("stream_seconds", "wall_seconds", "live_seconds")),
        }
        if index in matching.hits:
            alert, message = matching.hits[index]
            row |= {"event_id": alert.event_id, **self._delays(index, alert, message)}
        return row

    def _delays(self, index: int, alert: Alert, message: Message) -> dict[str, float | None]:
        """From the begin of the segment of the surprise to the message about it."""
        key = alert.event_id, message.revision
        arrival = next((one for one in self._arrivals if (one.event_id, one.revision) == key), None)
        asked = self._recording.asked.get((self.camera.plan.camera_id, message.told_index))
        wall = arrival.monotonic_seconds - asked if arrival is not None and asked is not None else None
        onset_at = self.camera.began_at + index * self._seconds
        return {
            "stream_seconds": (message.told_index + 1 - index) * self._seconds,
            "wall_seconds": wall,
            "live_seconds": arrival.at - onset_at if arrival is not None and self._settings.live else None,
        }

    def _false_alarm(self, alert: Alert) -> dict[str, Any]:
        """With the least probable thing that happened in it."""
        truths = self.camera.plan.truths[alert.first_index : alert.last_index + 1]
        truth = max(truths, key=lambda one: one.surprise_nats)
        return {
            "index": alert.first_index,
            "event_id": alert.event_id,
            "kind": self._events[alert.event_id][0].kind.value,
            "happened": truth.sentence,
            "truth_nats": round(truth.surprise_nats, 2),
            "improbable": truth.surprise_nats >= IMPROBABLE_NATS,
            **_belief(self._by_index.get(alert.last_index)),
        }

    def _keyframes(self) -> dict[str, Any]:
        """Surprise of the chosen frames against what could be had, see `oracle.py`."""
        config = self._recording.config.keyframes
        per_hour = config.per_hour
        chosen = [self._by_index[self._index_at(keyframe.taken_at)] for keyframe in self.camera.keyframes]
        best = sorted(self.camera.observations, key=lambda one: -one.surprise_nats)[: MAX_SIGNED * per_hour]
        looks = repaint(self.camera.plan.address, [one.index for one in best], self._seconds)
        candidates = [
            Candidate(one.started_at, one.surprise_nats, 0, looks[one.index])
            for one in sorted(best, key=lambda one: one.index)
        ]
        masses = {
            "nats": sum(one.surprise_nats for one in chosen),
            "free": free_mass(candidates, per_hour),
            "distinct": 0.0,
        }
        if per_hour:
            limits = SelectorLimits(
                per_hour, config.bytes_per_hour, config.delay_seconds, min_difference=MIN_DIFFERENCE
            )
            masses["distinct"] = distinct_mass(candidates, limits)
        return {
            "chosen": len(chosen),
            "bytes": sum(len(keyframe.jpeg) for keyframe in self.camera.keyframes),
            **{name: round(value, 3) for name, value in masses.items()},
            **_shares(masses),
        }

    def _segments(self) -> dict[str, Any]:
        report, expected = self.camera.report, len(self.camera.plan.truths)
        dropped = sum(report.num_dropped.values())
        stored = len(self.camera.observations)
        return {
            "expected": expected,
            "cut": report.num_segments,
            "scored": report.num_scored,
            "stored": stored,
            "dropped": dict(report.num_dropped),
            "unaccounted": abs(expected - report.num_segments)
            + abs(report.num_segments - report.num_scored - dropped)
            + abs(report.num_scored - stored),
        }


def check_delivery(events: Sequence[Sequence[Event]], arrivals: Sequence[Arrival]) -> dict[str, int]:
    """What the store has against what a listener heard of one camera.

    Returns:
        stored: revisions in the store; arrived: different ones that came; repeated: those that came again, which is
        allowed; missing: those that never came; unknown: those that the store has not; gaps: sequence numbers left
        out; disordered: messages whose sequence number is not above that of the one before.
    """
    stored = {(event.event_id, event.revision) for revisions in events for event in revisions}
    first: dict[tuple[str, int], int] = {}
    for arrival in arrivals:
        first.setdefault((arrival.event_id, arrival.revision), arrival.sequence)
    sequences = list(first.values())
    return {
        "stored": len(stored),
        "arrived": len(first),
        "repeated": len(arrivals) - len(first),
        "missing": len(stored - first.keys()),
        "unknown": len(first.keys() - stored),
        "gaps": max(sequences, default=0) - len(set(sequences)),
        "disordered": sum(after <= before for before, after in itertools.pairwise(sequences)),
    }


def _belief(observation: Observation | None) -> dict[str, Any]:
    """What the model thought of the segment; Nones when it was not scored."""
    if observation is None:
        return dict.fromkeys(("nats", "threshold_nats", "p_value", "saw", "expected"))
    pairs = zip(observation.hypotheses, observation.prior, strict=True)
    text, prior = max(pairs, key=lambda pair: pair[1], default=("", 0.0))
    return {
        "nats": round(observation.surprise_nats, 3),
        "threshold_nats": round(observation.threshold_nats, 3),
        "p_value": observation.p_value,
        "saw": observation.caption,
        "expected": f"{text} {prior:.0%}" if text else "",
    }


def _shares(masses: Mapping[str, float]) -> dict[str, float | None]:
    return {
        f"{name}_share": round(masses["nats"] / masses[name], 4) if masses[name] else None
        for name in ("free", "distinct")
    }
