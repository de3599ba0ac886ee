"""What goes over the wire, as JSON that a person can read: events, states, surprise.

One line per message, times in ISO 8601 UTC, probabilities in [0, 1] with the most likely first. A consumer removes
duplicates by (id, revision) and notices gaps by `sequence`, which counts the event messages of a camera from 1.
`schemas/` has a JSON schema of each message; docs/mqtt.md has them all with examples.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from streamspike.core import CameraState, Event, EventKind, Keyframe, Observation

VERSION = 1
"""Of the payloads. Grows when a key changes its meaning or goes away; new keys may come at any time."""

ONLINE = "online"
OFFLINE = "offline"


def event_payload(
    event: Event, sequence: int | None = None, *, keyframes: Sequence[int] | None = None, has_clip: bool = False
) -> str:
    """One message of the life of an event.

    Args:
        sequence: left out where nobody counts.
        keyframes: indices of those there are; None leaves the links out, where nobody serves them.
        has_clip: link the clip. It is written until after the end, so most messages cannot; `clip_payload` follows.
    """
    counted = {} if sequence is None else {"sequence": sequence}
    linked: dict[str, object] = {}
    if keyframes is not None:
        pictures = [keyframe_path(event.event_id, index) for index in keyframes]
        linked["links"] = {"keyframes": pictures, "clip": clip_path(event.event_id) if has_clip else None}
    return _dump(
        {
            "id": event.event_id,
            "camera": event.camera_id,
            **counted,
            "revision": event.revision,
            "phase": event.phase.value,
            "kind": event.kind.value,
            "sentence": sentence(event),
            "expected": _believed(event.expected),
            "saw": event.saw,
            "believed_after": _believed(event.believed),
            "surprise_nats": round(event.surprise_nats, 4),
            "change_nats": round(event.change_nats, 4),
            "threshold_nats": round(event.threshold_nats, 4),
            "p_value": _significant(event.p_value),
            "onset_at": iso_utc(event.onset_at),
            "peak_at": iso_utc(event.peak_at),
            "end_at": None if event.end_at is None else iso_utc(event.end_at),
            "epoch": event.epoch,
            "model": event.model,
            **linked,
            "version": VERSION,
        }
    )


def state_payload(
    camera_id: str,
    state: CameraState,
    reason: str,
    at: float,
    *,
    event_id: str | None = None,
    alerts_per_day: float | None = None,
    effective_alerts_per_day: float | None = None,
) -> str:
    """The state of a camera and why.

    Args:
        event_id: of the event that goes on.
        alerts_per_day: the budget that was set; None where it is not known.
        effective_alerts_per_day: the budget after what people said of its alerts.
    """
    return _dump(
        {
            "camera": camera_id,
            "state": state.value,
            "reason": reason,
            "since": iso_utc(at),
            "event": event_id,
            "alerts_per_day": alerts_per_day,
            "effective_alerts_per_day": None
            if effective_alerts_per_day is None
            else _significant(effective_alerts_per_day),
            "version": VERSION,
        }
    )


def model_payload(name: str, at: float) -> str:
    """Which model is in service.

    Args:
        name: as in events, `model@version` or `model@version+adapter@version`.
        at: UTC; since when.
    """
    base, _, adapter = name.partition("+")
    return _dump({"model": base, "adapter": adapter or None, "since": iso_utc(at), "version": VERSION})


def error_payload(camera_id: str | None, command: str | None, reason: str, sentence: str, at: float) -> str:
    """Why a command was refused. What was sent is not quoted."""
    return _dump(
        {
            "camera": camera_id,
            "command": command,
            "reason": reason,
            "error": sentence,
            "at": iso_utc(at),
            "version": VERSION,
        }
    )


def clip_payload(event_id: str, camera_id: str, seconds: float, num_bytes: int, codec: str) -> str:
    """A clip of an event can be fetched."""
    return _dump(
        {
            "id": event_id,
            "camera": camera_id,
            "clip": clip_path(event_id),
            "seconds": round(seconds, 3),
            "bytes": num_bytes,
            "codec": codec,
            "version": VERSION,
        }
    )


def keyframe_properties(keyframe: Keyframe) -> tuple[tuple[str, str], ...]:
    """The metadata of a picture, as user properties of MQTT 5; all values are text.

    Without an event it was chosen under the hourly budget; without a surprise it is a snapshot that somebody asked for.
    """
    event = (("event", keyframe.event_id), ("path", keyframe_path(keyframe.event_id, keyframe.index)))
    surprise = "" if keyframe.surprise_nats is None else str(round(keyframe.surprise_nats, 4))
    return (
        ("camera", keyframe.camera_id),
        *(event if keyframe.event_id else ()),
        *((("surprise_nats", surprise), ("saw", keyframe.saw)) if surprise else ()),
        ("index", str(keyframe.index)),
        ("taken_at", iso_utc(keyframe.taken_at)),
        ("width_px", str(keyframe.width_px)),
        ("height_px", str(keyframe.height_px)),
        ("version", str(VERSION)),
    )


def keyframe_path(event_id: str, index: int) -> str:
    """Of a keyframe of an event on the page, relative to its root."""
    return f"/events/{event_id}/keyframes/{index}.jpg"


def clip_path(event_id: str) -> str:
    """Of a clip on the page, relative to its root."""
    return f"/events/{event_id}/clip.mp4"


def surprise_payload(observation: Observation) -> str:
    """The surprise of one segment, whether or not it is an event."""
    return _dump(
        {
            "camera": observation.camera_id,
            "started_at": iso_utc(observation.started_at),
            "seconds": round(observation.end_seconds - observation.start_seconds, 3),
            "surprise_nats": round(observation.surprise_nats, 4),
            "change_nats": round(observation.change_nats, 4),
            "unrest_nats": round(observation.unrest_nats, 4),
            "threshold_nats": round(observation.threshold_nats, 4),
            "p_value": _significant(observation.p_value),
            "saw": observation.caption,
            "kind": observation.kind.value,
            "epoch": observation.epoch,
            "index": observation.index,
            "version": VERSION,
        }
    )


def sentence(event: Event, num_hypotheses: int = 2) -> str:
    """As in: expected: a car passes 62 %, a cat sits 30 %; saw: the gate falls over."""
    if event.kind is EventKind.MOVED:
        return event.saw
    if event.kind is EventKind.MOTION:
        return f"no model says what moved: {event.saw}"
    expected = ", ".join(f"{text} {percent(value)}" for text, value in event.expected[:num_hypotheses])
    return f"expected: {expected or 'nothing in particular'}; saw: {event.saw}"


def percent(probability: float) -> str:
    """62 %; what is possible but would round to nothing is < 1 %."""
    return "< 1 %" if 0.0 < probability < 0.005 else f"{probability * 100:.0f} %"


def iso_utc(at: float) -> str:
    """UTC epoch seconds as 2026-07-27T10:00:00.250Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _believed(pairs: tuple[tuple[str, float], ...]) -> list[dict[str, object]]:
    return [{"text": text, "probability": round(probability, 4)} for text, probability in pairs]


def _significant(value: float) -> float:
    """Three figures: a p-value of a billionth is not 0."""
    return float(f"{value:.3g}")


def _dump(message: dict[str, Any]) -> str:
    # Readable in a terminal: no escapes for other alphabets. NaN would not be JSON: better to fail here.
    return json.dumps(message, ensure_ascii=False, allow_nan=False)
