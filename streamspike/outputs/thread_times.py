"""How much processor time the threads of a run took: a camera's reading and decoding, the loop, the model, the disk.

Read from Linux when asked, so that decoding costs nothing to measure; elsewhere there is nothing to read.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

TASKS = Path("/proc/self/task")
INGEST = re.compile(r"^camera\[(.+)\]\.ingest$")
LOOP = "MainThread"
POOLS = ("engine", "store", "clips")
"""Executors of one thread each, which is called like its executor and a number."""


@dataclass(slots=True)
class ThreadTimes:
    """Processor seconds since each thread began."""

    by_camera: dict[str, float] = field(default_factory=dict)
    """Of the thread that reads, decodes, scales and cuts."""
    by_thread: dict[str, float] = field(default_factory=dict)
    """Of the others that have a name of ours: loop, engine, store, clips."""


def read_thread_times() -> ThreadTimes:
    """Any thread may call it. A thread that has just ended is left out."""
    times = ThreadTimes()
    for thread in threading.enumerate():
        camera, name = INGEST.match(thread.name), thread.name.partition("_")[0]
        if camera is None and name not in (LOOP, *POOLS):
            continue
        seconds = _processor_seconds(thread.native_id)
        if seconds is None:
            continue
        if camera is not None:
            times.by_camera[camera[1]] = seconds
        else:
            times.by_thread["loop" if name == LOOP else name] = seconds
    return times


def _processor_seconds(native_id: int | None) -> float | None:
    try:
        text = (TASKS / str(native_id) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    user, system = text.rpartition(")")[2].split()[11:13]  # utime and stime of proc(5), which counts from 1
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
