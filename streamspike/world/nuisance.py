"""What moves or flickers in front of a camera without being anybody's business: weather, light, plants, insects.

A nuisance has a calm state (level 0) and a loud one (level about 1). It is a function of time and of the frame's own
random generator, never of the frames before.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels
from streamspike.world.brush import fill
from streamspike.world.scene import Scene

HEAD = np.array((150.0, 118.0, 96.0))
PASSER = (  # legs, trunk and head of somebody far away; (across, up) as parts of the height
    np.array([(-0.08, 0.0), (0.08, 0.0), (0.09, 0.5), (-0.09, 0.5)]),
    np.array([(-0.11, 0.45), (0.11, 0.45), (0.12, 0.76), (0.06, 0.83), (-0.06, 0.83), (-0.12, 0.76)]),
    np.array([(0.075 * math.cos(math.pi * k / 4), 0.91 + 0.085 * math.sin(math.pi * k / 4)) for k in range(8)]),
)


class Wobble:
    """Smooth random function of time in [-1, 1], `rate` new values a second."""

    def __init__(self, rng: np.random.Generator, rate: float) -> None:
        self._values = rng.uniform(-1, 1, 256)
        self._rate = rate

    def at(self, seconds: float) -> float:
        place = seconds * self._rate
        k = math.floor(place)
        part = place - k
        part = part * part * (3 - 2 * part)
        return float(self._values[k % 256] * (1 - part) + self._values[(k + 1) % 256] * part)

    def step(self, seconds: float) -> float:
        """The same without the smoothing: jumps."""
        return float(self._values[math.floor(seconds * self._rate) % 256])


def spread(field: NDArray[np.floating], picture: Pixels) -> Pixels:
    """A coarse (rows, columns) or (rows, columns, 3) field of [0, 255] at the size of the picture, three channels."""
    if field.ndim == 2:
        field = np.repeat(field[..., None], 3, axis=2)
    coarse = np.clip(field, 0, 255).astype(np.uint8)
    full: Pixels = cv2.resize(coarse, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
    return full


def coarse_grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres of a 24 x 32 grid over the picture: u and v in [0, 1]."""
    vs, us = np.mgrid[0:24, 0:32].astype(np.float32)
    return us / 31, vs / 23


def overlay(picture: Pixels, sprite: Pixels, alpha: Pixels, left: int, top: int) -> None:
    """Blend a sprite, whose colours are already multiplied by alpha, into the picture. Modifies picture."""
    height, width = picture.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + sprite.shape[1], width), min(top + sprite.shape[0], height)
    if x1 <= x0 or y1 <= y0:
        return
    cut = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    patch = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = cv2.add(cv2.multiply(patch, 255 - alpha[cut], scale=1 / 255), sprite[cut])


class Clouds:
    """A shadow edge that crosses the picture, there and back in a burst; hardly any change when calm."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        angle = rng.uniform(-0.6, 0.6) + (math.pi if rng.uniform() < 0.5 else 0.0)
        us, vs = coarse_grid()
        self._place = (us - 0.5) * math.cos(angle) + (vs - 0.5) * math.sin(angle) * 0.6
        self._depth = rng.uniform(0.3, 0.5)
        self._wobble = Wobble(rng, 2.7)

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        if level <= 0:
            return picture
        edge = 0.75 * self._wobble.at(seconds)
        dark = np.clip((self._place - edge) / 0.25 + 0.5, 0, 1) * self._depth * min(level, 1.2)
        shadowed: Pixels = cv2.multiply(picture, spread(255 * (1 - dark), picture), scale=1 / 255)
        return shadowed


class Flicker:
    """Automatic gain that hunts, or a lamp about to fail: everything jumps in brightness."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        self._jumps = Wobble(rng, rng.uniform(3.0, 6.0))
        self._span = rng.uniform(0.2, 0.36)

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        jump = self._jumps.step(seconds)
        gain = (
            1.0 + self._span * level * (0.5 * jump + math.copysign(0.5, jump)) + 0.012 * self._jumps.at(seconds * 0.3)
        )
        jumped: Pixels = cv2.convertScaleAbs(picture, alpha=gain)
        return jumped


