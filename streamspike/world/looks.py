"""The hour, the weather and the sensor of one camera: night, infrared, fog, low sun, drops, faded colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels
from streamspike.world.brush import ground_distances
from streamspike.world.scene import Scene

HOURS = ("day", "night", "infrared")
SENSORS = ("colour", "grey", "faded", "vivid")
ROWS, COLUMNS = 48, 64
"""Of the coarse fields of light; what a lamp or fog does is smooth."""
FAR = 80.0  # metres: as far as fog is computed

Field = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """How one camera sees, whatever it sees."""

    hour: str = "day"
    """One of HOURS."""
    sensor: str = "colour"
    """One of SENSORS."""
    haze: float = 0.0
    """Part of the light that fog has replaced at a distance of 20 m; indoors, of all light (smoke, a dusty glass)."""
    sun: tuple[float, float] | None = None
    """A low sun: metres right and away by which a shadow is thrown for every metre of height."""
    wet: bool = False
    """Drops on the glass."""
    snow: float = 0.0
    """Part of the ground's colour that snow has replaced."""
    tint: float = 0.07
    """The white balance is off by up to this part."""
    grain: float = 1.0
    """Noise of the sensor, times what it has by day."""
    rim: float = 0.4
    """Brightness of the outlines of bodies against their paint; 1 has none."""
    folds: float = 0.0
    """How much lighter or darker than their paint parts of a body are: creases, shading, sheen."""
    against: float = 1.0
    """Brightness of bodies that stand against the light, as before a window; 1: they do not."""


PLAIN = Look()


def look_of(scene: Scene, seed: int) -> Look:
    """This camera's look, drawn from its seed: about half of all cameras see by plain daylight or lamp light."""
    rng = np.random.default_rng([seed, 13])
    indoors = scene.name == "room"
    hour = HOURS[int(np.searchsorted((0.72, 0.85), rng.uniform()))]
    sensor = SENSORS[int(np.searchsorted((0.62, 0.72, 0.9), rng.uniform()))]
    haze = float(rng.uniform(0.05, 0.25) if indoors else rng.uniform(0.1, 0.55)) if rng.uniform() < 0.25 else 0.0
    slant = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 2.2)), float(rng.uniform(-0.7, 1.2))
    low_sun = bool(rng.uniform() < 0.25) and not indoors and hour == "day" and haze == 0.0
    return Look(
        hour=hour,
        sensor="grey" if hour == "infrared" else sensor,
        haze=haze if hour == "day" else 0.0,
        sun=slant if low_sun else None,
        wet=bool(rng.uniform() < 0.1) and not indoors,
        snow=float(rng.uniform(0.5, 0.95)) if rng.uniform() < 0.1 and not indoors else 0.0,
        tint=float(rng.choice([0.04, 0.07, 0.16])),
        grain=float(rng.uniform(1.2, 2.6) if hour == "night" else rng.uniform(0.3, 1.3)),
        rim=float(rng.choice([1.0, 1.0, rng.uniform(0.4, 0.95)])),
        folds=float(rng.choice([0.0, rng.uniform(0.04, 0.16), rng.uniform(0.1, 0.3)])),
        against=float(rng.uniform(0.35, 0.8)) if rng.uniform() < 0.15 and hour == "day" else 1.0,
    )


