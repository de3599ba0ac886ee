"""Opens FFmpeg containers: the options each kind of source needs, and errors without credentials."""

from __future__ import annotations

from typing import Any

import av
import av.error
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from streamspike.config import CameraConfig, IngestConfig
from streamspike.errors import SourceError, UnsupportedSource
from streamspike.ingest.address import Address

_NOT_A_VIDEO = "not a video that FFmpeg can read"
_TEXT_ART = ("tty", "bin", "xbin", "adf", "idf")
"""FFmpeg plays any text file as terminal art; nobody has a camera that draws it."""


class SilentSource(SourceError):
    """Connected, but nothing came for too long."""


def open_container(
    address: Address, camera: CameraConfig, ingest: IngestConfig, hardware: HWAccel | None
) -> InputContainer:
    """Open a source that has video. The thread that opens it must be the one that reads and closes it.

    With `hardware`, a device that cannot be opened after all means a second try in software.

    Raises:
        SourceError: refused, timed out, no such thing, not a video; says which, without credentials.
    """
    if address.kind == "world":
        raise UnsupportedSource("world: cameras are simulated; streamspike.world opens them, not FFmpeg")
    failure: SourceError | None = None
    for accelerator in (hardware, None) if hardware is not None else (None,):
        try:
            container: InputContainer = av.open(**_arguments(address, camera, ingest), hwaccel=accelerator)
        except (av.FFmpegError, NotImplementedError) as error:
            failure = explain(error, address, "cannot open")
        else:
            problem = _find_problem(container)
            if problem is None:
                return container
            container.close()
            raise SourceError(f"cannot open {address}: {problem}")
    # Raised out here, so that FFmpeg's own error, which quotes the password, is not chained to it.
    assert failure is not None
    raise failure


def explain(error: Exception, address: Address, doing: str) -> SourceError:
    """Our error for FFmpeg's. Do not raise it inside the `except` block: that would chain the original."""
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return SilentSource(f"{doing} {address}: no answer in time")
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return SourceError(f"{doing} {address}: the camera refuses user or password (401)")
    if isinstance(error, av.error.InvalidDataError):
        empty = " or no answer" if address.is_live else ""
        return SourceError(f"{doing} {address}: {_NOT_A_VIDEO}{empty}")
    detail = getattr(error, "strerror", None) or str(error)
    return SourceError(f"{doing} {address}: {address.redact(detail)}")


def _find_problem(container: InputContainer) -> str | None:
    if container.format.name in _TEXT_ART:
        return _NOT_A_VIDEO
    if not container.streams.video:
        return "there is no video in it"
    codec: Any = container.streams.video[0].codec_context  # None is not in PyAV's own types
    if codec is None:
        return "FFmpeg has no decoder for its video"
    return None


def _arguments(address: Address, camera: CameraConfig, ingest: IngestConfig) -> dict[str, Any]:
    # FFmpeg gives up after twice the time it is told: the first expiry only flushes the parser.
    read_seconds = ingest.silence_timeout_seconds / 2
    arguments: dict[str, Any] = {"metadata_errors": "replace"}  # bit rot hits titles, too
    match address.kind:
        case "rtsp":
            options = {
                "rtsp_transport": camera.transport,
                "timeout": str(int(read_seconds * 1e6)),
                "fflags": "nobuffer",
                "flags": "low_delay",
                # Measured: opens in 0.07 s instead of 1.9 s; what the probe would find, the first frame tells.
                "analyzeduration": "0",
                "probesize": "32",
            }
            timeout = (ingest.open_timeout_seconds, read_seconds)
            arguments |= {"file": address.url, "options": options, "timeout": timeout}
        case "http":
            arguments |= {"file": address.url, "timeout": (ingest.open_timeout_seconds, read_seconds)}
        case "webcam":
            arguments |= {"file": address.url, "format": "v4l2"}
        case "lavfi":
            arguments |= {"file": address.url, "format": "lavfi"}
        case _:
            arguments |= {"file": f"file:{address.url}"}  # a path may contain colons
    return arguments
