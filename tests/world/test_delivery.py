"""What happens to a picture on its way: small sources, compression, bars, a clock, a torn frame."""

from __future__ import annotations

import numpy as np

from streamspike.core import Pixels
from streamspike.world.delivery import Delivery
from streamspike.world.painter import Painter
from streamspike.world.scene import Body, Snapshot, build_scene

SIZE = (208, 156)


def noise() -> Pixels:
    return np.random.default_rng(2).integers(0, 256, (156, 208, 3)).astype(np.uint8)


def delivered(seed: int, rough: bool) -> Pixels:
    return Delivery(seed, *SIZE, rough).deliver(noise(), 5.0, np.random.default_rng(1))


def test_every_delivery_keeps_the_size() -> None:
    assert all(delivered(seed, rough=True).shape == (156, 208, 3) for seed in range(40))


def test_some_rough_deliveries_lose_the_fine_detail_and_no_plain_one_does() -> None:
    def detail(picture: Pixels) -> float:
        return float(np.abs(np.diff(picture.astype(int), axis=1)).mean())

    whole = detail(noise())
    rough = [detail(delivered(seed, rough=True)) < 0.5 * whole for seed in range(60)]
    assert 0.1 < np.mean(rough) < 0.5
    assert not any(detail(delivered(seed, rough=False)) < 0.5 * whole for seed in range(60))


def test_black_bars_are_black_and_no_body_is_boxed_in_them() -> None:
    seed = next(seed for seed in range(200) if Delivery(seed, *SIZE, rough=True).window[1] > 0.05)
    scene = build_scene("street", 1)
    painter = Painter(scene, seed, *SIZE)
    top = Delivery(seed, *SIZE, rough=True).window[1]
    shown = Snapshot(1.0, (Body(1, "person", (200, 60, 40), 0.0, scene.lanes[0].z, scale=4.0),))
    (box,) = painter.boxes(shown)
    assert box.y0 >= top
    assert box.y1 <= 1 - top
    dark = painter.paint(shown)[: round(top * 156) - 4, 60:120]
    assert np.median(dark) < 20


def test_a_clock_runs() -> None:
    def changes(seed: int) -> bool:
        delivery = Delivery(seed, *SIZE, rough=False)
        first, later = (
            delivery.deliver(np.zeros((156, 208, 3), np.uint8), at, np.random.default_rng(1)) for at in (1.0, 8.0)
        )
        return not np.array_equal(first, later)

    assert 0.25 < np.mean([changes(seed) for seed in range(60)]) < 0.65
