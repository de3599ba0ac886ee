"""Which clips go: by age, by size, by room on the disk; always the oldest first."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streamspike.outputs.clip_table import Clip
from streamspike.outputs.retention import DAY_SECONDS, choose_expired

NOW = 100 * DAY_SECONDS
PLENTY = 1 << 40


def make_clips(*ages_and_sizes: tuple[float, int]) -> list[Clip]:
    """Oldest first: (age in days, bytes)."""
    return [
        Clip(f"door-{number}", "door", f"door-{number}.mp4", NOW - days * DAY_SECONDS - 10.0, 10.0, size, "h264")
        for number, (days, size) in enumerate(ages_and_sizes)
    ]


def names(expired: list[tuple[Clip, str]]) -> list[tuple[str, str]]:
    return [(clip.event_id, reason) for clip, reason in expired]


def test_nothing_goes_while_there_is_time_and_room() -> None:
    assert choose_expired(make_clips((13, 100), (1, 100)), NOW, 14.0, 200) == []
    assert choose_expired([], NOW, 14.0, 0, missing_bytes=5) == []


def test_what_is_too_old_goes_wherever_it_stands() -> None:
    clips = make_clips((20, 100), (3, 100), (15, 100))  # the clock was set back in between
    assert names(choose_expired(clips, NOW, 14.0, PLENTY)) == [("door-0", "age"), ("door-2", "age")]


def test_the_oldest_go_until_the_rest_fits() -> None:
    clips = make_clips((5, 100), (4, 50), (3, 100), (2, 100))
    assert names(choose_expired(clips, NOW, 14.0, 220)) == [("door-0", "bytes"), ("door-1", "bytes")]


def test_what_went_for_its_age_counts_for_the_room_on_the_disk() -> None:
    clips = make_clips((20, 100), (4, 50), (3, 100), (2, 100))
    expired = choose_expired(clips, NOW, 14.0, PLENTY, missing_bytes=130)
    assert names(expired) == [("door-0", "age"), ("door-1", "disk_full")]


def test_ordinary_footage_goes_before_that_of_events_and_age_before_both() -> None:
    clips = make_clips((20, 100), (5, 100), (4, 100), (3, 100), (2, 100))
    clips = [replace(clip, kind="ordinary") if number in (2, 4) else clip for number, clip in enumerate(clips)]
    assert names(choose_expired(clips, NOW, 14.0, 100)) == [
        ("door-0", "age"),
        ("door-2", "bytes"),
        ("door-4", "bytes"),
        ("door-1", "bytes"),
    ]
    assert names(choose_expired(clips, NOW, 30.0, PLENTY, missing_bytes=150)) == [
        ("door-2", "disk_full"),
        ("door-4", "disk_full"),
    ]


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 1000)), max_size=20),
    st.integers(0, 5000),
    st.integers(0, 5000),
)
def test_what_stays_is_within_all_bounds_and_nothing_goes_without_need(
    ages_and_sizes: list[tuple[float, int]], max_bytes: int, missing: int
) -> None:
    clips = make_clips(*sorted(ages_and_sizes, reverse=True))
    expired = choose_expired(clips, NOW, 14.0, max_bytes, missing)
    gone = [clip for clip, _ in expired]
    stays = clips[len(gone) :]
    assert gone == clips[: len(gone)]
    assert sum(clip.num_bytes for clip in stays) <= max_bytes
    assert all(clip.started_at + 10.0 >= NOW - 14.0 * DAY_SECONDS for clip in stays)
    assert not stays or sum(clip.num_bytes for clip in gone) >= missing
    if gone:  # the last one was one too many for some bound
        last, before = gone[-1], gone[:-1]
        too_old = last.started_at + 10.0 < NOW - 14.0 * DAY_SECONDS
        too_big = sum(clip.num_bytes for clip in [last, *stays]) > max_bytes
        assert too_old or too_big or sum(clip.num_bytes for clip in before) < missing
