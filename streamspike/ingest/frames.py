"""What a source yields: frames whose pixels are made only when the segmenter picks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from streamspike.core import Frame, Pixels


class LazyFrame:
    """A decoded picture that is not RGB yet. Two of thirty are wanted; converting all would cost more than decoding.

    Belongs to the reading thread. Holds one buffer of the decoder, so keep few of them.
    """

    __slots__ = ("_frame", "_render", "arrived_at", "corrupt", "stream_seconds")

    def __init__(
        self, stream_seconds: float, arrived_at: float, render: Callable[[], Pixels], corrupt: bool = False
    ) -> None:
        self.stream_seconds = stream_seconds
        self.arrived_at = arrived_at
        self.corrupt = corrupt
        self._render = render
        self._frame: Frame | None = None

    def render(self) -> Frame:
        """The frame with its pixels, made at the first call."""
        if self._frame is None:
            self._frame = Frame(self._render(), self.stream_seconds, self.arrived_at, self.corrupt)
        return self._frame


def render(frame: Frame | LazyFrame) -> Frame:
    """The frame with its pixels."""
    return frame.render() if isinstance(frame, LazyFrame) else frame


class FrameSource(Protocol):
    """One connection to a camera, a file or a simulation. One thread opens, iterates and closes it."""

    @property
    def is_live(self) -> bool:
        """Its end is a loss, and it does not wait for us: segments nobody takes in time are dropped and counted."""
        ...

    def __iter__(self) -> Iterator[Frame | LazyFrame]:
        """Frames with strictly increasing stream time from 0.0.

        Raises:
            SourceError: the connection broke; the message has no credentials.
        """
        ...

    def close(self) -> None: ...
