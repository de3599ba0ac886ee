"""Reads a dataset back: examples by number, decoded when they are asked for, and checked before they are believed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from streamspike.errors import DatasetError, SourceError
from streamspike.refine.dataset.format import AGAIN, SPLITS, Row, hash_file, hash_rows, load_rows, read_index
from streamspike.refine.dataset.video import read_video
from streamspike.refine.examples import Example, Split


class StoredExamples:
    """Implements `ExampleSource`. A video is checked against its hash when it is decoded for the first time."""

    def __init__(self, folder: Path, rows: list[Row], data_hash: str, cached: int) -> None:
        self.data_hash = data_hash
        """Of both splits."""
        self._folder = folder
        self._rows = rows
        self._checked: set[str] = set()
        self._decode = lru_cache(maxsize=cached)(self._decode_example)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Example:
        if not 0 <= number < len(self._rows):
            raise IndexError(f"there are {len(self._rows)} examples, from 0: {number = }")
        return self._decode(number)

    def __iter__(self) -> Iterator[Example]:
        return (self[number] for number in range(len(self._rows)))

    def row(self, number: int) -> Row:
        """What is known of an example without decoding it."""
        return self._rows[number]

    def captions(self) -> list[tuple[str, ...]]:
        """Of each example's segments, without decoding it."""
        return [tuple(row["captions"]) for row in self._rows]

    def _decode_example(self, number: int) -> Example:
        row = self._rows[number]
        path = self._folder / row["video"]
        try:
            if row["video"] not in self._checked and hash_file(path) != row["video_sha256"]:
                raise DatasetError(f"{path} was changed after it was exported; {AGAIN}")
            self._checked.add(row["video"])
            segments = read_video(path, row["width_px"], row["height_px"], row["frames_per_segment"])
        except (OSError, SourceError) as error:
            raise DatasetError(f"{path} cannot be read ({error}); {AGAIN}") from error
        if [len(frames) for frames in segments] != [row["frames_per_segment"]] * row["num_segments"]:
            raise DatasetError(f"{path} has another number of frames than its row says; {AGAIN}")
        return Example(
            example_id=row["example_id"],
            camera_id=row["camera_id"],
            started_at=row["started_at"],
            segment_seconds=row["segment_seconds"],
            segments=segments,
            captions=tuple(row["captions"]),
            reference=row["reference"],
            surprise_nats=tuple(row["surprise_nats"]),
            surprising=row["surprising"],
            verdict=row["verdict"],
        )


def read_examples(folder: Path, split: Split, cached: int = 32) -> StoredExamples:
    """The examples of one split, in order of time.

    Args:
        cached: decoded examples kept in memory; one of 10 segments at 640x360 has about 14 MB.

    Raises:
        DatasetError: there is no dataset, it has another format, or its rows are not those that were exported.
    """
    index = read_index(folder)
    parts: dict[Split, list[Row]] = {name: load_rows(folder / name) for name in SPLITS}
    if hash_rows(parts) != index.get("data_hash"):
        raise DatasetError(f"the rows of {folder} were changed after they were exported; {AGAIN}")
    return StoredExamples(folder, parts[split], index["data_hash"], cached)
