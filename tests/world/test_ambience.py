"""The scenery is loud in pixels, at random times, and known at any instant without the instants before."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamspike.core import Pixels
from streamspike.world.ambience import BURST_CHANCE, NUISANCES, STRETCH_SECONDS, Ambience, bursts_of
from streamspike.world.looks import PLAIN
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, Body, Snapshot, build_scene

SIZE = (208, 156)


def loudness(frames: list[Pixels]) -> float:
    """Mean absolute difference from frame to frame."""
    return float(np.mean([np.abs(a.astype(np.int16) - b).mean() for a, b in pairwise(frames)]))


@pytest.mark.parametrize("name", SCENES)
def test_a_burst_is_louder_than_a_walking_and_a_falling_person(name: str) -> None:
    bursts, walks, falls = [], [], []
    for seed in range(12):
        scene = build_scene(name, seed)
        burst = next(
            b
            for k in range(40)
            for b in bursts_of(seed, k, _count(name, seed))
            if b.end_seconds - b.start_seconds > 1.5
        )
        loud, quiet = Painter(scene, seed, *SIZE, look=PLAIN), Painter(scene, seed, *SIZE, ambience=False)
        inside = burst.start_seconds + 0.2 + np.arange(5) * 0.25
        bursts.append(loudness([loud.paint(Snapshot(t, ())) for t in inside]))
        z = scene.lanes[0].z
        walk = [Body(1, "person", (200, 60, 40), -1 + 0.3 * k, z, pose="walk", gait=0.25 * k) for k in range(5)]
        fall = [Body(1, "person", (200, 60, 40), 0, z, tilt=0.35 * k) for k in range(5)]
        walks.append(loudness([quiet.paint(Snapshot(t, (b,))) for t, b in zip(inside, walk, strict=True)]))
        falls.append(loudness([quiet.paint(Snapshot(t, (b,))) for t, b in zip(inside, fall, strict=True)]))
    times = 1.3 if name == "room" else 1.8  # a camera in a room is near
    assert np.mean(bursts) > times * np.mean(walks)
    assert np.mean(bursts) > times * np.mean(falls)
    assert np.mean(np.array(bursts) > np.array(falls)) > 0.8


def _count(name: str, seed: int) -> int:
    scene = build_scene(name, seed)
    return Ambience(scene, seed, 96, 72).num_nuisances


def test_every_nuisance_of_a_scene_comes_up_and_a_camera_has_one_to_three() -> None:
    for name in SCENES:
        scene = build_scene(name, 1)
        found: set[str] = set()
        for seed in range(60):
            ambience = Ambience(scene, seed, 96, 72)
            assert 1 <= ambience.num_nuisances <= 3
            found.update(ambience.names)
        assert found == {kind.__name__ for kind in NUISANCES[name]}


def test_bursts_come_as_often_as_promised_and_within_their_bounds() -> None:
    stretches = [bursts_of(3, k, 2) for k in range(1500)]
    assert np.mean([bool(bursts) for bursts in stretches]) == pytest.approx(BURST_CHANCE, abs=0.05)
    for k, bursts in enumerate(stretches):
        assert len(bursts) <= 3
        for burst in bursts:
            assert k * STRETCH_SECONDS <= burst.start_seconds < (k + 1) * STRETCH_SECONDS
            assert 0.5 <= burst.end_seconds - burst.start_seconds <= 2.5
            assert burst.nuisance in (0, 1)


def test_a_burst_that_crosses_a_stretch_goes_on() -> None:
    scene = build_scene("street", 1)
    ambience = Ambience(scene, 1, 96, 72)
    for k in range(300):
        for burst in bursts_of(1, k, ambience.num_nuisances):
            boundary = (k + 1) * STRETCH_SECONDS
            if burst.end_seconds > boundary + 0.5:
                assert ambience.level(burst.nuisance, boundary + 0.1) > 0.3
                return
    raise AssertionError("no burst crosses a boundary in 300 stretches")


def test_calm_scenery_without_a_crowd_hardly_moves() -> None:
    for name in SCENES:
        scene = build_scene(name, 2)
        seed = next(seed for seed in range(2, 40) if not Ambience(scene, seed, 96, 72).crowded)
        ambience = Ambience(scene, seed, 96, 72)
        calm = next(
            t
            for t in np.arange(0, 200, 0.5)
            if not any(ambience.level(k, t + d) for k in range(3) for d in np.arange(0, 2, 0.1))
        )
        still = Painter(scene, seed, *SIZE, ambience=False)
        moving = Painter(scene, seed, *SIZE, look=PLAIN)
        instants = [Snapshot(float(calm + 0.25 * k), ()) for k in range(6)]
        assert loudness([moving.paint(i) for i in instants]) < loudness([still.paint(i) for i in instants]) + 2.0


def test_without_ambience_only_the_sensor_makes_noise() -> None:
    painter = Painter(build_scene("yard", 3), 3, *SIZE, ambience=False)
    assert loudness([painter.paint(Snapshot(0.25 * k, ())) for k in range(8)]) < 7.0
