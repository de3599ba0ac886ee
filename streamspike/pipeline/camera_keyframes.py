"""The keyframes of one camera under its hourly budget: of every scored segment one candidate, the best ones are told.

They are `Keyframe`s without an event (`event_id` is empty), so that whatever can store, send or show a picture can do
so with these; `index` is the time in milliseconds, unique for a camera over restarts. They come by a method of their
own, `show`, and only to sinks that have it: an alert without an event would be no alert, and a log has no pictures.
Keyframes of events are chosen elsewhere, at once, and cost nothing of this budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from streamspike.config import KeyframeConfig
from streamspike.core import Frame, Keyframe, Observation, Segment, Sink
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.select.online import Candidate, OnlineSelector, SelectorCounts, SelectorLimits, sign

MIN_DIFFERENCE = 0.02
"""Pictures that differ less, as `select.online.difference` measures it, show the same thing."""


@runtime_checkable
class KeyframeSink(Protocol):
    """A sink that has a use for pictures besides those of events."""

    async def show(self, keyframe: Keyframe) -> None:
        """A keyframe chosen under the budget. Called on the loop; must not block it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Picture(Candidate):
    """A candidate and what is told of it when it is kept: a JPEG, because 20 s of frames would be many megabytes."""

    keyframe: Keyframe | None = None


class CameraKeyframes:
    """Chooses and tells. For one task on the loop; pictures are compressed in a thread."""

    def __init__(self, camera_id: str, config: KeyframeConfig, width_px: int, sinks: Sequence[Sink]) -> None:
        """
        Args:
            width_px: of the pictures, if the frames are not narrower.
            sinks: those that have `show` are told, in this order.
        """
        self._camera_id = camera_id
        self._width_px = width_px
        self._sinks = [sink for sink in sinks if isinstance(sink, KeyframeSink)]
        self._selector: OnlineSelector | None = None
        if config.per_hour > 0 and self._sinks:
            limits = SelectorLimits(
                config.per_hour, config.bytes_per_hour, config.delay_seconds, min_difference=MIN_DIFFERENCE
            )
            self._selector = OnlineSelector(limits)
        self._now = float("-inf")

    @property
    def counts(self) -> SelectorCounts:
        """What became of the candidates; all zero when none are wanted."""
        return self._selector.counts if self._selector is not None else SelectorCounts()

    async def offer(self, segment: Segment, observation: Observation) -> None:
        """Take the last frame of a scored segment as the next candidate, and tell what was chosen by now."""
        if self._selector is None:
            return
        frame = segment.frames[-1]
        # A clock that was set back, or a file that starts again, must not make time run back here.
        self._now = max(self._now, frame.arrived_at)
        picture = await asyncio.to_thread(self._take, frame, self._now, observation)
        await self._tell(self._selector.offer(picture))

    async def finish(self) -> None:
        """Nothing more will come: tell the best of what still waits."""
        if self._selector is not None:
            await self._tell(self._selector.flush())

    def _take(self, frame: Frame, at_seconds: float, observation: Observation) -> _Picture:
        keyframe = encode_keyframe(
            frame.pixels,
            camera_id=self._camera_id,
            event_id="",
            index=round(frame.arrived_at * 1000),
            taken_at=frame.arrived_at,
            max_width_px=self._width_px,
            surprise_nats=observation.surprise_nats,
            saw=observation.caption,
        )
        return _Picture(at_seconds, observation.surprise_nats, len(keyframe.jpeg), sign(frame.pixels), keyframe)

    async def _tell(self, chosen: Sequence[Candidate]) -> None:
        for picture in chosen:
            assert isinstance(picture, _Picture) and picture.keyframe is not None, "nothing else was offered"
            for sink in self._sinks:
                await sink.show(picture.keyframe)
