"""The memory budget of all streams: who holds how much, and who must give it back first.

Bookkeeping only: whoever holds the tensors tells the ledger what they take, and does what it says. Keys and values go
before features, because a prefix is filled again from features without looking at a frame, while lost features cost the
vision tower as well.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Eviction:
    """What a stream must give back."""

    camera_id: str
    keep_features: bool
    """Only keys and values go; else the whole stream."""


@dataclass(frozen=True, slots=True)
class _Held:
    cache_bytes: int
    feature_bytes: int

    def __post_init__(self) -> None:
        if min(self.cache_bytes, self.feature_bytes) < 0:
            raise ValueError(f"nothing holds fewer than zero bytes: {self}")


class Ledger:
    """After each step of the engine: `settle` the streams it used, then carry out `evictions`. Not thread-safe."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.evicted: Counter[str] = Counter()
        """Streams by reason: keys (an idle one lost keys and values), stream (an idle one lost everything), in_use (one
        of the step itself lost either: the budget is too small for a single step)."""
        self._held: OrderedDict[str, _Held] = OrderedDict()  # by camera, least recently used first
        self._in_use: set[str] = set()  # settled since the last `evictions`

    @property
    def cache_bytes(self) -> int:
        """Keys and values of all streams."""
        return sum(held.cache_bytes for held in self._held.values())

    @property
    def feature_bytes(self) -> int:
        """Features of all streams."""
        return sum(held.feature_bytes for held in self._held.values())

    @property
    def total_bytes(self) -> int:
        return self.cache_bytes + self.feature_bytes

    def settle(self, camera_id: str, cache_bytes: int, feature_bytes: int) -> None:
        """Note what a stream holds now, and that this step used it."""
        self._held[camera_id] = _Held(cache_bytes, feature_bytes)
        self._held.move_to_end(camera_id)
        self._in_use.add(camera_id)

    def forget(self, camera_id: str) -> None:
        """The stream is gone for a reason of its own; one that is not known is fine."""
        self._held.pop(camera_id, None)

    def evictions(self) -> list[Eviction]:
        """What must go to come under the budget; ends the step.

        Least recently used first: keys and values of idle streams, then idle streams as a whole. Streams of this step
        follow in the same way, but only when nothing else is left to take: a bound is a bound.

        Returns:
            At most one for each stream. From here on they count as carried out, so all of them must be.
        """
        idle = [camera_id for camera_id in self._held if camera_id not in self._in_use]
        in_use = [camera_id for camera_id in self._held if camera_id in self._in_use]
        evicted: dict[str, Eviction] = {}  # a stream that loses its keys and then everything is told so once
        for camera_ids in (idle, in_use):
            evicted |= self._take(camera_ids, keep_features=True)
            evicted |= self._take(camera_ids, keep_features=False)
        for eviction in evicted.values():
            kind = "keys" if eviction.keep_features else "stream"
            self.evicted["in_use" if eviction.camera_id in self._in_use else kind] += 1
            if not eviction.keep_features:
                del self._held[eviction.camera_id]
        self._in_use.clear()
        return list(evicted.values())

    def check_integrity(self) -> None:
        """Between steps the budget holds."""
        assert not self._in_use and self.total_bytes <= self.budget_bytes, (self.total_bytes, self.budget_bytes)

    def _take(self, camera_ids: Iterable[str], *, keep_features: bool) -> dict[str, Eviction]:
        taken = {}
        for camera_id in camera_ids:
            held = self._held[camera_id]
            left = _Held(0, held.feature_bytes if keep_features else 0)
            if held == left:
                continue  # nothing to gain
            if self.total_bytes <= self.budget_bytes:
                break
            self._held[camera_id] = left
            taken[camera_id] = Eviction(camera_id, keep_features)
        return taken
