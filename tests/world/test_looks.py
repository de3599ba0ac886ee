"""Every camera sees in its own way: by night, by infrared, through fog, without colours."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streamspike.world.looks import HOURS, PLAIN, SENSORS, Glass, Look, look_of
from streamspike.world.painter import Painter
from streamspike.world.scene import SCENES, Snapshot, build_scene

SIZE = (104, 78)
COLOURFUL = np.tile(np.array((190, 120, 60), np.uint8), (78, 104, 1))


def seen(look: Look, name: str = "street", seed: int = 3) -> np.ndarray:
    return Glass(look, build_scene(name, 1), seed, *SIZE).apply(COLOURFUL.copy())


def test_a_plain_look_changes_nothing() -> None:
    assert np.array_equal(seen(PLAIN), COLOURFUL)


def test_night_is_darker_and_has_pools_of_light() -> None:
    for seed in range(10):
        night = seen(Look(hour="night"), seed=seed)
        assert night.mean() < 0.95 * COLOURFUL.mean()
        assert night[..., 0].std() > 3


def test_infrared_is_grey_and_dark_in_the_corners() -> None:
    picture = seen(Look(hour="infrared", sensor="grey"))
    assert np.array_equal(picture[..., 0], picture[..., 2])
    assert picture[39, 52, 0] > picture[0, 0, 0]


def test_a_faded_sensor_lies_between_grey_and_colour() -> None:
    spread = [int(np.ptp(seen(Look(sensor=sensor))[0, 0])) for sensor in ("grey", "faded", "colour", "vivid")]
    assert spread == sorted(set(spread))
    assert spread[0] == 0


def test_fog_hides_what_is_far_more_than_what_is_near() -> None:
    change = np.abs(seen(Look(haze=0.5)).astype(int) - COLOURFUL).mean(axis=(1, 2))
    assert change[0] > change[-1] + 10


def test_drops_hide_parts_of_the_picture_only() -> None:
    scenery = np.random.default_rng(1).integers(0, 255, (78, 104, 3)).astype(np.uint8)
    wet = Glass(Look(wet=True), build_scene("street", 1), 2, *SIZE).apply(scenery.copy())
    changed = np.abs(wet.astype(int) - scenery).max(axis=2) > 12
    assert 0.005 < changed.mean() < 0.7


def test_among_many_cameras_there_is_every_look_and_none_rules() -> None:
    scene = build_scene("yard", 1)
    looks = [look_of(scene, seed) for seed in range(600)]
    hours, sensors = Counter(look.hour for look in looks), Counter(look.sensor for look in looks)
    assert set(hours) == set(HOURS)
    assert set(sensors) == set(SENSORS)
    assert 0.6 < hours["day"] / 600 < 0.85
    for trait in ("haze", "sun", "wet", "snow"):
        assert 0.03 < np.mean([bool(getattr(look, trait)) for look in looks]) < 0.35
    assert 0.05 < np.mean([look.against < 1 for look in looks]) < 0.2
    assert 0.5 < np.mean([look.folds > 0 for look in looks]) < 0.8


def test_it_neither_rains_nor_snows_in_a_room() -> None:
    looks = [look_of(build_scene("room", 1), seed) for seed in range(200)]
    assert not any(look.wet or look.snow or look.sun for look in looks)


@pytest.mark.parametrize("name", SCENES)
def test_the_scene_stays_visible_in_every_look(name: str) -> None:
    scene = build_scene(name, 1)
    contrasts = [Painter(scene, seed, *SIZE).paint(Snapshot(1.0, ())).astype(float).std() for seed in range(30)]
    assert min(contrasts) > 5
