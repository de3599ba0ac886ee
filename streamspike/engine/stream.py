"""What the engine remembers of one camera: features of the frames in its window, and the prefix they make.

Segments are known by the identity of their pixel arrays, which are held so that an identity cannot be used twice. What
is not known is encoded; what does not continue the prefix makes it start again. Forgetting costs time, never a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamspike.core import Pixels
from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import BlockFeatures, Row
from streamspike.engine.layout import Layout, Span, join_spans
from streamspike.engine.vision import FrameSize

NUM_CAPTIONS = 3
"""A few words more in a forward are cheaper than the forwards of one caption: what went on before may go on again."""

Frames = tuple[Pixels, ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """What all blocks of a prefix share; when it changes, the stream starts again."""

    epoch: int
    size: FrameSize
    num_frames: int
    """Of a segment; it decides what time a block shows."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a part of the prefix ends."""

    num_tokens: int
    next_position: int


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    frames: Frames
    blocks: tuple[BlockFeatures, ...]


class Stream:
    """One camera's memory. Bounded by the window: `keep_only` forgets all other segments."""

    def __init__(self, geometry: Geometry, num_layers: int) -> None:
        self.geometry = geometry
        self.cache = PrefixCache(num_layers)
        self.answers: frozenset[tuple[int, ...]] = frozenset()
        """Token ids of the hypotheses that were scored last time."""
        self.repeats = False
        """Some of them had been scored the time before too, so some may well be sampled again."""
        self.caption = ""
        self.captions: tuple[tuple[int, ...], ...] = ()
        """Token ids of the last different ones as the model wrote them, the newest first."""
        self._known: dict[tuple[int, ...], _Known] = {}
        self._held: list[BlockFeatures] = []
        self._ends: list[Boundary] = []  # of the header, then of each block held

    def blocks_of(self, frames: Frames) -> tuple[BlockFeatures, ...] | None:
        """Features of a segment, if it is known."""
        known = self._known.get(tuple(map(id, frames)))
        return known.blocks if known else None

    def learn(self, frames: Frames, blocks: Sequence[BlockFeatures]) -> None:
        """Remember a segment's features."""
        self._known[tuple(map(id, frames))] = _Known(frames, tuple(blocks))

    def keep_only(self, segments: Sequence[Frames]) -> None:
        """Forget all segments but these."""
        wanted = {tuple(map(id, frames)) for frames in segments}
        self._known = {key: known for key, known in self._known.items() if key in wanted}

    def remember(self, answers: Iterable[tuple[int, ...]], caption: str, caption_ids: Sequence[int]) -> None:
        """Remember what was said, for the next request to guess from."""
        before, self.answers = self.answers, frozenset(answers)
        self.repeats = not before.isdisjoint(self.answers)
        self.caption = caption
        self.captions = tuple(dict.fromkeys([tuple(caption_ids), *self.captions]))[:NUM_CAPTIONS]

    def boundary(self, num_blocks: int) -> Boundary:
        """Where the first blocks of the prefix end."""
        return self._ends[num_blocks]

    def align(
        self, layout: Layout, grid: tuple[int, int], blocks: Sequence[BlockFeatures], block_seconds: Sequence[float]
    ) -> Row | None:
        """Make the prefix that of `blocks`: cut it where it differs, and say what must be run to complete it.

        The cache is truncated at once; whoever calls must run the row, or drop the stream.

        Args:
            grid: (rows, columns) of video tokens.
            block_seconds: the time each block shows.

        Returns:
            What the cache lacks; None if it lacks nothing.
        """
        # Positions and times follow from a block's place, so the prefix stands as far as the blocks are the same ones.
        same = 0
        while same < min(len(self._held), len(blocks)) and self._held[same] is blocks[same]:
            same += 1
        spans: list[Span] = []
        if not self._ends:
            spans.append(layout.header())
            self._ends.append(Boundary(len(spans[0]), spans[0].next_position))
        else:
            self.cache.truncate(self._ends[same].num_tokens)
        del self._ends[same + 1 :]
        for at_seconds in block_seconds[same:]:
            end = self._ends[-1]
            spans.append(layout.block(end.next_position, *grid, at_seconds))
            self._ends.append(Boundary(end.num_tokens + len(spans[-1]), spans[-1].next_position))
        self._held = list(blocks)
        return Row(join_spans(spans), tuple(blocks[same:])) if spans else None

    def close(self) -> None:
        """Forget the branches: the cache holds the prefix and nothing else."""
        self.cache.truncate(self._ends[-1].num_tokens)

    def check_integrity(self) -> None:
        """Between requests the cache holds header and blocks, each of a known segment, with finite features."""
        self.cache.check_integrity()
        assert len(self._ends) == len(self._held) + 1
        assert self.cache.num_tokens == self._ends[-1].num_tokens, (self.cache.num_tokens, self._ends[-1])
        known = {id(block) for entry in self._known.values() for block in entry.blocks}
        assert known == {id(block) for block in self._held}
        for block in self._held:
            assert all(bool(part.isfinite().all()) for part in (block.tokens, *block.deepstack))
