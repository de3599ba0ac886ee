"""The channel: a bounded queue from a camera's thread to the loop, which drops the oldest or makes the thread wait."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.05
"""How often a waiting producer looks whether it should give up."""


class Channel(Generic[T]):
    """Any thread puts, one task takes.

    Live sources `offer`: the camera does not wait, so the oldest goes. Files `put`: no footage may be lost, so the
    thread waits.
    """

    def __init__(self, max_items: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        if max_items < 1:
            raise ValueError(f"a channel holds at least one item: {max_items = }")
        self._max_items = max_items
        self.put_at = 0.0
        """Monotonic seconds: when the item that was taken last had been put in."""
        self._monotonic = monotonic
        self._items: deque[tuple[float, T]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, item: T) -> T | None:
        """Add without waiting. Returns what had to go: the oldest item when full, `item` itself when closed."""
        with self._changed:
            if self._closed:
                return item
            dropped = self._items.popleft()[1] if len(self._items) >= self._max_items else None
            self._items.append((self._monotonic(), item))
            self._wake()
            return dropped

    def put(self, item: T, give_up: threading.Event) -> bool:
        """Add, waiting for room; not for the loop. False when it gave up or the channel closed before."""
        with self._changed:
            while len(self._items) >= self._max_items and not self._closed:
                if give_up.is_set():
                    return False
                self._changed.wait(_POLL_SECONDS)
            if self._closed:
                return False
            self._items.append((self._monotonic(), item))
            self._wake()
            return True

    def close(self) -> None:
        """No more items will come; those inside can still be taken. Any thread, more than once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._wake()

    async def get(self) -> T | None:
        """The oldest item, as soon as there is one; None when the channel is closed and empty.

        Safe to cancel: an item is either returned or still inside. One task at a time.
        """
        while True:
            with self._changed:
                if self._items:
                    self.put_at, item = self._items.popleft()
                    self._changed.notify()
                    return item
                if self._closed:
                    return None
                assert self._waiter is None, "a channel has one consumer"
                loop = asyncio.get_running_loop()
                future: asyncio.Future[None] = loop.create_future()
                self._waiter = (loop, future)
            try:
                await future
            finally:
                with self._changed:
                    self._waiter = None

    async def __aiter__(self) -> AsyncIterator[T]:
        while (item := await self.get()) is not None:
            yield item

    def _wake(self) -> None:
        if self._waiter is not None:
            loop, future = self._waiter
            self._waiter = None  # one call per wait, however many items come before the loop runs
            loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
