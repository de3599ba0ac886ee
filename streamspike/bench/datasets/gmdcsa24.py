"""GMDCSA24, falls and daily activities of four people in their rooms.

Source: Alam, Sufian, Dutta, Leo and Hameed, "GMDCSA-24: A dataset for human fall detection in videos", Data in Brief
2024. A fall lasts to the end of its clip there, as the person stays on the floor. Its lengths are whole seconds, and
some of them wrong, so that no Footage has one.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from streamspike.bench.datasets.disk import MISSING, VIDEO_SUFFIXES, NotLaidOut, in_order, interval, read_text, walk
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

NAME = "gmdcsa24"
GUIDE = (
    "clone https://github.com/ekramalam/GMDCSA24-A-Dataset-for-Human-Fall-Detection-in-Videos (or get it from "
    "https://doi.org/10.5281/zenodo.12921216), which has Subject 1/Fall.csv, Subject 1/Fall/01.mp4, Subject 1/ADL.csv "
    "and so on"
)

_CLASS = re.compile(r"(?=\b[A-Z][a-z]{2})")  # brackets may lack, capitals never do
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


def read_gmdcsa24(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    tables = [path for path in walk(root) if path.name.lower() in ("fall.csv", "adl.csv")]
    if not tables:
        raise NotLaidOut(f"no Fall.csv or ADL.csv in {root}")
    for table in tables:
        videos = _videos_beside(table)
        for row in csv.reader(read_text(table).splitlines()):
            file, classes = row[0].strip().lower() if row else "", row[-1] if row else ""
            if not file or file == "file name":
                continue
            video = videos.get(file)
            if video is None:
                left_out[MISSING] += 1
                continue
            description = ", ".join(cell.strip() for cell in row[4:-1])
            labels = parse_classes(classes, description, left_out)
            falls = in_order(one for one in labels if one.kind.startswith("fall"))
            if not falls and table.stem.lower() == "fall":
                left_out["fall without times"] += 1  # it is no daily activity either
                continue
            others = in_order(one for one in labels if not one.kind.startswith("fall"))
            name = str(video.relative_to(root).with_suffix(""))
            yield Footage(name, NAME, str(video), falls, others)


def _videos_beside(table: Path) -> dict[str, Path]:
    """Videos of the folder that is named like the table, whatever the case of letters."""
    folders = [path for path in table.parent.iterdir() if path.is_dir() and path.name.lower() == table.stem.lower()]
    files = [path for folder in folders for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES]
    return {path.name.lower(): path for path in files}


def parse_classes(text: str, description: str, left_out: Counter[str]) -> list[Interval]:
    """`Falling (BW)[6.9 to 12]; Standing[0 to 0.3; 1.5 to 2.2]`, and what it looks like when brackets are missing."""
    found = []
    for part in _CLASS.split(text):
        kind = re.match(r"[A-Za-z]*", part)[0].lower()  # type: ignore[index]  # it always matches
        if not kind:
            continue
        kind = "fall" if kind in ("fall", "falling") else kind
        spans = [numbers for span in part.split(";") if (numbers := _NUMBERS.findall(span))]
        if not spans:
            left_out["label without times"] += 1
        for numbers in spans:
            one = interval(float(numbers[0]), float(numbers[1]), description, kind) if len(numbers) == 2 else None
            if one is None:
                left_out["label whose times are no interval"] += 1
            else:
                found.append(one)
    return found
