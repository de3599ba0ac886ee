"""Live pictures: one compression a frame, whoever looks."""

from __future__ import annotations

import asyncio

from streamspike.core import Frame
from streamspike.outputs.keyframes import decode_keyframe
from streamspike.outputs.web.pictures import Pictures
from tests.support.messages import make_event, make_keyframe
from tests.support.page import frame_at


async def test_a_frame_is_compressed_once_for_all_who_look() -> None:
    frames: dict[str, Frame] = {"door": frame_at(1.0)}
    pictures = Pictures(frames.get, max_width_px=160)
    seen = await asyncio.gather(*(pictures.newest("door") for _ in range(20)))
    assert pictures.num_encoded == 1 and len({picture.tag for picture in seen if picture}) == 1
    frames["door"] = frame_at(1.5)
    again = await pictures.newest("door")
    assert pictures.num_encoded == 2 and again is not None and seen[0] is not None and again.tag != seen[0].tag


async def test_a_wide_frame_is_scaled_down() -> None:
    picture = await Pictures({"door": frame_at(1.0)}.get, max_width_px=160).newest("door")
    assert picture is not None
    assert decode_keyframe(make_keyframe(make_event(), picture.jpeg)).shape == (90, 160, 3)


async def test_nothing_is_compressed_while_nobody_looks() -> None:
    pictures = Pictures({"door": frame_at(1.0)}.get, max_width_px=160)
    assert pictures.num_encoded == 0
    assert await pictures.newest("attic") is None and pictures.num_encoded == 0
