"""upCam, an hour in a home office with what is normal there and what is not.

Source: the data of https://github.com/fshofmann/video-anomaly-detection. Frames are 5 a second, about a third of them
repeated, as the camera delivered fewer. Each labelled event is one surprise or one ordinary happening.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamspike.bench.datasets.disk import MISSING, NotLaidOut, find_videos, interval, key, read_text, walk
from streamspike.bench.datasets.runs import runs
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

NAME = "upcam"
GUIDE = (
    "clone https://github.com/fshofmann/video-anomaly-detection and give its folder data/eval, which has labels/00.md, "
    "labels/00.csv and preprocessed_128_64/00.mp4"
)

FPS = 5.0
KINDS = {"A": "abnormal", "N": "normal"}

_EVENT = re.compile(r"[-*\s]*(\d+)\s*-\s*(\d+)\s*:\s*\**\(([AN])\)\**\s*(.*)")


@dataclass(frozen=True, slots=True)
class _Event:
    first: int  # frames [first, last], counted from 1
    last: int
    label: str
    text: str

    def as_interval(self) -> Interval | None:
        return interval((self.first - 1) / FPS, self.last / FPS, self.text, KINDS[self.label])


def read_upcam(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    """Events from NAME.md or NAME.csv; a 0 or 1 per frame counts only where there are no events."""
    found: dict[str, list[_Event]] = {}
    for path in walk(root):
        # Events before frames: the words are in the former, and both have the same name.
        events = _read_events(path) if path.suffix.lower() in (".md", ".csv") else []
        if events and path.stem not in found:
            found[path.stem] = events
    for path in walk(root):
        if path.suffix.lower() in (".csv", ".txt") and path.stem not in found:
            frames = _read_frames(path)
            if frames:
                found[path.stem] = frames
    if not found:
        raise NotLaidOut(f"no labels in {root}")
    videos = find_videos(root)
    for name, events in sorted(found.items()):
        video = videos.get(key(name))
        if video is None:
            left_out[MISSING] += 1
            continue
        intervals = [(event.label, event.as_interval()) for event in events]
        wrong = sum(one is None for _, one in intervals)
        if wrong:
            left_out["label whose frames are no interval"] += wrong
        surprises, ordinary = (
            tuple(one for label, one in intervals if one is not None and label == wanted) for wanted in ("A", "N")
        )
        yield Footage(name, NAME, str(video), surprises, ordinary, seconds=max(event.last for event in events) / FPS)


def _read_events(path: Path) -> list[_Event]:
    text = read_text(path)
    if path.suffix.lower() == ".md":  # - 002390 - 002719: **(A)** Laying down on bed.
        matches = filter(None, map(_EVENT.fullmatch, text.splitlines()))
        return [_Event(int(match[1]), int(match[2]), match[3], match[4].strip()) for match in matches]
    events = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):  # frames, seconds where they stand, label, text
        label = next((k for k, cell in enumerate(row) if k >= 2 and cell.strip() in KINDS), None)
        if label is not None and row[0].strip().isdigit() and row[1].strip().isdigit():
            words = ", ".join(row[label + 1 :]).strip()
            events.append(_Event(int(row[0]), int(row[1]), row[label].strip(), words))
    return events


def _read_frames(path: Path) -> list[_Event]:
    cells = [line.strip().rpartition(",")[2].strip() for line in read_text(path).splitlines() if line.strip()]
    cells = cells[1:] if cells and cells[0] not in ("0", "1") else cells  # a header
    if not cells or not set(cells) <= {"0", "1"}:
        return []
    labelled = np.array(cells) == "1"
    events = [_Event(first, last, "A", "") for first, last in runs(labelled)]
    events += [_Event(first, last, "N", "") for first, last in runs(~labelled)]
    return sorted(events, key=lambda event: event.first)
