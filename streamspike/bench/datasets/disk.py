"""A data set that lies in a folder: finds annotations and videos by name, and counts what cannot be used."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamspike.bench.footage import Footage
from streamspike.errors import DatasetError
from streamspike.measures.interval import Interval

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset((".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".gif"))

MISSING = "video that is not there"


@dataclass(slots=True)
class StoredDataset:
    """Implements `Dataset` for one annotation format.

    Args:
        name: as the user writes it before the colon.
        root: the folder the user named.
        guide: where to get the data set and how to lay it out, as the end of an error message.
        read: reads the footage below `root` and adds to the counter what it leaves out; raises `NotLaidOut` or OSError.
    """

    name: str
    root: Path
    guide: str
    read: Callable[[Path, Counter[str]], Iterable[Footage]]
    left_out: Counter[str] = field(default_factory=Counter)

    def footage(self) -> Sequence[Footage]:
        """See `Dataset.footage`. What was left out is also told once in the log."""
        self.left_out.clear()
        if not self.root.is_dir():
            raise self._error(f"there is no folder {self.root}")
        try:
            found = list(self.read(self.root, self.left_out))
        except NotLaidOut as error:
            raise self._error(str(error)) from error
        except OSError as error:
            raise self._error(f"cannot read {error.filename or self.root}: {error.strerror or error}") from error
        if not found:
            left_out = describe(self.left_out)
            raise self._error(f"no labelled video in {self.root}" + (f" ({left_out})" if left_out else ""))
        if self.left_out:
            logger.warning("%s: left out %s", self.name, describe(self.left_out))
        return found

    def _error(self, problem: str) -> DatasetError:
        return DatasetError(f"{self.name}: {problem}; {self.guide}")


class NotLaidOut(Exception):
    """Annotations are missing or in no form we know; StoredDataset makes a DatasetError of it."""


def describe(left_out: Counter[str]) -> str:
    """`3 x video that is not there, 1 x ...`, the most frequent first."""
    return ", ".join(f"{count} x {reason}" for reason, count in left_out.most_common())


def find_videos(root: Path) -> dict[str, Path]:
    """Every video below `root` by the key of its name without the suffix; the first in order of paths wins."""
    videos: dict[str, Path] = {}
    for path in walk(root):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            videos.setdefault(key(path.stem), path)
    return videos


def walk(root: Path) -> list[Path]:
    """All files below `root` in order of their paths, without hidden ones such as the `._` twins that macOS leaves."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(found)


def key(name: str) -> str:
    """What two spellings of a file name share: file systems disagree about composed letters."""
    return unicodedata.normalize("NFC", name)


def without_suffix(name: str) -> str:
    """`Arson011_x264.mp4` and `Arson011_x264` alike, though names may have other dots."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else name


def find_file(root: Path, matches: Callable[[str], bool], what: str) -> Path:
    """The first file below `root` whose lower-case name matches, the shallowest first.

    Raises:
        NotLaidOut: there is none.
    """
    candidates = [path for path in walk(root) if matches(path.name.lower())]
    if not candidates:
        raise NotLaidOut(f"no {what} in {root}")
    return min(candidates, key=lambda path: (len(path.parts), path))


def read_text(path: Path) -> str:
    """Annotations are UTF-8 with and without a mark in front, and a few have bytes that are neither."""
    return path.read_text(encoding="utf-8-sig", errors="replace")


def interval(start: float, end: float, text: str = "", kind: str = "") -> Interval | None:
    """An Interval, or None where the numbers are none: negative, empty or the wrong way round."""
    return Interval(start, end, text, kind) if 0 <= start < end else None


def in_order(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    return tuple(sorted(intervals, key=lambda one: (one.start_seconds, one.end_seconds)))
