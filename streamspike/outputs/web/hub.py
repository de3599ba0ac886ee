"""Tells every open page what happens: one bounded queue for each, and a count of what a slow one missed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

MAX_QUEUED = 256
"""Messages waiting for one page: half a minute of eight cameras."""
HEARTBEAT_SECONDS = 15.0
"""Proxies cut connections that say nothing for a minute."""


@dataclass(slots=True)
class HubCounts:
    """For the metrics and the health answer."""

    num_streams: int = 0
    """Gauge: pages that listen."""
    num_refused: int = 0
    """Streams that were one too many."""
    num_messages: int = 0
    """Put into the queue of a page."""
    num_dropped: int = 0
    """Messages a page was too slow to take; it is told, and asks for everything again."""


class Hub:
    """Belongs to one loop. Nothing here waits for a page."""

    def __init__(self, max_streams: int, max_queued: int = MAX_QUEUED) -> None:
        self.counts = HubCounts()
        self._max_streams = max_streams
        self._max_queued = max_queued
        self._streams: set[Stream] = set()

    def tell(self, kind: str, payload: str) -> None:
        """Give every page a message.

        Args:
            kind: name of the server-sent event.
            payload: one line of JSON.
        """
        message = f"event: {kind}\ndata: {payload}\n\n".encode()
        for stream in self._streams:
            self.counts.num_messages += 1
            self.counts.num_dropped += stream.put(message)

    def open(self) -> Stream | None:
        """A new stream, or None when there are `max_streams` already. Whoever opens one closes it."""
        if len(self._streams) >= self._max_streams:
            self.counts.num_refused += 1
            return None
        stream = Stream(self._max_queued)
        self._streams.add(stream)
        self.counts.num_streams = len(self._streams)
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream; closing it twice does nothing."""
        stream.end()
        self._streams.discard(stream)
        self.counts.num_streams = len(self._streams)

    def close_all(self) -> None:
        """End every stream, so that the server can go."""
        for stream in list(self._streams):
            self.close(stream)


class Stream:
    """What one page has yet to be told. Full, it forgets the oldest and says how many it forgot."""

    def __init__(self, max_queued: int) -> None:
        self._messages: deque[bytes] = deque()
        self._max_queued = max_queued
        self._num_lost = 0
        self._ended = False
        self._wake = asyncio.Event()

    def put(self, message: bytes) -> int:
        """Queue a message. Returns how many were lost for it, 0 or 1."""
        lost = int(len(self._messages) == self._max_queued)
        if lost:
            self._messages.popleft()
            self._num_lost += 1
        self._messages.append(message)
        self._wake.set()
        return lost

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    async def messages(self, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> AsyncIterator[bytes]:
        """Server-sent events until the end; a comment when there was nothing to say for so long."""
        yield b"retry: 2000\nevent: hello\ndata: {}\n\n"
        while not self._ended:
            if self._num_lost:
                lost, self._num_lost = self._num_lost, 0
                yield f'event: lost\ndata: {{"num_messages": {lost}}}\n\n'.encode()
            if self._messages:
                yield self._messages.popleft()
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(heartbeat_seconds):
                    await self._wake.wait()
            except TimeoutError:
                yield b": still here\n\n"
