"""Snapshot to pixels: the simulated camera's picture, and the dense truth about what is where in it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels
from streamspike.world.ambience import Ambience
from streamspike.world.backdrop import backdrop_of
from streamspike.world.brush import ONE, SHIFT, shade
from streamspike.world.delivery import Delivery
from streamspike.world.figures import Part
from streamspike.world.lens import Lens
from streamspike.world.looks import PLAIN, Glass, Look, look_of
from streamspike.world.scene import KINDS, Body, Scene, Snapshot
from streamspike.world.vehicles import parts_of

cv2.setNumThreads(1)  # many painters run side by side, and a process forked after OpenCV's threads have started hangs

SMALL_PX = 200
"""Pictures narrower than this are drawn at twice the size and averaged down, so that small things stay smooth."""
BLIND = 0.9
"""From this cover or more on, nothing is visible and no body has a box."""
CELL_PART = 0.4
FOLDS = (9, 6)
"""Rows and columns of the field that shades a body."""
CIRCLE = np.array([(math.cos(2 * math.pi * k / 16), math.sin(2 * math.pi * k / 16)) for k in range(16)])


@dataclass(frozen=True, slots=True)
class Box:
    """Where a body is in the picture, each coordinate in [0, 1], x1 > x0 and y1 > y0."""

    body_id: int
    kind: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Shape:
    """A body's polygons on the canvas, in order."""

    body: Body
    corners: NDArray[np.int32]
    """(N, 2) of all polygons, in 1 / ONE pixels."""
    rims: NDArray[np.int32]
    """(N, 2): the same corners moved outwards by the width of an outline."""
    spans: tuple[tuple[int, int], ...]  # [start, end) of each polygon's corners
    parts: tuple[Part, ...]
    metre_px: float
    shadow: NDArray[np.float64]
    """(16 or more, 2) pixels, the convex dark patch on the ground."""
    low: tuple[float, float]
    high: tuple[float, float]
    """Extent in pixels, shadow apart."""


