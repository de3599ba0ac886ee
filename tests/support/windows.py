"""A window that moves over made-up frame blocks, and the same window filled at once: what a slid one must equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import BlockFeatures, Row
from streamspike.engine.layout import Layout, block_seconds
from streamspike.engine.stream import Frames, Geometry, Stream
from streamspike.engine.vision import FrameSize

GRID = (2, 3)
GEOMETRY = Geometry(epoch=0, size=FrameSize(32, 48), num_frames=2)


class MovingWindow:
    """One camera's stream, one block a segment, served without the model above the language layers."""

    def __init__(
        self,
        layout: Layout,
        make_stream: Callable[[], Stream],
        run: Callable[[PrefixCache, Row | None], None],
        width: int,
        num_levels: int = 0,
        segment_seconds: float = 1.0,
    ) -> None:
        """
        Args:
            run: writes a row behind what the cache holds, and maybe more behind that.
            width: of a feature.
            num_levels: of deepstack features.
        """
        self.stream = make_stream()
        self.segments: list[Frames] = []
        """All there ever were."""
        self.shown: list[Frames] = []
        """Those the prefix holds since the last request."""
        self._layout, self._make_stream, self._run = layout, make_stream, run
        self._shape, self._num_levels, self._segment_seconds = (GRID[0] * GRID[1], width), num_levels, segment_seconds
        self._said: dict[int, float] = {}  # by block: the time that stands before it
        self._random = torch.Generator().manual_seed(0)

    def record(self, count: int = 1) -> None:
        """More segments come."""
        self.segments += [(np.zeros((1, 1, 3), dtype=np.uint8),) for _ in range(count)]

    def request(self, shown: Sequence[Frames], *, slide: bool) -> Row | None:
        """Make the prefix that of these segments, and return what was run for it."""
        for frames in shown:
            if self.stream.blocks_of(frames) is None:
                self.stream.learn(frames, [self._block()])
        self.stream.keep_only(shown)
        self.shown = list(shown)
        row = self.stream.align(self._layout, GRID, self.blocks, self.seconds, slide=slide)
        if row is not None:
            self._said |= zip(map(id, row.blocks), self.seconds[-len(row.blocks) :], strict=True)
        self._run(self.stream.cache, row)
        self.stream.close()
        self.stream.check_integrity()
        return row

    def advance(self, length: int, *, slide: bool) -> Row | None:
        """One more segment comes; the prefix is that of the last `length`."""
        self.record()
        return self.request(self.segments[-length:], slide=slide)

    @property
    def blocks(self) -> list[BlockFeatures]:
        return [block for frames in self.shown for block in self.stream.blocks_of(frames) or ()]

    @property
    def seconds(self) -> list[float]:
        """What stands before the blocks of a prefix that never slid."""
        return block_seconds(len(self.shown), 2, 2, self._segment_seconds)

    @property
    def said(self) -> list[float]:
        """What stands before the blocks of this one."""
        return [self._said[id(block)] for block in self.blocks]

    def filled(self, seconds: Sequence[float]) -> Stream:
        """The prefix of the same blocks, filled at once, with these times before them."""
        stream = self._make_stream()
        self._run(stream.cache, stream.align(self._layout, GRID, self.blocks, seconds))
        stream.close()
        return stream

    def _block(self) -> BlockFeatures:
        tokens, *levels = (torch.randn(self._shape, generator=self._random) for _ in range(1 + self._num_levels))
        return BlockFeatures(tokens, tuple(levels))


def boundaries(stream: Stream, num_blocks: int) -> list[tuple[int, int]]:
    """(tokens, next position) at the end of the header and of each block."""
    ends = [stream.boundary(number) for number in range(num_blocks + 1)]
    return [(end.num_tokens, end.next_position) for end in ends]


def keys_and_values(cache: PrefixCache) -> list[torch.Tensor]:
    return [part for layer in cache.layers for part in (layer.keys, layer.values)]


def largest_difference(one: PrefixCache, other: PrefixCache) -> float:
    """Of any key or value."""
    pairs = zip(keys_and_values(one), keys_and_values(other), strict=True)
    return max(float((a.float() - b.float()).abs().max()) for a, b in pairs)
