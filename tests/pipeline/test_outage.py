"""Short drops are not told, long ones are, and the first connection is told as it goes."""

from __future__ import annotations

import math

import pytest

from streamspike.core import CameraState
from streamspike.pipeline.outage import Outage

CONNECTING, WATCHING, OFFLINE = CameraState.CONNECTING, CameraState.WATCHING, CameraState.OFFLINE


def test_a_short_drop_is_not_told() -> None:
    outage = Outage(10.0)
    outage.hear(WATCHING, "", 0.0)
    outage.hear(OFFLINE, "the stream ended", 100.0)
    outage.hear(CONNECTING, "attempt 2", 101.0)
    assert outage.told(109.0) == (WATCHING, "")
    assert outage.due_seconds(109.0) == pytest.approx(1.0)
    outage.hear(WATCHING, "", 109.5)
    assert outage.told(200.0) == (WATCHING, "") and outage.due_seconds(200.0) == math.inf


def test_a_long_one_is_told_with_the_latest_reason_from_its_first_moment_on() -> None:
    outage = Outage(10.0)
    outage.hear(WATCHING, "", 0.0)
    outage.hear(OFFLINE, "the stream ended", 100.0)
    outage.hear(OFFLINE, "refused", 105.0)
    assert outage.told(109.9) == (WATCHING, "")
    assert outage.told(110.0) == (OFFLINE, "refused"), "the drop began at 100, not at the second failure"
    outage.hear(CONNECTING, "attempt 3", 111.0)
    assert outage.told(111.0) == (CONNECTING, "attempt 3") and outage.due_seconds(111.0) == math.inf


def test_the_first_connection_is_told_as_it_goes() -> None:
    outage = Outage(10.0)
    assert outage.told(0.0) == (CONNECTING, "")
    outage.hear(OFFLINE, "refused", 1.0)
    assert outage.told(1.0) == (OFFLINE, "refused")
    outage.hear(WATCHING, "", 2.0)
    assert outage.told(2.0) == (WATCHING, "")


def test_the_next_drop_has_its_own_time() -> None:
    outage = Outage(10.0)
    outage.hear(WATCHING, "", 0.0)
    outage.hear(OFFLINE, "", 10.0)
    outage.hear(WATCHING, "", 15.0)
    outage.hear(OFFLINE, "", 18.0)
    assert outage.told(27.0)[0] is WATCHING and outage.told(28.0)[0] is OFFLINE


def test_without_patience_everything_is_told() -> None:
    outage = Outage(0.0)
    outage.hear(WATCHING, "", 0.0)
    outage.hear(OFFLINE, "gone", 5.0)
    assert outage.told(5.0) == (OFFLINE, "gone")


def test_the_end_of_a_file_is_no_drop() -> None:
    outage = Outage(10.0)
    outage.hear(WATCHING, "", 0.0)
    outage.hear(CameraState.FINISHED, "played to the end", 5.0)
    assert outage.told(5.0)[0] is CameraState.FINISHED
