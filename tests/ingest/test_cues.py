from __future__ import annotations

import numpy as np
import pytest

import streamspike.ingest.segmenter
from streamspike.config import CuesName, SegmentConfig
from streamspike.core import Frame, Pixels, Segment
from streamspike.ingest.cues import COLOURS, CuedFrame, Cues, draw_cues
from streamspike.ingest.frames import LazyFrame
from streamspike.ingest.motion import Track
from streamspike.ingest.segmenter import Segmenter
from streamspike.stats import CameraStats

GREY = np.full((120, 160, 3), 90, np.uint8)
TRACK = Track(1, (0.25, 0.25, 0.5, 0.75), ((0.1, 0.5), (0.2, 0.5), (0.375, 0.5)))


def show(number: int) -> Pixels:
    """A bright square that walks to the right from the fifth picture on."""
    picture = GREY.copy()
    if number >= 5:
        picture[40:60, 4 * number : 4 * number + 16] = (240, 200, 40)
    return picture


def cut(cues: CuesName, count: int = 25, fps: float = 5.0) -> list[Segment]:
    segmenter = Segmenter("door", SegmentConfig(cues=cues), CameraStats())
    frames = [Frame(show(number), number / fps, number / fps) for number in range(count)]
    for frame in frames:
        frame.pixels.flags.writeable = False
    return [segment for frame in frames for segment in segmenter.push(frame)] + segmenter.flush()


def test_a_box_has_the_colour_of_its_track_and_leaves_the_inside_alone() -> None:
    drawn = draw_cues(GREY, [TRACK], "boxes")
    assert tuple(drawn[30, 60]) == COLOURS[1] and tuple(drawn[60, 40]) == COLOURS[1]
    assert np.array_equal(drawn[35:85, 45:75], GREY[35:85, 45:75])


def test_a_trajectory_goes_through_its_points() -> None:
    drawn = draw_cues(GREY, [TRACK], "trajectories")
    assert all(tuple(drawn[60, x]) == COLOURS[1] for x in (16, 32, 60))
    assert np.array_equal(drawn[:50], GREY[:50]) and np.array_equal(drawn[:, 80:], GREY[:, 80:])


def test_both_are_boxes_and_trajectories() -> None:
    changed = [(draw_cues(GREY, [TRACK], name) != GREY).any(axis=2) for name in ("boxes", "trajectories", "both")]
    assert np.array_equal(changed[0] | changed[1], changed[2])


def test_lines_are_as_thick_as_the_picture_is_large() -> None:
    def thickness(height: int, width: int) -> int:
        picture = draw_cues(np.zeros((height, width, 3), np.uint8), [TRACK], "boxes")
        return int(picture[: height // 2, width * 3 // 8].any(axis=1).sum())

    assert [thickness(96, 96), thickness(240, 320), thickness(720, 1280)] == [1, pytest.approx(2, abs=1), 7]


def test_drawing_is_deterministic_and_modifies_nothing() -> None:
    picture = show(9)
    picture.flags.writeable = False
    assert np.array_equal(draw_cues(picture, [TRACK], "both"), draw_cues(picture, [TRACK], "both"))
    assert np.array_equal(picture, show(9))


def test_without_tracks_the_picture_is_the_same_but_not_the_same_memory() -> None:
    drawn = draw_cues(GREY, [], "both")
    assert np.array_equal(drawn, GREY) and not np.shares_memory(drawn, GREY)


def test_what_the_model_is_shown_is_cued_and_the_frame_stays_clean() -> None:
    plain, cued = cut("off"), cut("both")
    frames = [frame for segment in cued for frame in segment.frames]
    assert all(isinstance(frame, CuedFrame) and frame.cued is not None for frame in frames)
    assert [segment.motion for segment in plain] == [segment.motion for segment in cued]
    for clean, frame in zip((frame for segment in plain for frame in segment.frames), frames, strict=True):
        assert np.array_equal(frame.pixels, clean.pixels)
        assert (frame.stream_seconds, frame.arrived_at) == (clean.stream_seconds, clean.arrived_at)
    last = frames[-1]
    assert isinstance(last, CuedFrame) and not np.array_equal(last.seen, last.pixels)
    assert not last.seen.flags.writeable


def test_the_same_frame_is_cued_once() -> None:
    segmenter = Segmenter("door", SegmentConfig(cues="both"), CameraStats())
    segmenter.push(Frame(show(0), 0.0, 0.0))
    (one, two) = segmenter.push(Frame(show(1), 2.0, 2.0))
    assert len({id(frame) for segment in (one, two) for frame in segment.frames}) == 1


def test_off_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nobody asked for cues")

    monkeypatch.setattr(streamspike.ingest.segmenter, "Cues", refuse)
    assert all(type(frame) is Frame for segment in cut("off") for frame in segment.frames)


def test_off_renders_only_the_frames_that_are_picked_and_the_first() -> None:
    def count_rendered(cues: CuesName) -> int:
        rendered = []

        def make(number: int) -> LazyFrame:
            return LazyFrame(number / 30, number / 30, lambda: rendered.append(number) or show(number // 6))  # type: ignore[func-returns-value]

        segmenter = Segmenter("door", SegmentConfig(cues=cues), CameraStats())
        for number in range(61):
            segmenter.push(make(number))
        return len(rendered)

    assert count_rendered("off") == 5, "two of each segment, and the first of the epoch"
    assert 10 <= count_rendered("boxes") <= 4 + 11


def test_a_corrupt_frame_is_not_watched() -> None:
    cues = Cues("boxes")
    for number in range(12):
        cues.watch(Frame(show(number), number / 5, 0.0))
    smear = np.random.default_rng(0).integers(0, 255, GREY.shape).astype(np.uint8)
    cues.watch(Frame(smear, 12 / 5, 0.0, corrupt=True))
    after = cues.cue(Frame(show(13), 13 / 5, 0.0))
    assert not np.array_equal(after.seen, after.pixels)


def test_another_epoch_knows_nothing_of_the_one_before() -> None:
    cues = Cues("both")

    def play() -> list[Pixels]:
        return [cues.cue(Frame(show(number), number / 5, 0.0)).seen for number in range(15)]

    first = play()
    cues.start_epoch()
    assert all(np.array_equal(a, b) for a, b in zip(first, play(), strict=True))
    assert any(not np.array_equal(seen, show(number)) for number, seen in enumerate(first))
