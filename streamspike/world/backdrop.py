"""The empty scene: street, room, yard or walkway, painted once per camera and then only copied."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from streamspike.core import Pixels
from streamspike.world.brush import Brush, Colour, mix, shade, texture
from streamspike.world.places import paint_street, paint_walkway, paint_yard
from streamspike.world.rooms import paint_room
from streamspike.world.scene import Camera, Lane, Scene

PLACES = {"street": paint_street, "room": paint_room, "yard": paint_yard, "walkway": paint_walkway}


def backdrop_of(scene: Scene, seed: int, width_px: int, height_px: int, snow: float = 0.0) -> Pixels:
    """This camera's backdrop, (height_px, width_px, 3) uint8 RGB; shared between callers, not to be written to."""
    props = tuple(sorted(scene.props.items()))
    return _painted(scene.name, scene.seed, scene.camera, scene.lanes, props, seed, width_px, height_px, snow)


@lru_cache(maxsize=16)
def _painted(
    name: str,
    scene_seed: int,
    camera: Camera,
    lanes: tuple[Lane, ...],
    props: tuple[tuple[str, float], ...],
    seed: int,
    width_px: int,
    height_px: int,
    snow: float,
) -> Pixels:
    """A cache needs arguments that can be compared, which a scene with its dict of props cannot."""
    scene = Scene(name, scene_seed, camera, lanes, dict(props))
    rng = np.random.default_rng([seed, scene_seed, 2])
    sky: Colour = mix((150, 180, 214), (206, 208, 210), rng.uniform())
    canvas = np.empty((height_px, width_px, 3), np.uint8)
    canvas[:] = shade(sky, 0.95)
    PLACES[name](Brush(canvas, camera, snow), scene, rng)
    finished = _weather(canvas, rng)
    finished.flags.writeable = False
    return finished


def _weather(canvas: Pixels, rng: np.random.Generator) -> Pixels:
    """Stains, grain, light that falls off to the edges, and the colour of the hour."""
    height_px, width_px = canvas.shape[:2]
    field = texture(
        rng, height_px, width_px, ((3, 4, 0.035), (9, 12, 0.022), (36, 32, 0.02), (120, 90, 0.035), (300, 240, 0.03))
    )
    field *= rng.uniform(0.3, 1.1)
    vs, us = np.mgrid[-1 : 1 : height_px * 1j, -1 : 1 : width_px * 1j].astype(np.float32)
    slope = rng.uniform(-0.1, 0.1) * us + rng.uniform(-0.06, 0.06) * vs
    field += 1.0 + slope - rng.uniform(0.08, 0.2) * (us * us + vs * vs)
    for _ in range(rng.integers(0, 3)):  # lamps, windows and what they do not reach
        off = (us - rng.uniform(-1, 1)) ** 2 + (vs - rng.uniform(-1, 0.6)) ** 2
        field += rng.uniform(-0.25, 0.4) / (1.0 + off / rng.uniform(0.1, 0.6)).astype(np.float32) ** 2
    hour = np.array(
        rng.choice([(1.0, 1.0, 1.0), (1.06, 0.99, 0.88), (0.9, 0.97, 1.08), (0.82, 0.84, 0.92)]), np.float32
    )
    lit = canvas.astype(np.float32) * field[..., None] * hour
    finished: Pixels = cv2.convertScaleAbs(lit)
    return finished
