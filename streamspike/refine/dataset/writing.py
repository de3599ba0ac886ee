"""Candidates become a dataset on disk: split, mixed, each decoded and written once, nothing shown twice."""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamspike import __version__
from streamspike.errors import DatasetError, SourceError
from streamspike.progress import Advance
from streamspike.refine.dataset.candidate import Candidate
from streamspike.refine.dataset.cutting import cut_clip
from streamspike.refine.dataset.format import FORMAT_VERSION, INDEX, SPLITS, VIDEOS, Row, hash_rows, save_rows
from streamspike.refine.dataset.likeness import SeenClips
from streamspike.refine.dataset.mix import Mix
from streamspike.refine.dataset.piece import Piece
from streamspike.refine.dataset.split import SplitRule
from streamspike.refine.dataset.staging import staged
from streamspike.refine.examples import Split

MIN_SEGMENTS = 2
"""Of an example: something is expected of the second."""
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How examples are cut."""

    num_frames: int = 2
    """Per segment."""
    max_segments: int = 32
    max_height_px: int = 720


@dataclass(slots=True)
class Exported:
    """What came of an export."""

    rows: dict[Split, list[Row]]
    dropped: Counter[str]
    """Clips by reason: opted_out, missing (file), damaged (file), moved (camera), no_event (in the store), short (under
    two segments), same_footage (of another clip), alike (to another clip), gap (between the splits), mix (too many of
    its kind, or in all), too_long (for its caption)."""
    shortage: list[str] = field(default_factory=list)
    """Sentences on what could not be had."""
    data_hash: str = ""


class _TooLong(Exception):
    """For a caption that is of the whole."""


class ExampleWriter:
    """Writes the videos of candidates into a folder, and refuses those that show what is there already."""

    def __init__(self, folder: Path, shape: Shape, dropped: Counter[str]) -> None:
        self._folder = folder
        self._shape = shape
        self.dropped = dropped
        self._seen = SeenClips()
        (folder / VIDEOS).mkdir()

    def write(self, candidate: Candidate) -> list[Row]:
        """The rows of a clip, mostly one; none, and counted, if it is damaged, too short or alike to what is there.

        Raises:
            OSError: the disk is full or fails.
        """
        pieces: list[Piece] = []
        try:
            self._cut(candidate, pieces)
        except (SourceError, _TooLong) as error:
            self._discard(pieces, "too_long" if isinstance(error, _TooLong) else "damaged")
            return []
        if not pieces:
            self._discard([], "short")
        return [row for piece in pieces if (row := self._finish(piece)) is not None]

    def forget(self, rows: Sequence[Row], reason: str) -> None:
        """Delete the videos of rows that are not wanted after all."""
        for row in rows:
            (self._folder / row["video"]).unlink()
        self.dropped[reason] += len(rows)

    def _cut(self, candidate: Candidate, pieces: list[Piece]) -> None:
        shape = self._shape
        cuts = cut_clip(
            candidate.path, candidate.segment_seconds, shape.num_frames, candidate.phase_seconds, shape.max_height_px
        )
        with contextlib.closing(cuts):
            for cut in cuts:
                if cut.start_seconds < candidate.from_seconds:
                    continue
                if cut.start_seconds >= candidate.until_seconds:
                    return
                if not pieces or pieces[-1].num_segments == shape.max_segments:
                    if pieces and candidate.is_whole:
                        raise _TooLong
                    if pieces and not candidate.is_divisible:
                        return
                    name = f"{candidate.clip_id}-{len(pieces)}" if candidate.is_divisible else candidate.clip_id
                    pieces.append(Piece(self._folder, name, candidate))
                pieces[-1].add(cut)

    def _finish(self, piece: Piece) -> Row | None:
        reason = "short" if piece.num_segments < MIN_SEGMENTS else ""
        if not reason and self._seen.has_alike(piece.prints):
            reason = "alike"
        if reason:
            self._discard([piece], reason)
            return None
        self._seen.add(piece.prints)
        return piece.close()

    def _discard(self, pieces: Sequence[Piece], reason: str) -> None:
        for piece in pieces:
            piece.discard()
        self.dropped[reason] += 1


def export(
    out: Path,
    candidates: Sequence[Candidate],
    dropped: Counter[str],
    *,
    shape: Shape,
    rule: SplitRule,
    mix: Mix | None,
    seed: int,
    keep_days: float,
    now: float,
    origin: str,
    progress: Advance = lambda done, words="": None,
) -> Exported:
    """Write the dataset `out` and put it in the place of the one that may be there.

    Args:
        dropped: what was left out before, by reason; goes into the count.
        mix: None takes all, for footage of which nobody knows what is surprising.
        now: UTC.
        origin: where the clips come from, for dataset.json.

    Raises:
        DatasetError: nothing is left to learn from, `out` is something else, or the disk is full or fails.
    """
    if out.exists() and not (out / INDEX).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} is there and is no dataset; choose another folder with --out")
    parts, num_in_gap = rule.divide(candidates)
    dropped["gap"] += num_in_gap
    exported = Exported({"train": [], "held_out": []}, dropped)
    try:
        with staged(out) as folder:
            writer = ExampleWriter(folder, shape, dropped)
            filling = _Filling(writer, mix, progress)
            for split in SPLITS:
                rows = filling.fill(parts[split], random.Random(f"{seed}/{split}"))
                exported.rows[split] = sorted(rows, key=lambda row: (row["started_at"], row["example_id"]))
                exported.shortage += _shortage(split, exported.rows[split], mix)
            if not exported.rows["train"]:
                raise DatasetError(_explain_empty(+dropped))
            exported.data_hash = hash_rows(exported.rows)
            for split in SPLITS:
                save_rows(folder / split, exported.rows[split])
            index = {
                **describe(exported),
                "origin": origin,
                "created_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
                "keep_until": now + keep_days * DAY_SECONDS,
                "shape": asdict(shape),
                "split": {**asdict(rule), "cameras": sorted(rule.cameras)},
                "mix": None if mix is None else asdict(mix),
                "seed": seed,
            }
            (folder / INDEX).write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise DatasetError(f"the dataset {out} cannot be written: {error.strerror or error}") from error
    return exported


def describe(exported: Exported) -> dict[str, Any]:
    """What dataset.json says of the data itself."""
    rows = [row for split in SPLITS for row in exported.rows[split]]
    return {
        "format": FORMAT_VERSION,
        "streamspike": __version__,
        "data_hash": exported.data_hash,
        "counts": {
            split: {
                "clips": len(exported.rows[split]),
                "surprising": sum(row["surprising"] for row in exported.rows[split]),
                "captioned": sum(bool(row["reference"]) for row in exported.rows[split]),
                "hours": sum(row["num_segments"] * row["segment_seconds"] for row in exported.rows[split]) / 3600,
            }
            for split in SPLITS
        },
        "cameras": sorted({row["camera_id"] for row in rows}),
        "models": sorted({row["model"] for row in rows} - {""}),
        "dropped": dict(+exported.dropped),
        "shortage": exported.shortage,
    }


class _Filling:
    """Fills the splits one after the other, decoding no more clips than are wanted."""

    def __init__(self, writer: ExampleWriter, mix: Mix | None, progress: Advance) -> None:
        self._writer = writer
        self._mix = mix
        self._progress = progress
        self._num_done = 0

    def fill(self, candidates: Sequence[Candidate], rng: random.Random) -> list[Row]:
        """The rows of one split, in no order."""
        shuffled = rng.sample(list(candidates), len(candidates))
        if self._mix is None:
            return self._take(shuffled, len(shuffled))
        mix = self._mix
        surprising = self._take([clip for clip in shuffled if clip.surprising], mix.max_surprising)
        ordinary = self._take([clip for clip in shuffled if not clip.surprising], mix.num_ordinary(len(surprising)))
        too_many = surprising[mix.num_surprising(len(ordinary)) :]  # in an order of chance
        self._writer.forget(too_many, "mix")
        return surprising[: len(surprising) - len(too_many)] + ordinary

    def _take(self, candidates: Sequence[Candidate], count: int) -> list[Row]:
        rows: list[Row] = []
        for candidate in candidates:
            self._num_done += 1
            if len(rows) >= count:
                self._writer.dropped["mix"] += 1
                continue
            rows += self._writer.write(candidate)
            self._progress(self._num_done, f"{candidate.camera_id} {candidate.clip_id}")
        return rows


def _shortage(split: Split, rows: Sequence[Row], mix: Mix | None) -> list[str]:
    """What the mix lacks, in words."""
    if not rows:
        return [f"{split}: no clip"]
    if mix is None:
        return []
    num = sum(row["surprising"] for row in rows)
    if abs(num - mix.surprising * len(rows)) < 1:
        return []
    kind = "surprising" if num < mix.surprising * len(rows) else "ordinary"
    return [f"{split}: too few {kind} clips; {num} of {len(rows)} are surprising, and {mix.surprising:.0%} were wanted"]


def _explain_empty(dropped: Counter[str]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items())) or "there was none"
    return (
        f"no clip is left to learn from ({reasons}); let streamspike watch run with clips.enabled and "
        "clips.ordinary_per_hour, or name more days with --days"
    )
