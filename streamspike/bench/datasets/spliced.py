"""Labelled clips spliced into quiet stretches of long recordings: hours of daily life with a few known surprises.

What is spliced is the clip's whole picture, resized to that of the hour. A cut would be found by whoever compares two
pictures, so the clip is faded in, standing still at its first frame, and faded out at its last, so slowly that the
change from second to second is small. Clips in which nothing surprising happens are spliced as well: being spliced is
not what is to be found. Everything that is labelled in a clip counts as a surprise, as nothing of it belongs there.
"""

from __future__ import annotations

import random
import urllib.parse
import zlib
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamspike.bench.datasets.disk import VIDEO_SUFFIXES, walk
from streamspike.bench.datasets.labelled_folder import read_folder
from streamspike.bench.datasets.reading import read_frames
from streamspike.bench.footage import Footage
from streamspike.config import IngestConfig
from streamspike.core import Frame, Pixels
from streamspike.errors import DatasetError
from streamspike.ingest.frames import LazyFrame, render
from streamspike.measures.interval import Interval

NAME = "spliced"
GUIDE = (
    "write spliced:EVENTS?hours=HOURS, where EVENTS is a folder with a labels.csv and HOURS one with long recordings "
    "of daily life, which labels.csv does not name; minutes=20 takes the first 20 minutes of each"
)

FADE_SECONDS = 12.0
CLIP_SECONDS = 40.0
"""A longer clip is cut off here."""
APART_SECONDS = 30.0
"""Between two splices, and before the first: whoever watches has to know the hour."""
LEAST_SECONDS = 600.0
"""A video that is shorter is no hour."""
PROFILE_PX = 32
"""Width and height of the pictures in which quiet stretches are looked for."""


