"""A folder of the user's own: videos, and a labels.csv that says what happens when.

Columns: `file` (a path within the folder), `start_seconds`, `end_seconds`, `kind`, `source`, `description`. A row
without times says that nothing out of the ordinary happens in that video. Who labels a folder labels what matters: a
kind is a surprise unless it is one of ORDINARY_KINDS. Several sources may label the same happening.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamspike.bench.datasets.disk import (
    MISSING,
    VIDEO_SUFFIXES,
    NotLaidOut,
    find_file,
    in_order,
    interval,
    read_text,
    walk,
)
from streamspike.bench.footage import Footage
from streamspike.measures.interval import Interval

NAME = "folder"
GUIDE = (
    "put the videos and a labels.csv with the columns file,start_seconds,end_seconds,kind,source,description in a "
    "folder; a row without times stands for a video without surprises"
)

ORDINARY_KINDS = frozenset(("normal", "ordinary", "n", "adl", "daily", "car_pass", "person_present", "walking"))
"""Daily life, and the comings and goings a camera is there for."""

COLUMNS = ("file", "start_seconds", "end_seconds", "kind")


@dataclass(frozen=True, slots=True)
class _Label:
    interval: Interval
    source: str

    @property
    def is_surprise(self) -> bool:
        return self.interval.kind.lower() not in ORDINARY_KINDS


def read_folder(root: Path, left_out: Counter[str]) -> Iterator[Footage]:
    """Videos in the order of the file; those without a label are counted."""
    table = find_file(root, lambda name: name == "labels.csv", "labels.csv")
    rows = csv.DictReader(read_text(table).splitlines(), skipinitialspace=True)
    absent = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if absent:
        raise NotLaidOut(f"{table} lacks the columns {', '.join(absent)}")
    labels: dict[str, list[_Label]] = defaultdict(list)
    for row in rows:
        labels[(row["file"] or "").strip()] += _parse(row, left_out)
    named = {table.parent / file for file in labels}
    unlabelled = [path for path in walk(table.parent) if path.suffix.lower() in VIDEO_SUFFIXES and path not in named]
    if unlabelled:
        left_out["video without a label"] += len(unlabelled)
    for file, known in labels.items():
        path = table.parent / file
        if not file or not path.is_file():
            left_out[MISSING] += 1
            continue
        groups = list(_happenings([label for label in known if label.is_surprise]))
        surprises = tuple(_narrowest(group) for group in groups)
        onsets = tuple(tuple(label.interval.start_seconds for label in group) for group in groups)
        yield Footage(
            name=str(Path(file).with_suffix("")),
            dataset=NAME,
            address=str(path),
            surprises=surprises,
            ordinary=in_order(label.interval for label in known if not label.is_surprise),
            onsets=onsets if any(len(group) > 1 for group in onsets) else (),
        )


def _parse(row: dict[str, str | None], left_out: Counter[str]) -> list[_Label]:
    start, end, kind, source, text = (
        (row.get(column) or "").strip() for column in ("start_seconds", "end_seconds", "kind", "source", "description")
    )
    if not start and not end:
        if kind.lower() not in ORDINARY_KINDS:
            left_out["label without times"] += 1
        return []
    try:
        found = interval(float(start), float(end), text, kind)
    except ValueError:
        found = None
    if found is None:
        left_out["label whose times are no interval"] += 1
        return []
    return [_Label(found, source)]


def _happenings(labels: Sequence[_Label]) -> Iterator[list[_Label]]:
    """Labels that speak of the same happening: they overlap, and each comes from another source."""
    waiting = sorted(labels, key=lambda label: (label.interval.start_seconds, label.interval.end_seconds))
    group: list[_Label] = []
    for label in waiting:
        same = (
            group
            and label.interval.start_seconds < min(other.interval.end_seconds for other in group)
            and label.source not in {other.source for other in group}
        )
        if group and not same:
            yield group
            group = []
        group.append(label)
    if group:
        yield group


def _narrowest(group: Sequence[_Label]) -> Interval:
    """The motion itself: data sets like to count the minutes on the floor as the fall."""
    return min((label.interval for label in group), key=lambda one: one.end_seconds - one.start_seconds)
