"""One clip as the night shift sees it, wherever it comes from: a store, a folder of videos, or a simulated camera.

store -------> dataset/export --> folder --> dataset/reading --> ExampleSource
videos ------> dataset/export --> folder --> dataset/reading --> ExampleSource
simulated ----------------------------------> dataset/world ----> ExampleSource
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from streamspike.core import Pixels

Split = Literal["train", "held_out"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Consecutive segments of one camera, and what the journal or people say of them.

    What is told per segment is either empty or has one entry per segment. `surprises` and `truth` are known of
    simulated clips only; they are for evaluation, never for training.
    """

    example_id: str
    camera_id: str
    started_at: float
    """UTC of the first segment."""
    segment_seconds: float
    segments: tuple[tuple[Pixels, ...], ...]
    """The frames of each segment as the model is shown them: (height, width, 3) uint8 RGB, not to be written to."""
    captions: tuple[str, ...] = ()
    """What was seen in each segment: in the journal's words, which are the model's own; of simulated clips the truth.
    A segment that the journal says nothing of has an empty one."""
    reference: str = ""
    """What the whole clip shows, in somebody's words; empty if nobody said so."""
    surprise_nats: tuple[float, ...] = ()
    """As it was logged; NaN for a segment that the journal says nothing of."""
    surprising: bool = False
    """Drawn from an event or around a scripted surprise; otherwise from ordinary footage."""
    verdict: int = 0
    """What a person said of its event: -1 not useful, 1 useful, 0 nothing."""
    surprises: tuple[int, ...] = ()
    """Numbers of the segments in which something surprising truly happens."""
    truth: tuple[str, ...] = ()
    """What truly happens in each segment."""

    def __post_init__(self) -> None:
        if not self.segments or not all(self.segments):
            raise ValueError(f"an example has segments, and each has frames: {self.example_id = }")
        for name in ("captions", "surprise_nats", "truth"):
            if len(getattr(self, name)) not in (0, len(self.segments)):
                raise ValueError(f"{len(self.segments)} segments, {len(getattr(self, name))} {name}")
        if self.verdict not in (-1, 0, 1):
            raise ValueError(f"a verdict is -1, 0 or 1: {self.verdict = }")
        if any(not 0 <= number < len(self.segments) for number in self.surprises):
            raise ValueError(f"{len(self.segments)} segments: {self.surprises = }")


class ExampleSource(Protocol):
    """Examples by number. Lazy: an example is decoded or painted when it is asked for, the same each time."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Example:
        """Example `number` in [0, len).

        Raises:
            IndexError: there is no such number; so a source can be looped over.
            DatasetError: what it is read from was changed or damaged.
        """
        ...

    def __iter__(self) -> Iterator[Example]: ...
