"""The crowd in the distance: small people who walk, stroll and stand about all day, and are nobody's business."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels
from streamspike.world.brush import ONE, SHIFT
from streamspike.world.outfit import HAIRS, SKINS
from streamspike.world.scene import Scene

CHANCES = {"street": 0.45, "walkway": 0.6, "yard": 0.2}
"""Of a camera to have a crowd, by scene."""
BEHIND = {"street": (2.3, 3.4), "walkway": (2.4, 12.0), "yard": (3.0, 8.0)}
"""Metres between the last lane and the crowd, least and most."""
STEPS = 8
"""Different positions of the legs in one cycle; more cannot be told apart in somebody that small."""
COAT = ((-0.09, 0.45), (0.09, 0.45), (0.12, 0.78), (0.05, 0.84), (-0.05, 0.84), (-0.12, 0.78))


def crowd_of(scene: Scene, seed: int) -> Crowd | None:
    """This camera's crowd, or None if its background is deserted."""
    rng = np.random.default_rng([seed, 23])
    return Crowd(scene, rng) if rng.uniform() < CHANCES.get(scene.name, 0.0) else None


class Crowd:
    """A handful to two dozen walkers, each on a strip of ground of its own behind the last lane."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        count = int(rng.integers(3, 25))
        near, far = (scene.lanes[-1].z + metres for metres in BEHIND[scene.name])
        self._zs = np.sort(rng.uniform(near, far, count))[::-1]
        feet = [scene.camera.project(0.0, 0.0, float(z)) for z in self._zs]
        heights = rng.uniform(1.45, 1.85, count)
        heads = [scene.camera.project(0.0, float(h), float(z)) for h, z in zip(heights, self._zs, strict=True)]
        self._vs = np.array([foot[1] for foot in feet])
        self._highs = self._vs - np.array([head[1] for head in heads])
        self._wide = np.array([foot[2] for foot in feet]) * heights  # picture widths per height of the walker
        speeds = rng.uniform(0.4, 1.6, count) * rng.choice([-1, 1, 0.0], count, p=[0.42, 0.42, 0.16])
        self._spans = 1.0 + 2 * self._wide  # the walker is out of the picture before it comes again
        self._rates = speeds / heights * self._wide
        self._starts = rng.uniform(0, 1, count) * self._spans
        self._gaits = np.where(speeds == 0, 0.0, rng.uniform(0.7, 1.1, count)), rng.uniform(0, 1, count)
        base = rng.uniform(15, 215, (count, 1)) * 0.65 + rng.uniform(10, 215, (count, 3)) * 0.35
        self._coats = base.astype(int).tolist()
        self._legs = (base * rng.uniform(0.25, 0.9, (count, 1))).astype(int).tolist()
        self._skins = [SKINS[k % len(SKINS)] for k in rng.integers(0, 99, count)]
        self._hairs = [HAIRS[k % len(HAIRS)] for k in rng.integers(0, 99, count)]

    def draw(self, canvas: Pixels, seconds: float) -> None:
        """Farthest first. Modifies canvas."""
        height, width = canvas.shape[:2]
        lefts = (self._starts + self._rates * seconds) % self._spans - self._wide
        steps = np.floor((self._gaits[0] * seconds + self._gaits[1]) * STEPS)
        for k, (u, v, high, wide) in enumerate(zip(lefts, self._vs, self._highs, self._wide, strict=True)):
            stride = 0.1 * math.sin(2 * math.pi * steps[k] / STEPS) if self._gaits[0][k] else 0.05
            across, up = wide * width * ONE, high * height * ONE
            place = np.array((u * width * ONE, v * height * ONE)), np.array((across, -up))
            for side in (stride, -stride):
                blob(canvas, ((side - 0.04, 0.0), (side + 0.04, 0.0), (0.07, 0.5), (-0.07, 0.5)), place, self._legs[k])
            blob(canvas, COAT, place, self._coats[k])
            x, y = np.rint(place[0] + (0, -0.915 * up)).astype(int).tolist()
            radius = max(round(0.075 * up), 1)
            cv2.circle(canvas, (x, y), radius, self._hairs[k], -1, cv2.LINE_AA, SHIFT)
            cv2.circle(canvas, (x, y + radius // 3), radius * 2 // 3, self._skins[k], -1, cv2.LINE_AA, SHIFT)


def blob(
    canvas: Pixels,
    outline: tuple[tuple[float, float], ...],
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    colour: list[int],
) -> None:
    """Fill an outline in heights of the walker, whose feet and size are `place`, in 1 / ONE pixels."""
    corners = np.rint(place[0] + place[1] * np.array(outline)).astype(np.int32)
    cv2.fillConvexPoly(canvas, corners, colour, cv2.LINE_AA, SHIFT)
