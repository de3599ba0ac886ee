"""What the camera itself adds: drifting exposure and white balance, noise, blur, a hand before it."""

from __future__ import annotations

import math

import cv2
import numpy as np

from streamspike.core import Pixels
from streamspike.world.brush import texture
from streamspike.world.looks import PLAIN, Look

TRACE = 0.09
"""Of the light, what remains when the lights are out."""
MARGIN_PX = 48
"""The noise tile is larger than the picture by this; each frame cuts its own window from it."""


class Lens:
    """Sensor and processor of one camera. No frame leaves anything behind for the next."""

    def __init__(self, seed: int, width_px: int, height_px: int, look: Look = PLAIN) -> None:
        rng = np.random.default_rng([seed, 3])
        self._width_px, self._height_px = width_px, height_px
        self._grain = rng.uniform(1.2, 4.5) * look.grain
        self._gamma = rng.uniform(0.88, 1.16)
        self._gain = rng.uniform(0.92, 1.2)
        self._lift = rng.uniform(0.0, 14.0)
        self._tint = 1.0 + rng.uniform(-look.tint, look.tint, 3)
        self._drift = rng.uniform(0, 2 * math.pi, 4)
        self._drift_seconds = rng.uniform((17, 23, 31, 41), (60, 80, 90, 120))
        self._sigma = (rng.uniform(0.0, 1.1) if rng.uniform() < 0.8 else rng.uniform(1.1, 3.5)) * width_px / 640
        # Two fields from one: rolled by an odd amount, it is as good as another, and normal numbers are slow to draw.
        luma = 24 * rng.standard_normal((height_px + MARGIN_PX, width_px + MARGIN_PX), np.float32)
        chroma = np.roll(luma, (17, 29), axis=(0, 1)) * 0.4
        channels = [np.clip(128 + luma + part * chroma, 0, 255).astype(np.uint8) for part in (1.0, -0.4, -1.0)]
        self._noise: Pixels = cv2.merge(channels)
        self._ramp = (np.arange(256)[:, None] / 255) ** self._gamma * 255  # (256, 1)
        self._seed = seed
        self._cover: Pixels | None = None
        self._cover_from = rng.uniform(0, 2 * math.pi)

    def cover(self, picture: Pixels, cover: float, seconds: float) -> Pixels:
        """The picture behind a hand or a cloth that slides in from one side; all of it at cover = 1."""
        ys, xs = np.mgrid[0:12, 0:16].astype(np.float32)
        angle = self._cover_from
        side = ((xs - 7.5) / 7.5 * math.cos(angle) + (ys - 5.5) / 5.5 * math.sin(angle)) / 3.0 + 0.5
        wobble = 0.02 * math.sin(seconds * 2.1)
        alpha = np.clip((cover * 1.25 + wobble - side * 0.9) / 0.3, 0, 1) if cover < 1 else np.ones_like(side)
        mask = cv2.resize(
            (alpha * 255).astype(np.uint8), (self._width_px, self._height_px), interpolation=cv2.INTER_LINEAR
        )
        weights = cv2.merge((mask, mask, mask))
        if self._cover is None:
            self._cover = self._cloth()
        veil: Pixels = cv2.add(
            cv2.multiply(picture, 255 - weights, scale=1 / 255), cv2.multiply(self._cover, weights, scale=1 / 255)
        )
        return veil

    def _cloth(self) -> Pixels:
        """What covers the lens, too near to be sharp: skin or fabric."""
        rng = np.random.default_rng([self._seed, 4])
        weave = texture(rng, self._height_px, self._width_px, ((4, 5, 14.0), (10, 13, 8.0), (40, 50, 4.0)))
        tone = np.array((52, 34, 28) if rng.uniform() < 0.5 else (34, 36, 42), np.float32)
        cloth: Pixels = np.clip(tone + weave[..., None], 2, 120).astype(np.uint8)
        return cloth

    def expose(self, picture: Pixels, seconds: float, light: float, rng: np.random.Generator) -> Pixels:
        """From light to what the processor has. `rng` is the frame's own."""
        if self._sigma > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), self._sigma).astype(np.uint8, copy=False)
        picture = cv2.LUT(picture, self._curve(seconds, light)).astype(np.uint8, copy=False)
        grain = self._grain * (1.0 + 1.6 * (1.0 - light))
        top, left = rng.integers(0, MARGIN_PX, 2)
        noise = self._noise[top : top + self._height_px, left : left + self._width_px]
        exposed: Pixels = cv2.addWeighted(picture, 1.0, noise, grain / 24, -128 * grain / 24)
        return exposed

    def _curve(self, seconds: float, light: float) -> Pixels:
        """(1, 256, 3) lookup table: light, exposure, white balance and gamma in one."""
        waves = np.sin(2 * math.pi * seconds / self._drift_seconds + self._drift)
        gain = self._gain * (1.0 + 0.05 * waves[0]) * (TRACE + (1 - TRACE) * max(light, 0.0) ** 1.5)
        balance = self._tint * (1.0 + 0.03 * waves[1:])
        if light < 1.0:
            balance = balance * (1.0 + (1.0 - light) * np.array((-0.12, 0.0, 0.22)))
        table = self._ramp * (gain * balance) + self._lift * min(1.0, 0.4 + light)
        curve: Pixels = np.clip(table, 0, 255).astype(np.uint8)[None]
        return curve
