"""What can be commanded of a camera while it runs, and what of that outlives a restart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from streamspike.belief.calibrate import Calibrator
from streamspike.core import CameraState, Frame, Keyframe
from streamspike.outputs.keyframes import encode_keyframe


class CameraControl:
    """An `outputs.commands.Control`. Used on the loop; the camera asks it whether it is paused."""

    def __init__(
        self,
        camera_id: str,
        calibrators: Callable[[], Sequence[Calibrator]],
        configured: Callable[[], float],
        max_width_px: int,
        on_change: Callable[[], None],
    ) -> None:
        """
        Args:
            calibrators: of the camera as they are now, the one of its own scores first.
            configured: alerts a day as the configuration has them now.
            max_width_px: of snapshots.
            on_change: called when the camera is paused or goes on, or has another budget.
        """
        self.paused = False
        self._camera_id = camera_id
        self._calibrators = calibrators
        self._configured = configured
        self._commanded: float | None = None
        self._max_width_px = max_width_px
        self._on_change = on_change
        self._newest: Frame | None = None

    @property
    def alerts_per_day(self) -> float:
        """The budget that was set."""
        return self._calibrators()[0].alerts_per_day

    @property
    def effective_alerts_per_day(self) -> float:
        """The budget after what people said of its alerts."""
        return self._calibrators()[0].effective_alerts_per_day

    def see(self, frame: Frame) -> None:
        """What a snapshot would show."""
        self._newest = frame

    def pause(self, paused: bool) -> None:
        """While a camera is paused nothing is scored, shown or kept of it; its connection stays."""
        self.paused = paused
        if paused:
            self._newest = None
        self._on_change()

    def set_budget(self, alerts_per_day: float | None) -> None:
        """
        Args:
            alerts_per_day: None for that of the configuration.

        Raises:
            ValueError: not above 0.
        """
        budget = self._configured() if alerts_per_day is None else alerts_per_day
        for calibrator in self._calibrators():
            calibrator.alerts_per_day = budget
        self._commanded = alerts_per_day
        self._on_change()

    def renew(self) -> None:
        """The calibrators are others, or the configuration is: what was commanded goes on."""
        self.set_budget(self._commanded)

    def take_snapshot(self) -> Keyframe | None:
        """The newest picture, as a keyframe without an event; None when there is none."""
        frame = self._newest
        if frame is None:
            return None
        return encode_keyframe(
            frame.pixels,
            camera_id=self._camera_id,
            event_id="",
            index=round(frame.arrived_at * 1000),
            taken_at=frame.arrived_at,
            max_width_px=self._max_width_px,
        )

    def export(self) -> dict[str, object]:
        """What was commanded, as plain JSON values."""
        return {"paused": self.paused, "alerts_per_day": self._commanded}

    def restore(self, commanded: Mapping[str, object]) -> None:
        """Continue from an `export`, or from an empty one. What cannot be understood is as if it had not been said."""
        self.paused = commanded.get("paused") is True
        budget = commanded.get("alerts_per_day")
        if isinstance(budget, int | float) and math.isfinite(budget) and budget > 0:
            self.set_budget(float(budget))

    def state(self, otherwise: tuple[CameraState, str]) -> tuple[CameraState, str]:
        """The state of a camera that is paused, and what it would be otherwise as the reason; else that."""
        state, reason = otherwise
        if not self.paused or state is CameraState.FINISHED:
            return otherwise
        words = "paused by command"
        if state in (CameraState.OFFLINE, CameraState.CONNECTING):
            words += f"; {state.value}" + (f": {reason}" if reason else "")
        return CameraState.PAUSED, words
