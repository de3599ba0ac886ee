"""What the API answers: one model for each kind of answer, which makes the JSON and describes it in OpenAPI.

Events and observations are the payloads of `messages`, as they go over MQTT, with what only a page can use beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from streamspike.core import Event, Keyframe, Observation
from streamspike.outputs import messages
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.keyframe_table import StoredFrame
from streamspike.outputs.messages import iso_utc

MAX_BELIEFS = 8
"""Hypotheses of an observation that are sent to pages, the most likely before or after."""

Time = Annotated[str, Field(description="UTC, ISO 8601", examples=["2026-11-21T10:15:03.250Z"])]
Probability = Annotated[float, Field(ge=0, le=1)]


class Answer(BaseModel):
    """Keys that a payload may gain later pass through."""

    model_config = ConfigDict(extra="allow")


class Failure(Answer):
    """Why there is no other answer, in a sentence."""

    error: str


class Belief(Answer):
    """A hypothesis and what the model gave it."""

    text: str
    probability: Probability


class Movement(Answer):
    """A hypothesis before and after a segment was seen."""

    text: str
    prior: Probability
    posterior: Probability


Change = Annotated[float, Field(ge=0, description="the part of surprise_nats that comes from how much changed")]
Kind = Annotated[str, Field(description="surprise; motion: no model says what it shows; moved: the camera was turned")]


class ObservationAnswer(Answer):
    """The surprise of one segment."""

    camera: str
    started_at: Time
    seconds: float
    surprise_nats: Annotated[float, Field(ge=0)]
    change_nats: Change
    unrest_nats: Annotated[float, Field(ge=0, description="surprise, what lasts of earlier ones, and how much moves")]
    threshold_nats: float
    p_value: Probability
    saw: str
    kind: Kind
    beliefs: Annotated[list[Movement], Field(description="empty unless they were asked for")] = []


class EventAnswer(Answer):
    """An event as it stands."""

    id: str
    camera: str
    revision: int
    phase: Annotated[str, Field(description="start, update or end")]
    kind: Kind
    sentence: str
    expected: list[Belief]
    saw: str
    believed_after: list[Belief]
    surprise_nats: Annotated[float, Field(ge=0)]
    change_nats: Change
    threshold_nats: float
    p_value: Probability
    onset_at: Time
    peak_at: Time
    end_at: Time | None
    epoch: int
    model: str
    picture: Annotated[str | None, Field(description="path of the newest keyframe")] = None


class EventPage(Answer):
    """Events, newest first."""

    events: list[EventAnswer]
    before: Annotated[str | None, Field(description="ask again with this for older ones; null: there are none")]


class KeyframeAnswer(Answer):
    """One frame chosen for the user."""

    camera: str
    number: int
    taken_at: Time
    width_px: int
    height_px: int
    surprise_nats: Annotated[float | None, Field(ge=0, description="of its segment; null: it is not known")]
    saw: Annotated[str, Field(description="the caption of its segment")]
    url: str


class KeyframePage(Answer):
    """Keyframes of a camera, newest first."""

    keyframes: list[KeyframeAnswer]
    before: Annotated[int | None, Field(description="ask again with this for older ones; null: there are none")]


class ClipAnswer(Answer):
    """The video around an event."""

    url: str
    started_at: Time
    seconds: float
    bytes: int
    codec: str


class EventDetail(Answer):
    """Everything about one event."""

    event: EventAnswer
    revisions: Annotated[list[EventAnswer], Field(description="everything that was said of it, in order")]
    keyframes: list[KeyframeAnswer]
    clip: ClipAnswer | None
    useful: Annotated[bool | None, Field(description="what a person said of it; null: nothing")]


class VerdictAnswer(Answer):
    """What stands now."""

    id: str
    useful: bool


class ControlAnswer(Answer):
    """What is set of a camera now."""

    id: str
    paused: bool
    alerts_per_day: float


class CameraAnswer(Answer):
    """A camera as it stands."""

    id: str
    state: str
    reason: str
    degraded: Annotated[bool, Field(description="the model fails, and only motion is watched")]
    since: Time | None
    watched: Annotated[bool, Field(description="by this process; false: known from an earlier run")]
    learning_progress: Probability
    threshold_nats: float
    alerts_per_day: float
    paused: bool
    budget_use_days: Annotated[float, Field(description="alerts beyond the budget of late, in days of budget")]
    last_frame_at: Time | None
    latest: Annotated[ObservationAnswer | None, Field(description="the newest segment, with beliefs")]
    picture: Annotated[str | None, Field(description="path of the live picture; null: there is none")]


class CameraList(Answer):
    """All cameras ever seen, by id."""

    cameras: list[CameraAnswer]


class ObservationList(Answer):
    """Of segments in a time range, oldest first."""

    observations: list[ObservationAnswer]


class NightShiftAnswer(Answer):
    """What training said last of itself."""

    progress: Probability
    words: str
    at: Time


class ModelAnswer(Answer):
    """Which model is in service."""

    model: Annotated[str | None, Field(description="name and version; null: no camera asks one")]
    adapter: Annotated[str | None, Field(description="name and version; null: none is on it")]
    since: Annotated[Time | None, Field(description="of this process, or when it was swapped")]
    night_shift: Annotated[NightShiftAnswer | None, Field(description="null: there was none yet")]


class HealthAnswer(Answer):
    """Whether streamspike is well."""

    status: Annotated[str, Field(description="ok; degraded: a camera is offline or blind; failing: the store is")]
    version: str
    uptime_seconds: float
    cameras: Annotated[dict[str, str], Field(description="state by id")]
    num_streams: int
    num_messages_dropped: Annotated[int, Field(description="by pages that were too slow")]
    num_requests_refused: int
    needs_token: bool


def observation_answer(observation: Observation, *, beliefs: bool = True) -> ObservationAnswer:
    """The payload of a segment and how the beliefs moved."""
    triples = zip(observation.hypotheses, observation.prior, observation.posterior, strict=True)
    ranked = sorted(triples, key=lambda triple: -max(triple[1:]))[: MAX_BELIEFS if beliefs else 0]
    moved = [Movement(text=text, prior=_rounded(prior), posterior=_rounded(after)) for text, prior, after in ranked]
    return ObservationAnswer(**json.loads(messages.surprise_payload(observation)), beliefs=moved)


def event_answer(event: Event, frame_number: int | None) -> EventAnswer:
    """The payload of an event and where its picture is."""
    picture = None if frame_number is None else messages.keyframe_path(event.event_id, frame_number)
    return EventAnswer(**json.loads(messages.event_payload(event)), picture=picture)


def event_detail(
    revisions: Sequence[Event], frames: Sequence[StoredFrame], clip: Clip | None, useful: bool | None
) -> EventDetail:
    """Everything about one event, of which there is one revision at least."""
    newest = frames[-1].number if frames else None
    return EventDetail(
        event=event_answer(revisions[-1], newest),
        revisions=[event_answer(event, None) for event in revisions],
        keyframes=[stored_answer(frame) for frame in frames],
        clip=None if clip is None else _clip_answer(clip),
        useful=useful,
    )


def stored_answer(frame: StoredFrame) -> KeyframeAnswer:
    """A keyframe that is in the store, and where its picture is."""
    return KeyframeAnswer(
        camera=frame.camera_id,
        number=frame.number,
        taken_at=iso_utc(frame.taken_at),
        width_px=frame.width_px,
        height_px=frame.height_px,
        surprise_nats=None if frame.surprise_nats is None else round(frame.surprise_nats, 4),
        saw=frame.saw,
        url=_keyframe_path(frame.camera_id, frame.event_id, frame.number),
    )


def keyframe_answer(keyframe: Keyframe) -> KeyframeAnswer:
    """As `stored_answer`, of one that has just been chosen."""
    return stored_answer(
        StoredFrame(
            keyframe.camera_id,
            keyframe.event_id,
            keyframe.index,
            keyframe.taken_at,
            keyframe.width_px,
            keyframe.height_px,
            keyframe.surprise_nats,
            keyframe.saw,
        )
    )


def _keyframe_path(camera_id: str, event_id: str, number: int) -> str:
    """The budget's are named by their camera."""
    return messages.keyframe_path(event_id, number) if event_id else f"/cameras/{camera_id}/keyframes/{number}.jpg"


def _clip_answer(clip: Clip) -> ClipAnswer:
    return ClipAnswer(
        url=messages.clip_path(clip.event_id),
        started_at=iso_utc(clip.started_at),
        seconds=clip.seconds,
        bytes=clip.num_bytes,
        codec=clip.codec,
    )


def _rounded(probability: float) -> float:
    return min(1.0, max(0.0, round(probability, 4)))
