"""The event that is no surprise: the camera was moved. It says so by its kind, and has no nats at all."""

from __future__ import annotations

from dataclasses import replace

from streamspike.belief.events import event_id
from streamspike.core import Event, EventKind, EventPhase, Segment
from streamspike.ingest.health import MOVED

MODEL = "camera-health"


def moved_event(segment: Segment, since_at: float) -> tuple[Event, Event]:
    """Start and end, which are told together: a move is noticed when it is over.

    Args:
        segment: in which it became certain.
        since_at: UTC; since when the camera looks elsewhere.
    """
    start = Event(
        event_id=f"{event_id(segment.camera_id, since_at, segment.index)}-moved",
        camera_id=segment.camera_id,
        revision=0,
        phase=EventPhase.START,
        epoch=segment.epoch,
        onset_at=since_at,
        peak_at=since_at,
        end_at=None,
        onset_index=segment.index,
        peak_index=segment.index,
        surprise_nats=0.0,
        threshold_nats=0.0,
        expected=(),
        believed=(),
        saw=MOVED,
        model=MODEL,
        kind=EventKind.MOVED,
    )
    end_at = segment.started_at + segment.end_seconds - segment.start_seconds
    return start, replace(start, phase=EventPhase.END, revision=1, end_at=end_at)
