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

from streamspike.bench.records import Records
from streamspike.bench.surprise.scored import ScoredClip, decode, encode

FORMAT = 1


class Archive:
    """Clips of one data set by one scorer. One process writes."""

    def __init__(self, folder: Path | None, dataset: str, scorer: str, dependencies: Mapping[str, Any]) -> None:
        """Read what is there.

        Args:
            folder: made when missing; None keeps nothing beyond this process.
            dependencies: plain values; the same ones find the same file again.

        Raises:
            ConfigError: the folder cannot be used, or the file was changed by others.
        """
        self.digest = digest({"format": FORMAT, "dataset": dataset, "scorer": scorer, **dependencies})
        self._clips: dict[str, ScoredClip] = {}
        self._records: Records | None = None
        if folder is None:
            return
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{dataset}-{scorer}")
        header = {"dataset": dataset, "scorer": scorer, "dependencies": dict(dependencies)}
        self._records = Records(folder / f"{stem}-{self.digest[:12]}.jsonl", header)
        try:
            self._clips = {clip.footage: clip for clip in map(decode, self._records.lines)}
        except (ValueError, TypeError, KeyError) as error:
            raise self._records.refuse() from error

    @property
    def path(self) -> Path | None:
        return self._records.path if self._records is not None else None

    def find(self, footage: str, source: str) -> ScoredClip | None:
        """The clip, if it was scored from this very source."""
        clip = self._clips.get(footage)
        return clip if clip is not None and clip.source == source else None

    def add(self, clip: ScoredClip) -> None:
        """Keep a clip. Raises ConfigError: the file cannot be written."""
        self._clips[clip.footage] = clip
        if self._records is not None:
            self._records.add(encode(clip))


def digest(values: Mapping[str, Any]) -> str:
    """Hex digits that differ when any value does."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
