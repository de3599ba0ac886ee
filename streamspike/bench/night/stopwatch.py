"""Seconds of work, by the wall and of the processor, that are not lost when it is killed and continued."""

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
            self._before, self._before_cpu = map(float, path.read_text(encoding="utf-8").split())
        except (OSError, ValueError):
            self._before = self._before_cpu = 0.0
        self._started, self._started_cpu = time.monotonic(), time.process_time()

    @property
    def seconds(self) -> float:
        """So far, over all resumptions."""
        return self._before + time.monotonic() - self._started

    @property
    def cpu_seconds(self) -> float:
        """Of the processor: where others work on the machine too, this is what there was of it."""
        return self._before_cpu + time.process_time() - self._started_cpu

    def note(self) -> None:
        """Write it down."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(self._path.name + ".partial")
        unfinished.write_text(f"{self.seconds:.3f} {self.cpu_seconds:.3f}\n", encoding="utf-8")
        os.replace(unfinished, self._path)
