"""What Home Assistant documents of the MQTT platforms we use, and its templates.

From the pages https://www.home-assistant.io/integrations/{mqtt,binary_sensor.mqtt,sensor.mqtt,image.mqtt,number.mqtt,
switch.mqtt,button.mqtt}/, read 2026-11.
"""

from __future__ import annotations

import json

import jinja2

DEVICE_KEYS = {
    "configuration_url",
    "connections",
    "hw_version",
    "identifiers",
    "manufacturer",
    "model",
    "model_id",
    "name",
    "serial_number",
    "suggested_area",
    "sw_version",
    "via_device",
}
ORIGIN_KEYS = {"name", "sw_version", "support_url"}
AVAILABILITY_KEYS = {"payload_available", "payload_not_available", "topic", "value_template"}
PAYLOAD_KEYS = {"device", "origin", "components", "qos", "state_topic", "command_topic", "availability", "encoding"}
"""Of the message for a whole device; the first three are required."""
COMMON_KEYS = {
    "platform",
    "availability",
    "availability_mode",
    "enabled_by_default",
    "entity_category",
    "entity_picture",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "name",
    "qos",
    "unique_id",
}
PLATFORM_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "binary_sensor": (
        {"state_topic"},
        {"device_class", "expire_after", "force_update", "off_delay", "payload_off", "payload_on", "value_template"},
    ),
    "sensor": (
        {"state_topic"},
        {
            "device_class",
            "expire_after",
            "force_update",
            "last_reset_value_template",
            "options",
            "state_class",
            "suggested_display_precision",
            "unit_of_measurement",
            "value_template",
        },
    ),
    "image": ({"image_topic"}, {"content_type", "image_encoding", "encoding"}),
    "number": (
        {"command_topic"},
        {
            "command_template",
            "device_class",
            "max",
            "min",
            "mode",
            "optimistic",
            "payload_reset",
            "retain",
            "state_topic",
            "step",
            "unit_of_measurement",
            "value_template",
        },
    ),
    "switch": (
        {"command_topic"},
        {
            "device_class",
            "optimistic",
            "payload_off",
            "payload_on",
            "retain",
            "state_off",
            "state_on",
            "state_topic",
            "value_template",
        },
    ),
    "button": ({"command_topic"}, {"command_template", "device_class", "payload_press", "retain"}),
}
"""Per platform what is required, and what else there is beside COMMON_KEYS."""
BINARY_SENSOR_CLASSES = {"motion", "occupancy", "presence", "problem", "safety", "tamper"}
"""Those that could be meant here."""
ENTITY_CATEGORIES = {"config", "diagnostic"}
MIN_STEP = 0.001
MAX_STATE_CHARACTERS = 255


def render_template(template: str, payload: str) -> str:
    """What Home Assistant makes of a JSON payload."""
    return jinja2.Environment(autoescape=False).from_string(template).render(value_json=json.loads(payload))