class Glass:
    """A look at work on pictures of one size. No picture leaves anything behind for the next."""

    def __init__(self, look: Look, scene: Scene, seed: int, width_px: int, height_px: int) -> None:
        rng = np.random.default_rng([seed, 17])
        self._look = look
        times, plus = np.ones((ROWS, COLUMNS, 3)), np.zeros((ROWS, COLUMNS, 3))
        if look.haze:
            veil = _haze(look.haze, scene)[..., None]
            colour = rng.uniform(150, 215) + rng.uniform(-12, 12, 3)
            times, plus = times * (1 - veil), plus + veil * colour
        if look.hour == "night":
            lamps = _lamps(rng, indoors=scene.name == "room")
            times, plus = times * np.minimum(lamps, 1.6), plus * lamps * 0.7 + 26 * np.maximum(lamps - 0.9, 0)
        elif look.hour == "infrared":
            times *= _falloff(rng)[..., None]
        if look.sun is not None:
            side = 0.0 if look.sun[0] > 0 else 1.0
            us, vs = _grid()
            glare = np.exp(-((us - side) ** 2) / 0.2 - (vs + 0.1) ** 2 / 0.25)
            plus += (glare * rng.uniform(20, 90))[..., None] * (1.0, 0.82, 0.55)
        self._boost = float(times.max())
        self._times = _full(255 * times / self._boost, width_px, height_px)
        self._plus = _full(plus, width_px, height_px) if plus.any() else None
        self._drops = _drops(rng, width_px, height_px) if look.wet else None
        self._blur = max(width_px // 24, 2) | 1
        self._part = {"faded": rng.uniform(0.25, 0.7), "vivid": rng.uniform(1.15, 1.5)}.get(look.sensor, 1.0)
        # Near infrared flattens cloth: dyes that differ by day reflect alike.
        self._flat = np.clip(rng.uniform(20, 70) + np.arange(256) * rng.uniform(0.5, 0.8), 0, 255).astype(np.uint8)

    def apply(self, picture: Pixels) -> Pixels:
        """The same scene in this look, freshly allocated or the picture itself."""
        if self._look.sensor != "colour":
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
            if self._look.hour == "infrared":
                grey = cv2.LUT(grey, self._flat).astype(np.uint8, copy=False)
            colourless = cv2.merge((grey, grey, grey))
            if self._look.sensor == "grey":
                picture = colourless
            else:
                picture = cv2.addWeighted(picture, self._part, colourless, 1 - self._part, 0)
        if self._boost != 1.0 or self._look.haze or self._look.hour != "day":
            picture = cv2.multiply(picture, self._times, scale=self._boost / 255)
        if self._plus is not None:
            picture = cv2.add(picture, self._plus)
        if self._drops is not None:
            smear = cv2.blur(picture, (self._blur, self._blur))
            picture = cv2.add(
                cv2.multiply(picture, 255 - self._drops, scale=1 / 255),
                cv2.multiply(smear, self._drops, scale=1.1 / 255),
            )
        seen: Pixels = picture
        return seen


def _grid() -> tuple[Field, Field]:
    """Centres of the coarse cells: u and v in [0, 1]."""
    vs, us = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float64)
    return us / (COLUMNS - 1), vs / (ROWS - 1)


def _full(field: Field, width_px: int, height_px: int) -> Pixels:
    """A coarse (ROWS, COLUMNS, 3) field as bytes at the size of the picture."""
    coarse = np.clip(field, 0, 255).astype(np.uint8)
    full: Pixels = cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return full


def _haze(strength: float, scene: Scene) -> Field:
    """(ROWS, COLUMNS): part of the light lost on the way from the ground in each row; the sky is far."""
    if scene.name == "room":
        return np.full((ROWS, COLUMNS), strength)
    density = -math.log(1 - strength) / 20
    distances = ground_distances(scene.camera, np.arange(ROWS) / (ROWS - 1), FAR)
    column: Field = np.minimum(1 - np.exp(-density * distances), 0.93)
    return np.repeat(column[:, None], COLUMNS, axis=1)


def _lamps(rng: np.random.Generator, indoors: bool) -> Field:
    """(ROWS, COLUMNS, 3): a little blue light everywhere and pools of warm light under lamps."""
    us, vs = _grid()
    light = rng.uniform(0.14, 0.4) * np.ones((ROWS, COLUMNS, 3)) * (0.85, 0.95, 1.15)
    for _ in range(rng.integers(1, 3 if indoors else 5)):
        u, v = rng.uniform(0.0, 1.0), rng.uniform(0.15, 0.8)
        wide, high = rng.uniform(0.1, 0.4), rng.uniform(0.12, 0.45)
        pool = np.exp(-(((us - u) / wide) ** 2) - ((vs - v) / high) ** 2)
        warm = np.array((1.0, rng.uniform(0.66, 0.98), rng.uniform(0.35, 0.95)))
        light += pool[..., None] * warm * rng.uniform(0.4, 1.1)
    return light


def _falloff(rng: np.random.Generator) -> Field:
    """(ROWS, COLUMNS): the camera's own infrared lamp, bright ahead, weak in the corners."""
    us, vs = _grid()
    u, v, tight = rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.65), rng.uniform(0.6, 4.5)
    off = (us - u) ** 2 + (vs - v) ** 2
    return rng.uniform(0.9, 1.35) * (0.12 + 0.88 * np.exp(-tight * off))


def _drops(rng: np.random.Generator, width_px: int, height_px: int) -> Pixels:
    """(height_px, width_px, 3): 255 where a drop of water smears what is behind it."""
    mask = np.zeros((height_px, width_px), np.uint8)
    for _ in range(rng.integers(6, 40)):
        middle = int(rng.uniform(0, width_px)), int(rng.uniform(0, height_px))
        wide = int(width_px * rng.uniform(0.008, 0.05)) + 1
        axes = wide, int(wide * rng.uniform(0.9, 1.7))
        cv2.ellipse(mask, middle, axes, 0, 0, 360, int(rng.integers(140, 255)), -1, cv2.LINE_AA)
    mask = cv2.blur(mask, (3, 3)).astype(np.uint8, copy=False)
    drops: Pixels = cv2.merge((mask, mask, mask))
    return drops
