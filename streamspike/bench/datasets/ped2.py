"""UCSD Ped2, pedestrians on a walkway with bicycles, skaters and carts among them: folders of pictures, no videos.

Source: Mahadevan, Li, Bhalodia and Vasconcelos, "Anomaly Detection in Crowded Scenes", CVPR 2010; the test sequences.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from streamspike.bench.datasets.disk import NotLaidOut, read_text, walk
from streamspike.bench.datasets.runs import runs
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

NAME = "ped2"
GUIDE = (
    "get UCSD_Anomaly_Dataset.tar.gz from http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm and unpack it so that "
    "the folder has UCSDped2/Test/Test001/001.tif and so on, and UCSDped2/Test/UCSDped2.m; instead of the .m file each "
    "sequence may have a Test001.txt, .csv or .npy with a 0 or 1 per picture"
)

FPS = 10.0
"""Nominal; the pictures have no times."""
PICTURES = (".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp")


def read_ped2(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    sequences = {
        folder: pictures for folder, pictures in _sequences(root).items() if "train" not in str(folder).lower()
    }
    if not sequences:
        raise NotLaidOut(f"no folder of pictures in {root}")
    tables = [path for path in walk(root) if path.suffix == ".m" and "gt_frame" in read_text(path)]
    chosen = min(tables, key=lambda path: ("ped2" not in path.name.lower(), path), default=None)
    spans = _parse_table(read_text(chosen)) if chosen else []
    if spans and len(spans) != len(sequences):
        raise NotLaidOut(f"{chosen} has {len(spans)} sequences, and there are {len(sequences)} folders of pictures")
    for number, (folder, pictures) in enumerate(sequences.items()):
        labelled = spans[number] if spans else _read_labels(folder, len(pictures))
        if labelled is None:
            left_out["sequence without labels"] += 1
            continue
        address = picture_address(folder, pictures, FPS)
        if address is None:
            left_out["sequence whose pictures are not numbered one by one"] += 1
            continue
        surprises = tuple(Interval((first - 1) / FPS, min(last, len(pictures)) / FPS) for first, last in labelled)
        yield Footage(folder.name, NAME, address, surprises, seconds=len(pictures) / FPS)


def picture_address(folder: Path, pictures: Sequence[Path], fps: float) -> str | None:
    """The address that plays numbered pictures as a video; None where FFmpeg's image2 cannot count them.

    Goes through the movie filter, as FFmpeg would take 25 pictures a second for granted otherwise.
    """
    first = re.fullmatch(r"(.*?)(\d+)", pictures[0].stem)
    if not first:
        return None
    prefix, digits, suffix = first[1], first[2], pictures[0].suffix
    names = {path.name for path in pictures}
    if any(f"{prefix}{int(digits) + k:0{len(digits)}d}{suffix}" not in names for k in range(len(pictures))):
        return None
    pattern = f"{f'{folder}/{prefix}'.replace('%', '%%')}%0{len(digits)}d{suffix}"
    options = rf"framerate={fps:g}\:start_number={int(digits)}"
    return f"lavfi:movie=filename={_quoted(pattern)}:format_name=image2:format_opts={_quoted(options, inner=False)}"


def _quoted(text: str, inner: bool = True) -> str:
    r"""FFmpeg takes options apart at `:` first and then the graph at `[],;`, and each time removes a level of `\`."""
    if inner:
        text = re.sub(r"([\\':])", r"\\\1", text)
    return re.sub(r"([\\'\[\],; ])", r"\\\1", text)


def _sequences(root: Path) -> dict[Path, list[Path]]:
    """Folders of pictures in order, without the masks that lie beside them."""
    folders: dict[Path, list[Path]] = {}
    for path in walk(root):
        if path.suffix.lower() in PICTURES and not path.parent.name.endswith("_gt"):
            folders.setdefault(path.parent, []).append(path)
    return folders


def _parse_table(text: str) -> list[list[tuple[int, int]]]:
    """`TestVideoFile{end+1}.gt_frame = [61:180];`, pictures counted from 1, the last one included."""
    lists = re.findall(r"^[^%\n]*gt_frame\s*=\s*\[(.*?)\]", text, re.MULTILINE)
    return [[(int(first), int(last)) for first, last in re.findall(r"(\d+)\s*:\s*(\d+)", one)] for one in lists]


def _read_labels(folder: Path, num_pictures: int) -> list[tuple[int, int]] | None:
    """From a file beside the folder or in it: a 0 or 1 per picture, or rows of all starts and of all ends."""
    places = [
        place / f"{folder.name}{suffix}" for place in (folder.parent, folder) for suffix in (".npy", ".txt", ".csv")
    ]
    for path in filter(Path.is_file, places):
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            rows = [re.findall(r"\d+", line) for line in read_text(path).splitlines()]
            values = np.array([[int(number) for number in row] for row in rows if row])
        if values.ndim == 2 and values.shape[0] == 2 and values.shape[1] * 2 < num_pictures:
            return [(int(first), int(last)) for first, last in values.T]
        flat = values.ravel()
        if len(flat) != num_pictures or not np.isin(flat, (0, 1)).all():
            raise NotLaidOut(f"{path} has {len(flat)} labels for {num_pictures} pictures, or others than 0 and 1")
        return runs(flat == 1)
    return None
