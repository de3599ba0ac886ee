"""Which alert tells of which surprise, and how long it took: plain arithmetic on numbers of segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LATE_SEGMENTS = 2
"""A surprise counts as told when a message is about its segment or one of so many after it: a fall is seen lying."""


@dataclass(frozen=True, slots=True)
class Message:
    """The start of an event, or an update with a higher peak."""

    revision: int
    about_index: int
    """The segment it tells of: the onset, or the peak."""
    told_index: int
    """The segment after which it was told; the same, unless it took longer to be certain."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One event."""

    event_id: str
    messages: tuple[Message, ...]
    """Starts and updates, in order; an end tells of nothing new."""

    @property
    def first_index(self) -> int:
        return min(message.about_index for message in self.messages)

    @property
    def last_index(self) -> int:
        return max(message.about_index for message in self.messages)


@dataclass(frozen=True, slots=True)
class Matching:
    """Every surprise is in `hits` or in `misses`, every alert in `hits`, `again` or `false`."""

    hits: dict[int, tuple[Alert, Message]]
    """By segment of the surprise: the first alert about it, and its message that says so."""
    misses: tuple[int, ...]
    again: tuple[Alert, ...]
    """About a surprise that another alert had told of already."""
    false: tuple[Alert, ...]
    """About nothing that was scripted."""


def match(alerts: Sequence[Alert], surprises: Sequence[int], late_segments: int = LATE_SEGMENTS) -> Matching:
    """Pair alerts with surprises; an alert is the hit of one surprise at most, and the first one in order gets it.

    Args:
        alerts: of one camera, in order.
        surprises: segments, ascending.
    """
    hits: dict[int, tuple[Alert, Message]] = {}
    used: set[str] = set()
    for surprise in surprises:
        for alert in alerts:
            message = _message_about(alert, surprise, late_segments)
            if message is not None and alert.event_id not in used:
                hits[surprise] = alert, message
                used.add(alert.event_id)
                break
    others = [alert for alert in alerts if alert.event_id not in used]
    about = [any(_message_about(alert, surprise, late_segments) for surprise in surprises) for alert in others]
    return Matching(
        hits,
        tuple(surprise for surprise in surprises if surprise not in hits),
        tuple(alert for alert, is_about in zip(others, about, strict=True) if is_about),
        tuple(alert for alert, is_about in zip(others, about, strict=True) if not is_about),
    )


def _message_about(alert: Alert, surprise: int, late_segments: int) -> Message | None:
    near = (message for message in alert.messages if 0 <= message.about_index - surprise <= late_segments)
    return next(near, None)


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """Median and 95th percentile, interpolated; None where there is nothing."""
    if not values:
        return {"p50": None, "p95": None}
    p50, p95 = np.quantile(values, [0.5, 0.95]).tolist()
    return {"p50": p50, "p95": p95}
