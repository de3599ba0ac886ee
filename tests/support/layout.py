"""Lays out folders of small files for tests: annotations with their text, videos without any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def lay_out(root: Path, files: Mapping[str, str]) -> Path:
    """Write every path below `root` with its text; an empty text is enough where only the name of a video counts."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root
