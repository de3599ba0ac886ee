"""Simulated cameras to whom something happens at a known second, for whatever watches over their health."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from streamspike.core import Frame, Pixels, Segment
from streamspike.world.looks import Glass, Look
from streamspike.world.painter import Painter
from streamspike.world.scene import build_scene
from streamspike.world.simulation import Simulation, view_of

WIDTH_PX, HEIGHT_PX = 320, 180
SCRIPTED = ("camera_moves", "covered", "lights_out")
LORRY_SECONDS = 8
ANOTHER_PLACE = 1000


def simulated_segments(scene: str, seed: int, num_segments: int, mishap: str, at: int) -> Iterator[Segment]:
    """A simulated camera with its weather, crowd and noise, two frames a second.

    Args:
        mishap: from second `at` on: one of SCRIPTED, which last; or defocus, infrared (the switch at nightfall),
            lorry (a textured wall before 70 % of the picture for LORRY_SECONDS), elsewhere (another place), none.
    """
    place = build_scene(scene, seed, WIDTH_PX / HEIGHT_PX)
    simulation = Simulation(place, seed, 1.0, {at: mishap} if mishap in SCRIPTED else {})
    painter = Painter(place, seed, WIDTH_PX, HEIGHT_PX)
    elsewhere = build_scene(scene, seed + ANOTHER_PLACE, WIDTH_PX / HEIGHT_PX)
    for number in range(num_segments):
        simulation.step()
        if number > at and mishap in ("lights_out", "covered"):  # it lasts: nobody mends it
            simulation.state.dark, simulation.state.covered = mishap == "lights_out", mishap == "covered"
            simulation._before = simulation._after = view_of(simulation.state)
        if number == at and mishap == "infrared":
            painter._glass = Glass(Look(hour="infrared", sensor="grey"), place, seed, WIDTH_PX, HEIGHT_PX)
        if number == at and mishap == "elsewhere":
            painter = Painter(elsewhere, seed + ANOTHER_PLACE, WIDTH_PX, HEIGHT_PX)
        pictures = [painter.paint(simulation.snapshot(number + part)) for part in (0.25, 0.75)]
        if number >= at and mishap == "defocus":
            pictures = [cv2.GaussianBlur(picture, (0, 0), 4.0).astype(np.uint8) for picture in pictures]
        if at <= number < at + LORRY_SECONDS and mishap == "lorry":
            pictures = [_put_lorry(picture, 4 * (number - at)) for picture in pictures]
        frames = tuple(
            Frame(picture, number + part, 100.0 + number + part)
            for picture, part in zip(pictures, (0.25, 0.75), strict=True)
        )
        yield Segment("door", 0, number, float(number), number + 1.0, 100.0 + number, frames)


def _put_lorry(picture: Pixels, left_px: int) -> Pixels:
    width = int(0.7 * WIDTH_PX)
    panels = np.random.default_rng(3).integers(60, 160, (18, width // 10)).astype(np.uint8)
    side = cv2.resize(panels, (width, HEIGHT_PX), interpolation=cv2.INTER_NEAREST)
    picture = picture.copy()
    picture[:, left_px : left_px + width] = side[:, :, None]
    return picture