@dataclass(frozen=True, slots=True)
class Splice:
    """One clip in an hour: its fade begins at `at_seconds`, and the clip itself when the fade is complete."""

    address: str
    at_seconds: float
    clip_seconds: float

    @property
    def first_seconds(self) -> float:
        """When the clip's own time 0 is."""
        return self.at_seconds + FADE_SECONDS

    @property
    def end_seconds(self) -> float:
        return self.first_seconds + self.clip_seconds + FADE_SECONDS

    def part(self, seconds: float) -> float:
        """How much of the picture is the clip's, in [0, 1]."""
        return float(np.clip(min(seconds - self.at_seconds, self.end_seconds - seconds) / FADE_SECONDS, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class SplicedFootage(Footage):
    """An hour, or the beginning of one, with clips in it. The address is that of the hour as it was."""

    splices: tuple[Splice, ...] = ()
    """In order of time, apart from each other."""

    def frames(self, config: IngestConfig) -> Generator[Frame | LazyFrame]:
        """The hour's frames, with the clips in them. See `scoring.Composed`.

        Raises:
            SourceError: the hour or a clip cannot be read.
        """
        assert self.seconds is not None, "the length of an hour was measured when its splices were placed"
        waiting = list(self.splices)
        clip: _Clip | None = None
        for frame in read_frames(self.address, config):
            seconds = frame.stream_seconds
            if seconds >= self.seconds:
                return
            while waiting and seconds >= waiting[0].end_seconds:
                waiting.pop(0)
                clip = None
            if not waiting or seconds < waiting[0].at_seconds:
                yield frame
                continue
            clip = clip or _Clip(waiting[0], config)
            whole = render(frame)
            yield replace(whole, pixels=clip.over(whole.pixels, seconds))


class _Clip:
    """A clip on its way through one splice."""

    def __init__(self, splice: Splice, config: IngestConfig) -> None:
        self._splice = splice
        self._frames = read_frames(splice.address, config)
        self._now = next(self._frames)
        self._next: Frame | LazyFrame | None = self._now

    def over(self, hour: Pixels, seconds: float) -> Pixels:
        """The hour's picture with the clip's over it; (height, width, 3) uint8, freshly allocated, not to be written
        to."""
        at = min(seconds - self._splice.first_seconds, self._splice.clip_seconds)
        while self._next is not None and self._next.stream_seconds <= at:
            self._now = self._next
            self._next = next(self._frames, None)
        height, width = hour.shape[:2]
        picture = cv2.resize(render(self._now).pixels, (width, height), interpolation=cv2.INTER_AREA)
        part = self._splice.part(seconds)
        blended: Pixels = cv2.addWeighted(picture, part, hour, 1.0 - part, 0.0)
        blended.flags.writeable = False
        return blended


@dataclass(slots=True)
class SplicedDataset:
    """Implements `Dataset`. Other than the rest it decodes every hour once, to find where it is quiet.

    Args:
        events: a folder with a labels.csv.
        hours: a folder with long recordings; those that labels.csv names are none.
        minutes: of each hour, from its beginning; 0 is all.
        seed: which clip goes into which hour.
    """

    events: Path
    hours: Path
    minutes: float = 0.0
    seed: int = 0
    name: str = NAME
    left_out: Counter[str] = field(default_factory=Counter)

    def footage(self) -> Sequence[Footage]:
        """See `Dataset.footage`; one per hour."""
        self.left_out.clear()
        for folder in (self.events, self.hours):
            if not folder.is_dir():
                raise DatasetError(f"{NAME}: there is no folder {folder}; {GUIDE}")
        clips = list(read_folder(self.events, Counter()))
        named = {Path(clip.address).resolve() for clip in clips}
        videos = [path for path in walk(self.hours) if path.suffix.lower() in VIDEO_SUFFIXES]
        profiles = {path: _profile(path, self.minutes * 60) for path in videos if path.resolve() not in named}
        hours = {path: profile for path, profile in profiles.items() if len(profile) >= LEAST_SECONDS}
        if not hours or not clips:
            raise DatasetError(f"{NAME}: no {'hours' if clips else 'labelled clips'} to splice; {GUIDE}")
        if len(hours) < len(profiles):
            self.left_out["video that is too short for an hour"] = len(profiles) - len(hours)
        dealt: dict[Path, list[Footage]] = {path: [] for path in hours}
        order = list(clips)
        random.Random(self.seed).shuffle(order)
        for number, clip in enumerate(order):
            dealt[list(hours)[number % len(hours)]].append(clip)
        return [self._compose(path, profile, dealt[path]) for path, profile in hours.items()]

    def _compose(self, path: Path, profile: NDArray[np.float64], clips: Sequence[Footage]) -> SplicedFootage:
        """The longest clips are placed first, each where the hour is quietest of what is left."""
        lengths = [min(_seconds(clip), CLIP_SECONDS) for clip in clips]
        placed: list[tuple[Splice, Footage]] = []
        free = np.ones(len(profile), dtype=bool)
        free[: int(APART_SECONDS)] = False
        for length, clip in sorted(zip(lengths, clips, strict=True), key=lambda pair: (-pair[0], pair[1].name)):
            at = _quietest(profile, free, ceil(length + 2 * FADE_SECONDS))
            if at is None:
                self.left_out["clip for which an hour had no room"] += 1
                continue
            splice = Splice(clip.address, float(at), length)
            free[max(0, at - int(APART_SECONDS)) : ceil(splice.end_seconds + APART_SECONDS)] = False
            placed.append((splice, clip))
        placed.sort(key=lambda pair: pair[0].at_seconds)
        surprises, ordinary = [], []
        for splice, clip in placed:
            labelled = [_shifted(one, splice) for one in (*clip.surprises, *clip.ordinary)]
            surprises += [one for one in labelled if one is not None]
            if not labelled:
                end = splice.first_seconds + splice.clip_seconds
                ordinary.append(Interval(splice.first_seconds, end, Path(clip.name).name, "spliced"))
        splices = tuple(splice for splice, _ in placed)
        mark = zlib.crc32(repr([(s.at_seconds, Path(s.address).name) for s in splices]).encode())
        return SplicedFootage(
            f"{path.stem}-{mark:08x}",
            NAME,
            str(path),
            tuple(sorted(surprises, key=lambda one: one.start_seconds)),
            tuple(ordinary),
            float(len(profile)),
            splices=splices,
        )


def parse_spliced(rest: str) -> SplicedDataset:
    """Read `EVENTS?hours=HOURS&minutes=20&seed=1`; without hours they are looked for beside the events.

    Raises:
        DatasetError: no such setting, or a value out of range.
    """
    events, _, query = rest.partition("?")
    values = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(values) - {"hours", "minutes", "seed"})
    if unknown or not events:
        wrong = f"there is no setting {unknown[0]!r}" if unknown else "no folder of events is named"
        raise DatasetError(f"{NAME}: {wrong}; {GUIDE}")
    try:
        minutes, seed = float(values.get("minutes", 0)), int(values.get("seed", 0))
    except ValueError as error:
        raise DatasetError(f"{NAME}: minutes and seed are numbers, not {query!r}") from error
    if not (minutes == 0 or minutes * 60 >= LEAST_SECONDS) or seed < 0:
        raise DatasetError(f"{NAME}: at least {LEAST_SECONDS / 60:g} minutes, and seeds from 0; not {query!r}")
    folder = Path(events).expanduser()
    return SplicedDataset(folder, Path(values.get("hours", events)).expanduser(), minutes, seed)


def _profile(path: Path, most_seconds: float) -> NDArray[np.float64]:
    """(seconds,) mean absolute change of the picture in each second of a video, or of its first `most_seconds`."""
    changes: list[float] = []
    before: NDArray[np.int16] | None = None
    for frame in read_frames(str(path), IngestConfig()):
        if most_seconds and frame.stream_seconds >= most_seconds:
            break
        if frame.stream_seconds < len(changes):
            continue
        small = cv2.resize(render(frame).pixels, (PROFILE_PX, PROFILE_PX), interpolation=cv2.INTER_AREA).astype(
            np.int16
        )
        change = float(np.abs(small - before).mean()) if before is not None else 0.0
        changes += [change] * (int(frame.stream_seconds) + 1 - len(changes))
        before = small
    return np.asarray(changes, dtype=np.float64)


def _quietest(profile: NDArray[np.float64], free: NDArray[np.bool_], length: int) -> int | None:
    """The second at which the quietest stretch of so many free seconds begins; None where none is free."""
    if length >= len(profile):
        return None
    sums = np.convolve(np.where(free, profile, np.inf), np.ones(length), "valid")
    best = int(np.argmin(sums))
    return best if np.isfinite(sums[best]) else None


def _seconds(clip: Footage) -> float:
    """Length of a clip, up to CLIP_SECONDS, by decoding it: some containers do not say."""
    last = 0.0
    for frame in read_frames(clip.address, IngestConfig()):
        last = frame.stream_seconds
        if last >= CLIP_SECONDS:
            break
    return last


def _shifted(one: Interval, splice: Splice) -> Interval | None:
    """A label of the clip in the hour's time; None where the clip was cut off before it."""
    if one.start_seconds >= splice.clip_seconds:
        return None
    start, end = (
        splice.first_seconds + min(moment, splice.clip_seconds) for moment in (one.start_seconds, one.end_seconds)
    )
    return Interval(start, end, one.text, one.kind)
