"""The frames that were chosen as one picture: small, in order, each with its time and what it was chosen by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from streamspike.core import Pixels

TILE_WIDTH_PX = 200
CAPTION_PX = 20
GAP_PX = 6
MAX_COLUMNS = 8
PAPER, INK = (250, 252, 252), (47, 40, 35)


def draw_sheet(pictures: Sequence[Pixels], captions: Sequence[str]) -> Pixels:
    """(height, width, 3) RGB. All tiles are as high as the first one.

    Raises:
        ValueError: no pictures, or another number of captions.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError(f"one caption for each of at least one picture: {len(pictures) = }, {len(captions) = }")
    tiles = [shrink(picture) for picture in pictures]
    tile_height = tiles[0].shape[0]
    columns = min(MAX_COLUMNS, math.ceil(math.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    step_x, step_y = TILE_WIDTH_PX + GAP_PX, tile_height + CAPTION_PX + GAP_PX
    sheet: Pixels = np.full((rows * step_y + GAP_PX, columns * step_x + GAP_PX, 3), PAPER, np.uint8)
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        x, y = GAP_PX + number % columns * step_x, GAP_PX + number // columns * step_y
        visible = tile[:tile_height]
        sheet[y : y + len(visible), x : x + TILE_WIDTH_PX] = visible
        place = (x + 2, y + tile_height + CAPTION_PX - 6)
        cv2.putText(sheet, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return sheet


def shrink(pixels: Pixels) -> Pixels:
    """To the width of a tile, at the same aspect. What is as wide already stays as it is."""
    height, width = pixels.shape[:2]
    if width == TILE_WIDTH_PX:
        return pixels
    size = (TILE_WIDTH_PX, max(1, round(TILE_WIDTH_PX * height / width)))
    tile: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return tile
