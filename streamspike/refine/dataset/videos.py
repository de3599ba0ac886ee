"""Folders of videos as candidates, with captions from a table beside them or without.

    captions.csv     video,caption[,surprising]       one line each, the first one names the columns
    captions.jsonl   {"video": ..., "caption": ...}   one object a line

Each video is a camera of its own, so that a split by cameras never shows a part of it in training and another held out.
A caption is of the whole video: such a one is not cut into pieces, and left out if it is longer than an example may be.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamspike.errors import DatasetError
from streamspike.outputs.clips import name_clip
from streamspike.refine.dataset.candidate import Candidate

SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")
TABLES = ("captions.csv", "captions.jsonl")


@dataclass(frozen=True, slots=True)
class Captioned:
    """What the table says of a video."""

    caption: str
    surprising: bool = False


def find_videos(
    folder: Path, table: Path | None, segment_seconds: float, dropped: Counter[str]
) -> tuple[list[Candidate], bool]:
    """All videos below a folder by name, and whether the table says which of them are surprising.

    Args:
        table: of captions; None takes captions.csv or captions.jsonl of the folder, if there is one.
        dropped: lines of the table without a video are counted here, as no_video.

    Raises:
        DatasetError: there is no such folder or no video in it, or the table cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"there is no folder {folder}; name one with videos ({', '.join(SUFFIXES)})")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise DatasetError(f"there is no video in {folder}; it is searched for {', '.join(SUFFIXES)}")
    if table is None:
        table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    captions = {} if table is None else read_captions(table)
    found = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        said = captions.pop(name, None) or captions.pop(path.stem, None)
        camera_id = name_clip(name).removesuffix(".mp4")
        found.append(
            Candidate(
                clip_id=camera_id,
                camera_id=camera_id,
                path=path,
                started_at=0.0,
                seconds=0.0,
                surprising=bool(said and said.surprising),
                segment_seconds=segment_seconds,
                reference=said.caption if said else "",
                is_divisible=not (said and said.caption),
                is_whole=bool(said and said.caption),
            )
        )
    dropped["no_video"] += len(captions)
    return found, any(candidate.surprising for candidate in found)


def read_captions(table: Path) -> dict[str, Captioned]:
    """What a table says, by video. Raises DatasetError: missing, of another kind, or a line that says nothing."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            if table.suffix.lower() == ".csv":
                lines: list[Any] = list(csv.DictReader(file, strict=True))
            else:
                lines = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"the captions {table} cannot be read: {error}") from error
    said: dict[str, Captioned] = {}
    for number, line in enumerate(lines, 1):
        video = line.get("video") if isinstance(line, dict) else None
        if not isinstance(video, str) or not isinstance(line.get("caption", ""), str) or not video:
            raise DatasetError(f"entry {number} of {table} has no video and caption, as in video,caption or JSON lines")
        said[video] = Captioned(line.get("caption", "").strip(), _parse_flag(line.get("surprising"), number, table))
    return said


def _parse_flag(value: object, number: int, table: Path) -> bool:
    if value is None or value == "":
        return False
    if isinstance(value, bool):
        return value
    try:
        return {"0": False, "1": True, "false": False, "true": True}[str(value).lower()]
    except KeyError as error:
        raise DatasetError(f"entry {number} of {table}: surprising is 0 or 1, not {value!r}") from error
