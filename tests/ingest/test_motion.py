from __future__ import annotations

import numpy as np
import pytest

from streamspike.core import Pixels
from streamspike.ingest.motion import MAX_TRACKS, TRAIL_SECONDS, MotionStage, Track, overlap
from tests.support.clips import paint

HEIGHT, WIDTH, SIDE = 120, 160, 16


def show(*corners: tuple[int, int], light: float = 1.0, noise: int = 0, seed: int = 0) -> Pixels:
    """A textured wall with a bright square at each corner (x, y), and sensor noise."""
    picture = np.repeat(np.random.default_rng(7).integers(60, 110, (HEIGHT // 4, WIDTH // 4, 1)), 3, axis=2)
    picture = np.kron(picture, np.ones((4, 4, 1)))
    for x, y in corners:
        picture[y : y + SIDE, x : x + SIDE] = (230, 180, 60)
    picture = (
        picture * light + np.random.default_rng(seed).normal(0, noise, picture.shape) if noise else picture * light
    )
    return np.clip(picture, 0, 255).astype(np.uint8)


def run(pictures: list[Pixels], fps: float = 5.0) -> list[tuple[Track, ...]]:
    stage = MotionStage()
    return [stage.watch(picture, number / fps) for number, picture in enumerate(pictures)]


def box_of(x: int, y: int = 50) -> tuple[float, float, float, float]:
    return x / WIDTH, y / HEIGHT, (x + SIDE) / WIDTH, (y + SIDE) / HEIGHT


EMPTY = [show() for _ in range(5)]


@pytest.mark.parametrize("noise", [0, 4])
def test_a_moving_square_has_one_box_on_it_and_one_id(noise: int) -> None:
    places = list(range(10, 130, 6))
    pictures = [show((x, 50), noise=noise, seed=x) for x in places]
    tracks = run([show(noise=noise, seed=k + 500) for k in range(5)] + pictures)[8:]
    assert all(len(now) == 1 for now in tracks)
    assert all(overlap(now[0].box, box_of(x)) > 0.5 for now, x in zip(tracks, places[3:], strict=True))
    assert {now[0].track_id for now in tracks} == {1}


def test_a_square_keeps_its_id_behind_a_short_obstacle() -> None:
    hidden = [show((x, 50)) if not 50 <= x <= 80 else show() for x in range(10, 130, 6)]
    tracks = run(EMPTY + hidden)
    assert not any(tracks[5 + k] for k, x in enumerate(range(10, 130, 6)) if 50 <= x <= 80)
    assert {track.track_id for now in tracks for track in now} == {1}
    assert tracks[-1]


def test_two_squares_that_go_opposite_ways_have_an_id_each() -> None:
    tracks = run(EMPTY + [show((10 + 6 * k, 20), (140 - 6 * k, 80)) for k in range(20)])
    assert {track.track_id for now in tracks for track in now} == {1, 2}
    lower = {track.track_id for now in tracks for track in now if track.box[1] > 0.5}
    assert len(lower) == 1


@pytest.mark.parametrize("fps", [1.0, 2.0])
def test_a_slow_camera_is_followed_too(fps: float) -> None:
    tracks = run(EMPTY + [show((10 + 12 * k, 50)) for k in range(10)], fps)
    assert tracks[-1] and {track.track_id for now in tracks for track in now} == {1}


def test_noise_alone_gives_no_box() -> None:
    assert not any(run([show(noise=10, seed=seed) for seed in range(60)]))


def test_lights_that_go_out_and_on_give_no_box() -> None:
    pictures = EMPTY + [show(light=light) for light in (0.6, 0.2, 0.08, 0.08, 0.08, 0.3, 1.0, 1.0, 1.0)]
    assert not any(run(pictures))


def test_light_that_changes_a_little_gives_no_box() -> None:
    assert not any(run([show(light=1 + 0.12 * np.sin(k / 3)) for k in range(60)]))


def test_a_thing_that_stands_still_has_no_box_for_long() -> None:
    came = [show((10 + 6 * k, 50)) for k in range(8)]
    stands = [show((52, 50), noise=1, seed=k) for k in range(60)]
    tracks = run(EMPTY + came + stands)
    assert tracks[12] and not tracks[-1]


def test_a_thing_that_was_there_from_the_start_leaves_no_ghost() -> None:
    left = run([show((60, 50))] * 5 + [show(noise=1, seed=k) for k in range(20)])
    assert not any(left)


def test_repeated_pictures_change_nothing_until_the_picture_counts_as_frozen() -> None:
    pictures = EMPTY + [show((10 + 6 * k, 50)) for k in range(8)]
    twice = [picture for picture in pictures for _ in range(2)]
    once, slow = run(pictures, 2.5), run(twice, 5.0)
    assert slow[::2] == once and slow[1::2] == once
    frozen = run(pictures + [pictures[-1]] * 40)
    assert frozen[len(pictures)] == frozen[len(pictures) - 1] != ()
    assert frozen[-1] == ()


def test_a_trail_ends_at_the_box_and_is_as_long_as_it_says() -> None:
    (track,) = run(EMPTY + [show((10 + 2 * k, 50)) for k in range(50)])[-1]
    x0, y0, x1, y1 = track.box
    assert track.trail[-1] == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2))
    assert len(track.trail) == TRAIL_SECONDS * 5 + 1
    assert [x for x, _ in track.trail] == sorted(x for x, _ in track.trail)


def test_a_crowd_has_no_more_boxes_than_there_may_be() -> None:
    def crowd(k: int) -> Pixels:
        return show(*((5 + 36 * column + 2 * k, 5 + 38 * row) for column in range(4) for row in range(3)))

    assert len(run(EMPTY + [crowd(k) for k in range(8)])[-1]) == MAX_TRACKS


def test_another_epoch_starts_from_nothing() -> None:
    stage = MotionStage()
    pictures = EMPTY + [show((10 + 6 * k, 50)) for k in range(8)]
    first = [stage.watch(picture, k / 5) for k, picture in enumerate(pictures)]
    stage.start_epoch()
    assert [stage.watch(picture, k / 5) for k, picture in enumerate(pictures)] == first


def test_a_picture_of_another_size_is_another_place() -> None:
    stage = MotionStage()
    for k, picture in enumerate(EMPTY + [show((10 + 6 * k, 50)) for k in range(8)]):
        stage.watch(picture, k / 5)
    assert stage.watch(paint(0)[:60], 3.0) == ()


def test_pictures_are_not_modified() -> None:
    stage = MotionStage()
    for k in range(8):
        picture = show((10 + 6 * k, 50))
        before = picture.copy()
        picture.flags.writeable = False
        stage.watch(picture, k / 5)
        assert np.array_equal(picture, before)
