"""Appends events to a JSON Lines file, one message per line, for people who pipe and grep."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from streamspike.core import CameraState, Event, Keyframe, Observation
from streamspike.errors import SinkError
from streamspike.outputs import messages


class JsonlSink:
    """Every revision of every event, as on MQTT but without the sequence, which belongs to the store.

    Lines are flushed as they are written, so that `tail -f` sees an event at its onset and a killed process leaves
    whole lines. Writing a line is quicker than handing it to a thread, hence it happens on the loop.
    """

    def __init__(self, path: Path) -> None:
        """Open for appending; missing folders are made. Raises SinkError when that is not possible."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise SinkError(f"cannot write events to {path}: {error.strerror}") from error

    async def observe(self, observation: Observation) -> None:
        """Not written: the store has them."""

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        try:
            self._file.write(messages.event_payload(event) + "\n")
            self._file.flush()
        except OSError as error:
            raise SinkError(f"cannot write events to {self._path}: {error.strerror}") from error

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        """Not written."""

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> JsonlSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
