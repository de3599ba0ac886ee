"""What Home Assistant is told of a camera: only keys it documents, only topics we use, templates that give states."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from streamspike.core import CameraState
from streamspike.outputs import messages
from streamspike.outputs.commands import Command, parse
from streamspike.outputs.discovery import discovery_payload, discovery_topic
from streamspike.outputs.topics import Topics
from tests.support import home_assistant as documented
from tests.support.home_assistant import render_template
from tests.support.messages import NOON, make_event, make_observation

TOPICS = Topics("home/spike")
PAYLOAD: dict[str, Any] = json.loads(discovery_payload(TOPICS, "door"))
COMPONENTS: dict[str, dict[str, Any]] = PAYLOAD["components"]


def state(state: CameraState = CameraState.WATCHING, event_id: str | None = None) -> str:
    return messages.state_payload(
        "door", state, "", NOON, event_id=event_id, alerts_per_day=5.0, effective_alerts_per_day=5.0
    )


def shown(name: str, payload: str) -> str:
    return render_template(COMPONENTS[name]["value_template"], payload)


def test_the_message_has_the_documented_keys() -> None:
    assert {"device", "origin", "components"} <= set(PAYLOAD) <= documented.PAYLOAD_KEYS
    assert set(PAYLOAD["device"]) <= documented.DEVICE_KEYS and PAYLOAD["device"]["identifiers"]
    assert {"name"} <= set(PAYLOAD["origin"]) <= documented.ORIGIN_KEYS


@pytest.mark.parametrize("name", COMPONENTS)
def test_each_entity_has_the_documented_keys(name: str) -> None:
    component = COMPONENTS[name]
    required, optional = documented.PLATFORM_KEYS[component["platform"]]
    assert required | {"unique_id"} <= set(component) <= required | optional | documented.COMMON_KEYS
    assert component.get("entity_category", "config") in documented.ENTITY_CATEGORIES
    assert re.fullmatch(r"mdi:[a-z-]+", component.get("icon", "mdi:camera"))
    for availability in component["availability"]:
        assert {"topic"} <= set(availability) <= documented.AVAILABILITY_KEYS
    assert component.get("availability_mode", "latest") in ("all", "any", "latest")


def test_there_is_everything_a_camera_has() -> None:
    kinds = {name: component["platform"] for name, component in COMPONENTS.items()}
    assert kinds == {
        "event": "binary_sensor",
        "surprise": "sensor",
        "unrest": "sensor",
        "last_event": "sensor",
        "state": "sensor",
        "keyframe": "image",
        "alerts_per_day": "number",
        "pause": "switch",
        "snapshot": "button",
    }
    assert COMPONENTS["event"]["device_class"] in documented.BINARY_SENSOR_CLASSES


def test_entities_of_all_cameras_and_installations_have_names_of_their_own() -> None:
    payloads = [
        json.loads(discovery_payload(topics, camera))
        for topics in (TOPICS, Topics("home/other"))
        for camera in ("door", "yard")
    ]
    names = [component["unique_id"] for payload in payloads for component in payload["components"].values()]
    assert len(set(names)) == len(names) == 36
    assert discovery_topic("homeassistant", TOPICS, "door") == "homeassistant/device/home-spike-door/config"


def test_entities_listen_to_topics_that_we_publish() -> None:
    published = {
        TOPICS.status,
        *(topic("door") for topic in (TOPICS.state, TOPICS.event, TOPICS.surprise, TOPICS.keyframe)),
    }
    for component in COMPONENTS.values():
        topics = {value for key, value in component.items() if key.endswith("_topic") and key != "command_topic"}
        topics |= {availability["topic"] for availability in component["availability"]}
        assert topics <= published


def test_commands_of_entities_are_understood() -> None:
    pause, button, number = COMPONENTS["pause"], COMPONENTS["snapshot"], COMPONENTS["alerts_per_day"]
    assert parse(TOPICS, pause["command_topic"], pause["payload_on"].encode()) == Command("door", "pause", 1.0)
    assert parse(TOPICS, pause["command_topic"], pause["payload_off"].encode()) == Command("door", "pause", 0.0)
    assert parse(TOPICS, button["command_topic"], button["payload_press"].encode()) == Command("door", "snapshot")
    for value in (number["min"], number["max"], 5):
        asked = parse(TOPICS, number["command_topic"], str(value).encode())
        assert asked == Command("door", "alerts_per_day", float(value))
    assert number["step"] >= documented.MIN_STEP


def test_templates_give_the_states_of_the_entities() -> None:
    assert (shown("event", state()), shown("event", state(event_id="door-1"))) == ("OFF", "ON")
    assert (shown("pause", state()), shown("pause", state(CameraState.PAUSED))) == ("off", "on")
    assert float(shown("alerts_per_day", state())) == 5.0
    assert {shown("state", state(value)) for value in CameraState} == set(COMPONENTS["state"]["options"])
    assert float(shown("surprise", messages.surprise_payload(make_observation(0, 1.25)))) == 1.25


def test_long_sentences_are_cut_to_what_a_state_may_have() -> None:
    event = replace(make_event(), saw="a dog barks, " * 100)
    assert len(shown("last_event", messages.event_payload(event, 1))) == documented.MAX_STATE_CHARACTERS
    assert shown("last_event", messages.event_payload(make_event(), 1)) == messages.sentence(make_event())


def test_what_a_camera_sees_is_not_available_while_it_is_out_of_sight() -> None:
    running, seeing = COMPONENTS["surprise"]["availability"]
    assert (running["payload_available"], running["payload_not_available"]) == (messages.ONLINE, messages.OFFLINE)
    said = {value: render_template(seeing["value_template"], state(value)) for value in CameraState}
    assert {value for value, word in said.items() if word == "offline"} == {CameraState.OFFLINE, CameraState.CONNECTING}
    assert set(said.values()) == {"online", "offline"}
    assert COMPONENTS["pause"]["availability"] == [running], "a camera can be paused whatever it does"
