"""What counts as surprising for one camera: a budget of alerts a day in place of a threshold.

1. *Learning.* Until the camera was watched for `learning_seconds`, only what exceeds both `extreme_nats` and everything
   seen so far is an alert.
2. *The tail.* Then the threshold is where the fitted tail of the camera's recent surprise (`tail.py`) says that the budget
   is used up exactly. Once a day has been seen, surprise is measured against what is usual at that hour of the day.
3. *Feedback.* Models of the future are wrong: light changes, roads open. What was alerted beyond the budget makes each
   further alert dearer, e-fold for every FOLD of them, and what was saved makes them a little cheaper. So the budget holds
   over days whatever happens, and a bad hour does not silence the camera: the threshold is never out of reach.

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
BY_HOUR_DAYS = 1.0
"""Days of watching after which the hours of the day are told apart."""


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
    def level(self) -> float:
        """Nats above which a segment is surprising."""
        if self.learning:
            return max(self._config.floor_nats, self._config.extreme_nats, self._recent.highest)
        if self._until_fit <= 0:
            self._fitted = self._fit()
            self._until_fit = REFIT_SECONDS
        return max(self._config.floor_nats, self._fitted * self._usual)

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
        if not was_learning:
            self._saved = min(self._saved + self._alerts_per_day * seconds / DAY_SECONDS, MOST_SAVED)

    def spend(self) -> None:
        """An alert was given. While learning it costs nothing: the budget begins when the camera is known."""
        if self.learning:
            return
        self._saved = max(self._saved - 1.0, -MOST_OWED_DAYS * self._alerts_per_day)
        self._until_fit = 0.0

    def reset(self) -> None:
        """Forget everything: the camera looks at something else now. What is owed is not forgotten."""
        self._recent = self._new_memory()
        self._until_fit = 0.0

    def export(self) -> dict[str, object]:
        """All there is to remember over a restart, as plain JSON values."""
        return {"version": STATE_VERSION, "saved": self._saved, "recent": self._recent.export()}

    def restore(self, state: Mapping[str, object]) -> None:
        """Continue from an `export`; the config may have changed.

        Raises:
            ValueError: not an export of this version; nothing is changed.
        """
        saved, recent = state.get("saved"), state.get("recent")
        if state.get("version") != STATE_VERSION or not isinstance(saved, int | float) or not isinstance(recent, dict):
            raise ValueError(f"not the state of a calibrator, version {STATE_VERSION}: {str(state)[:80]}")
        try:
            self._recent.restore(recent)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the state of a calibrator: {error!r}") from error
        self._saved = min(float(saved), MOST_SAVED) if math.isfinite(saved) else 0.0
        self._until_fit = 0.0

    def _new_memory(self) -> RecentSurprise:
        return RecentSurprise(self._config.memory_days, self._config.quiet_segments + 1)

    def _fit(self) -> float:
        """Where the tail says that the budget is used up; without a tail, above everything that was seen."""
        level = self._recent.level(self._alerts_per_day * math.exp(self._saved / FOLD))
        return max(self._config.extreme_nats, self._recent.highest) if level is None else level
