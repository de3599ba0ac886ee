"""Commands that come over MQTT: what they may say, who obeys them, and why one is refused.

Anybody who may publish on the broker can send anything, so nothing here trusts a topic or a payload: names are looked
up among what is known, values are matched whole, and what is refused is never quoted back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streamspike.config import CAMERA_ID
from streamspike.core import Keyframe
from streamspike.outputs.feedback import NOT_USEFUL, USEFUL
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.topics import COMMANDS, Topics

MAX_PAYLOAD_BYTES = 64
"""The longest command has 10."""
MAX_EVENT_ID_CHARACTERS = 128
MAX_ALERTS_PER_DAY = 86_400.0
DEFAULT = "default"
PRESS = "press"
ON = "on"
OFF = "off"


class Control(Protocol):
    """What can be commanded of a camera that runs. Used on the loop."""

    @property
    def paused(self) -> bool: ...

    @property
    def alerts_per_day(self) -> float:
        """The budget that was set."""
        ...

    @property
    def effective_alerts_per_day(self) -> float:
        """After what people said of its alerts."""
        ...

    def pause(self, paused: bool) -> None: ...

    def set_budget(self, alerts_per_day: float | None) -> None:
        """None: that of the configuration."""
        ...

    def take_snapshot(self) -> Keyframe | None:
        """The newest picture; None when there is none, or the camera is paused."""
        ...

    def export(self) -> Mapping[str, object]:
        """What was commanded and outlives a restart."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """To one camera."""

    camera_id: str
    name: str
    """One of topics.COMMANDS."""
    value: float | None = None
    """alerts_per_day: the budget, None for the configured one. pause: 1.0 or 0.0."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """On one event."""

    event_id: str
    is_useful: bool


class Refused(ValueError):
    """A command that is not obeyed, and why: one sentence, for whoever sent it."""

    def __init__(self, reason: str, sentence: str, camera_id: str | None = None, command: str | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason
        """For the counts; few values."""
        self.camera_id = camera_id
        """None: it names no camera of ours."""
        self.command = command
        """None: it is no command that we know."""


def parse(topics: Topics, topic: str, payload: bytes) -> Command | Feedback:
    """What a message asks for. Knows nothing of which cameras and events there are.

    Raises:
        Refused: with a reason of: topic, too_long, not_text, bad_value, unknown_command.
    """
    levels = topic.removeprefix(topics.prefix + "/").split("/")
    if not topic.startswith(topics.prefix + "/") or len(levels) != 3:
        raise Refused("topic", "there is nothing to command on this topic")
    if levels[0] == "event" and levels[2] == "feedback":
        event_id = levels[1]
        if len(event_id) > MAX_EVENT_ID_CHARACTERS or not re.fullmatch(r"[A-Za-z0-9_-]+", event_id):
            raise Refused("bad_value", "an event id has letters, digits, - and _ only", None, "feedback")
        word = _word(payload, None, "feedback")
        if word not in (USEFUL, NOT_USEFUL):
            raise Refused("bad_value", f"feedback is {USEFUL} or {NOT_USEFUL}", None, "feedback")
        return Feedback(event_id, word == USEFUL)
    camera_id, _, name = levels
    if not re.fullmatch(CAMERA_ID, camera_id):
        raise Refused("unknown_camera", "there is no camera of this name here")
    if name not in COMMANDS:
        raise Refused("unknown_command", f"a camera understands {', '.join(COMMANDS)}", camera_id)
    return Command(camera_id, name, _value(name, _word(payload, camera_id, name), camera_id))


def _word(payload: bytes, camera_id: str | None, name: str) -> str:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Refused("too_long", f"a payload has at most {MAX_PAYLOAD_BYTES} bytes", camera_id, name)
    try:
        return payload.decode("utf-8").strip().lower()
    except UnicodeDecodeError:
        raise Refused("not_text", "a payload is UTF-8 text", camera_id, name) from None


def _value(name: str, word: str, camera_id: str) -> float | None:
    if name == "alerts_per_day":
        if word == DEFAULT:
            return None
        # Not float(): it takes nan, inf, 1_000 and digits of other alphabets.
        if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,6})?", word) and 0.0 < float(word) <= MAX_ALERTS_PER_DAY:
            return float(word)
        allowed = f"a number above 0 and up to {MAX_ALERTS_PER_DAY:.0f}, or {DEFAULT}"
    elif name == "pause":
        if word in (ON, OFF, ""):
            return 0.0 if word == OFF else 1.0
        allowed = f"{ON}, {OFF} or empty"
    else:
        if word in (PRESS, ""):
            return None
        allowed = f"{PRESS} or empty"
    raise Refused("bad_value", f"the payload of {name} is {allowed}", camera_id, name)


class Commander:
    """Obeys. What a command changed, its caller publishes: that is the acknowledgement."""

    def __init__(self, topics: Topics, recorder: Recorder, clock: Callable[[], float]) -> None:
        self.controls: Mapping[str, Control] = {}
        """By camera id; the cameras that run in this process."""
        self.num_obeyed: Counter[str] = Counter()
        """By name of the command."""
        self.num_refused: Counter[str] = Counter()
        """By reason."""
        self.on_feedback: Callable[[], None] = lambda: None
        """Called when there is a new verdict in the store."""
        self._topics = topics
        self._recorder = recorder
        self._clock = clock

    async def obey(self, topic: str, payload: bytes) -> tuple[str | None, Keyframe | None]:
        """Do what a message asks for.

        Returns:
            The camera whose state is to be published again, and the picture that was asked for.

        Raises:
            Refused: nothing was done; counted.
        """
        try:
            asked = parse(self._topics, topic, payload)
            if isinstance(asked, Feedback):
                await self._take_feedback(asked)
                return None, None  # whoever heeds it tells the new budget
            return asked.camera_id, await self._command(asked)
        except Refused as refusal:
            self.num_refused[refusal.reason] += 1
            if refusal.camera_id not in self.controls:
                refusal.camera_id = None  # no topics are made of names that somebody sent us
            raise

    async def _take_feedback(self, feedback: Feedback) -> None:
        store = self._recorder.store
        camera_id = await self._recorder.run(
            store.feedback.record, feedback.event_id, feedback.is_useful, self._clock()
        )
        if camera_id is None:
            raise Refused("unknown_event", "there is no event of this id in the store", None, "feedback")
        self.num_obeyed["feedback"] += 1
        self.on_feedback()

    async def _command(self, command: Command) -> Keyframe | None:
        control = self.controls.get(command.camera_id)
        if control is None:
            raise Refused("unknown_camera", "there is no camera of this name here", None, command.name)
        if command.name == "snapshot":
            keyframe = control.take_snapshot()
            if keyframe is None:
                raise Refused(
                    "no_picture",
                    "there is no picture: the camera is paused, or has sent none",
                    command.camera_id,
                    "snapshot",
                )
            self.num_obeyed["snapshot"] += 1
            return keyframe
        if command.name == "alerts_per_day":
            control.set_budget(command.value)
        else:
            control.pause(command.name == "pause" and command.value == 1.0)
        # Written before it is acknowledged: a camera that was paused stays so, whatever happens.
        await self._recorder.run(self._recorder.store.save_commanded, command.camera_id, control.export())
        self.num_obeyed[command.name] += 1
        return None
