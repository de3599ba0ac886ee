"""Health of simulated cameras whose truth is known: what is found, how soon, and what must never be said."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from streamspike.config import HealthConfig
from streamspike.core import CameraState, Frame, Segment
from streamspike.ingest.gate import Gate, Verdict
from streamspike.ingest.health import FROZEN, UNSHARP, Health
from streamspike.stats import CameraStats
from tests.support.views import simulated_segments

AT = 16
CAMERAS = [(scene, seed) for scene in ("street", "room", "yard", "walkway") for seed in (201, 202, 203)]
BLIND, MOVED = CameraState.BLIND, CameraState.MOVED


@functools.cache
def verdicts(scene: str, seed: int, mishap: str, num_segments: int) -> tuple[Verdict, ...]:
    gate = Gate(CameraStats(), health=HealthConfig())
    return tuple(gate.judge(segment) for segment in simulated_segments(scene, seed, num_segments, mishap, AT))


def first(state: CameraState, seen: tuple[Verdict, ...]) -> int | None:
    """Seconds from the mishap to the first verdict of this state; None if there is none."""
    return next((number - AT for number, verdict in enumerate(seen) if verdict.state is state), None)


def states_of(mishap: str, num_segments: int) -> list[set[CameraState]]:
    return [{verdict.state for verdict in verdicts(*camera, mishap, num_segments)} for camera in CAMERAS]


@pytest.mark.slow
def test_a_camera_that_is_knocked_is_moved_within_seconds_and_since_then() -> None:
    delays = [first(MOVED, verdicts(*camera, "camera_moves", AT + 12)) for camera in CAMERAS]
    found = [delay for delay in delays if delay is not None]
    # Of 12; the other three go unnoticed. In the near room somebody stands before the lens: three seconds more.
    assert len(found) >= 9 and set(found) <= {4, 5, 6, 8} and found.count(8) <= 1, delays
    for camera in CAMERAS:
        seen = verdicts(*camera, "camera_moves", AT + 12)
        assert BLIND not in {verdict.state for verdict in seen}
        assert all(abs(verdict.moved_at - 100.0 - AT) <= 1.0 for verdict in seen if verdict.moved_at is not None)


@pytest.mark.slow
def test_a_camera_that_shows_another_place_is_moved_or_sees_nothing_it_knows() -> None:
    seen = [verdicts(*camera, "elsewhere", AT + 34) for camera in CAMERAS[::3]]
    found = [first(MOVED, each) is not None or first(BLIND, each) is not None for each in seen]
    assert sum(found) >= 3, found  # of 4; places that are alike at this size go unnoticed


@pytest.mark.slow
@pytest.mark.parametrize("mishap", ["covered", "defocus"])
def test_a_covered_or_defocused_camera_is_blind(mishap: str) -> None:
    delays = [first(BLIND, verdicts(*camera, mishap, AT + 12)) for camera in CAMERAS]
    found = [delay for delay in delays if delay is not None]
    assert len(found) >= 11 and max(found) <= 8, delays  # of 12; the other one takes the cloth for another view
    assert sum(MOVED in states for states in states_of(mishap, AT + 12)) <= 12 - len(found)
    reasons = {verdict.reason for camera in CAMERAS for verdict in verdicts(*camera, mishap, AT + 12)}
    assert UNSHARP in reasons and FROZEN not in reasons


@pytest.mark.slow
@pytest.mark.parametrize("mishap", ["none", "infrared", "lorry"])
def test_weather_crowds_night_and_a_lorry_are_neither_blindness_nor_a_move(mishap: str) -> None:
    assert all(not states & {BLIND, MOVED} for states in states_of(mishap, AT + 14))


@pytest.mark.slow
def test_when_the_lights_go_out_no_camera_is_moved() -> None:
    assert all(MOVED not in states for states in states_of("lights_out", AT + 14))


@pytest.mark.slow
def test_a_camera_that_turns_by_itself_may() -> None:
    gate = Gate(CameraStats(), health=HealthConfig(notice_moves=False))
    segments = simulated_segments(*CAMERAS[0], AT + 12, "camera_moves", AT)
    assert MOVED not in {gate.judge(segment).state for segment in segments}


def test_a_moved_camera_is_called_so_until_its_new_view_is_known() -> None:
    stats = CameraStats()
    gate = Gate(stats)
    judged = [gate.judge(segment_of(number, noisy(number, shift_px=40 * (number >= 15)))) for number in range(40)]
    called = [number for number, verdict in enumerate(judged) if verdict.state is MOVED]
    assert called == list(range(19, 29)), "five seconds to be certain, ten pictures to know the new view"
    assert [number for number, verdict in enumerate(judged) if verdict.moved_at is not None] == [19]
    assert judged[19].moved_at == 115.0 and stats.camera_moves == 1


def segment_of(number: int, *pictures: np.ndarray, epoch: int = 0) -> Segment:
    frames = tuple(Frame(picture, number + k / 8, 100.0 + number) for k, picture in enumerate(pictures))
    return Segment("door", epoch, number, float(number), number + 1.0, 100.0 + number, frames)


def noisy(seed: int, shift_px: int = 0, grain: float = 3.0) -> np.ndarray:
    """The same textured place each time, with other noise; seen from elsewhere after a shift."""
    place = np.kron(np.random.default_rng(7).integers(60, 190, (18, 40, 1)), np.ones((10, 10, 3)))
    noise = np.random.default_rng([seed, 8]).normal(0, grain, (180, 320, 3))
    return np.clip(place[:, shift_px : shift_px + 320] + noise, 0, 255).astype(np.uint8)


def findings(health: Health, segments: list[Segment]) -> list[str]:
    return [health.look(segment).reason for segment in segments]


def test_a_frozen_picture_is_blindness_after_its_time() -> None:
    health = Health(HealthConfig(frozen_after_seconds=5.0))
    live = [segment_of(number, noisy(number)) for number in range(25)]
    stuck = [segment_of(number, noisy(24)) for number in range(25, 35)]
    back = [segment_of(number, noisy(number)) for number in range(35, 38)]
    said = findings(health, live + stuck + back)
    assert said[:29] == [""] * 29 and said[29:35] == [FROZEN] * 6 and said[35:] == [""] * 3


def test_a_still_scene_with_noise_and_a_slide_without_any_are_not_frozen() -> None:
    config = HealthConfig(frozen_after_seconds=5.0)
    assert set(findings(Health(config), [segment_of(number, noisy(number)) for number in range(60)])) == {""}
    assert set(findings(Health(config), [segment_of(number, noisy(0)) for number in range(60)])) == {""}


def test_a_frame_repeated_for_want_of_another_is_not_a_frozen_picture() -> None:
    health = Health(HealthConfig(frozen_after_seconds=5.0))
    live = [segment_of(number, noisy(number)) for number in range(25)]
    frame = live[-1].frames[-1]
    gaps = [Segment("door", 0, n, float(n), n + 1.0, 100.0 + n, (frame, frame)) for n in range(25, 60)]
    assert set(findings(health, live + gaps)) == {""}


def test_a_camera_whose_encoder_rests_is_frozen_only_after_longer_rests() -> None:
    health = Health(HealthConfig(frozen_after_seconds=5.0))
    resting = [noisy(number - number % 4 if number > 25 else number) for number in range(60)]
    said = findings(health, [segment_of(number, picture) for number, picture in enumerate(resting)])
    stuck = findings(health, [segment_of(number, resting[-1]) for number in range(60, 80)])
    assert set(said) == {""} and stuck.index(FROZEN) == 5, "three rests of three seconds, three of them gone"


def test_a_clock_in_the_picture_does_not_hide_that_it_is_frozen() -> None:
    health = Health(HealthConfig(frozen_after_seconds=5.0))
    said = findings(health, [segment_of(number, noisy(number)) for number in range(25)])
    for number in range(25, 35):
        picture = noisy(24)
        picture[4:12, 4:40] = 10 * (number % 20)
        said += findings(health, [segment_of(number, picture)])
    assert said[-1] == FROZEN


def test_a_new_connection_does_not_make_a_picture_frozen_and_keeps_the_view() -> None:
    health = Health(HealthConfig(frozen_after_seconds=5.0))
    live = [segment_of(number, noisy(number)) for number in range(25)]
    again = [segment_of(number, noisy(24), epoch=number) for number in range(25, 40)]
    assert set(findings(health, live + again)) == {""}
    turned = [segment_of(number, noisy(number, shift_px=40), epoch=99) for number in range(40, 46)]
    assert MOVED in {health.look(segment).state for segment in turned}, "it was turned while nobody looked"


def test_a_uniform_wall_has_nothing_to_lose() -> None:
    health = Health(HealthConfig())
    walls = [np.full((180, 320, 3), 128, np.uint8) + noisy(number) // 64 for number in range(40)]
    assert UNSHARP not in findings(health, [segment_of(number, wall) for number, wall in enumerate(walls)])


def test_noise_takes_nothing_away() -> None:
    health = Health(HealthConfig())
    grains = itertools.chain([3.0] * 20, [15.0] * 20)
    pairs = [(noisy(number, grain=grain), noisy(number + 100, grain=grain)) for number, grain in enumerate(grains)]
    assert set(findings(health, [segment_of(number, *pair) for number, pair in enumerate(pairs)])) == {""}
