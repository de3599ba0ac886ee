"""UCF-Crime and XD-Violence: one line per video, with the first and last frames of what is anomalous in it.

Sources: Sultani, Chen and Shah, "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018; Wu et al., "Not only
Look, but also Listen: Learning Multimodal Violence Detection under Weak Supervision", ECCV 2020. Only their test sets
have times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from streamspike.bench.datasets.disk import (
    MISSING,
    NotLaidOut,
    find_file,
    find_videos,
    in_order,
    interval,
    key,
    read_text,
    without_suffix,
)
from streamspike.bench.datasets.rate import frame_rate
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

UCF_CRIME = "ucf-crime"
UCF_CRIME_GUIDE = (
    "get it from https://www.crcv.ucf.edu/projects/real-world/ and unpack it so that the folder has "
    "Temporal_Anomaly_Annotation_for_Testing_Videos.txt and the videos of the test set under any folder, e.g. "
    "Arson/Arson011_x264.mp4"
)
XD_VIOLENCE = "xd-violence"
XD_VIOLENCE_GUIDE = (
    "get the test videos and https://roc-ng.github.io/XD-Violence/images/annotations.txt from "
    "https://roc-ng.github.io/XD-Violence/ and lay them out as annotations.txt and videos/*.mp4"
)

UCF_CRIME_FPS = 30.0
XD_VIOLENCE_FPS = 24.0
"""What most of its files have; the papers do not say."""

XD_KINDS = {"B1": "fighting", "B2": "shooting", "B4": "riot", "B5": "abuse", "B6": "car accident", "G": "explosion"}


def read_ucf_crime(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    """`Arson011_x264.mp4  Arson  150  420  680  1267`; -1 stands for no frame, and the class Normal for no anomaly."""
    path = find_file(
        root, lambda name: name.startswith("temporal_anomaly_annotation"), "Temporal_Anomaly_Annotation.txt"
    )
    videos = find_videos(root)
    for words in _lines(path):
        name, kind, *numbers = words
        video = videos.get(key(without_suffix(name)))
        if video is None:
            left_out[MISSING] += 1
            continue
        surprises = _intervals(numbers, frame_rate(video, UCF_CRIME_FPS), kind, left_out)
        if not surprises and not kind.lower().startswith("normal"):
            left_out["anomalous video without times"] += 1
        else:
            yield Footage(without_suffix(name), UCF_CRIME, str(video), surprises)


def read_xd_violence(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    """`v=S-7rRLrxnVQ__#1_label_B4-0-0 0 1517 1970 3038`; normal videos have no line, and `label_A` in their names."""
    path = find_file(root, lambda name: name == "annotations.txt", "annotations.txt")
    videos = find_videos(root)
    folders: set[Path] = set()
    for words in _lines(path):
        name = without_suffix(words[0])
        video = videos.get(key(name))
        if video is None:
            left_out[MISSING] += 1
            continue
        folders.add(video.parent)  # the test set's; the training set lies beside it
        codes = name.rpartition("_label_")[2].split("-")
        kind = ", ".join(XD_KINDS.get(code, code) for code in codes if code != "0")
        surprises = _intervals(words[1:], frame_rate(video, XD_VIOLENCE_FPS), kind, left_out)
        if not surprises:
            left_out["anomalous video without times"] += 1
        else:
            yield Footage(name, XD_VIOLENCE, str(video), surprises)
    for name, video in videos.items():
        if name.endswith("_label_A") and video.parent in folders:
            yield Footage(name, XD_VIOLENCE, str(video), ())


def _lines(path: Path) -> list[list[str]]:
    lines = [line.split() for line in read_text(path).splitlines()]
    wrong = next((line for line in lines if len(line) == 1), None)
    if wrong:
        raise NotLaidOut(f"a line of {path} has a name and nothing else: {wrong[0]}")
    return [line for line in lines if line]


def _intervals(numbers: list[str], fps: float, kind: str, left_out: Counter[str]) -> tuple[Interval, ...]:
    """Pairs of frames, counted from 0, as every published evaluation reads them; the last frame is not part of it."""
    found = []
    for first, last in zip_longest(numbers[::2], numbers[1::2], fillvalue=""):
        if first == "-1":
            continue
        try:
            one = interval(int(first) / fps, int(last) / fps, kind=kind)
        except ValueError:
            one = None
        if one is None:
            left_out["label whose frames are no interval"] += 1
        else:
            found.append(one)
    return in_order(found)
