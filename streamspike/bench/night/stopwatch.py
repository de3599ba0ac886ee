"""Seconds of work that are not lost when it is killed and continued."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: where it stands; what stands there is gone on from.
        """
        self._path = path
        try:
            self._before = float(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._before = 0.0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """So far, over all resumptions."""
        return self._before + time.monotonic() - self._started

    def note(self) -> None:
        """Write it down."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(self._path.name + ".partial")
        unfinished.write_text(f"{self.seconds:.3f}\n", encoding="utf-8")
        os.replace(unfinished, self._path)
