"""Which datasets must go: those past their time, and those that hold footage of a camera that has opted out since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from streamspike.refine.dataset.format import INDEX

Reason = Literal["age", "opted_out"]


def delete_expired(folder: Path, now: float, opted_out: Collection[str]) -> list[tuple[Path, Reason]]:
    """Delete the datasets right below a folder that must go. Folders that are no datasets are not touched.

    Args:
        now: UTC.
        opted_out: cameras from whose footage no model may learn.

    Returns:
        What was deleted, and why.

    Raises:
        OSError: one cannot be deleted.
    """
    gone: list[tuple[Path, Reason]] = []
    for index in sorted(folder.glob(f"*/{INDEX}")):
        try:
            said = json.loads(index.read_text("utf-8"))
            keep_until, cameras = float(said["keep_until"]), set(said["cameras"])
        except (ValueError, KeyError, TypeError):
            continue
        reason: Reason | None = "opted_out" if cameras & set(opted_out) else "age" if keep_until < now else None
        if reason is not None:
            shutil.rmtree(index.parent)
            gone.append((index.parent, reason))
    return gone
