"""Tiles of paving, carpet, wood, brick and cloth, which repeat without a seam and are laid out by the brush."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.core import Pixels
from streamspike.world.brush import Colour, mix, shade

SIDE = 128
"""Pixels of a tile's side, a power of two: its smaller versions must not have seams either."""

THRESHOLDS = np.array([1.5 * 2**k for k in range(SIDE.bit_length())])
"""Pixels of the whole tile under one of the picture, from which on the next smaller version is taken."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of a pattern."""

    levels: tuple[Pixels, ...]
    """(n, n, 3) each, SIDE and then half of the one before."""
    metres: float
    """Side of the square."""


def tile_of(kind: str, rng: np.random.Generator, colour: Colour, metres: float) -> Tile:
    """One of PATTERNS in shades of a colour, with the smaller versions that are seen from afar."""
    canvas = np.empty((SIDE, SIDE, 3), np.uint8)
    canvas[:] = colour
    PATTERNS[kind](canvas, rng, colour)
    levels = [canvas]
    while levels[-1].shape[0] > 1:
        half = levels[-1].astype(np.uint16)
        half = half[0::2, 0::2] + half[1::2, 0::2] + half[0::2, 1::2] + half[1::2, 1::2]
        levels.append((half // 4).astype(np.uint8))
    return Tile(tuple(levels), metres)


def speckle(canvas: Pixels, rng: np.random.Generator, amplitude: float) -> None:
    """Fine and coarse grain. Modifies canvas."""
    fine = rng.normal(0, amplitude, (SIDE, SIDE))
    coarse = np.kron(rng.normal(0, amplitude * 0.7, (SIDE // 8, SIDE // 8)), np.ones((8, 8)))
    field = 1.0 + fine + coarse
    canvas[:] = np.clip(canvas * field[..., None], 0, 255).astype(np.uint8)


def carpet(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    speckle(canvas, rng, rng.uniform(0.03, 0.14))


def slabs(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    """Tiles, each a little different, with joints."""
    count = int(rng.choice([2, 4, 8]))
    size, joint = SIDE // count, int(rng.integers(1, 4))
    uneven, checker = rng.uniform(0.0, 0.12), rng.uniform(0.35, 0.9) if rng.uniform() < 0.35 else 1.0
    for row in range(count):
        for column in range(count):
            light = rng.uniform(1 - uneven, 1 + uneven) * (checker if (row + column) % 2 else 1.0)
            cell = canvas[row * size : (row + 1) * size - joint, column * size : (column + 1) * size - joint]
            cell[:] = shade(colour, light)
            cell[-joint:, :] = shade(colour, light * 0.9)
    joints = np.ones((SIDE, SIDE), bool)
    offsets = np.arange(SIDE) % size < size - joint
    joints[np.ix_(offsets, offsets)] = False
    canvas[joints] = shade(colour, rng.choice([0.55, 0.75, 1.25]))
    speckle(canvas, rng, 0.02)


def planks(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    """Boards along one side of the tile, with gaps."""
    count = int(rng.choice([4, 8]))
    wide = SIDE // count
    for k in range(count):
        board = canvas[:, k * wide : (k + 1) * wide]
        board[:] = shade(colour, rng.uniform(0.78, 1.18))
        grain = np.repeat(rng.normal(1.0, 0.05, (1, wide)), SIDE, axis=0)
        board[:] = np.clip(board * grain[..., None], 0, 255).astype(np.uint8)
        board[:, -1] = shade(colour, 0.5)
        end = int(rng.integers(SIDE))
        board[end : end + 2] = shade(colour, 0.6)
    speckle(canvas, rng, 0.025)


def bricks(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    canvas[:] = mix(colour, (196, 190, 180), rng.uniform(0.2, 0.7))
    for row in range(8):
        for column in range(-1, 4):
            x, y = column * 32 + 16 * (row % 2), row * 16
            brick = shade(colour, rng.uniform(0.8, 1.15))
            canvas[y : y + 14, max(x, 0) : max(x + 30, 0)] = brick
    speckle(canvas, rng, 0.03)


def checks(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    """Gingham: bands across bands."""
    second = mix(colour, (244, 240, 232), rng.uniform(0.5, 1.0))
    size = int(rng.choice([8, 16, 32]))
    bands = (np.arange(SIDE) // size % 2).astype(np.float64)
    part = (bands[:, None] + bands[None, :])[..., None] / 2
    canvas[:] = (np.array(colour) * (1 - part) + np.array(second) * part).astype(np.uint8)


def stripes(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    second = shade(colour, rng.choice([0.6, 0.85, 1.15]))
    size = int(rng.choice([4, 8, 16, 32]))
    canvas[:, np.arange(SIDE) // size % 2 == 1] = second
    speckle(canvas, rng, 0.02)


def blobs(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    """Pebbles or flowers: discs of several colours that wrap round the edges."""
    base = mix(colour, (232, 226, 212), rng.uniform(0.2, 0.9))
    canvas[:] = base
    hues = [shade(colour, f) for f in (0.5, 0.8, 1.1)] + [tuple(int(c) for c in rng.uniform(40, 220, 3))]
    size = rng.uniform(3, 9)
    for _ in range(int(rng.integers(20, 70))):
        x, y = rng.integers(0, SIDE, 2).tolist()
        hue = hues[int(rng.integers(len(hues)))]
        radius = max(int(size * rng.uniform(0.5, 1.2)), 1)
        for dx in (-SIDE, 0, SIDE):
            for dy in (-SIDE, 0, SIDE):
                cv2.circle(canvas, (x + dx, y + dy), radius, hue, -1, cv2.LINE_AA)


def plaster(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    speckle(canvas, rng, rng.uniform(0.005, 0.03))


def waves(canvas: Pixels, rng: np.random.Generator, colour: Colour) -> None:
    """Folds of a curtain or corrugated iron."""
    count = int(rng.choice([4, 8, 16]))
    field = 1.0 + rng.uniform(0.12, 0.35) * np.array([math.sin(2 * math.pi * count * k / SIDE) for k in range(SIDE)])
    canvas[:] = np.clip(canvas * field[None, :, None], 0, 255).astype(np.uint8)


PATTERNS = {
    "carpet": carpet, "slabs": slabs, "planks": planks, "bricks": bricks, "checks": checks, "stripes": stripes,
    "blobs": blobs, "plaster": plaster, "waves": waves,
}  # fmt: skip
FLOORS = ("planks", "planks", "slabs", "slabs", "carpet", "blobs", "checks")
WALLPAPERS = ("plaster", "plaster", "plaster", "stripes", "bricks", "slabs", "blobs", "planks")


def sample(
    tile: Tile, across: NDArray[np.float64], along: NDArray[np.float64], footprints: NDArray[np.float64]
) -> Pixels:
    """The pattern at (rows, columns) places in metres.

    Args:
        tile: the pattern.
        across: (rows, columns) metres.
        along: (rows,) metres, the same for a whole row of the picture.
        footprints: (rows,) metres that one pixel of the row covers; chooses the version that does not flicker.
    """
    # A comparison, not a logarithm: its last bit is not the same on every processor.
    level_of = np.searchsorted(THRESHOLDS[: len(tile.levels) - 1], footprints * SIDE / tile.metres)
    found = np.empty((*across.shape, 3), np.uint8)
    for level in np.unique(level_of).tolist():
        rows = level_of == level
        pattern = tile.levels[level]
        side = pattern.shape[0]
        columns = np.floor(across[rows] / tile.metres * side).astype(np.int64) % side
        lines = np.floor(along[rows] / tile.metres * side).astype(np.int64) % side
        found[rows] = pattern[lines[:, None], columns]
    return found
