"""Parts of long work that are finished, a line of JSON each in a file, so that a killed run continues where it was.

The first line says what the parts depend on. A file that says otherwise is refused and left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamspike.errors import ConfigError


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
            whole = text[: text.rfind("\n") + 1]  # what an interruption left behind has no end of line
            if not whole:
                path.write_text(json.dumps(own) + "\n", encoding="utf-8")
                return
            if whole != text:
                path.write_text(whole, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot use {path} for records: {error}") from error
        try:
            first, *self.lines = (json.loads(line) for line in whole.splitlines())
        except ValueError as error:
            raise self.refuse() from error
        if first != own:
            changed = sorted(key for key in own if not isinstance(first, dict) or first.get(key) != own[key])
            raise ConfigError(
                f"{path} holds records with another {', '.join(changed)}; remove it, or name another file"
            )

    def refuse(self) -> ConfigError:
        """The error for lines that are not what whoever reads them writes."""
        return ConfigError(f"{self.path} does not hold such records; remove it, or name another file")

    def add(self, line: Any) -> None:
        """Keep a finished part, plain values. Raises ConfigError: the file cannot be written."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise ConfigError(f"cannot write the records {self.path}: {error.strerror}") from error
        self.lines.append(line)
