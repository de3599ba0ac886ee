"""Video files out of given pictures, without loss that would change what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av

from streamspike.core import Pixels


def write_film(path: Path, pictures: Sequence[Pixels], fps: int = 10) -> Path:
    """An .mkv of them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.pix_fmt = "bgr0"
        stream.height, stream.width = pictures[0].shape[:2]
        for pixels in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path
