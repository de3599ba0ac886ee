"""What Home Assistant is told of a camera: one retained message, from which it makes a device with its entities.

The message is the one for whole devices (Home Assistant 2024.12 and newer); an empty one takes the device away. Keys
and values are those of https://www.home-assistant.io/integrations/mqtt/ and of the pages of each platform.
"""

from __future__ import annotations

import json
import re

from streamspike import __version__
from streamspike.core import CameraState
from streamspike.outputs import commands, messages
from streamspike.outputs.topics import Topics

MAX_STATE_CHARACTERS = 255
"""Home Assistant refuses longer states."""
OUT_OF_SIGHT = (CameraState.CONNECTING, CameraState.OFFLINE)
"""In these states what a camera last showed says nothing."""


def discovery_topic(prefix: str, topics: Topics, camera_id: str) -> str:
    """
    Args:
        prefix: of Home Assistant, as in homeassistant.
    """
    return f"{prefix}/device/{unique_id(topics, camera_id)}/config"


def unique_id(topics: Topics, camera_id: str) -> str:
    """Of the device, over all installations on one broker: they differ in their topics."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{topics.prefix}-{camera_id}")


def discovery_payload(topics: Topics, camera_id: str) -> str:
    """The device of a camera: event, surprise, unrest, last event, state, keyframe; budget, pause, snapshot."""
    device_id = unique_id(topics, camera_id)
    components = _readings(topics, camera_id) | _controls(topics, camera_id)
    for name, component in components.items():
        component["unique_id"] = f"{device_id}-{name}"
    return json.dumps(
        {
            "device": {
                "identifiers": [device_id],
                "name": camera_id,
                "manufacturer": "streamspike",
                "model": "camera",
                "sw_version": __version__,
            },
            "origin": {"name": "streamspike", "sw_version": __version__},
            "components": components,
            "qos": 1,
        }
    )


def _readings(topics: Topics, camera_id: str) -> dict[str, dict[str, object]]:
    """What can be seen of a camera; not available while it cannot see."""
    state, event = topics.state(camera_id), topics.event(camera_id)
    out_of_sight = [str(value) for value in OUT_OF_SIGHT]
    sees = f"{{{{ 'offline' if value_json.state in {out_of_sight} else 'online' }}}}"
    seeing = {
        "availability": [_running(topics), {"topic": state, "value_template": sees}],
        "availability_mode": "all",
    }
    running = {"availability": [_running(topics)]}
    return {
        "event": {
            "platform": "binary_sensor",
            "name": "Event",
            "device_class": "problem",
            "state_topic": state,
            "value_template": "{{ 'ON' if value_json.event else 'OFF' }}",
            **seeing,
        },
        "surprise": {
            "platform": "sensor",
            "name": "Surprise",
            "icon": "mdi:chart-bell-curve",
            "state_class": "measurement",
            "unit_of_measurement": "nat",
            "suggested_display_precision": 2,
            "state_topic": topics.surprise(camera_id),
            "value_template": "{{ value_json.surprise_nats }}",
            **seeing,
        },
        "unrest": {
            "platform": "sensor",
            "name": "Unrest",
            "icon": "mdi:pulse",
            "state_class": "measurement",
            "unit_of_measurement": "nat",
            "suggested_display_precision": 2,
            "state_topic": topics.surprise(camera_id),
            "value_template": "{{ value_json.unrest_nats }}",
            **seeing,
        },
        "last_event": {
            "platform": "sensor",
            "name": "Last event",
            "icon": "mdi:message-alert",
            "state_topic": event,
            "value_template": f"{{{{ value_json.sentence[:{MAX_STATE_CHARACTERS}] }}}}",
            "json_attributes_topic": event,
            **running,
        },
        "state": {
            "platform": "sensor",
            "name": "State",
            "device_class": "enum",
            "options": [str(value) for value in CameraState],
            "entity_category": "diagnostic",
            "state_topic": state,
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": state,
            **running,
        },
        "keyframe": {
            "platform": "image",
            "name": "Keyframe",
            "content_type": "image/jpeg",
            "image_topic": topics.keyframe(camera_id),
            **running,
        },
    }


def _controls(topics: Topics, camera_id: str) -> dict[str, dict[str, object]]:
    """What can be commanded, as long as streamspike runs."""
    running = {"availability": [_running(topics)]}
    return {
        "alerts_per_day": {
            "platform": "number",
            "name": "Alerts a day",
            "icon": "mdi:bell-cog",
            "entity_category": "config",
            "command_topic": topics.command(camera_id, "alerts_per_day"),
            "state_topic": topics.state(camera_id),
            "value_template": "{{ value_json.alerts_per_day }}",
            "min": 0.01,
            "max": commands.MAX_ALERTS_PER_DAY,
            "step": 0.01,
            "mode": "box",
            **running,
        },
        "pause": {
            "platform": "switch",
            "name": "Pause",
            "icon": "mdi:pause",
            "command_topic": topics.command(camera_id, "pause"),
            "payload_on": commands.ON,
            "payload_off": commands.OFF,
            "state_topic": topics.state(camera_id),
            "value_template": f"{{{{ '{commands.ON}' if value_json.state == 'paused' else '{commands.OFF}' }}}}",
            **running,
        },
        "snapshot": {
            "platform": "button",
            "name": "Snapshot",
            "icon": "mdi:camera",
            "command_topic": topics.command(camera_id, "snapshot"),
            "payload_press": commands.PRESS,
            **running,
        },
    }


def _running(topics: Topics) -> dict[str, object]:
    return {
        "topic": topics.status,
        "payload_available": messages.ONLINE,
        "payload_not_available": messages.OFFLINE,
    }
