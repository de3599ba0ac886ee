"""The messages of the MQTT contract, made by the code that sends them; `python -m tests.support.contract` puts them
into docs/mqtt.md.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from streamspike.core import CameraState
from streamspike.outputs import messages
from streamspike.outputs.commands import Refused, parse
from streamspike.outputs.discovery import discovery_payload
from streamspike.outputs.topics import Topics
from tests.support.messages import NOON, make_event, make_keyframe, make_observation
from tests.support.tree import ROOT

PAGE = ROOT / "docs" / "mqtt.md"
TOPICS = Topics("streamspike")
BLOCK = re.compile(r"<!-- example: (\w+) -->\n```json\n(.*?)```\n", re.DOTALL)


def example_payloads() -> dict[str, str]:
    """One payload of each kind that is JSON, by the name of its schema; of a keyframe its user properties."""
    event = replace(make_event(812), p_value=0.000231)
    observation = replace(make_observation(812, 6.4321), p_value=0.000231, threshold_nats=2.0)
    try:
        parse(TOPICS, TOPICS.command("door", "alerts_per_day"), b"many")
        raise AssertionError("that is no number")
    except Refused as refusal:
        error = messages.error_payload(refusal.camera_id, refusal.command, refusal.reason, str(refusal), NOON)
    state = messages.state_payload(
        "door",
        CameraState.WATCHING,
        "",
        NOON,
        event_id=event.event_id,
        alerts_per_day=5.0,
        effective_alerts_per_day=4.524187,
    )
    return {
        "event": messages.event_payload(event, sequence=7, keyframes=(0,)),
        "state": state,
        "surprise": messages.surprise_payload(observation),
        "model": messages.model_payload("nano@f57a99d5+night-20260726@1a2b3c4d", NOON),
        "error": error,
        "clip": messages.clip_payload(event.event_id, "door", 21.4, 3_145_728, "h264"),
        "keyframe": json.dumps(dict(messages.keyframe_properties(make_keyframe(event)))),
    }


def render(text: str) -> str:
    """The page with its examples as the code makes them now."""
    payloads = example_payloads() | {"discovery": discovery_payload(TOPICS, "door")}

    def fill(match: re.Match[str]) -> str:
        shown = json.dumps(json.loads(payloads[match[1]]), indent=2, ensure_ascii=False)
        return f"<!-- example: {match[1]} -->\n```json\n{shown}\n```\n"

    return BLOCK.sub(fill, text)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
