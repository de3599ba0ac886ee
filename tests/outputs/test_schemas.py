"""Every message fits the schema that is shipped for it, and a message that does not is noticed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from streamspike.core import CameraState, EventKind
from streamspike.outputs import messages
from streamspike.outputs.topics import COMMANDS
from tests.support.contract import PAGE, example_payloads, render
from tests.support.json_schema import find_faults, load_schema
from tests.support.messages import NOON, end_of, make_event, make_keyframe, make_observation

EXAMPLES = example_payloads()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_has_the_keys_of_its_schema_in_their_order(name: str) -> None:
    message, schema = json.loads(EXAMPLES[name]), load_schema(name)
    assert not find_faults(message, schema)
    assert list(message) == list(schema["properties"])


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("event", messages.event_payload(end_of(make_event()), 8, keyframes=(0, 3), has_clip=True)),
        (
            "event",
            messages.event_payload(replace(make_event(), expected=(), believed=(), p_value=1e-12), 1, keyframes=()),
        ),
        ("surprise", messages.surprise_payload(make_observation(0, 0.0))),
        ("state", messages.state_payload("door", CameraState.OFFLINE, "no answer", NOON)),
        ("error", messages.error_payload(None, None, "topic", "there is nothing to command on this topic", NOON)),
        ("keyframe", json.dumps(dict(messages.keyframe_properties(replace(make_keyframe(make_event()), event_id=""))))),
    ],
)
def test_unusual_messages_fit_as_well(name: str, payload: str) -> None:
    assert not find_faults(json.loads(payload), load_schema(name))


@pytest.mark.parametrize(
    "changes",
    [
        {"p_value": 0},
        {"p_value": 1.5},
        {"phase": "begin"},
        {"kind": "alarm"},
        {"surprise_nats": -0.1},
        {"surprise_nats": "6"},
        {"sequence": True},
        {"camera": "no/slash"},
        {"end_at": 5},
        {"onset_at": "yesterday"},
        {"expected": [{"text": "a car"}]},
        {"expected": [{"text": "a car", "probability": 2}]},
        {"version": 2},
        {"links": {"keyframes": ["http://elsewhere/x.jpg"], "clip": None}},
    ],
    ids=str,
)
def test_what_does_not_fit_is_noticed(changes: dict[str, Any]) -> None:
    assert find_faults(json.loads(EXAMPLES["event"]) | changes, load_schema("event"))


def test_a_missing_key_is_noticed() -> None:
    message = json.loads(EXAMPLES["event"])
    del message["saw"]
    assert find_faults(message, load_schema("event"))


def test_schemas_name_all_states_kinds_and_commands() -> None:
    assert load_schema("state")["properties"]["state"]["enum"] == [str(state) for state in CameraState]
    assert load_schema("event")["properties"]["kind"]["enum"] == [str(kind) for kind in EventKind]
    assert load_schema("error")["properties"]["command"]["enum"] == [*COMMANDS, "feedback", None]


@pytest.mark.parametrize("name", EXAMPLES)
def test_schemas_say_what_they_are(name: str) -> None:
    schema = load_schema(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == name and "{topic}" in schema["description"]
    assert {messages.VERSION, str(messages.VERSION)} & {schema["properties"]["version"]["const"]}


def test_the_page_shows_what_the_code_sends() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(text), "docs/mqtt.md is old; `python -m tests.support.contract` writes its examples anew"
    assert all(f"<!-- example: {name} -->" in text for name in [*EXAMPLES, "discovery"])


def test_the_page_links_every_schema() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"(../streamspike/outputs/schemas/{name}.json)" in text for name in EXAMPLES)
