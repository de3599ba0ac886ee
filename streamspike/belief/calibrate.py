"""What counts as surprising for one camera: a budget of alerts a day in place of a threshold.

1. *Learning.* Until the camera was watched for `learning_seconds`, an alert needs `extreme_nats`; and once there were
   LEARNING_ALERTS (or the budget of that time, if it is more), it must exceed everything seen so far as well.
2. *The tail.* Then the threshold is where the fitted tail of the camera's recent surprise (`tail.py`) says that the
   budget is used up exactly. Once a day has been seen, surprise is measured against what is usual at that hour.
3. *Feedback.* Models of the future are wrong: light changes, roads open. What was alerted beyond the budget makes each
   further alert dearer, e-fold for every FOLD of them, and what was saved makes them a little cheaper. So the budget
   holds over days whatever happens, and a bad hour does not silence the camera: the threshold stays within reach.
4. *A new normal.* An event that had to be cut because it would not end is how this camera looks now (a road was
   opened, the camera was turned): its peak lifts the threshold for some hours, until the sketch has learned the rest.
5. *Verdicts.* Each event that a person calls not useful makes the budget in effect 10 % smaller (by VERDICT, as a
   logarithm), each useful one as much larger, never beyond half and twice the budget that was set; what was said fades
   e-fold in `memory_days` of watching.

Everything is admitted, events too: neighbouring surprising segments count as one peak.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from streamspike.belief.tail import RecentSurprise
from streamspike.config import EventConfig

STATE_VERSION = 2
DAY_SECONDS = 86_400.0
REFIT_SECONDS = 60.0
"""The tail moves slowly: it is fitted anew this often, and after every alert."""
FOLD = 2.0
MOST_SAVED = 3.0
"""Alerts: a week without any does not make the next day a noisy one."""
MOST_OWED_DAYS = 20.0
"""Days of budget: after that a flood of alerts is forgiven."""
LEARNING_ALERTS = 3
LIFT = 1.5
"""An event without an end lifts the threshold to so many times its peak; that fades e-fold in ..."""
LIFT_DAYS = 0.5
BY_HOUR_DAYS = 1.0
"""Days of watching after which the hours of the day are told apart."""
VERDICT = 0.1
"""Of the logarithm of the budget in effect, per verdict of a person."""
MOST_LEANING = math.log(2.0)


class Calibrator:
    """Running threshold of one camera. Bounded memory, no clock, not thread-safe.

    `level` is what the *next* surprise is compared with: a segment never raises the bar it is judged by.
    """

    def __init__(self, config: EventConfig, alerts_per_day: float | None = None) -> None:
        """
        Args:
            alerts_per_day: of this camera; None takes the one of the config.
        """
        self._config = config
        self._alerts_per_day = config.alerts_per_day if alerts_per_day is None else alerts_per_day
        self._recent = self._new_memory()
        self._saved = 0.0  # alerts that the budget allowed and nobody had; negative when there were too many
        self._spent_learning = 0
        self._lifted = 0.0  # nats, fading
        self._leaning = 0.0  # logarithm of the budget in effect over the one that was set, fading
        self._usual = 1.0  # surprise of this hour of the day as a multiple of the whole day's
        self._hour = -1
        self._until_fit = 0.0
        self._fitted = math.inf

    @property
    def alerts_per_day(self) -> float:
        """The budget. May be set while running; what was saved or owed stays."""
        return self._alerts_per_day

    @alerts_per_day.setter
    def alerts_per_day(self, value: float) -> None:
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"a budget is more than 0 alerts a day, not {value}")
        self._alerts_per_day = value
        self._until_fit = 0.0

    @property
    def effective_alerts_per_day(self) -> float:
        """The budget after what people said of its alerts: between half and twice the one that was set."""
        return self._alerts_per_day * math.exp(self._leaning)

    @property
    def level(self) -> float:
        """Nats above which a segment is surprising."""
        if self.learning:
            return max(self._config.floor_nats, self._unknown_level(), self._lifted)
        if self._until_fit <= 0:
            self._fitted = self._fit()
            self._until_fit = REFIT_SECONDS
        return max(self._config.floor_nats, self._fitted * self._usual, self._lifted)

    @property
    def learning(self) -> bool:
        """Not watched for long enough to know the camera's tail."""
        return self._recent.days * DAY_SECONDS < self._config.learning_seconds

    @property
    def progress(self) -> float:
        """Of learning, in [0, 1]."""
        return min(1.0, self._recent.days * DAY_SECONDS / max(self._config.learning_seconds, 1e-9))

    @property
    def budget_use(self) -> float:
        """Alerts beyond the budget of late (negative: below it), in days of budget; 0 is right on it."""
        return -self._saved / self._alerts_per_day

    def p_value(self, surprise_nats: float) -> float:
        """Share of this camera's recent segments that were at least as surprising, (0, 1]."""
        return min(1.0, max(self._recent.share_above(surprise_nats / self._usual), 1e-12))

    def admit(self, surprise_nats: float, at: float, seconds: float) -> None:
        """Count a segment.

        Args:
            at: UTC of its start.
            seconds: its length.
        """
        if not (math.isfinite(surprise_nats) and surprise_nats >= 0.0):
            raise ValueError(f"surprise is finite and never negative: {surprise_nats = }")
        was_learning = self.learning
        hour = int(at // 3600) % 24
        if hour != self._hour:
            self._hour = hour
            self._usual = self._recent.busyness(hour) if self._recent.days > BY_HOUR_DAYS else 1.0
        self._recent.add(surprise_nats / self._usual, seconds / DAY_SECONDS, hour, surprise_nats)
        self._until_fit -= seconds
        self._lifted *= math.exp(-seconds / DAY_SECONDS / LIFT_DAYS)
        self._leaning *= math.exp(-seconds / DAY_SECONDS / self._config.memory_days)
        if not was_learning:
            self._saved = min(self._saved + self.effective_alerts_per_day * seconds / DAY_SECONDS, MOST_SAVED)

    def spend(self) -> None:
        """An alert was given. The budget begins when the camera is known."""
        if self.learning:
            self._spent_learning += 1
            return
        self._saved = max(self._saved - 1.0, -MOST_OWED_DAYS * self._alerts_per_day)
        self._until_fit = 0.0

    def heed(self, verdicts: int) -> None:
        """A person judged alerts: so many useful ones, or, negative, so many that were not."""
        self._leaning = max(-MOST_LEANING, min(self._leaning + VERDICT * verdicts, MOST_LEANING))
        self._until_fit = 0.0

    def accept(self, peak_nats: float) -> None:
        """What went on for too long to be an event is usual now."""
        self._lifted = max(self._lifted, LIFT * peak_nats)

    def reset(self) -> None:
        """Forget everything: the camera looks at something else now. What is owed and what people said stays."""
        self._recent = self._new_memory()
        self._spent_learning, self._lifted, self._usual, self._hour = 0, 0.0, 1.0, -1
        self._until_fit = 0.0

    def export(self) -> dict[str, object]:
        """All there is to remember over a restart, as plain JSON values."""
        return {
            "version": STATE_VERSION,
            "saved": self._saved,
            "lifted": self._lifted,
            "leaning": self._leaning,
            "recent": self._recent.export(),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`; the config may have changed.

        Raises:
            ValueError: not an export of this version; nothing is changed.
        """
        saved, lifted, recent = state.get("saved"), state.get("lifted"), state.get("recent")
        leaning = state.get("leaning", 0.0)  # exports of before anybody was asked lack it
        numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in (saved, lifted, leaning))
        if state.get("version") != STATE_VERSION or not numbers or not isinstance(recent, dict):
            raise ValueError(f"not the state of a calibrator, version {STATE_VERSION}: {str(state)[:80]}")
        try:
            self._recent.restore(recent)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the state of a calibrator: {error!r}") from error
        self._saved, self._lifted = min(float(saved), MOST_SAVED), float(lifted)  # type: ignore[arg-type]
        self._leaning = max(-MOST_LEANING, min(float(leaning), MOST_LEANING))  # type: ignore[arg-type]
        self._until_fit = 0.0

    def _new_memory(self) -> RecentSurprise:
        return RecentSurprise(self._config.memory_days, self._config.quiet_segments + 1)

    def _fit(self) -> float:
        """Where the tail says that the budget is used up."""
        level = self._recent.level(self.effective_alerts_per_day * math.exp(self._saved / FOLD))
        return self._unknown_level() if level is None else level

    def _unknown_level(self) -> float:
        """For a camera without a tail: what is extreme; and if that was had too often, what is a record."""
        allowed = max(LEARNING_ALERTS, self._alerts_per_day * self._config.learning_seconds / DAY_SECONDS)
        too_many = self._spent_learning >= allowed or self._saved < -LEARNING_ALERTS
        return max(self._config.extreme_nats, self._recent.highest if too_many else 0.0)
