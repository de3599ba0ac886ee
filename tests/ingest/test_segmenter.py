import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.config import SegmentConfig
from streamspike.core import Frame, Segment
from streamspike.ingest.frames import LazyFrame
from streamspike.ingest.segmenter import Segmenter
from streamspike.stats import CameraStats
from tests.ingest.harness import make_frame, make_frames


def cut(frames: list[Frame], seconds: float = 1.0, num_frames: int = 2) -> tuple[list[Segment], CameraStats]:
    stats = CameraStats()
    segmenter = Segmenter("door", SegmentConfig(seconds=seconds, frames=num_frames), stats)
    segments = [segment for frame in frames for segment in segmenter.push(frame)]
    return segments + segmenter.flush(), stats


def picked(segment: Segment) -> list[float]:
    return [frame.stream_seconds for frame in segment.frames]


def test_frames_are_the_last_at_or_before_the_centres_of_equal_parts() -> None:
    segments, stats = cut(make_frames(n / 8 for n in range(16)))
    assert [picked(segment) for segment in segments] == [[0.25, 0.75], [1.25, 1.75]]
    assert [(s.start_seconds, s.end_seconds) for s in segments] == [(0.0, 1.0), (1.0, 2.0)]
    assert (stats.segments, stats.gap_segments, stats.partial_segments) == (2, 0, 0)


def test_the_first_segment_of_an_epoch_comes_with_its_first_picture() -> None:
    segmenter = Segmenter("door", SegmentConfig(), CameraStats())
    for epoch in (0, 1):
        segmenter.start_epoch(epoch)
        frames = make_frames(n / 8 for n in range(20))
        segments = [segment for frame in frames for segment in segmenter.push(frame)] + segmenter.flush()
        assert [segment.opening for segment in segments] == [frames[0], None, None]


def test_a_broken_picture_opens_no_epoch() -> None:
    frames = [replace(frame, corrupt=frame.stream_seconds < 0.5) for frame in make_frames([0.0, 0.5, 1.0, 2.0])]
    assert [segment.opening for segment in cut(frames)[0]] == [frames[1], None, None]
    broken = [replace(frame, corrupt=True) for frame in make_frames([0.0, 0.5, 1.0])]
    assert [segment.opening for segment in cut(broken)[0]] == [None, None]


def test_for_further_looks_frames_are_picked_a_little_later_and_without_their_margin() -> None:
    segmenter = Segmenter("door", SegmentConfig(), CameraStats(), looks=4)
    frames = [Frame(np.full((80, 120, 3), n, np.uint8), n / 16, 100.0 + n / 16, corrupt=n == 13) for n in range(32)]
    segments = [segment for frame in frames for segment in segmenter.push(frame)] + segmenter.flush()
    assert [picked(segment) for segment in segments] == [[0.25, 0.75], [1.25, 1.75]]
    first, second = ([[frame.stream_seconds for frame in look] for look in segment.again] for segment in segments)
    assert first == [[0.3125, 0.8125], [0.25, 0.75], [0.3125, 0.8125]]
    assert second == [[1.3125, 1.8125], [1.25, 1.75], [1.3125, 1.8125]]
    assert [look[1].pixels.shape for look in segments[0].again] == [(76, 114, 3), (76, 114, 3), (80, 120, 3)]
    later = segments[0].again[0][1]
    assert np.shares_memory(later.pixels, frames[13].pixels) and later.corrupt
    twice = Segmenter("door", SegmentConfig(), CameraStats(), looks=2)
    fewer = [segment for frame in frames for segment in twice.push(frame)] + twice.flush()
    assert [[frame.stream_seconds for frame in look] for look in fewer[0].again] == first[:1]
    once, _ = cut(frames)
    assert [(s.frames, s.motion, s.again) for s in once] == [(s.frames, s.motion, ()) for s in segments]


def test_a_slow_camera_shows_the_same_pictures_to_both_looks() -> None:
    segmenter = Segmenter("door", SegmentConfig(), CameraStats(), looks=2)
    frames = make_frames([0.0, 0.5, 1.0])
    segments = [segment for frame in frames for segment in segmenter.push(frame)] + segmenter.flush()
    assert [picked(segment) for segment in segments] == [[0.0, 0.5], [1.0, 1.0]]
    again = [[frame.stream_seconds for frame in look] for segment in segments for look in segment.again]
    assert again == [[0.0, 0.5], [1.0, 1.0]]


def test_a_slow_camera_repeats_frames() -> None:
    segments, _ = cut(make_frames([0.0, 1.0, 2.0]), num_frames=3)
    assert [picked(segment) for segment in segments] == [[0.0] * 3, [1.0] * 3, [2.0] * 3]


def test_a_late_frame_of_the_slice_is_better_than_an_old_one() -> None:
    segments, _ = cut(make_frames([0.0, 0.9, 1.6, 1.9]), num_frames=2)
    assert picked(segments[1]) == [1.6, 1.6]


def test_slices_without_frames_repeat_the_last_one_and_are_counted() -> None:
    segments, stats = cut(make_frames([0.1, 0.6, 3.4, 3.9]))
    assert [picked(segment) for segment in segments] == [[0.1, 0.6], [0.6, 0.6], [0.6, 0.6], [3.4, 3.4]]
    assert stats.gap_segments == 2
    assert [segment.motion for segment in segments[1:3]] == [0.0, 0.0]


