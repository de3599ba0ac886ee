"""Folders that appear as a whole: who is killed while writing leaves the folder there was before, or none.

.night.4711.part    being written by process 4711; deleted by whoever comes next, once that is gone
.night.4711.old     what stood in its place, for a moment
night               whole
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from streamspike.outputs.clips import is_other_process


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yields a new folder to write to; at the end it takes the place of `folder`, and after an error it is gone.

    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        yield part
        for path in [*part.rglob("*"), part]:
            sync(path)
        old = part.with_suffix(".old")
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        sync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def sweep(folder: Path) -> None:
    """Delete what killed processes left beside a folder."""
    left = re.compile(rf"^\.{re.escape(folder.name)}\.(\d+)\.(part|old)$")
    for path in folder.parent.iterdir():
        match = left.match(path.name)
        if match and not is_other_process(int(match[1])):
            shutil.rmtree(path, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
