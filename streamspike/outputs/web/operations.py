"""Every path of the API: what it does, what it takes and what it answers. The routes and OpenAPI are made from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from streamspike.outputs.commands import MAX_ALERTS_PER_DAY
from streamspike.outputs.web import answers

JSON = "application/json"
JPEG = "image/jpeg"
ID_SCHEMA = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"}
TIME_SCHEMA = {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something in the path or the query."""

    name: str
    place: Literal["path", "query"]
    schema: dict[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    name: str
    """Of the handler, and operationId."""
    method: Literal["GET", "POST"]
    path: str
    """As Starlette wants it, with the convertors of parameters."""
    summary: str
    answer: type[answers.Answer] | None = None
    """Of JSON; None: `media` says what it is."""
    media: str = JSON
    parameters: tuple[Parameter, ...] = ()
    failures: tuple[int, ...] = ()
    body: dict[str, Any] | None = None
    """JSON schema of what a POST sends."""


_CAMERA = Parameter("camera_id", "path", ID_SCHEMA, "of a camera")
_EVENT = Parameter("event_id", "path", ID_SCHEMA, "of an event")
_NUMBER = Parameter("number", "path", {"type": "integer", "minimum": 0}, "of the keyframe")

OPERATIONS: tuple[Operation, ...] = (
    Operation("list_cameras", "GET", "/api/cameras", "All cameras as they stand.", answers.CameraList, failures=(503,)),
    Operation(
        "show_picture",
        "GET",
        "/api/cameras/{camera_id}/picture.jpg",
        "The newest frame of a camera; 204 when there is none now, 304 when it is the one you have.",
        media=JPEG,
        parameters=(_CAMERA,),
        failures=(404,),
    ),
    Operation(
        "control_camera",
        "POST",
        "/api/cameras/{camera_id}/control",
        "Pause a camera or let it go on, or give it another budget; it stays so over a restart.",
        answers.ControlAnswer,
        parameters=(_CAMERA,),
        failures=(400, 404, 503),
        body={
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                "paused": {"type": "boolean"},
                "alerts_per_day": {
                    "type": ["number", "null"],
                    "exclusiveMinimum": 0,
                    "maximum": MAX_ALERTS_PER_DAY,
                    "description": "null: that of the configuration",
                },
            },
        },
    ),
    Operation(
        "list_observations",
        "GET",
        "/api/cameras/{camera_id}/observations",
        "The surprise of a camera's segments that began in [start, end), oldest first; the newest ones of too many.",
        answers.ObservationList,
        parameters=(
            _CAMERA,
            Parameter("start", "query", TIME_SCHEMA, "ten minutes ago when left out"),
            Parameter("end", "query", TIME_SCHEMA, "now when left out"),
            Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 3600, "default": 600}, "at most"),
            Parameter("beliefs", "query", {"type": "boolean", "default": False}, "with the hypotheses"),
        ),
        failures=(400, 404, 503),
    ),
    Operation(
        "list_keyframes",
        "GET",
        "/api/cameras/{camera_id}/keyframes",
        "What was worth keeping of a camera under its hourly budget of keyframes, newest first.",
        answers.KeyframePage,
        parameters=(
            _CAMERA,
            Parameter("before", "query", {"type": "integer", "minimum": 1}, "number of a keyframe; only older ones"),
            Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 200, "default": 40}, "at most"),
        ),
        failures=(400, 404, 503),
    ),
    Operation(
        "show_budgeted_keyframe",
        "GET",
        "/cameras/{camera_id}/keyframes/{number:int}.jpg",
        "A frame chosen under the hourly budget.",
        media=JPEG,
        parameters=(_CAMERA, _NUMBER),
        failures=(404, 503),
    ),
    Operation(
        "list_events",
        "GET",
        "/api/events",
        "Events as they stand, newest first.",
        answers.EventPage,
        parameters=(
            Parameter("camera", "query", ID_SCHEMA, "only of this camera"),
            Parameter("words", "query", {"type": "string", "maxLength": 200}, "all of them seen, expected or believed"),
            Parameter("before", "query", ID_SCHEMA, "an event; only older ones"),
            Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "at most"),
        ),
        failures=(400, 503),
    ),
    Operation(
        "show_event",
        "GET",
        "/api/events/{event_id}",
        "Everything about one event: its revisions, keyframes and clip.",
        answers.EventDetail,
        parameters=(_EVENT,),
        failures=(404, 503),
    ),
    Operation(
        "judge_event",
        "POST",
        "/api/events/{event_id}/verdict",
        "Say whether an event was useful; it moves the budget of its camera a little. The last verdict counts.",
        answers.VerdictAnswer,
        parameters=(_EVENT,),
        failures=(400, 404, 503),
        body={
            "type": "object",
            "required": ["useful"],
            "additionalProperties": False,
            "properties": {"useful": {"type": "boolean"}},
        },
    ),
    Operation(
        "show_keyframe",
        "GET",
        "/events/{event_id}/keyframes/{number:int}.jpg",
        "A frame chosen for an event.",
        media=JPEG,
        parameters=(_EVENT, _NUMBER),
        failures=(404, 503),
    ),
    Operation(
        "show_clip",
        "GET",
        "/events/{event_id}/clip.mp4",
        "The video around an event; ranges are answered.",
        media="video/mp4",
        parameters=(_EVENT,),
        failures=(404, 503),
    ),
    Operation(
        "stream",
        "GET",
        "/api/stream",
        "Server-sent events: hello, observation, event, state, keyframe, model (there is another one); and lost, after "
        "which to ask for everything again.",
        media="text/event-stream",
        failures=(503,),
    ),
    Operation("show_health", "GET", "/api/health", "Whether streamspike is well.", answers.HealthAnswer),
    Operation(
        "show_model",
        "GET",
        "/api/model",
        "Which model is in service, and what the night shift does.",
        answers.ModelAnswer,
        failures=(503,),
    ),
)
