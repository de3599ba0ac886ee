"""Paint in metres: polygons given on the ground or in the air land antialiased on a canvas of pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels
from streamspike.world.scene import Camera

Colour = tuple[int, int, int]
Point = tuple[float, float, float]

SNOW: Colour = (222, 226, 234)

SHIFT = 4  # fractional bits of a corner: OpenCV takes sub-pixel positions as integers
ONE = 1 << SHIFT
NEAREST = 1.2  # metres; closer ground is below every camera's picture, and projecting it would overflow


def shade(colour: Colour, factor: float) -> Colour:
    """The colour times factor, clipped to a byte."""
    red, green, blue = colour
    return min(int(red * factor), 255), min(int(green * factor), 255), min(int(blue * factor), 255)


def mix(first: Colour, second: Colour, part: float) -> Colour:
    """`part` of the second colour in the first."""
    return (
        int(first[0] + (second[0] - first[0]) * part),
        int(first[1] + (second[1] - first[1]) * part),
        int(first[2] + (second[2] - first[2]) * part),
    )


def fill(canvas: Pixels, corners: NDArray[np.float64], colour: Sequence[int], convex: bool = True) -> None:
    """Fill a polygon of (N, 2) pixel corners. Modifies canvas."""
    fixed = np.rint((corners - 0.5) * ONE).astype(np.int32)
    if convex:
        cv2.fillConvexPoly(canvas, fixed, colour, cv2.LINE_AA, SHIFT)
    else:
        cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, SHIFT)


def texture(
    rng: np.random.Generator, height_px: int, width_px: int, octaves: Sequence[tuple[int, int, float]]
) -> NDArray[np.float32]:
    """Smooth random field of mean 0, (height, width); an octave is (rows, columns, amplitude) of a coarse grid."""
    total = np.zeros((height_px, width_px), np.float32)
    for rows, columns, amplitude in octaves:
        grid = rng.normal(0.0, amplitude, (min(rows, height_px), min(columns, width_px))).astype(np.float32)
        total += cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return total


def ground_distances(camera: Camera, vs: NDArray[np.float64], far: float) -> NDArray[np.float64]:
    """Metres along the ground to what is seen at heights `vs` of the picture; `far` at and above the horizon."""
    slopes = (0.5 - vs) / camera.aspect * 2 * math.tan(camera.half_fov)  # up per forward, in the camera's own axes
    c, s = math.cos(camera.pitch), math.sin(camera.pitch)
    below = s - slopes * c
    reach = camera.height * (c + slopes * s) / np.maximum(below, 1e-6)
    return np.where(below > 1e-6, np.minimum(reach, far), far)


class Brush:
    """A canvas seen through a camera. Every method modifies the canvas; later paint covers earlier paint."""

    def __init__(self, canvas: Pixels, camera: Camera, snow: float = 0.0) -> None:
        """`snow` is the part of the ground's colour that snow has replaced."""
        self.canvas = canvas
        self.camera = camera
        self.snow = snow
        self.height_px, self.width_px = canvas.shape[:2]

    def pixel(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Where a world point lands, in pixels."""
        u, v, _ = self.camera.project(x, y, max(z, NEAREST))
        return u * self.width_px, v * self.height_px

    def polygon(self, points: Sequence[Point], colour: Colour, convex: bool = True) -> None:
        fill(self.canvas, np.array([self.pixel(*point) for point in points]), colour, convex)

    def ground(self, x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
        """A rectangle flat on the ground."""
        paint = mix(colour, SNOW, self.snow)
        self.polygon(((x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)), paint)

    def wall(self, x0: float, x1: float, y0: float, y1: float, z: float, colour: Colour) -> None:
        """An upright rectangle that faces the camera."""
        self.polygon(((x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)), colour)

    def slab(self, x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, colour: Colour) -> None:
        """A cuboid: the flank that shows, the top if it is below the camera, then the front."""
        flank = x0 if x0 > 0 else x1
        if x0 > 0 or x1 < 0:
            self.polygon(((flank, y0, z0), (flank, y0, z1), (flank, y1, z1), (flank, y1, z0)), shade(colour, 0.62))
        if y1 < self.camera.height:
            self.polygon(((x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)), shade(colour, 1.22))
        self.wall(x0, x1, y0, y1, z0, colour)

    def disc(self, x: float, y: float, z: float, radius: float, colour: Colour, squash: float = 1.0) -> None:
        """An upright ellipse, `radius` metres wide to each side."""
        self.polygon([(x + radius * c, y + radius * squash * s, z) for c, s in CIRCLE], colour)

    def stripe(self, a: Point, b: Point, thick: float, colour: Colour) -> None:
        """A line `thick` metres wide in the picture plane, never thinner than most of a pixel."""
        (ax, ay), (bx, by) = self.pixel(*a), self.pixel(*b)
        scale = self.camera.project(*a)[2] * self.width_px
        length = math.hypot(bx - ax, by - ay) or 1.0
        half = max(thick * scale, 0.8) / 2 / length
        nx, ny = (ay - by) * half, (bx - ax) * half
        fill(
            self.canvas,
            np.array([(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)]),
            colour,
        )

    def foliage(self, rng: np.random.Generator, x: float, y: float, z: float, radius: float, colour: Colour) -> None:
        """A crown of leaves: many discs, darker below and lighter above."""
        count = 26
        angles, far = rng.uniform(0, 2 * math.pi, count), np.sqrt(rng.uniform(0, 1, count)) * radius * 0.8
        dx, dy = far * np.cos(angles), far * np.sin(angles)
        lights = 0.85 + 0.35 * dy / radius + rng.uniform(-0.15, 0.15, count)
        sizes = radius * rng.uniform(0.16, 0.34, count)
        # One projection for the whole crown: its depth is small against its distance.
        middle = np.array(self.pixel(x, y, z))
        metre = np.array(self.pixel(x + 1.0, y, z))[0] - middle[0], np.array(self.pixel(x, y + 1.0, z))[1] - middle[1]
        centres = np.stack((dx, dy * 0.85), axis=1)
        corners = (centres[:, None] + sizes[:, None, None] * np.array(CIRCLE)) * metre + middle
        for outline, light in zip(corners, lights.tolist(), strict=True):
            fill(self.canvas, outline, shade(colour, light))


CIRCLE = tuple((math.cos(2 * math.pi * k / 14), math.sin(2 * math.pi * k / 14)) for k in range(14))
