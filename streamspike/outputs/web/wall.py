"""What is known of every camera at this moment: its state and why, its newest segment, how far it has learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamspike.belief.events import EventTracker
from streamspike.core import CameraState, Frame, Observation
from streamspike.outputs.commands import Control
from streamspike.outputs.messages import iso_utc
from streamspike.outputs.store import CameraRecord
from streamspike.outputs.web.answers import CameraAnswer, observation_answer
from streamspike.stats import CameraStats


class Watched(Protocol):
    """A camera of this process, as the pipeline has it. Only read here."""

    camera_id: str
    stats: CameraStats
    events: EventTracker

    @property
    def control(self) -> Control: ...

    @property
    def latest_frame(self) -> Frame | None: ...


@dataclass(slots=True)
class _View:
    state: CameraState = CameraState.CONNECTING
    reason: str = ""
    since: float | None = None
    latest: Observation | None = None


class Wall:
    """Belongs to the loop. One entry per camera, hence bounded."""

    def __init__(self, watched: Callable[[], Sequence[Watched]]) -> None:
        """
        Args:
            watched: the cameras of this process; asked each time, because they may change.
        """
        self._watched = watched
        self._views: dict[str, _View] = {}

    def observe(self, observation: Observation) -> None:
        self._view(observation.camera_id).latest = observation

    def report_state(self, camera_id: str, state: CameraState, reason: str, at: float) -> None:
        view = self._view(camera_id)
        if view.since is None or view.state is not state:
            view.since = at
        view.state, view.reason = state, reason

    def states(self) -> dict[str, CameraState]:
        """Of the cameras of this process, by id."""
        return {camera.camera_id: self._view(camera.camera_id).state for camera in self._watched()}

    def frame_of(self, camera_id: str) -> Frame | None:
        """The newest frame of a camera of this process; None while it is paused: then nobody is to look."""
        camera = self._find(camera_id)
        if camera is None or self._view(camera_id).state is CameraState.PAUSED:
            return None
        return camera.latest_frame

    def control_of(self, camera_id: str) -> Control | None:
        """What can be commanded of a camera of this process."""
        camera = self._find(camera_id)
        return None if camera is None else camera.control

    def is_degraded(self, camera_id: str) -> bool:
        """The model of a camera of this process fails, and only motion is watched."""
        camera = self._find(camera_id)
        return camera is not None and camera.stats.degraded

    def progress_of(self, camera_id: str) -> float:
        """Of learning, in [0, 1]."""
        camera = self._find(camera_id)
        return 0.0 if camera is None else camera.events.calibrator.progress

    def answers(self, records: Iterable[CameraRecord]) -> list[CameraAnswer]:
        """The cameras of this process and those that the store remembers, by id."""
        answers = {record.camera_id: _remembered(record) for record in records}
        answers |= {camera.camera_id: self._answer(camera) for camera in self._watched()}
        return [answers[camera_id] for camera_id in sorted(answers)]

    def _answer(self, camera: Watched) -> CameraAnswer:
        view, calibrator = self._view(camera.camera_id), camera.events.calibrator
        return CameraAnswer(
            id=camera.camera_id,
            state=view.state.value,
            reason=view.reason,
            degraded=camera.stats.degraded,
            since=None if view.since is None else iso_utc(view.since),
            watched=True,
            learning_progress=calibrator.progress,
            threshold_nats=round(calibrator.level, 4),
            alerts_per_day=calibrator.alerts_per_day,
            paused=camera.control.paused,
            budget_use_days=round(calibrator.budget_use, 4),
            last_frame_at=iso_utc(camera.stats.last_frame_at) if camera.stats.last_frame_at else None,
            latest=None if view.latest is None else observation_answer(view.latest),
            picture=f"/api/cameras/{camera.camera_id}/picture.jpg",
        )

    def _find(self, camera_id: str) -> Watched | None:
        return next((camera for camera in self._watched() if camera.camera_id == camera_id), None)

    def _view(self, camera_id: str) -> _View:
        return self._views.setdefault(camera_id, _View())


def _remembered(record: CameraRecord) -> CameraAnswer:
    """A camera of an earlier run, or of another process."""
    return CameraAnswer(
        id=record.camera_id,
        state=record.state.value if record.state else "",
        reason=record.reason,
        degraded=False,
        since=None if record.reported_at is None else iso_utc(record.reported_at),
        watched=False,
        learning_progress=0.0,
        threshold_nats=0.0,
        alerts_per_day=0.0,
        paused=False,
        budget_use_days=0.0,
        last_frame_at=None,
        latest=None,
        picture=None,
    )
