"""Labelled footage: videos, what in them should surprise a monitor and when, and where data sets of them are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamspike.measures.interval import Interval


@dataclass(frozen=True, slots=True)
class Footage:
    """One labelled video."""

    name: str
    """Unique within its data set."""
    dataset: str
    address: str
    """What `streamspike score` takes: a path, the frames of a folder, or world:..."""
    surprises: tuple[Interval, ...]
    """What a monitor should alert on, in order of start; empty for a video in which nothing is out of the ordinary."""
    ordinary: tuple[Interval, ...] = ()
    """Other labelled happenings, which are no surprises."""
    seconds: float | None = None
    """Length, where the annotation tells it."""
    onsets: tuple[tuple[float, ...], ...] = ()
    """Several annotators' times of the same onset, one tuple per surprise; empty where one annotator speaks for all."""

    def __post_init__(self) -> None:
        if self.onsets and len(self.onsets) != len(self.surprises):
            raise ValueError(f"{len(self.onsets)} groups of onsets for {len(self.surprises)} surprises")


class Dataset(Protocol):
    """Where footage comes from. Reads annotations and looks for files; decodes nothing."""

    name: str

    @property
    def left_out(self) -> Mapping[str, int]:
        """Reason to number of videos or labels that `footage` could not use; filled by it, and to be shown."""
        ...

    def footage(self) -> Sequence[Footage]:
        """All of it, in the same order every time.

        Raises:
            DatasetError: the folder, its annotations or all of its videos are missing, or cannot be understood.
        """
        ...