class Painter:
    """Draws one camera. The same snapshot gives the same pixels whatever was painted before.

    Args:
        scene: place and camera geometry.
        seed: colours, texture, weather, noise: another seed is another camera at the same place.
        width_px: any size from 96 x 72 to 1920 x 1080; if width / height is not `scene.camera.aspect` the picture is
            squashed, as a player that ignores the aspect would.
        height_px: see width_px.
        ambience: weather, flicker, crowds and whatever else moves without anything happening. Without it, it is day.
        look: how the camera sees, over a good line; without it, look and line are drawn from the seed.
    """

    def __init__(
        self, scene: Scene, seed: int, width_px: int, height_px: int, ambience: bool = True, look: Look | None = None
    ) -> None:
        self.scene = scene
        self.seed = seed
        self.width_px = width_px
        self.height_px = height_px
        factor = 2 if width_px < SMALL_PX else 1
        self._width, self._height = width_px * factor, height_px * factor
        rough = ambience and look is None
        self._look = look_of(scene, seed) if rough else look or PLAIN
        self._backdrop = backdrop_of(scene, seed, self._width, self._height, self._look.snow)
        self._ambience = Ambience(scene, seed, width_px, height_px) if ambience else None
        self._glass = Glass(self._look, scene, seed, width_px, height_px)
        self._lens = Lens(seed, width_px, height_px, self._look)
        self._delivery = Delivery(seed, width_px, height_px, rough)
        self._shapes: tuple[Snapshot, list[Shape]] | None = None

    def paint(self, snapshot: Snapshot) -> Pixels:
        """The picture of this instant, (height_px, width_px, 3) uint8 RGB, freshly allocated."""
        rng = np.random.default_rng([self.seed, 5, max(round(snapshot.seconds * 1000), 0)])
        canvas = self._view(snapshot)
        for shape in self._shapes_of(snapshot):
            draw(canvas, shape, self._look)
        if self._width != self.width_px:
            canvas = cv2.resize(canvas, (self.width_px, self.height_px), interpolation=cv2.INTER_AREA)
        if self._ambience is not None:
            canvas = self._ambience.front(canvas, snapshot.seconds, rng)
        if snapshot.cover > 0:
            canvas = self._lens.cover(canvas, snapshot.cover, snapshot.seconds)
        canvas = self._lens.expose(self._glass.apply(canvas), snapshot.seconds, snapshot.light, rng)
        return self._delivery.deliver(canvas, snapshot.seconds, rng)

    def boxes(self, snapshot: Snapshot) -> list[Box]:
        """Every visible body, farthest first, clipped to the picture."""
        if snapshot.cover >= BLIND:
            return []
        found = []
        left, top, right, bottom = self._delivery.window
        for shape in self._shapes_of(snapshot):
            x0, x1 = (min(max(x / self._width, left), right) for x in (shape.low[0], shape.high[0]))
            y0, y1 = (min(max(y / self._height, top), bottom) for y in (shape.low[1], shape.high[1]))
            if x1 - x0 > 0.004 and y1 - y0 > 0.004:
                found.append(Box(shape.body.body_id, shape.body.kind, x0, y0, x1, y1))
        return found

    def classes(self, snapshot: Snapshot, rows: int, columns: int) -> NDArray[np.int64]:
        """(rows, columns): 1 + index in KINDS of the foremost body at each cell, 0 where there is none.

        A body is at a cell if its box has the cell's centre or more than 40 % of its area.
        """
        grid = np.zeros((rows, columns), np.int64)
        for box in self.boxes(snapshot):
            across, middle_x = overlap(box.x0, box.x1, columns)
            down, middle_y = overlap(box.y0, box.y1, rows)
            inside = (np.outer(down, across) > CELL_PART) | np.outer(middle_y, middle_x)
            grid[inside] = KINDS.index(box.kind) + 1
        return grid

    def _warp(self, snapshot: Snapshot) -> NDArray[np.float64] | None:
        """(2, 3) canvas to canvas, of a knocked camera; None while it hangs straight."""
        if snapshot.shift == (0.0, 0.0) and snapshot.roll == 0.0:
            return None
        matrix: NDArray[np.float64] = cv2.getRotationMatrix2D(
            (self._width / 2, self._height / 2), -math.degrees(snapshot.roll), 1.0
        )
        matrix[:, 2] += (snapshot.shift[0] * self._width, snapshot.shift[1] * self._height)
        return matrix

    def _view(self, snapshot: Snapshot) -> Pixels:
        """The scene without its bodies, as the camera hangs."""
        canvas = self._backdrop.copy()
        if self._ambience is not None:
            self._ambience.behind(canvas, snapshot.seconds)
        matrix = self._warp(snapshot)
        if matrix is None:
            return canvas
        # What lies beyond the backdrop was never painted; a mirror image of it passes better than smeared edges.
        view: Pixels = cv2.warpAffine(canvas, matrix, (self._width, self._height), borderMode=cv2.BORDER_REFLECT_101)
        return view

    def _shapes_of(self, snapshot: Snapshot) -> list[Shape]:
        """Far to near. Kept for the last snapshot: its picture, boxes and classes are asked for in a row."""
        if self._shapes is None or self._shapes[0] is not snapshot:
            matrix = self._warp(snapshot)
            bodies = sorted(snapshot.bodies, key=lambda body: -body.z)
            self._shapes = snapshot, [self._shape(body, matrix) for body in bodies]
        return self._shapes[1]

    def _shape(self, body: Body, matrix: NDArray[np.float64] | None) -> Shape:
        """Project a body; within its own small depth the perspective is taken as affine."""
        axes = self._axes(body, matrix, body.lift)
        parts = tuple(parts_of(body))
        counts = [len(part.points) for part in parts]
        coordinates = itertools.chain.from_iterable(point for part in parts for point in part.points)
        points = np.fromiter(coordinates, np.float64, 3 * sum(counts)).reshape(-1, 3)
        pixels = points @ axes[:3] + axes[3]
        low, high = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
        ends = list(itertools.accumulate(counts))
        starts = [0, *ends[:-1]]
        ground = axes if body.lift == 0.0 else self._axes(body, matrix, 0.0)
        left, _, _ = points.min(axis=0).tolist()
        right, _, deep = points.max(axis=0).tolist()
        middle, half = (left + right) / 2, (right - left) / 2 * 1.05
        spread = np.stack((middle + half * CIRCLE[:, 0], 1.15 * max(0.2, deep) * CIRCLE[:, 1]), axis=1)
        return Shape(
            body,
            fixed(pixels),
            fixed(grow(pixels, np.array(starts), np.array(counts), 1.2 if self._width < 900 else 1.8)),
            tuple(zip(starts, ends, strict=True)),
            parts,
            math.hypot(axes[0, 0], axes[0, 1]),
            self._shadow(body, spread, ground, float(points[:, 1].max())),
            (low[0], low[1]),
            (high[0], high[1]),
        )

    def _shadow(
        self, body: Body, spread: NDArray[np.float64], ground: NDArray[np.float64], height: float
    ) -> NDArray[np.float64]:
        """Under the body, and as far as a low sun throws it."""
        foot: NDArray[np.float64] = spread @ ground[[0, 2]] + ground[3]
        if self._look.sun is None:
            return foot
        across, away = self._look.sun
        # A body gets narrower towards its head, and so does its shadow.
        top = 0.45 * (foot - ground[3]) + ground[3] + height * (across * body.facing * ground[0] + away * ground[2])
        hull = cv2.convexHull(fixed(np.concatenate((foot, top)))).reshape(-1, 2)
        thrown: NDArray[np.float64] = hull / ONE + 0.5
        return thrown

    def _axes(self, body: Body, matrix: NDArray[np.float64] | None, lift: float) -> NDArray[np.float64]:
        """(4, 2): pixels per metre forward, up and away, and the pixel of the feet."""
        project, z = self.scene.camera.project, max(body.z, 1.5)
        u, v, _ = project(body.x, lift, z)
        ahead, above = project(body.x + body.facing, lift, z), project(body.x, lift + 1.0, z)
        back, front = project(body.x, lift, z + 0.5), project(body.x, lift, z - 0.5)
        axes = np.array(
            [
                (ahead[0] - u, ahead[1] - v),
                (above[0] - u, above[1] - v),
                (back[0] - front[0], back[1] - front[1]),
                (u, v),
            ]
        )
        axes[:3] *= body.scale
        axes *= (self._width, self._height)
        if matrix is not None:
            axes = axes @ matrix[:, :2].T
            axes[3] += matrix[:, 2]
        return axes


