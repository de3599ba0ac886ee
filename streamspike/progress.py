"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_SECONDS = 15.0


class Advance(Protocol):
    """Called with how much is done, and words about it."""

    def __call__(self, done: float, words: str = "", /) -> None: ...


@contextlib.contextmanager
def show_progress(title: str, total: float | None, unit: str) -> Iterator[Advance]:
    """Yields the function to call as work goes on. Writes to standard error, so that output stays clean.

    Args:
        total: in `unit`; None when nobody knows.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
            TextColumn(f"{{task.completed:.1f}} {unit}"), TimeElapsedColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[words]}"),
        )  # fmt: skip
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=total, words="")
            yield lambda done, words="", /: bar.update(task, completed=done, words=words)
        return
    shown_at = time.monotonic()

    def show(done: float, words: str = "", /) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= LINE_SECONDS:
            shown_at = time.monotonic()
            of = f" of {total:.1f}" if total is not None else ""
            # One line, however long, and brackets as they are: this goes to a log.
            console.print(f"{title}: {done:.1f}{of} {unit}  {words}", highlight=False, markup=False, soft_wrap=True)

    yield show
