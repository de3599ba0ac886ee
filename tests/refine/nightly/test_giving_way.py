"""Training waits while the live monitor is short of time, and never beyond its own time."""

from __future__ import annotations

import pytest

from streamspike.outputs.store import RecentSegments
from streamspike.refine.nightly.giving_way import LOOK_BACK_SECONDS, WAIT_SECONDS, GivingWay, is_behind

NOW = 1000.0


def recent(*, missing: int = 0, late_seconds: float = 1.0, count: int = 30) -> RecentSegments:
    """Of one camera."""
    return RecentSegments(count - missing, 100, 99 + count, NOW - late_seconds)


@pytest.mark.parametrize(
    ("cameras", "segment_seconds", "behind"),
    [
        ([], 1.0, False),  # nobody watches
        ([recent()], 1.0, False),
        ([recent(late_seconds=3.9)], 1.0, False),
        ([recent(late_seconds=4.1)], 1.0, True),
        ([recent(late_seconds=9.0, count=3)], 8.0, False),  # the next one has only just ended
        ([recent(late_seconds=20.0), recent()], 1.0, False),  # one went offline, which is no want of time
        ([recent(missing=1)], 1.0, True),
        ([recent(missing=1), recent(), recent()], 1.0, False),  # one of 90
    ],
)
def test_who_is_behind(cameras: list[RecentSegments], segment_seconds: float, behind: bool) -> None:
    assert is_behind(cameras, NOW, segment_seconds) == behind


class Monitor:
    """Behind until a moment; time passes only while somebody waits."""

    def __init__(self, until: float) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self._until = until

    def look(self, since: float) -> list[RecentSegments]:
        assert since == self.now - LOOK_BACK_SECONDS
        return [RecentSegments(30, 0, 29, self.now - (10.0 if self.now < self._until else 1.0))]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def way(monitor: Monitor, deadline: float) -> GivingWay:
    return GivingWay(monitor.look, 1.0, lambda: monitor.now, monitor.sleep, deadline)


def test_it_waits_as_long_as_the_monitor_is_behind_and_goes_on() -> None:
    monitor = Monitor(NOW + 2.5 * WAIT_SECONDS)
    give_way = way(monitor, NOW + 3600)
    give_way()
    assert monitor.slept == [WAIT_SECONDS] * 3
    give_way()
    assert len(monitor.slept) == 3


def test_it_never_waits_beyond_its_deadline() -> None:
    monitor = Monitor(NOW + 3600)
    give_way = way(monitor, NOW + 2.5 * WAIT_SECONDS)
    give_way()
    assert sum(monitor.slept) == 2.5 * WAIT_SECONDS
    give_way()
    assert sum(monitor.slept) == 2.5 * WAIT_SECONDS
