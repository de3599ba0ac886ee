"""Made-up observations and events for tests of outputs."""

from __future__ import annotations

from dataclasses import replace

from streamspike.core import Event, EventPhase, Keyframe, Observation

NOON = 1_785_146_400.0  # 2026-07-27T10:00:00Z


def make_observation(index: int = 0, surprise_nats: float = 0.25, camera_id: str = "door") -> Observation:
    return Observation(
        camera_id=camera_id,
        epoch=0,
        index=index,
        start_seconds=float(index),
        end_seconds=index + 1.0,
        started_at=NOON + index,
        hypotheses=("a car passes", "a cat sits"),
        prior=(0.62, 0.38),
        posterior=(0.1, 0.9),
        surprise_nats=surprise_nats,
        jensen_shannon=0.5,
        caption="the gate falls over",
        summary="a quiet yard",
        motion=0.125,
        model="nano-1",
        change_nats=min(0.4321, surprise_nats),
        unrest_nats=surprise_nats + 1.5,
        stage_seconds={"vision": 0.01},
    )


def make_event(number: int = 0, camera_id: str = "door") -> Event:
    """A start; different numbers are different events."""
    return Event(
        event_id=f"{camera_id}-20260727T100000Z-{number}",
        camera_id=camera_id,
        revision=0,
        phase=EventPhase.START,
        epoch=0,
        onset_at=NOON + number,
        peak_at=NOON + number,
        end_at=None,
        onset_index=number,
        peak_index=number,
        surprise_nats=6.4321,
        change_nats=0.4321,
        threshold_nats=2.0,
        expected=(("a car passes", 0.62), ("a cat sits", 0.3), ("nobody is there", 0.08)),
        believed=(("the gate falls over", 0.97), ("a cat sits", 0.03)),
        saw="the gate falls over",
        model="nano-1",
    )


def end_of(event: Event, seconds: float = 3.0) -> Event:
    return replace(event, phase=EventPhase.END, revision=event.revision + 1, end_at=event.onset_at + seconds)


def make_keyframe(event: Event, jpeg: bytes = b"\xff\xd8jpeg", index: int = 0) -> Keyframe:
    return Keyframe(
        event.camera_id, event.event_id, index, event.peak_at, 480, 270, jpeg, event.surprise_nats, event.saw
    )
