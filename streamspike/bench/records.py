"""Parts of long work that are finished, a line of JSON each in a file, so that a killed run continues where it was.

The first line says what the parts depend on. A file that says otherwise is refused and left as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamspike
from streamspike.errors import ConfigError

CODE = ("belief", "config.py", "core.py", "ingest", "world")
"""Parts of the package that any score depends on: a change in them begins records anew."""


class Records:
    """One process writes. A line that was cut off by the end of an earlier run is taken out."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Read what is there, or begin the file.

        Args:
            path: its folder is made when missing.
            header: plain values; a file of other ones is not used.

        Raises:
            ConfigError: the file cannot be used, or holds something else.
        """
        self.path = path
        self.lines: list[Any] = []
        """What was kept, in order."""
        own = json.loads(json.dumps(header))  # as it is read back: tuples are lists
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot use {path} for records: {error}") from error
        begun = json.dumps(own) + "\n"
        whole = text[: text.rfind("\n") + 1]  # what an interruption left behind has no end of line
        if not whole and begun.startswith(text):
            self._write(begun)
            return
        try:
            first, *self.lines = (json.loads(line) for line in (whole or text).splitlines())
        except ValueError as error:
            raise self.refuse() from error
        if first != own:
            changed = sorted(key for key in own if not isinstance(first, dict) or first.get(key) != own[key])
            raise ConfigError(
                f"{path} holds records with another {', '.join(changed)}; remove it, or name another file"
            )
        if whole != text:
            self._write(whole)

    def refuse(self) -> ConfigError:
        """The error for lines that are not what whoever reads them writes."""
        return ConfigError(f"{self.path} does not hold such records; remove it, or name another file")

    def add(self, line: Any) -> None:
        """Keep a finished part, plain values. Raises ConfigError: the file cannot be written."""
        self._write(json.dumps(line) + "\n", "a")
        self.lines.append(line)

    def _write(self, text: str, mode: str = "w") -> None:
        try:
            with self.path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ConfigError(f"cannot write the records {self.path}: {error.strerror}") from error


def code_digest(*parts: str) -> str:
    """Hex digits that differ when any code of the package does on which scores depend: CODE, and these parts."""
    root = Path(streamspike.__file__).parent
    hashed = hashlib.sha256()
    for part in (*CODE, *parts):
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            hashed.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return hashed.hexdigest()
