"""What is known of a night on disk, so that one that was killed goes on where it was.

NIGHTS/night-20261121/diary.json   when it began, which phases are over, what came out
                     dataset/      as refine export writes it
                     run/          of the training: checkpoints, curve, adapter
                     report.html   in the morning
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Container, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from streamspike.errors import StoreError

DIARY = "diary.json"
LOCK = "lock"
Outcome = Literal["promoted", "accepted", "refused"]


@dataclass(slots=True)
class Diary:
    """One night. Written after every change; a reader finds all of it or what was there before."""

    name: str
    """Of the night, and of its adapter."""
    started_at: float
    """UTC."""
    seed: int
    method: str
    phase_seconds: dict[str, float] = field(default_factory=dict)
    """Of each phase, over all calls, in order."""
    waited_seconds: float = 0.0
    """Of these, while the live monitor was short of time."""
    outcome: Outcome | None = None
    """None: the night is not over."""
    reasons: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Raises StoreError."""
        partial = folder / f"{DIARY}.partial"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with partial.open("w", encoding="utf-8") as file:
                json.dump(asdict(self), file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(folder / DIARY)
        except OSError as error:
            raise StoreError(f"cannot write {folder / DIARY}: {error.strerror}") from error


def open_night(nights: Path, now: float, seed: int, method: str, taken: Container[str] = ()) -> tuple[Path, Diary]:
    """The newest night if it is not over, else a new one; its folder and diary.

    Args:
        now: UTC.
        taken: names that adapters have already, of nights whose folder is gone.

    Raises:
        StoreError: the folder cannot be written, or a diary cannot be read.
    """
    diaries = sorted(nights.glob(f"*/{DIARY}"), key=lambda path: path.stat().st_mtime)
    if diaries:
        diary = _read(diaries[-1])
        if diary.outcome is None:
            return diaries[-1].parent, diary
    date = datetime.fromtimestamp(now, UTC).strftime("night-%Y%m%d")
    name, number = date, 2
    while (nights / name).exists() or name in taken:
        name, number = f"{date}-{number}", number + 1
    diary = Diary(name, now, seed, method)
    diary.write(nights / name)
    return nights / name, diary


@contextlib.contextmanager
def only_one(nights: Path) -> Iterator[None]:
    """Nobody else works on these nights meanwhile; the system lets go of it even when the process is killed.

    Raises:
        StoreError: somebody does, or the folder cannot be written.
    """
    try:
        nights.mkdir(parents=True, exist_ok=True)
        file = (nights / LOCK).open("w")
    except OSError as error:
        raise StoreError(f"cannot write {nights / LOCK}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"another night is at work in {nights}; this call does nothing") from error
        yield


def _read(path: Path) -> Diary:
    try:
        return Diary(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path} cannot be read ({error}); move its folder away to begin another night") from error
