"""The painter draws what the snapshot says, where its boxes say, and the same every time."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from streamspike.core import Pixels
from streamspike.world.looks import Look
from streamspike.world.painter import Painter
from streamspike.world.scene import KINDS, SCENES, Body, Scene, Snapshot, build_scene

RED = (210, 50, 40)
POSES = {
    "person": ("stand", "walk", "run", "sit", "lie", "crouch", "climb", "knocked"),
    "dog": ("stand", "walk", "run", "sit", "lie"),
    "cat": ("stand", "walk", "run", "sit", "lie"),
}
EVERYTHING = [(kind, pose) for kind in KINDS for pose in POSES.get(kind, ("roll", "stand", "knocked"))]


@pytest.fixture(scope="module")
def yard() -> Scene:
    return build_scene("yard", 4)


@pytest.fixture(scope="module")
def painter(yard: Scene) -> Painter:
    return Painter(yard, 4, 320, 240, ambience=False)


def snapshot(*bodies: Body, seconds: float = 1.0, **view: object) -> Snapshot:
    return replace(Snapshot(seconds, bodies), **view)  # type: ignore[arg-type]


def person(x: float = 0.0, z: float = 6.0, **more: object) -> Body:
    return replace(Body(1, "person", RED, x, z), **more)  # type: ignore[arg-type]


def difference(first: Pixels, second: Pixels) -> np.ndarray:
    """(H, W) mean absolute difference of the channels."""
    return np.abs(first.astype(np.int16) - second).mean(axis=2)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [(96, 72), (96, 96), (256, 144), (320, 240)])
def test_every_scene_paints_at_every_size(name: str, size: tuple[int, int]) -> None:
    width, height = size
    scene = build_scene(name, 2, width / height)
    picture = Painter(scene, 2, width, height).paint(snapshot(person()))
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 10


def test_same_snapshot_gives_the_same_pixels_in_any_order() -> None:
    scene = build_scene("street", 5)
    instants = [snapshot(person(0.3 * k), seconds=0.5 * k) for k in range(24)]
    forwards, backwards = Painter(scene, 9, 96, 96), Painter(scene, 9, 96, 96)
    first = [forwards.paint(instant) for instant in instants]
    second = [backwards.paint(instant) for instant in reversed(instants)]
    assert all(np.array_equal(a, b) for a, b in zip(first, reversed(second), strict=True))
    assert not np.array_equal(first[0], first[1])


def test_painting_leaves_earlier_pictures_alone() -> None:
    painter = Painter(build_scene("room", 1), 1, 96, 96)
    first = painter.paint(snapshot())
    copy = first.copy()
    painter.paint(snapshot(person(), seconds=2.0))
    assert np.array_equal(first, copy)


def test_another_seed_is_another_camera(yard: Scene) -> None:
    pictures = [Painter(yard, seed, 96, 96, ambience=False).paint(snapshot()) for seed in range(4)]
    assert all(difference(a, b).mean() > 5 for k, a in enumerate(pictures) for b in pictures[:k])


@pytest.mark.parametrize(("kind", "pose"), EVERYTHING)
@pytest.mark.parametrize("facing", [1, -1])
def test_what_is_drawn_lies_in_its_box(painter: Painter, kind: str, pose: str, facing: int) -> None:
    shown = snapshot(Body(1, kind, RED, 0.2, 7.0, facing=facing, pose=pose, gait=0.2))
    (box,) = painter.boxes(shown)
    changed = difference(painter.paint(shown), painter.paint(snapshot())) > 12  # noise is the same in both
    ys, xs = np.nonzero(changed)
    assert len(ys) > 20
    u, v = (xs + 0.5) / 320, (ys + 0.5) / 240
    wide, high = box.x1 - box.x0, box.y1 - box.y0
    grown_x, grown_y = 0.1 * wide + 0.012, 0.1 * high + 0.03  # rim, shadow, compression
    bottom = max(box.y1, painter.scene.camera.project(0.2, 0.0, 7.0)[1])  # the shadow of crossed legs is below them
    inside = (u > box.x0 - grown_x) & (u < box.x1 + grown_x) & (v > box.y0 - grown_y) & (v < bottom + grown_y)
    assert inside.mean() > 0.97
    covered = changed[int(box.y0 * 240) : int(box.y1 * 240) + 1, int(box.x0 * 320) : int(box.x1 * 320) + 1]
    assert covered.mean() > 0.12


@pytest.mark.parametrize("kind", ["person", "car", "van", "bicycle", "dog", "cat", "forklift", "cart"])
def test_left_is_not_right(painter: Painter, kind: str) -> None:
    pose = "walk" if kind in POSES else "roll"  # somebody who stands may be turned to the camera
    bodies = (Body(1, kind, RED, 0.0, 7.0, facing=facing, pose=pose, gait=0.2) for facing in (1, -1))
    right, left = (painter.paint(snapshot(body)) for body in bodies)
    assert (difference(right, left) > 25).sum() > 25


def test_poses_of_a_person_differ(painter: Painter) -> None:
    pictures = [painter.paint(snapshot(person(pose=pose, gait=0.2))) for pose in POSES["person"][:-1]]
    assert all((difference(a, b) > 25).sum() > 30 for k, a in enumerate(pictures) for b in pictures[:k])


def test_a_falling_person_gets_lower_and_longer_towards_where_he_faces(painter: Painter) -> None:
    boxes = [painter.boxes(snapshot(person(tilt=tilt)))[0] for tilt in (0.0, 0.6, 1.2, 1.57)]
    heights, ends = [box.y1 - box.y0 for box in boxes], [box.x1 for box in boxes]
    assert heights == sorted(heights, reverse=True)
    assert ends == sorted(ends)
    assert boxes[-1].x1 - boxes[-1].x0 > 2 * heights[-1]


def test_bodies_shrink_with_distance_and_rise_with_lift(painter: Painter) -> None:
    near, far = (painter.boxes(snapshot(person(z=z)))[0] for z in (6.0, 14.0))
    lifted = painter.boxes(snapshot(person(lift=0.5)))[0]
    assert far.y1 - far.y0 < 0.65 * (near.y1 - near.y0)
    assert far.y1 < near.y1
    assert lifted.y1 < near.y1 - 0.03


def test_what_is_carried_is_seen(painter: Painter) -> None:
    empty = painter.paint(snapshot(person()))
    for kind in ("box", "bag", "ball"):
        assert (difference(painter.paint(snapshot(person(holds=kind))), empty) > 25).sum() > 15


def test_near_bodies_cover_far_ones(painter: Painter) -> None:
    far, near = Body(1, "van", (40, 60, 200), 0.0, 9.0), Body(2, "van", RED, 0.0, 6.0)
    both, alone = painter.paint(snapshot(near, far)), painter.paint(snapshot(near))
    box = painter.boxes(snapshot(near))[0]
    middle = np.s_[int((box.y0 + box.y1) * 120) : int(box.y1 * 235), int(box.x0 * 320) + 25 : int(box.x1 * 320) - 25]
    assert difference(both, alone)[middle].mean() < 4
    assert difference(both, alone).max() > 60


def test_bodies_are_shaded_and_what_is_behind_them_is_not(yard: Scene) -> None:
    def painted(*bodies: Body, **look: float) -> Pixels:
        canvas = Painter(yard, 4, 320, 240, ambience=False, look=Look(rim=1.0, **look))  # type: ignore[arg-type]
        return canvas.paint(snapshot(*bodies))

    plain, empty = painted(person()), painted()
    body = difference(plain, empty) > 40
    for changes in ({"folds": 0.3}, {"against": 0.5}):
        shaded = painted(person(), **changes)
        assert difference(shaded, plain)[body].mean() > 4
        assert difference(shaded, plain)[~body].mean() < 1
    against = painted(person(), against=0.5)
    assert 0.45 < against[body].mean() / plain[body].mean() < 0.65, "half as bright, but for the shadow at the feet"
    edges = [person(x=x) for x in (-3.0, 3.0, -30.0)]
    assert painted(*edges, folds=0.3).shape == empty.shape, "at the edges of the picture and outside of it"


def test_lights_out_is_dark_but_not_black(painter: Painter) -> None:
    bright, half, dark = (painter.paint(snapshot(person(), light=light)) for light in (1.0, 0.5, 0.0))
    assert bright.mean() > half.mean() > dark.mean() > 1
    assert dark.mean() < 0.3 * bright.mean()


def test_a_hand_over_the_lens_hides_the_scene(painter: Painter) -> None:
    def contrast(cover: float) -> float:
        """How much of a person is left to be seen."""
        seen = painter.paint(snapshot(person(), cover=cover))
        return float((difference(seen, painter.paint(snapshot(cover=cover))) > 12).sum())

    assert contrast(0.0) > 100
    assert contrast(1.0) == 0
    free, some, all_of_it = (painter.paint(snapshot(cover=cover)) for cover in (0.0, 0.5, 1.0))
    assert difference(free, all_of_it).mean() > difference(free, some).mean() > 5
    assert painter.boxes(snapshot(person(), cover=1.0)) == []


def test_a_knocked_camera_moves_picture_and_boxes_alike(painter: Painter) -> None:
    straight = painter.boxes(snapshot(person()))[0]
    shown = snapshot(person(), shift=(0.2, 0.1))
    moved = painter.boxes(shown)[0]
    assert moved.x0 - straight.x0 == pytest.approx(0.2)
    assert moved.y0 - straight.y0 == pytest.approx(0.1)
    assert difference(painter.paint(shown), painter.paint(snapshot(person()))).mean() > 5
    ys, xs = np.nonzero(difference(painter.paint(shown), painter.paint(snapshot(shift=(0.2, 0.1)))) > 25)
    assert straight.x1 + 0.1 < np.median(xs) / 320 < straight.x1 + 0.3
    assert np.median(ys) / 240 == pytest.approx((moved.y0 + moved.y1) / 2, abs=0.1)
    rolled = painter.boxes(snapshot(person(x=2.0), roll=0.2))[0]
    assert rolled.y1 > painter.boxes(snapshot(person(x=2.0)))[0].y1 + 0.02


def test_boxes_stay_in_the_picture_and_leave_with_the_body(painter: Painter) -> None:
    seen = [painter.boxes(snapshot(Body(1, "car", RED, x, 8.0))) for x in np.linspace(-14, 14, 57)]
    assert seen[0] == seen[-1] == []
    for (box,) in filter(None, seen):
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1
    assert any(boxes and boxes[0].x0 == 0.0 for boxes in seen)


def test_classes_are_those_of_the_foremost_box(painter: Painter) -> None:
    shown = snapshot(Body(1, "car", RED, 0.0, 9.0), person(z=6.0))
    grid = painter.classes(shown, 24, 32)
    assert grid.shape == (24, 32)
    assert grid.dtype == np.int64
    car, walker = painter.boxes(shown)
    assert (car.kind, walker.kind) == ("car", "person")
    for row in range(24):
        for column in range(32):
            u, v = (column + 0.5) / 32, (row + 0.5) / 24
            in_car = car.x0 <= u < car.x1 and car.y0 <= v < car.y1
            if walker.x0 <= u < walker.x1 and walker.y0 <= v < walker.y1:
                assert grid[row, column] == KINDS.index("person") + 1
            elif in_car:
                assert grid[row, column] in (KINDS.index("car") + 1, KINDS.index("person") + 1)
    assert (painter.classes(snapshot(), 12, 12) == 0).all()
    assert grid[0].max() == 0


def test_a_body_thinner_than_a_cell_still_has_the_cell_of_its_centre(painter: Painter) -> None:
    grid = painter.classes(snapshot(person(z=7.0)), 3, 3)
    assert (grid > 0).sum() >= 1


def test_speed_is_reported() -> None:
    scene = build_scene("street", 1)
    for size in ((96, 96), (640, 360)):
        painter = Painter(scene, 1, *size)
        started = time.process_time()
        for k in range(20):
            painter.paint(snapshot(person(0.1 * k), seconds=0.5 * k))
        print(f"paint at {size}: {(time.process_time() - started) / 20 * 1000:.2f} ms")