def test_the_last_segment_ends_where_the_footage_does() -> None:
    segments, stats = cut(make_frames(n / 10 for n in range(13)))
    assert [(s.start_seconds, pytest.approx(s.end_seconds)) for s in segments] == [(0.0, 1.0), (1.0, 1.3)]
    assert stats.partial_segments == 1


def test_a_single_frame_is_a_segment() -> None:
    (segment,), _ = cut(make_frames([0.0]))
    assert picked(segment) == [0.0, 0.0]
    assert 0.0 < segment.end_seconds <= 1.0


def test_a_short_rest_can_be_refused_and_is_counted() -> None:
    stats = CameraStats()
    segmenter = Segmenter("door", SegmentConfig(), stats)
    for frame in make_frames([0.0, 0.2]):
        segmenter.push(frame)
    assert segmenter.flush(min_fraction=0.5) == []
    assert segmenter.flush(min_fraction=0.5) == []
    assert stats.dropped_segments == {"partial": 1}


def test_flushing_twice_emits_once() -> None:
    segmenter = Segmenter("door", SegmentConfig(), CameraStats())
    segmenter.push(make_frame(0.0))
    assert len(segmenter.flush()) == 1
    assert segmenter.flush() == []


def test_the_index_goes_on_over_epochs_and_time_starts_again() -> None:
    segmenter = Segmenter("door", SegmentConfig(), CameraStats())
    first = [s for frame in make_frames([0.0, 0.5, 1.0]) for s in segmenter.push(frame)] + segmenter.flush()
    segmenter.start_epoch(1)
    second = [s for frame in make_frames([0.0, 0.5]) for s in segmenter.push(frame)] + segmenter.flush()
    assert [(s.epoch, s.index, s.start_seconds) for s in first + second] == [(0, 0, 0.0), (0, 1, 1.0), (1, 2, 0.0)]


def test_the_start_in_utc_comes_from_the_least_delayed_frame() -> None:
    frames = [make_frame(0.0, arrived_at=500.9), make_frame(0.5, arrived_at=500.5), make_frame(1.2, arrived_at=501.3)]
    segments, _ = cut(frames)
    assert [segment.started_at for segment in segments] == pytest.approx([500.0, 501.1])


def test_motion_is_zero_for_the_same_picture_and_one_from_black_to_white() -> None:
    segments, _ = cut(
        [make_frame(0.0, 0), make_frame(1.0, 0), make_frame(2.0, 255), make_frame(3.0, 255)], num_frames=1
    )
    assert [segment.motion for segment in segments] == pytest.approx([0.0, 0.0, 1.0, 0.0])


def test_motion_does_not_reach_over_epochs() -> None:
    segmenter = Segmenter("door", SegmentConfig(frames=1), CameraStats())
    segmenter.push(make_frame(0.0, 0))
    segmenter.flush()
    segmenter.start_epoch(1)
    segmenter.push(make_frame(0.0, 255))
    assert segmenter.flush()[0].motion == 0.0


def test_motion_bears_a_change_of_resolution() -> None:
    small = Frame(np.full((12, 16, 3), 100, np.uint8), 0.0, 0.0)
    large = Frame(np.full((240, 320, 3), 100, np.uint8), 0.6, 0.6)
    segments, _ = cut([small, large])
    assert segments[0].motion == 0.0


def test_only_picked_frames_are_rendered_and_each_once() -> None:
    rendered: list[float] = []

    def make_lazy(seconds: float) -> LazyFrame:
        def render() -> np.ndarray:
            rendered.append(seconds)
            return np.zeros((4, 4, 3), np.uint8)

        return LazyFrame(seconds, seconds, render)

    segmenter = Segmenter("door", SegmentConfig(), CameraStats())
    for number in range(31):
        segmenter.push(make_lazy(number / 10))
    assert rendered == [0.0, 0.2, 0.7, 1.2, 1.7, 2.2, 2.7], "and the first of the epoch"


@settings(max_examples=50, deadline=None)
@given(
    gaps=st.lists(st.floats(0.001, 3.0), max_size=60),
    seconds=st.floats(0.1, 3.0),
    num_frames=st.integers(1, 5),
)
def test_slices_tile_stream_time_for_any_timing(gaps: list[float], seconds: float, num_frames: int) -> None:
    times = [0.0, *np.cumsum(gaps)]
    segments, stats = cut([make_frame(float(time)) for time in times], seconds, num_frames)
    assert segments[0].start_seconds == 0.0
    assert segments[-1].start_seconds <= times[-1] < segments[-1].end_seconds + 1e-9
    assert all(a.end_seconds == pytest.approx(b.start_seconds) for a, b in itertools.pairwise(segments))
    assert [segment.index for segment in segments] == list(range(len(segments)))
    assert stats.segments == len(segments)
    for segment in segments:
        times_picked = picked(segment)
        assert len(times_picked) == num_frames
        assert times_picked == sorted(times_picked)
        assert times_picked[-1] < segment.end_seconds