class Branches:
    """Twigs with leaves in an upper corner; gusts throw them about."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        self._left = bool(rng.uniform() < 0.5)
        width, height = int(width_px * rng.uniform(0.5, 0.72)), int(height_px * rng.uniform(0.34, 0.46))
        sprite, alpha = np.zeros((height, width, 3), np.uint8), np.zeros((height, width, 3), np.uint8)
        leaf = rng.uniform((34, 60, 24), (92, 104, 48))
        for _ in range(7):
            end = width * rng.uniform(0.4, 0.85), height * rng.uniform(0.1, 0.6)
            twig = np.array([(0, height * 0.02), (0, height * 0.05), (end[0], end[1] + 1), end])
            fill(sprite, twig, (58, 46, 36))
            fill(alpha, twig, (255, 255, 255))
        for _ in range(170):
            far = rng.uniform() ** 0.8
            x, y = far * width * 0.95, rng.uniform(0, 1.05 - far) * height * 0.95
            across, angle = width * rng.uniform(0.025, 0.05), rng.uniform(0, math.pi)
            turn = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle) * 0.45, math.cos(angle) * 0.45)])
            diamond = np.array([(1, 0), (0.3, 0.9), (-1, 0), (0.3, -0.9)]) @ turn * across + (x, y)
            fill(sprite, diamond, tuple(min(int(c), 255) for c in leaf * rng.uniform(0.4, 1.35)))
            fill(alpha, diamond, (255, 255, 255))
        if not self._left:
            sprite, alpha = sprite[:, ::-1].copy(), alpha[:, ::-1].copy()
        self._sprite, self._alpha = sprite, alpha
        self._sway, self._bob, self._rest = Wobble(rng, 3.6), Wobble(rng, 4.3), Wobble(rng, 0.7)
        self._width_px = width_px

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        height, width = self._sprite.shape[:2]
        sway = (0.008 * self._rest.at(seconds) + 0.17 * level * self._sway.at(seconds)) * self._width_px
        bob = (0.005 * self._rest.at(seconds + 9) + 0.1 * level * self._bob.at(seconds)) * self._width_px
        shear = 0.25 * level * self._bob.at(seconds + 31)
        anchor = 0.0 if self._left else float(width)
        matrix = np.array([(1.0, shear, sway), (shear, 1.0, bob - shear * anchor)])
        size = width, height
        leaves = cv2.warpAffine(self._sprite, matrix, size)
        alpha = cv2.warpAffine(self._alpha, matrix, size)
        overlay(picture, leaves, alpha, 0 if self._left else picture.shape[1] - width, 0)
        return picture


class Rain:
    """Streaks of rain or flakes of snow: a drizzle, and downpours."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        self._snow = bool(rng.uniform() < 0.4)
        self._slant = rng.uniform(-0.35, 0.35)
        self._bright = int(rng.uniform(60, 100))

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        height, width = picture.shape[:2]
        count = int((14 if self._snow else 5) + (320 if self._snow else 105) * level)
        layer = np.zeros((height, width), np.uint8)
        places = rng.uniform(0, 1, (count, 2)) * (width, height)
        if self._snow:
            # Small, so that no flake is taken for a ball.
            for (x, y), size in zip(places, rng.uniform(0.5, 1.0, count), strict=True):
                radius = int(16 * max(width * 0.0055 * size, 0.4))
                cv2.circle(layer, (int(x * 16), int(y * 16)), radius, 120, -1, cv2.LINE_AA, 4)
        else:
            long = rng.uniform(0.06, 0.2, (count, 1)) * height
            lines = np.stack([places, places + long * (self._slant, 1.0)], axis=1)
            fixed = np.rint(lines * 16).astype(np.int32)
            cv2.polylines(layer, list(fixed), False, self._bright, max(width // 300, 1), cv2.LINE_AA, 4)
        wet: Pixels = cv2.add(picture, cv2.merge((layer, layer, layer)))
        return wet


class Headlights:
    """The beam of a car that is out of the picture sweeps over the scene, several times in a burst."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        self._us, self._vs = coarse_grid()
        self._v = rng.uniform(0.25, 0.65)
        self._sweep = Wobble(rng, 1.6)
        self._warm = np.array((1.0, rng.uniform(0.85, 0.95), rng.uniform(0.6, 0.85)), np.float32)
        self._wide = rng.uniform(0.12, 0.2)

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        if level <= 0:
            return picture
        u = 0.5 + 0.75 * self._sweep.at(seconds)
        spot = np.exp(-(((self._us - u) / self._wide) ** 2) - ((self._vs - self._v) / 0.4) ** 2)
        lit: Pixels = cv2.add(picture, spread(115 * level * spot[..., None] * self._warm, picture))
        return lit


class Television:
    """A screen outside the picture throws changing colours on one side of the room."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        us, vs = coarse_grid()
        side = float(rng.choice([0.0, 1.0]))
        self._reach = np.exp(-((us - side) ** 2) / 0.3 - (vs - 0.6) ** 2 / 0.35)
        self._hues = [Wobble(rng, 3.7) for _ in range(3)]

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        glow = np.array([1.0 + hue.step(seconds) for hue in self._hues], np.float32)
        field = self._reach[..., None] * (glow * (3.0 + 58.0 * level))
        lit: Pixels = cv2.add(picture, spread(field, picture))
        return lit


class Curtain:
    """A thin curtain at the side of the picture that the wind blows in."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        self._left = bool(rng.uniform() < 0.5)
        self._colour = rng.uniform((120, 110, 90), (235, 225, 215))
        self._blow, self._folds = Wobble(rng, 2.2), Wobble(rng, 1.3)

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        height, width = picture.shape[:2]
        reach = 0.07 + 0.01 * self._folds.at(seconds) + level * (0.16 + 0.2 * self._blow.at(seconds))
        folds = 5
        for k in reversed(range(folds)):
            outer, inner = max(reach, 0.02) * (k + 1) / folds, max(reach, 0.02) * k / folds
            hem = 0.72 + 0.06 * level * self._blow.at(seconds + k * 0.7)
            drift = 0.6 + 0.4 * k / folds
            quad = np.array([(inner * drift, -0.02), (outer * drift, -0.02), (outer, hem), (inner, hem + 0.01)])
            if not self._left:
                quad[:, 0] = 1 - quad[:, 0]
            colour = self._colour * (0.72 + 0.28 * ((k + round(4 * self._folds.at(seconds))) % 2))
            fill(picture, quad * (width, height), tuple(int(c) for c in colour))
        return picture


class Flag:
    """A striped flag at the edge of the picture, limp or flapping."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        self._left = bool(rng.uniform() < 0.5)
        self._v = rng.uniform(0.02, 0.12)
        self._colours = rng.uniform(40, 200, (3, 3)) * 0.6 + rng.uniform(30, 200, (3, 1)) * 0.4
        self._wind = Wobble(rng, 4.2)

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        height, width = picture.shape[:2]
        long = 0.08 + level * 0.24 * (1 + 0.7 * self._wind.at(seconds))
        columns = np.linspace(0, 1, 6)
        wave = (0.008 + 0.1 * level) * np.sin(columns * 5 - seconds * (2.0 + 11.0 * level)) * columns
        droop = (1.0 - min(level, 1.0)) * 0.12 * columns
        xs = 0.02 + long * columns
        if not self._left:
            xs = 1 - xs
        band = 0.07 + 0.05 * min(level, 1.0)
        for k, colour in enumerate(self._colours):
            top = self._v + wave + droop + band * k
            outline = np.concatenate([np.stack([xs, top], 1), np.stack([xs, top + band], 1)[::-1]]) * (width, height)
            fill(picture, outline, tuple(int(c) for c in colour), convex=False)
        pole = 0.015 if self._left else 0.985
        corners = np.array([(pole - 0.006, 0), (pole + 0.006, 0), (pole + 0.006, 0.7), (pole - 0.006, 0.7)])
        fill(picture, corners * (width, height), (92, 94, 98))
        return picture


class Insect:
    """A fly or a spider on the glass: near, dark, out of focus, and quick."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        across = max(int(width_px * rng.uniform(0.26, 0.4)), 8)
        alpha = np.zeros((across, across), np.uint8)
        middle = across / 2
        for k in range(6):
            angle = math.radians(30 + 60 * k + rng.uniform(-12, 12))
            far = middle * 0.85
            foot = int(middle + far * math.cos(angle)), int(middle + far * math.sin(angle))
            cv2.line(alpha, (int(middle), int(middle)), foot, 170, max(across // 20, 1), cv2.LINE_AA)
        axes = int(middle * 0.58), int(middle * 0.36)
        cv2.ellipse(alpha, (int(middle), int(middle)), axes, rng.uniform(0, 180), 0, 360, 240, -1, cv2.LINE_AA)
        alpha = cv2.GaussianBlur(alpha, (0, 0), across / 26)
        self._alpha: Pixels = cv2.merge((alpha, alpha, alpha))
        self._sprite: Pixels = cv2.multiply(self._alpha, (26 / 255, 22 / 255, 20 / 255, 0))
        self._x, self._y = Wobble(rng, 2.3), Wobble(rng, 2.7)

    def apply(self, picture: Pixels, seconds: float, level: float, rng: np.random.Generator) -> Pixels:
        if level <= 0:
            return picture
        height, width = picture.shape[:2]
        across = self._alpha.shape[0]
        left = int(width * (0.5 + 0.5 * self._x.at(seconds)) - across / 2)
        top = int(height * (0.42 + 0.45 * self._y.at(seconds)) - across / 2)
        overlay(picture, self._sprite, self._alpha, left, top)
        return picture


class Passers:
    """Far passers-by on the other side: a few when calm, a crowd in a burst."""

    num_calm, num_crowd = 3, 42

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        far = scene.lanes[-1].z + (3.2 if scene.name == "street" else 5.0)
        self._foot = scene.camera.project(0, 0.0, far)[1]
        self._person = scene.camera.project(0, 1.7, far)[1] - self._foot
        self._aspect = scene.camera.aspect
        count = self.num_crowd
        self._colours = rng.uniform(20, 190, (count, 3)) * 0.5 + rng.uniform(10, 190, (count, 1)) * 0.5
        self._speeds = rng.uniform(0.03, 0.09, count) * rng.choice([-1, 1], count)
        self._phases = rng.uniform(0, 1.2, count)
        self._depths = rng.uniform(-0.25, 0.15, count)

    def draw(self, canvas: Pixels, seconds: float, level: float) -> None:
        """Modifies canvas."""
        size = np.array((canvas.shape[1], canvas.shape[0]), np.float64)
        count = self.num_calm + round((self.num_crowd - self.num_calm) * min(level, 1.0))
        hurry = 1.0 + 3.0 * min(level, 1.0)
        for k in range(count):
            u = (self._phases[k] + seconds * self._speeds[k] * hurry) % 1.2 - 0.1
            foot = self._foot + self._person * (self._depths[k] + 0.03 * math.sin(seconds * 9 + k))
            for outline, colour in zip(PASSER, (self._colours[k] * 0.5, self._colours[k], HEAD), strict=True):
                corners = outline * (-self._person / self._aspect, self._person) + (u, foot)
                fill(canvas, corners * size, tuple(int(c) for c in colour))


class Conveyor:
    """A belt at the back, above everything, that stands still or carries crates past in a burst."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        far = scene.lanes[-1].z + 5.0
        self._foot = scene.camera.project(0, 2.9, far)[1]
        self._high = scene.camera.project(0, 4.6, far)[1] - self._foot
        self._paints = [rng.uniform(30, 90) + rng.uniform(-14, 14, 3), rng.uniform(170, 225) + rng.uniform(-25, 25, 3)]
        self._speed = rng.uniform(0.7, 1.2) * float(rng.choice([-1, 1]))

    def draw(self, canvas: Pixels, seconds: float, level: float) -> None:
        """Modifies canvas."""
        self._block(canvas, -0.1, 1.1, -0.2, 0.0, np.array((72.0, 74.0, 78.0)))
        if level <= 0:
            return
        pitch = 0.125
        offset = (seconds * self._speed) % (2 * pitch)
        for k in range(-2, 8):
            left = k * pitch + offset
            paint = self._paints[k % 2]
            self._block(canvas, left, left + pitch * 0.86, 0.0, 0.95 - 0.15 * (k % 2), paint)
            self._block(canvas, left + pitch * 0.38, left + pitch * 0.48, 0.0, 0.95 - 0.15 * (k % 2), paint * 0.7)

    def _block(self, canvas: Pixels, x0: float, x1: float, low: float, high: float, paint: NDArray[np.float64]) -> None:
        y0, y1 = self._foot + low * self._high, self._foot + high * self._high
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) * (canvas.shape[1], canvas.shape[0])
        fill(canvas, corners, tuple(int(c) for c in paint))
