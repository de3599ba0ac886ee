"""Live pictures: the newest frame of a camera as JPEG, made only when somebody looks and once for all who do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from streamspike.core import Frame
from streamspike.outputs.keyframes import encode_keyframe


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame, ready to be sent."""

    jpeg: bytes
    taken_at: float
    """UTC."""

    @property
    def tag(self) -> str:
        """An HTTP entity tag: the same picture has the same."""
        return f'"{self.taken_at:.6f}"'


class Pictures:
    """Keeps one JPEG per camera. However many look and however often, a frame is compressed once, in a thread."""

    def __init__(self, frame_of: Callable[[str], Frame | None], max_width_px: int) -> None:
        """
        Args:
            frame_of: the newest frame of a camera, None before the first.
            max_width_px: wider frames are scaled down.
        """
        self.num_encoded = 0
        self._frame_of = frame_of
        self._max_width_px = max_width_px
        self._newest: dict[str, Picture] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def newest(self, camera_id: str) -> Picture | None:
        """The newest frame of a camera; None when there is none."""
        async with self._turns.setdefault(camera_id, asyncio.Lock()):
            frame = self._frame_of(camera_id)
            if frame is None:
                return None
            known = self._newest.get(camera_id)
            if known is not None and known.taken_at == frame.arrived_at:
                return known
            picture = await asyncio.to_thread(self._encode, camera_id, frame)
            self.num_encoded += 1
            self._newest[camera_id] = picture
            return picture

    def _encode(self, camera_id: str, frame: Frame) -> Picture:
        jpeg = encode_keyframe(
            frame.pixels,
            camera_id=camera_id,
            event_id="",
            index=0,
            taken_at=frame.arrived_at,
            max_width_px=self._max_width_px,
        ).jpeg
        return Picture(jpeg, frame.arrived_at)