def fixed(pixels: NDArray[np.float64]) -> NDArray[np.int32]:
    """As OpenCV takes sub-pixel corners: pixel centres at whole numbers, in 1 / ONE."""
    return np.rint((pixels - 0.5) * ONE).astype(np.int32)


def grow(
    pixels: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64], margin_px: float
) -> NDArray[np.float64]:
    """Corners of convex polygons moved outwards: an outline, for a quarter of the price of drawing a line."""
    last = starts + counts - 1
    following = np.arange(1, len(pixels) + 1)
    following[last] = starts
    before = np.arange(-1, len(pixels) - 1)
    before[starts] = last
    x, y = pixels.T
    across, down = y[following] - y[before], x[before] - x[following]  # the tangent, turned by a right angle
    middles = np.repeat(np.add.reduceat(pixels, starts) / counts[:, None], counts, axis=0)
    outwards = (x - middles[:, 0]) * across + (y - middles[:, 1]) * down
    step = np.copysign(margin_px, outwards) / np.sqrt(across * across + down * down + 1e-9)
    return np.stack((x + across * step, y + down * step), axis=1)


def overlap(low: float, high: float, cells: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each of `cells` equal cells of [0, 1]: the part that [low, high) covers, and whether it has the middle."""
    starts = np.arange(cells) / cells
    covered = np.clip(np.minimum(high, starts + 1 / cells) - np.maximum(low, starts), 0, None) * cells
    middles = starts + 0.5 / cells
    return covered, (middles >= low) & (middles < high)


def draw(canvas: Pixels, shape: Shape, look: Look) -> None:
    """Shadow, then every polygon in order, outlined and shaded as the look has it. Modifies canvas."""
    height, width = canvas.shape[:2]
    if shape.high[0] < 0 or shape.low[0] > width or shape.high[1] < 0 or shape.low[1] > height:
        return
    cast(canvas, shape.shadow, 0.42 / (1.0 + 1.5 * shape.body.lift))
    if not look.folds and look.against == 1.0:
        fill_parts(canvas, shape, look.rim)
        return
    # The extent, cut at the edges of the canvas; outlines and their smoothing reach a few pixels further.
    x0, y0 = (max(int(low) - 4, 0) for low in shape.low)
    x1, y1 = (min(int(high) + 5, limit) for high, limit in zip(shape.high, (width, height), strict=True))
    if x1 <= x0 or y1 <= y0:
        return
    patch = canvas[y0:y1, x0:x1]
    before = patch.copy()
    fill_parts(canvas, shape, look.rim)
    light = look.against * (1.0 + look.folds * folds_of(shape.body.body_id))
    field = cv2.resize(light, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    shaded = cv2.multiply(patch, cv2.merge((field, field, field)), dtype=cv2.CV_8U)
    np.copyto(patch, shaded, where=(patch != before).any(axis=-1, keepdims=True))


@lru_cache(maxsize=512)
def folds_of(body_id: int) -> NDArray[np.float32]:
    """(FOLDS): where a body is lighter and where darker, around 0, and more so towards one side."""
    rng = np.random.default_rng([body_id, 23])
    uneven = rng.normal(0.0, 0.7, FOLDS)
    lit = np.linspace(-1.0, 1.0, FOLDS[1]) * rng.uniform(-1.0, 1.0)
    return np.clip(uneven + lit, -1.5, 1.5).astype(np.float32)


def fill_parts(canvas: Pixels, shape: Shape, rim: float) -> None:
    """Every polygon in order, outlines as dark as `rim`. Modifies canvas."""
    for (start, end), part in zip(shape.spans, shape.parts, strict=True):
        corners = shape.corners[start:end]
        if part.line:
            thick_px = max(round(part.line * shape.metre_px), 1)
            cv2.polylines(canvas, [corners], True, part.colour, thick_px, cv2.LINE_AA, SHIFT)
        elif part.convex:
            if part.outline and rim < 1:
                cv2.fillConvexPoly(canvas, shape.rims[start:end], shade(part.colour, rim), cv2.LINE_AA, SHIFT)
            cv2.fillConvexPoly(canvas, corners, part.colour, cv2.LINE_AA, SHIFT)
        else:
            cv2.polylines(canvas, [corners], True, shade(part.colour, rim), 2, cv2.LINE_AA, SHIFT)
            cv2.fillPoly(canvas, [corners], part.colour, cv2.LINE_AA, SHIFT)


def cast(canvas: Pixels, outline: NDArray[np.float64], depth: float) -> None:
    """Darken the ground under a body by `depth`, softly. Modifies canvas."""
    height, width = canvas.shape[:2]
    soft = max(width // 160, 1)
    x0, y0 = (int(max(low - 2 * soft, 0)) for low in outline.min(axis=0))
    x1, y1 = (
        int(min(high + 2 * soft + 1, limit)) for high, limit in zip(outline.max(axis=0), (width, height), strict=True)
    )
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    mask = np.full((y1 - y0, x1 - x0), 255, np.uint8)
    cv2.fillConvexPoly(mask, fixed(outline - (x0, y0)), round(255 * (1 - depth)), cv2.LINE_AA, SHIFT)
    mask = cv2.blur(mask, (2 * soft + 1, 2 * soft + 1))
    patch = canvas[y0:y1, x0:x1]
    canvas[y0:y1, x0:x1] = cv2.multiply(patch, cv2.merge((mask, mask, mask)), scale=1 / 255)
