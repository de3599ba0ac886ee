import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.ingest.timestamps import StreamTime


def stamp_all(times: list[float | None]) -> tuple[list[float], Counter[str]]:
    repairs: Counter[str] = Counter()
    line = StreamTime(repairs)
    return [line.stamp(time) for time in times], repairs


def test_good_timestamps_are_only_moved_to_zero() -> None:
    stamps, repairs = stamp_all([5.0, 5.1, 5.25, 5.3])
    assert stamps == pytest.approx([0.0, 0.1, 0.25, 0.3])
    assert not repairs


def test_missing_timestamps_follow_the_usual_interval() -> None:
    stamps, repairs = stamp_all([0.0, *[n / 10 for n in range(1, 60)], None, None, 6.2])
    assert stamps[-4:] == pytest.approx([5.9, 6.0, 6.1, 6.2], abs=0.01)
    assert repairs == {"missing": 2}


def test_a_first_frame_without_timestamp_sets_no_origin() -> None:
    stamps, repairs = stamp_all([None, 100.0, 100.1])
    assert stamps == pytest.approx([0.0, 0.04, 0.14])
    assert repairs == {"missing": 1}


def test_missing_timestamps_of_a_live_camera_follow_the_time_of_arrival() -> None:
    line = StreamTime(Counter())
    assert [line.stamp(None, 50.0 + t) for t in (0.0, 0.2, 0.5)] == pytest.approx([0.0, 0.2, 0.5])


@pytest.mark.parametrize("jump", [3600.0, -3600.0, -2.0, 11.0])
def test_a_clock_that_jumps_is_followed_from_where_it_lands(jump: float) -> None:
    stamps, repairs = stamp_all([0.0, 0.04, 0.08, 0.12 + jump, 0.16 + jump])
    assert stamps == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16], abs=1e-3)
    assert repairs == {"jump": 1}


def test_a_gap_of_some_seconds_is_a_gap() -> None:
    stamps, repairs = stamp_all([0.0, 0.1, 8.0])
    assert stamps == [0.0, 0.1, 8.0]
    assert not repairs


def test_one_late_frame_does_not_move_the_others() -> None:
    stamps, repairs = stamp_all([0.0, 0.1, 0.2, 0.15, 0.3, 0.4])
    assert stamps == pytest.approx([0.0, 0.1, 0.2, 0.201, 0.3, 0.4])
    assert repairs == {"backward": 1}


def test_a_clock_that_stands_still_does_not_stop_time() -> None:
    stamps, repairs = stamp_all([0.0] * 300)
    assert stamps[-1] > 3.0
    assert repairs.total() == 299


def test_a_packet_is_located_without_changing_time() -> None:
    line = StreamTime(Counter())
    assert line.locate(7.0) == 0.0
    line.stamp(7.0)
    line.stamp(7.1)
    assert line.locate(7.5) == pytest.approx(0.5)
    assert line.locate(99.0) == pytest.approx(0.1)
    assert line.locate(None) == pytest.approx(0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=60), st.booleans())
def test_stream_time_starts_at_zero_and_always_grows(times: list[float | None], live: bool) -> None:
    line = StreamTime(Counter())
    stamps = [line.stamp(time, number * 0.1 if live else None) for number, time in enumerate(times)]
    assert stamps[:1] == [0.0] * bool(times)
    assert all(a < b <= a + 10.5 for a, b in itertools.pairwise(stamps))
