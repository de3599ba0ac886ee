"""Lays a tile out over the ground or up a wall, in the camera's perspective."""

from __future__ import annotations

import math

import numpy as np

from streamspike.world.brush import SNOW, Brush, ground_distances
from streamspike.world.textures import Tile, sample

FAR = 500.0


def lay(brush: Brush, tile: Tile, x0: float, x1: float, z0: float, z1: float) -> None:
    """Cover a rectangle of the ground. Modifies the canvas."""
    camera = brush.camera
    rows = (np.arange(brush.height_px) + 0.5) / brush.height_px
    zs = ground_distances(camera, rows, FAR)
    wanted = (zs >= z0) & (zs < z1)
    if not wanted.any():
        return
    deep = np.abs(np.gradient(zs))[wanted]
    forward = zs * math.cos(camera.pitch) + camera.height * math.sin(camera.pitch)
    metre = 2 * math.tan(camera.half_fov) * forward[wanted]  # metres across the picture
    us = (np.arange(brush.width_px) + 0.5) / brush.width_px - 0.5
    xs = us[None, :] * metre[:, None]
    picture = sample(tile, xs, zs[wanted], np.maximum(metre / brush.width_px, 0.5 * deep))
    if brush.snow:
        picture = (picture * (1 - brush.snow) + np.array(SNOW) * brush.snow).astype(np.uint8)
    inside = (xs >= x0) & (xs < x1)
    canvas = brush.canvas[wanted]
    canvas[inside] = picture[inside]
    brush.canvas[wanted] = canvas


def paper(brush: Brush, tile: Tile, x0: float, x1: float, y0: float, y1: float, z: float) -> None:
    """Cover an upright rectangle that faces the camera. Modifies the canvas."""
    camera = brush.camera
    c, s = math.cos(camera.pitch), math.sin(camera.pitch)
    rows = (np.arange(brush.height_px) + 0.5) / brush.height_px
    slopes = (0.5 - rows) / camera.aspect * 2 * math.tan(camera.half_fov)
    rises = z * (slopes * c - s) / np.maximum(c + slopes * s, 1e-6)
    wanted = (camera.height + rises >= y0) & (camera.height + rises < y1)
    if not wanted.any():
        return
    metre = 2 * math.tan(camera.half_fov) * (z * c - rises[wanted] * s)
    us = (np.arange(brush.width_px) + 0.5) / brush.width_px - 0.5
    xs = us[None, :] * metre[:, None]
    picture = sample(tile, xs, -(camera.height + rises[wanted]), metre / brush.width_px)
    inside = (xs >= x0) & (xs < x1)
    canvas = brush.canvas[wanted]
    canvas[inside] = picture[inside]
    brush.canvas[wanted] = canvas
