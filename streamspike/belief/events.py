"""The life of an event: surprise rises above the threshold (start), peaks (update), and calms down (end).

              peak                        start   the moment a segment exceeds the threshold, not after the event
     ______ /‾‾\\___ threshold            update  whenever the peak is exceeded
       start     \\__ threshold * hysteresis
                    \\________             end     after `quiet_segments` in a row below that, at the end of the
                    quiet quiet                   last segment that was not quiet

Cooldown runs from that end; what exceeds the threshold within it starts nothing and is counted, unless it exceeds the
peak of that event too: a cat that passes must not hide the fall that follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from streamspike.belief.calibrate import Calibrator
from streamspike.config import EventConfig
from streamspike.core import Event, EventPhase, Observation


@dataclass(slots=True)
class EventCounts:
    """What happened to surprising segments, for the metrics."""

    num_started: int = 0
    num_truncated: int = 0
    """Events cut at `max_event_segments`."""
    num_interrupted: int = 0
    """Events ended by a new epoch or by `close`."""
    num_cooled: int = 0
    """Segments above the threshold that started nothing because of the cooldown."""


class EventTracker:
    """Turns the observations of one camera into events. No I/O, no clock; call it from one task."""

    def __init__(self, camera_id: str, config: EventConfig, alerts_per_day: float | None = None) -> None:
        """
        Args:
            alerts_per_day: budget of this camera; None takes the one of the config.
        """
        self.camera_id = camera_id
        self.calibrator = Calibrator(config, alerts_per_day)
        self.counts = EventCounts()
        self._config = config
        self._event: Event | None = None
        self._calm_at = 0.0  # UTC of the end of the last segment of the event that was not quiet
        self._num_quiet = 0
        self._num_surprising = 0  # in a row, while there is no event
        self._cool_until = float("-inf")
        self._cool_nats = 0.0  # the peak of the event that ended

    @property
    def event(self) -> Event | None:
        """The event that goes on, as last reported."""
        return self._event

    def weigh(self, observation: Observation) -> Observation:
        """The observation with its p-value and its threshold. This operation will not modify the tracker."""
        return replace(
            observation,
            p_value=self.calibrator.p_value(observation.surprise_nats),
            threshold_nats=self.calibrator.level,
        )

    def update(self, observation: Observation) -> Event | None:
        """Take in the next observation of the camera, as `weigh` gave it.

        Returns:
            The message that is due: a start, a higher peak, or an end; None most of the time. When a new epoch cuts an
            event the end is returned and this observation starts nothing: the first segment of a connection has no
            history, so its surprise says little, and the next one will tell.
        """
        if observation.camera_id != self.camera_id:
            raise ValueError(f"an observation of {observation.camera_id!r} for the tracker of {self.camera_id!r}")
        event = self._event
        seconds = observation.end_seconds - observation.start_seconds
        self.calibrator.admit(observation.surprise_nats, observation.started_at, seconds)
        if event is None:
            return self._rest(observation)
        if observation.epoch != event.epoch:
            self.counts.num_interrupted += 1
            return self._end(event)
        return self._continue(event, observation)

    def close(self, now: float) -> Event | None:
        """End the event that goes on, if any: on shutdown, or when the camera is offline, still, blind or paused.

        Args:
            now: UTC; an event never ends in the future.
        """
        event = self._event
        if event is None:
            return None
        self.counts.num_interrupted += 1
        self._calm_at = max(event.peak_at, min(self._calm_at, now))
        return self._end(event)

    def _rest(self, observation: Observation) -> Event | None:
        if observation.surprise_nats <= observation.threshold_nats:
            self._num_surprising = 0
            return None
        self._num_surprising += 1
        if self._num_surprising < self._config.onset_segments:
            return None
        if observation.started_at < self._cool_until and observation.surprise_nats <= self._cool_nats:
            self.counts.num_cooled += 1
            return None
        self.counts.num_started += 1
        self.calibrator.spend()
        self._num_quiet = self._num_surprising = 0
        self._calm_at = _ended_at(observation)
        self._event = Event(
            event_id=event_id(self.camera_id, observation.started_at, observation.index),
            camera_id=self.camera_id,
            revision=0,
            phase=EventPhase.START,
            epoch=observation.epoch,
            onset_at=observation.started_at,
            peak_at=observation.started_at,
            end_at=None,
            onset_index=observation.index,
            peak_index=observation.index,
            surprise_nats=observation.surprise_nats,
            threshold_nats=observation.threshold_nats,
            expected=_most_likely_first(observation.hypotheses, observation.prior),
            believed=_most_likely_first(observation.hypotheses, observation.posterior),
            saw=observation.caption,
            model=observation.model,
            p_value=observation.p_value,
            kind=observation.kind,
            change_nats=observation.change_nats,
        )
        return self._event

    def _continue(self, event: Event, observation: Observation) -> Event | None:
        if observation.surprise_nats <= event.threshold_nats * self._config.hysteresis:
            self._num_quiet += 1
            if self._num_quiet >= self._config.quiet_segments:
                return self._end(event)
        else:
            self._num_quiet = 0
            self._calm_at = _ended_at(observation)
        is_peak = observation.surprise_nats > event.surprise_nats
        if is_peak:
            event = _with_peak(event, observation)
        # By index and not by count, so that segments the gate or a full queue took out count as well.
        if observation.index - event.onset_index + 1 >= self._config.max_event_segments:
            self.counts.num_truncated += 1
            self.calibrator.accept(event.surprise_nats)
            return self._end(event)
        if not is_peak:
            return None
        self._event = replace(event, phase=EventPhase.UPDATE, revision=event.revision + 1)
        return self._event

    def _end(self, event: Event) -> Event:
        self._event = None
        self._cool_until = self._calm_at + self._config.cooldown_seconds
        self._cool_nats = event.surprise_nats
        return replace(event, phase=EventPhase.END, revision=event.revision + 1, end_at=self._calm_at)


def event_id(camera_id: str, onset_at: float, onset_index: int) -> str:
    """Globally unique and the same whenever the same segment is scored again, as in door-20260727T101500Z-123."""
    return f"{camera_id}-{datetime.fromtimestamp(onset_at, UTC):%Y%m%dT%H%M%SZ}-{onset_index}"


def _with_peak(event: Event, observation: Observation) -> Event:
    return replace(
        event,
        peak_at=observation.started_at,
        peak_index=observation.index,
        surprise_nats=observation.surprise_nats,
        expected=_most_likely_first(observation.hypotheses, observation.prior),
        believed=_most_likely_first(observation.hypotheses, observation.posterior),
        saw=observation.caption,
        model=observation.model,
        p_value=observation.p_value,
        change_nats=observation.change_nats,
    )


def _most_likely_first(hypotheses: tuple[str, ...], probabilities: tuple[float, ...]) -> tuple[tuple[str, float], ...]:
    pairs = zip(hypotheses, probabilities, strict=True)
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))  # stable: ties stay in the order of the hypotheses


def _ended_at(observation: Observation) -> float:
    return observation.started_at + observation.end_seconds - observation.start_seconds
