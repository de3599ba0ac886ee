"""The dataset on disk: what stands in a row, in dataset.json, and what both are worth.

FOLDER/dataset.json   what, when, counts, split rule, mix, models, hash of the data
FOLDER/train          rows, a Hugging Face dataset saved with save_to_disk
FOLDER/held_out       the same
FOLDER/videos/*.mp4   the frames of each row's segments, one after the other, at the times of their marks
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from streamspike.errors import DatasetError
from streamspike.refine.examples import Split

FORMAT_VERSION = 1
SPLITS: tuple[Split, ...] = ("train", "held_out")
INDEX = "dataset.json"
VIDEOS = "videos"
AGAIN = "export it again: streamspike refine export --out FOLDER"


class Row(TypedDict):
    """One clip; lists of what is told per segment are empty or as long as num_segments."""

    example_id: str
    camera_id: str
    started_at: float
    segment_seconds: float
    num_segments: int
    frames_per_segment: int
    width_px: int  # of the frames; those in the video are padded to even numbers
    height_px: int
    video: str  # below the folder
    video_sha256: str
    captions: list[str]
    reference: str
    surprise_nats: list[float]
    surprising: bool
    verdict: int
    model: str  # whose words the captions are


def hash_rows(parts: Mapping[Split, list[Row]]) -> str:
    """SHA-256 of everything that can be learned from: the rows in their order and, through theirs, the videos."""
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update(f"{split}\n".encode())
        for row in parts[split]:
            digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_index(folder: Path) -> dict[str, Any]:
    """What dataset.json says, of a format that is known.

    Raises:
        DatasetError: there is none, or another format.
    """
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text("utf-8"))
        version = index["format"]
    except FileNotFoundError as error:
        raise DatasetError(f"there is no dataset in {folder}; make one with: streamspike refine export") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{folder / INDEX} cannot be read ({error}); {AGAIN}") from error
    if version != FORMAT_VERSION:
        raise DatasetError(f"{folder} has format {version}, this streamspike reads {FORMAT_VERSION}; {AGAIN}")
    return index


def save_rows(folder: Path, rows: list[Row]) -> None:
    """Write rows as a Hugging Face dataset. Raises OSError, and DatasetError when its library is not installed."""
    datasets = _import_datasets()
    features = datasets.Features(
        {
            "example_id": datasets.Value("string"),
            "camera_id": datasets.Value("string"),
            "started_at": datasets.Value("float64"),
            "segment_seconds": datasets.Value("float64"),
            "num_segments": datasets.Value("int32"),
            "frames_per_segment": datasets.Value("int32"),
            "width_px": datasets.Value("int32"),
            "height_px": datasets.Value("int32"),
            "video": datasets.Value("string"),
            "video_sha256": datasets.Value("string"),
            "captions": datasets.List(datasets.Value("string")),
            "reference": datasets.Value("string"),
            "surprise_nats": datasets.List(datasets.Value("float64")),
            "surprising": datasets.Value("bool"),
            "verdict": datasets.Value("int8"),
            "model": datasets.Value("string"),
        }
    )
    columns = {name: [row[name] for row in rows] for name in features}  # type: ignore[literal-required]
    with quiet():
        datasets.Dataset.from_dict(columns, features).save_to_disk(str(folder))


def load_rows(folder: Path) -> list[Row]:
    """Read what `save_rows` wrote. Raises DatasetError."""
    datasets = _import_datasets()
    import pyarrow

    if (folder / "state.json").is_file() and not any(folder.glob("*.arrow")):
        return []  # which it writes, but does not read
    try:
        with quiet():
            table = datasets.load_from_disk(str(folder), keep_in_memory=True)
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise DatasetError(f"{folder} cannot be read ({error}); {AGAIN}") from error
    rows: list[Row] = table.to_list()
    return rows


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars of datasets, which has no other switch than one for the whole process."""
    datasets = _import_datasets()
    was_on = not datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if was_on:
            datasets.enable_progress_bars()


def _import_datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise DatasetError("datasets need a library more: pip install 'streamspike[refine]'") from error
    return datasets
