"""How a picture reaches whoever watches: scaled down and up again, compressed, torn, with bars and writing on it."""

from __future__ import annotations

import cv2
import numpy as np

from streamspike.core import Pixels

SOURCES = ((128, 64), (128, 96), (160, 120), (176, 144))
"""Sizes of cheap cameras, whose pictures something on the way scales up."""
NAMES = ("CAM 01", "CAM2", "FRONT", "IPCAM", "Camera 4", "CH3", "Entrance", "NVR-08")


class Delivery:
    """The way from one camera's processor to the viewer. No frame leaves anything behind for the next.

    Args:
        seed: of the camera.
        width_px: of the picture, going in and coming out.
        height_px: of the picture.
        rough: draw small sources, bars and tears too; without, only what any camera does: compression and a clock.
    """

    def __init__(self, seed: int, width_px: int, height_px: int, rough: bool) -> None:
        rng = np.random.default_rng([seed, 19])
        self._width_px, self._height_px = width_px, height_px
        quality = int(rng.integers(35, 91))
        # A small picture is a large one averaged down, which hides most of what compression did to it; and compressing
        # is most of its cost.
        small = width_px < 200
        compressed = rng.uniform() < (0.3 if small else 1.0)
        self._jpeg = [cv2.IMWRITE_JPEG_QUALITY, min(quality + 35, 95) if small else quality] if compressed else None
        if self._jpeg is not None and small:
            self._jpeg += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        self._source: tuple[int, int] | None = None
        self._enlarge = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_NEAREST]))
        if rough and rng.uniform() < 0.3:
            self._source = SOURCES[int(rng.integers(len(SOURCES)))]
            self._jpeg = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(24, 85))]
        self._tears = 0.06 if rough and rng.uniform() < 0.06 else 0.0
        self._clock_at = (float(rng.choice([0.03, 0.66])), float(rng.choice([0.055, 0.96])))
        self._clock = bool(rng.uniform() < 0.45)
        self._clock_starts = int(rng.integers(0, 86400))
        self._day = f"20{rng.integers(12, 31):02d}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} "
        dated, named = rng.uniform(size=2) < 0.35
        self._dated = bool(rough and dated and self._clock_at[0] < 0.5)
        self._name = str(rng.choice(NAMES)) if rough and named else ""
        self._strip = bool(rough and rng.uniform() < 0.3)
        self.window = _window(rng) if rough and rng.uniform() < 0.1 else (0.0, 0.0, 1.0, 1.0)
        """The part (left, top, right, bottom) of the picture that no black bar covers."""

    def deliver(self, picture: Pixels, seconds: float, rng: np.random.Generator) -> Pixels:
        """The picture as it arrives. `rng` is the frame's own. May modify picture."""
        if self.window != (0.0, 0.0, 1.0, 1.0):
            self._bars(picture)
        self._write(picture, seconds)
        if self._tears and rng.uniform() < self._tears:
            row = int(rng.integers(self._height_px // 8, self._height_px))
            picture[row:] = np.roll(picture[row:], int(self._width_px * rng.uniform(0.02, 0.2)), axis=1)
        if self._source is not None:
            picture = cv2.resize(picture, self._source, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        if self._jpeg is not None:
            picture = _squeeze(picture, self._jpeg)
        if self._source is not None:
            size = self._width_px, self._height_px
            picture = cv2.resize(picture, size, interpolation=self._enlarge).astype(np.uint8, copy=False)
        return picture

    def _bars(self, picture: Pixels) -> None:
        left, right = (round(part * self._width_px) for part in (self.window[0], self.window[2]))
        top, bottom = (round(part * self._height_px) for part in (self.window[1], self.window[3]))
        picture[:top] = 0
        picture[bottom:] = 0
        picture[:, :left] = 0
        picture[:, right:] = 0

    def _write(self, picture: Pixels, seconds: float) -> None:
        """Clock, date and the camera's name."""
        x, y = self._clock_at
        if self._clock:
            now = (self._clock_starts + int(seconds)) % 86400
            clock = f"{now // 3600:02d}:{now // 60 % 60:02d}:{now % 60:02d}"
            self._text(picture, self._day + clock if self._dated else clock, x, y)
        if self._name:
            self._text(picture, self._name, 0.03 if x > 0.5 else 0.7, 0.96 if y < 0.5 else 0.055)

    def _text(self, picture: Pixels, text: str, u: float, v: float) -> None:
        x, y = int(u * self._width_px), int(v * self._height_px)
        size = max(self._width_px / 1100, 0.22)
        if self._strip:
            (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
            cv2.rectangle(picture, (x - 2, y - high - 2), (x + wide + 2, y + below), (40, 40, 40), -1)
        for colour, offset in (((20, 20, 20), 1), ((245, 245, 245), 0)):
            cv2.putText(picture, text, (x + offset, y + offset), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _window(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Black bars above and below, or to both sides."""
    bar = float(rng.uniform(0.03, 0.13))
    return (0.0, bar, 1.0, 1 - bar) if rng.uniform() < 0.5 else (bar, 0.0, 1 - bar, 1.0)


def _squeeze(picture: Pixels, settings: list[int]) -> Pixels:
    """Compressed and decompressed; RGB goes in as if it were BGR and comes out the same way, which changes little."""
    _, jpeg = cv2.imencode(".jpg", picture, settings)
    decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert decoded is not None
    squeezed: Pixels = decoded.astype(np.uint8, copy=False)
    return squeezed
