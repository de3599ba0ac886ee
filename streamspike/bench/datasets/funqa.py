"""FunQA, funny, creative and magic videos with the span that is counter-intuitive.

Source: Xie et al., "FunQA: Towards Surprising Video Comprehension", ECCV 2024; tasks H1, C1 and M1, whose answers are
two frame numbers at 30 frames per second, whatever the rate of the file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamspike.bench.datasets.disk import (
    MISSING,
    NotLaidOut,
    find_videos,
    in_order,
    interval,
    key,
    read_text,
    walk,
    without_suffix,
)
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

NAME = "funqa"
GUIDE = (
    "get the videos and the annotation files that https://github.com/Nicous20/FunQA links to "
    "(project page https://funqa-benchmark.github.io/) and unpack them so that the folder has annotation/*.json and "
    "the videos under any folder, e.g. videos/test/H_A_112_0000_0432.mp4"
)

KINDS = {"H1": "humor", "C1": "creative", "M1": "magic"}
NOMINAL_FPS = 30.0


def read_funqa(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    answers = [entry for path in walk(root) if path.suffix.lower() == ".json" for entry in _entries(path)]
    if not answers:
        raise NotLaidOut(f"no .json file with tasks H1, C1 or M1 in {root}")
    spans: dict[str, set[Interval]] = {}
    for entry in answers:
        name = without_suffix(Path(str(entry.get("visual_input", ""))).name)
        span = _span(str(entry.get("output", "")), KINDS[entry["task"]], _seconds(name))
        if span is None:
            left_out["answer that is no span of the video"] += 1
        else:
            spans.setdefault(name, set()).add(span)  # the same question is asked in several wordings
    videos = find_videos(root)
    for name, found in spans.items():
        video = videos.get(key(name))
        if video is None:
            left_out[MISSING] += 1
        else:
            yield Footage(name, NAME, str(video), in_order(found), seconds=_seconds(name))


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        loaded = json.loads(read_text(path))
    except ValueError as error:
        raise NotLaidOut(f"{path} is not JSON: {error}") from error
    entries = loaded if isinstance(loaded, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("task") in KINDS]


def _span(output: str, kind: str, seconds: float | None) -> Interval | None:
    """`[0120,0425]`, with whatever spacing, is [4 s, 14.17 s)."""
    numbers = re.findall(r"-?\d+", output)
    if len(numbers) != 2:
        return None
    start, end = (int(number) / NOMINAL_FPS for number in numbers)
    return None if seconds is not None and start >= seconds else interval(start, end, kind=kind)


def _seconds(name: str) -> float | None:
    """A name ends with the frames of the original that it was cut from: H_A_112_0000_0432 has 432 of them."""
    cut = re.search(r"_(\d{4,})_(\d{4,})$", name)
    return (int(cut[2]) - int(cut[1])) / NOMINAL_FPS if cut and int(cut[2]) > int(cut[1]) else None
