"""Processor time by thread: those with names of ours are told, all others are not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamspike.outputs.thread_times import read_thread_times


@contextmanager
def busy(name: str) -> Iterator[None]:
    """A thread that does nothing but work."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            sum(range(1000))

    thread = threading.Thread(target=work, name=name)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_camera_that_decodes_takes_processor_time() -> None:
    give_up = time.monotonic() + 20
    with busy("camera[front door].ingest"):
        while not read_thread_times().by_camera.get("front door"):
            assert time.monotonic() < give_up
    assert "front door" not in read_thread_times().by_camera, "it ended"


def test_the_loop_and_the_named_threads_are_told_and_no_others() -> None:
    with busy("engine_0"), busy("Thread-12 (process_request_thread)"), busy("camera[a].state"):
        times = read_thread_times()
    assert set(times.by_thread) == {"loop", "engine"} and not times.by_camera
    assert times.by_thread["loop"] > 0
