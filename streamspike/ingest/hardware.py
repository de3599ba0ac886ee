"""Finds out, once, whether this machine has a GPU that decodes video."""

from __future__ import annotations

import functools
import logging

import av
from av.codec.hwaccel import HWAccel

logger = logging.getLogger(__name__)


@functools.cache
def find_hardware() -> HWAccel | None:
    """The GPU's decoder, or None. Asks a decoder of its own: a camera may allow one connection only."""
    # Codecs the GPU does not know are decoded in software, frame by frame as if nothing had happened.
    hardware = HWAccel(device_type="cuda", allow_software_fallback=True)
    try:
        av.CodecContext.create("h264", "r", hwaccel=hardware).open()
    except (av.FFmpegError, NotImplementedError) as error:  # PermissionError without a driver
        logger.info("no hardware decoder (%s); decoding in software", error)
        return None
    logger.info("decoding on the GPU")
    return hardware
