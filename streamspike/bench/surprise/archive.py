"""Files that keep scored clips, one for each data set and scorer, so that a killed run continues where it was.

A file is named after a digest of everything its numbers depend on: settings, weights, code. Clips that were scored
otherwise lie in another file and are never read; clips of a video that has changed since are not used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamspike
from streamspike.bench.surprise.scored import ScoredClip, decode, encode
from streamspike.errors import StreamspikeError

FORMAT = 1
CODE = ("belief", "config.py", "core.py", "ingest", "world")
"""Parts of the package that any score depends on: a change in them begins the records anew."""
MODEL_CODE = ("engine",)


class Archive:
    """Clips of one data set by one scorer. One process writes."""

    def __init__(self, folder: Path | None, dataset: str, scorer: str, dependencies: Mapping[str, Any]) -> None:
        """Read what is there; a line that was cut off by the end of an earlier run is taken out.

        Args:
            folder: made when missing; None keeps nothing beyond this process.
            dependencies: plain values; the same ones find the same file again.

        Raises:
            StreamspikeError: the folder cannot be used, or the file was changed by others.
        """
        self.digest = digest({"format": FORMAT, "dataset": dataset, "scorer": scorer, **dependencies})
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{dataset}-{scorer}")
        self.path = folder / f"{stem}-{self.digest[:12]}.jsonl" if folder is not None else None
        self._clips: dict[str, ScoredClip] = {}
        if folder is None or self.path is None:
            return
        header = {"dataset": dataset, "scorer": scorer, "dependencies": dict(dependencies)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._clips = _read(self.path, json.dumps(header))
        except OSError as error:
            raise StreamspikeError(f"cannot keep the scores in {self.path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise StreamspikeError(f"{self.path} does not hold scores; remove it") from error

    def find(self, footage: str, source: str) -> ScoredClip | None:
        """The clip, if it was scored from this very source."""
        clip = self._clips.get(footage)
        return clip if clip is not None and clip.source == source else None

    def add(self, clip: ScoredClip) -> None:
        """Keep a clip. Raises StreamspikeError: the file cannot be written."""
        self._clips[clip.footage] = clip
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(encode(clip)) + "\n")
        except OSError as error:
            raise StreamspikeError(f"cannot keep the scores in {self.path}: {error.strerror}") from error


def _read(path: Path, header: str) -> dict[str, ScoredClip]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if not whole:
        path.write_text(header + "\n", encoding="utf-8")
        return {}
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    clips = (decode(json.loads(line)) for line in whole.splitlines()[1:])
    return {clip.footage: clip for clip in clips}


def digest(values: Mapping[str, Any]) -> str:
    """Hex digits that differ when any value does."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def code_digest(asks_model: bool) -> str:
    """Of the code that scores."""
    root = Path(streamspike.__file__).parent
    hashed = hashlib.sha256()
    for part in CODE + (MODEL_CODE if asks_model else ()):
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            hashed.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return hashed.hexdigest()
