import numpy as np
import pytest

from streamspike.core import CameraState, Frame, Segment
from streamspike.ingest.gate import Gate
from streamspike.stats import CameraStats
from tests.support.clips import paint

WATCHING, STILL, BLIND = CameraState.WATCHING, CameraState.STILL, CameraState.BLIND
BLACK = np.full((120, 160, 3), 2, np.uint8)
GREY = np.full((120, 160, 3), 128, np.uint8)


def make_segment(*pictures: np.ndarray, epoch: int = 0) -> Segment:
    frames = tuple(Frame(pixels, n / 2, n / 2) for n, pixels in enumerate(pictures))
    return Segment("door", epoch, 0, 0.0, 1.0, 0.0, frames)


MOVING = make_segment(paint(9), paint(0))
QUIET = make_segment(paint(0), paint(0))
COVERED = make_segment(BLACK, BLACK)


def judge_all(*segments: Segment) -> list[CameraState]:
    gate = Gate(CameraStats(), debounce_segments=3)
    return [gate.judge(segment).state for segment in segments]


def test_still_is_said_after_three_quiet_segments_and_taken_back_at_once() -> None:
    assert judge_all(QUIET, QUIET, QUIET, QUIET, MOVING) == [WATCHING, WATCHING, STILL, STILL, WATCHING]


def test_a_quiet_moment_between_is_not_stillness() -> None:
    assert set(judge_all(QUIET, QUIET, MOVING, QUIET, QUIET, MOVING)) == {WATCHING}


def test_noise_all_over_is_still_but_a_small_thing_that_moves_is_not() -> None:
    random = np.random.default_rng(0)

    def add_noise() -> np.ndarray:
        noise = random.normal(0, 8, (480, 640, 3))
        return np.clip(np.kron(paint(0), np.ones((4, 4, 1))) + noise, 0, 255).astype(np.uint8)

    noisy = make_segment(add_noise(), add_noise())
    assert judge_all(noisy, noisy, noisy)[-1] is STILL

    def put_thing(x: int) -> np.ndarray:
        picture = paint(0)
        picture[80:88, x : x + 5] = 255  # 40 of 19,200 pixels
        return picture

    walking = make_segment(put_thing(60), put_thing(66))
    assert set(judge_all(walking, walking, walking, walking)) == {WATCHING}


def test_change_between_segments_counts_and_between_epochs_does_not() -> None:
    one, other = make_segment(paint(0)), make_segment(paint(9))
    assert set(judge_all(one, other, one, other)) == {WATCHING}
    changing = [make_segment(paint(number), epoch=number) for number in range(4)]
    assert judge_all(*changing)[-1] is STILL


@pytest.mark.parametrize("picture", [BLACK, GREY])
def test_a_dark_or_uniform_picture_is_blindness(picture: np.ndarray) -> None:
    covered = make_segment(picture, picture)
    assert judge_all(covered, covered, covered) == [WATCHING, WATCHING, BLIND]


def test_sight_returns_after_three_good_segments() -> None:
    states = judge_all(COVERED, COVERED, COVERED, MOVING, MOVING, MOVING)
    assert states == [WATCHING, WATCHING, BLIND, BLIND, BLIND, WATCHING]


def test_one_dark_frame_of_two_is_not_blindness() -> None:
    flicker = make_segment(BLACK, paint(0))
    assert set(judge_all(flicker, flicker, flicker, flicker)) == {WATCHING}


def test_a_changing_reason_starts_the_count_again() -> None:
    assert judge_all(QUIET, QUIET, COVERED, COVERED, COVERED) == [WATCHING] * 4 + [BLIND]


def test_verdicts_are_counted() -> None:
    stats = CameraStats()
    gate = Gate(stats, debounce_segments=1)
    for segment in (QUIET, COVERED, COVERED, MOVING):
        gate.judge(segment)
    assert (stats.still_segments, stats.blind_segments) == (1, 2)
