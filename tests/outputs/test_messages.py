import json
import math
from dataclasses import replace

import pytest

from streamspike.core import CameraState, EventKind
from streamspike.outputs import messages
from tests.support.messages import NOON, end_of, make_event, make_observation


def test_event_says_what_was_expected_and_what_was_seen() -> None:
    message = json.loads(messages.event_payload(make_event(), sequence=7))
    assert message == {
        "id": "door-20260727T100000Z-0",
        "camera": "door",
        "sequence": 7,
        "revision": 0,
        "phase": "start",
        "kind": "surprise",
        "sentence": "expected: a car passes 62 %, a cat sits 30 %; saw: the gate falls over",
        "expected": [
            {"text": "a car passes", "probability": 0.62},
            {"text": "a cat sits", "probability": 0.3},
            {"text": "nobody is there", "probability": 0.08},
        ],
        "saw": "the gate falls over",
        "believed_after": [
            {"text": "the gate falls over", "probability": 0.97},
            {"text": "a cat sits", "probability": 0.03},
        ],
        "surprise_nats": 6.4321,
        "change_nats": 0.4321,
        "threshold_nats": 2.0,
        "p_value": 1.0,
        "onset_at": "2026-07-27T10:00:00.000Z",
        "peak_at": "2026-07-27T10:00:00.000Z",
        "end_at": None,
        "epoch": 0,
        "model": "nano-1",
        "version": 1,
    }


def test_what_is_no_surprise_says_so_and_speaks_of_no_expectation() -> None:
    motion = replace(make_event(), kind=EventKind.MOTION, expected=(), believed=(), saw="frame-difference 0.2")
    moved = replace(motion, kind=EventKind.MOVED, saw="the camera was moved")
    told = [json.loads(messages.event_payload(event, sequence=1)) for event in (motion, moved)]
    assert [(message["kind"], message["sentence"]) for message in told] == [
        ("motion", "no model says what moved: frame-difference 0.2"),
        ("moved", "the camera was moved"),
    ]


def test_end_has_its_time() -> None:
    message = json.loads(messages.event_payload(end_of(make_event(), 2.25), sequence=8))
    assert (message["phase"], message["end_at"]) == ("end", "2026-07-27T10:00:02.250Z")


def test_other_alphabets_stay_readable_and_on_one_line() -> None:
    payload = messages.event_payload(replace(make_event(), saw="ein Hund läuft\nüber 道路"), sequence=1)
    assert "läuft" in payload and "道路" in payload and "\n" not in payload
    assert json.loads(payload)["saw"] == "ein Hund läuft\nüber 道路"


def test_what_is_not_a_number_never_becomes_invalid_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        messages.event_payload(replace(make_event(), surprise_nats=math.nan), sequence=1)


def test_state_and_surprise() -> None:
    state = json.loads(messages.state_payload("door", CameraState.BLIND, "the lens is covered", NOON + 0.5))
    assert state["state"] == "blind" and state["reason"] == "the lens is covered"
    assert state["since"] == "2026-07-27T10:00:00.500Z"
    surprise = json.loads(messages.surprise_payload(make_observation(3, 1.23456)))
    assert (surprise["surprise_nats"], surprise["index"], surprise["seconds"]) == (1.2346, 3, 1.0)


@pytest.mark.parametrize(
    ("probability", "words"), [(0.0, "0 %"), (0.001, "< 1 %"), (0.006, "1 %"), (0.62, "62 %"), (1.0, "100 %")]
)
def test_percent(probability: float, words: str) -> None:
    assert messages.percent(probability) == words
