"""Whatever comes over MQTT is a command that is understood whole, or is refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.outputs.commands import MAX_PAYLOAD_BYTES, Command, Feedback, Refused, parse
from streamspike.outputs.topics import Topics

TOPICS = Topics("home/spike")


def test_commands_are_understood() -> None:
    def to_door(name: str, payload: bytes) -> Command | Feedback:
        return parse(TOPICS, f"home/spike/door/set/{name}", payload)

    assert to_door("pause", b"") == to_door("pause", b"ON") == Command("door", "pause", 1.0)
    assert to_door("pause", b"off") == Command("door", "pause", 0.0)
    assert to_door("resume", b"") == Command("door", "resume")
    assert to_door("snapshot", b"press") == Command("door", "snapshot")
    assert to_door("alerts_per_day", b" 2.5\n") == Command("door", "alerts_per_day", 2.5)
    assert to_door("alerts_per_day", b"default") == Command("door", "alerts_per_day", None)


def test_feedback_is_understood() -> None:
    topic = TOPICS.feedback("door-20260727T100000Z-7")
    assert parse(TOPICS, topic, b"useful") == Feedback("door-20260727T100000Z-7", True)
    assert parse(TOPICS, topic, b"not_useful") == Feedback("door-20260727T100000Z-7", False)


HOSTILE = [
    ("topic", "home/spike/status", b"offline"),
    ("topic", "home/spike/door/set/pause/now", b""),
    ("topic", "elsewhere/door/set/pause", b""),
    ("topic", "home/spike", b""),
    ("topic", "", b""),
    ("unknown_camera", "home/spike/+/set/pause", b""),
    ("unknown_camera", "home/spike/#/set/pause", b""),
    ("unknown_camera", "home/spike/../set/pause", b""),
    ("unknown_camera", "home/spike//set/pause", b""),
    ("unknown_camera", "home/spike/door\n/set/pause", b""),
    ("unknown_camera", "home/spike/" + "d" * 65 + "/set/pause", b""),
    ("unknown_command", "home/spike/door/set/reboot", b""),
    ("unknown_command", "home/spike/door/set/", b""),
    ("too_long", "home/spike/door/set/alerts_per_day", b"1" * (MAX_PAYLOAD_BYTES + 1)),
    ("not_text", "home/spike/door/set/pause", b"\xff\xfe"),
    ("bad_value", "home/spike/door/set/pause", b"maybe"),
    ("bad_value", "home/spike/door/set/snapshot", b'{"now": true}'),
    *[
        ("bad_value", "home/spike/door/set/alerts_per_day", payload)
        for payload in (
            b"",
            b"0",
            b"-1",
            b"nan",
            b"inf",
            b"1e3",
            b"1_0",
            b"0x10",
            b"99999",
            b"[" * 60,
            "٣".encode(),
            b"{}",
        )
    ],
    ("bad_value", "home/spike/event/../feedback", b"useful"),
    ("bad_value", "home/spike/event/+/feedback", b"useful"),
    ("bad_value", "home/spike/event/" + "e" * 129 + "/feedback", b"useful"),
    ("bad_value", "home/spike/event/door-1/feedback", b"great"),
    ("too_long", "home/spike/event/door-1/feedback", b"useful" * 100),
]


@pytest.mark.parametrize(("reason", "topic", "payload"), HOSTILE, ids=lambda value: str(value)[:40])
def test_anything_else_is_refused_and_not_quoted(reason: str, topic: str, payload: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse(TOPICS, topic, payload)
    assert caught.value.reason == reason
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 100
    assert payload.decode("utf-8", "replace") not in sentence or len(payload) < 3


@given(
    st.lists(
        st.sampled_from(["home", "spike", "door", "set", "pause", "event", "feedback", "+", "#", "", "\x00", "é"])
    ),
    st.binary(max_size=80),
)
def test_nothing_that_can_be_sent_is_an_error_of_ours(levels: list[str], payload: bytes) -> None:
    try:
        asked = parse(TOPICS, "home/spike/" + "/".join(levels), payload)
    except Refused:
        return
    assert isinstance(asked, Command | Feedback)
