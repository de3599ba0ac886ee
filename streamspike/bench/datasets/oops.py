"""Oops!, fail videos with the moment when the action stops being intended, as three workers saw it.

Source: Epstein, Chen and Vondrick, "Oops! Predicting Unintentional Action in Video", CVPR 2020. The clips are those the
published localisation is measured on: val_filtered.txt where it is there, and at least one worker saw a failure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from streamspike.bench.datasets.disk import MISSING, NotLaidOut, find_file, find_videos, key, read_text, without_suffix
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

NAME = "oops"
GUIDE = (
    "get video_and_anns.tar.gz from https://oops.cs.columbia.edu/data/ and unpack it so that the folder has "
    "annotations/transition_times.json, annotations/val_filtered.txt and oops_video/val/*.mp4"
)


def read_oops(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    path = find_file(root, lambda name: name == "transition_times.json", "transition_times.json")
    try:
        times: dict[str, dict[str, Any]] = json.loads(read_text(path))
    except ValueError as error:
        raise NotLaidOut(f"{path} is not JSON: {error}") from error
    chosen = path.with_name("val_filtered.txt")
    names = [line.strip() for line in read_text(chosen).splitlines()] if chosen.is_file() else list(times)
    videos = find_videos(root)
    for name in filter(None, map(without_suffix, names)):
        if name not in times:
            left_out["video without an annotation"] += 1
            continue
        yield from _footage(name, times[name], videos, left_out)


def _footage(name: str, entry: dict[str, Any], videos: dict[str, Path], left_out: Counter[str]) -> Iterator[Footage]:
    onsets = tuple(float(t) for t in entry.get("t") or () if t is not None and t >= 0)
    video = videos.get(key(name)) or videos.get(key(_repaired(name)))
    length = entry.get("len")
    if not onsets:
        left_out["video in which nobody saw a failure"] += 1
    elif video is None:
        left_out[MISSING] += 1
    else:
        onset = median(onsets)
        # What follows the transition is unintentional to the end: so the paper labels its clips (section 3.2).
        surprise = Interval(onset, max(onset, float(length or 0.0)), kind="unintentional")
        yield Footage(name, NAME, str(video), (surprise,), seconds=length, onsets=(onsets,))


def _repaired(name: str) -> str:
    """Some names were UTF-8 that somebody read as Windows-1252."""
    try:
        return name.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return name
