"""Writes a simulated camera to an mp4 file, with its ground truth beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamspike.errors import WorldError
from streamspike.world.live import Stage, WorldSettings


def render_film(settings: WorldSettings, path: Path, progress: Callable[[float], None] = lambda _: None) -> Path:
    """Write `path` (H.264) and `path` with `.json`; returns the latter.

    The truth has one object per segment: sentence, probability, surprise in nats, whether it is of a surprising kind,
    the distribution over sentences before it, and the boxes of all bodies at three quarters of it. Frames are the same
    on every machine for the same settings; the compressed bytes may differ between builds of the encoder.

    Args:
        settings: `seconds` must be set; an odd width or height is an error, as H.264 cannot hold it.
        path: ends in .mp4; missing folders are made.
        progress: called with the seconds written so far.

    Raises:
        WorldError: the settings cannot be a film, or the file cannot be written.
    """
    if settings.seconds <= 0:
        raise WorldError("a film needs an end: give its length in seconds")
    if settings.width % 2 or settings.height % 2:
        raise WorldError(f"H.264 needs an even size, not {settings.width}x{settings.height}")
    if path.suffix.lower() != ".mp4":
        raise WorldError(f"a film is an .mp4 file, not {path.name}")
    stage = Stage(settings)
    segments: list[dict[str, Any]] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            stream: Any = container.add_stream("libx264", rate=Fraction(settings.fps).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, "yuv420p"
            stream.options = {"crf": "23", "preset": "veryfast", "g": str(max(1, round(2 * settings.fps)))}
            for number in range(round(settings.seconds * settings.fps)):
                seconds = number / settings.fps
                frame = stage.frame(seconds, seconds)
                picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
                container.mux(stream.encode(picture))
                if not segments or segments[-1]["index"] != stage.truth.index:
                    segments.append(_describe(stage))
                progress(seconds)
            container.mux(stream.encode(None))
    except (OSError, av.FFmpegError) as error:
        raise WorldError(f"cannot write {path}: {error}") from error
    truth_path = path.with_suffix(".json")
    header = {"version": 1, "film": path.name, "settings": asdict(settings)}
    truth_path.write_text(json.dumps({**header, "segments": segments}, indent=1) + "\n", encoding="utf-8")
    return truth_path


def _describe(stage: Stage) -> dict[str, Any]:
    truth = asdict(stage.truth)
    truth["alternatives"] = [{"text": text, "probability": p} for text, p in stage.truth.alternatives]
    truth["bodies"] = stage.bodies()
    return truth
