"""What the engine remembers of one camera: features of the frames in its window, and the prefix they make.

Segments are known by the identity of their pixel arrays, which are held so that an identity cannot be used twice. What
is not known is encoded; what does not continue the prefix makes it start again. Forgetting costs time, never a number.

A window that slides is filled again from its features, or slid in place: the oldest blocks are evicted and the others
move to the positions they would have anyway. That is an approximation from the second layer on, where the surviving
blocks still know what stood before them. A slid prefix is therefore only ever continued or filled again, never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import is_

from streamspike.core import Pixels, Scores
from streamspike.engine.cache import Frequencies, PrefixCache
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

    def __init__(self, geometry: Geometry, num_layers: int, inv_freq: Frequencies | None = None) -> None:
        """
        Args:
            inv_freq: of the language model's rotary embedding; a stream without it cannot slide.
        """
        self.geometry = geometry
        self.cache = PrefixCache(num_layers)
        self.answers: frozenset[tuple[int, ...]] = frozenset()
        """Token ids of the hypotheses that were scored last time."""
        self.repeats = False
        """Some of them had been scored the time before too, so some may well be sampled again."""
        self.caption = ""
        self.captions: tuple[tuple[int, ...], ...] = ()
        """Token ids of the last different ones as the model wrote them, the newest first."""
        self.slides_since_refill = 0
        """0: the prefix is exact."""
        self._inv_freq = inv_freq
        self._known: dict[tuple[int, ...], _Known] = {}
        self._held: list[BlockFeatures] = []
        self._ends: list[Boundary] = []  # of the header, then of each block held

    @property
    def cache_bytes(self) -> int:
        """Allocated for keys and values, and in a stream that slides for keys as they were written."""
        return self.cache.storage_bytes

    @property
    def feature_bytes(self) -> int:
        blocks = (block for known in self._known.values() for block in known.blocks)
        parts = (part for block in blocks for part in (block.tokens, *block.deepstack))
        return sum(part.numel() * part.element_size() for part in parts)

    def blocks_of(self, frames: Frames) -> tuple[BlockFeatures, ...] | None:
        """Features of a segment, if it is known."""
        known = self._known.get(tuple(map(id, frames)))
        return known.blocks if known else None

    def learn(self, frames: Frames, blocks: Sequence[BlockFeatures]) -> None:
        """Remember a segment's features: copies, as the vision tower's are views that keep a whole batch alive."""
        copies = tuple(
            BlockFeatures(block.tokens.clone(), tuple(level.clone() for level in block.deepstack)) for block in blocks
        )
        self._known[tuple(map(id, frames))] = _Known(frames, copies)

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

    def refill_due(self, every: int) -> bool:
        """Whether it has slid that often; then align once without leave to slide."""
        return self.slides_since_refill >= every

    def align(
        self,
        layout: Layout,
        grid: tuple[int, int],
        blocks: Sequence[BlockFeatures],
        block_seconds: Sequence[float],
        *,
        slide: bool = False,
    ) -> Row | None:
        """Make the prefix that of `blocks`: cut it where it differs, and say what must be run to complete it.

        The cache is changed at once; whoever calls must run the row, or drop the stream.

        Args:
            grid: (rows, columns) of video tokens.
            block_seconds: the time each block shows. A block that slid keeps the words it was written with.
            slide: evict the oldest blocks in place if all others stay and new ones stand behind them. When that is
                not so, and without `slide`, a prefix that has slid is filled again from the header on.

        Returns:
            What the cache lacks; None if it lacks nothing.
        """
        num_gone = self._num_gone(blocks) if slide else None
        if num_gone:
            self._evict(num_gone)
        elif num_gone is None and self.slides_since_refill:
            self._held, self.slides_since_refill = [], 0
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

    def drop_keys(self) -> None:
        """Free keys and values; the next request fills the prefix again from the features, which stay."""
        self.cache = PrefixCache(len(self.cache.layers))
        self._held, self._ends, self.slides_since_refill = [], [], 0

    def close(self) -> None:
        """Forget the branches: the cache holds the prefix and nothing else."""
        self.cache.truncate(self._ends[-1].num_tokens)

    def check_integrity(self) -> None:
        """Between requests the cache holds header and blocks, each of a known segment, with finite features."""
        self.cache.check_integrity()
        known = {id(block) for entry in self._known.values() for block in entry.blocks}
        for block in self._held:
            assert all(bool(part.isfinite().all()) for part in (block.tokens, *block.deepstack))
        if not self._ends:  # before the first request, and after `drop_keys`
            assert not self._held and not self.slides_since_refill and self.cache.num_tokens == 0
            return
        assert known == {id(block) for block in self._held}
        assert len(self._ends) == len(self._held) + 1
        assert self.cache.num_tokens == self._ends[-1].num_tokens, (self.cache.num_tokens, self._ends[-1])
        assert all(one.num_tokens < two.num_tokens for one, two in pairwise(self._ends))
        assert all(one.next_position < two.next_position for one, two in pairwise(self._ends))

    def _num_gone(self, blocks: Sequence[BlockFeatures]) -> int | None:
        """How many of the oldest blocks must go for `blocks` to continue the others; None if they continue none."""
        for num_gone in range(len(self._held)):
            kept = self._held[num_gone:]
            if len(kept) <= len(blocks) and all(map(is_, kept, blocks)):
                return num_gone
        return None

    def _evict(self, num_blocks: int) -> None:
        """Let the oldest blocks go and move the others to where they stood."""
        assert self._inv_freq is not None, "this stream was not made to slide"
        first, last = self._ends[0], self._ends[num_blocks]
        num_tokens, advance = last.num_tokens - first.num_tokens, last.next_position - first.next_position
        self.cache.evict(first.num_tokens, num_tokens)
        self.cache.rotate(first.num_tokens, -advance, self._inv_freq)
        del self._held[:num_blocks]
        # From what is held, not from places: the words of a time may be more tokens than those of an earlier one.
        kept = self._ends[num_blocks + 1 :]
        self._ends[1:] = [Boundary(end.num_tokens - num_tokens, end.next_position - advance) for end in kept]
        self.slides_since_refill += 1


def drift_nats(slid: Sequence[Scores], refilled: Sequence[Scores]) -> float:
    """How far slides led away: the largest difference of a log-probability, before or after, of the same hypotheses.

    Args:
        slid, refilled: of one request, scored on the slid prefix and on the same one filled again.
    """
    assert [score.text for score in slid] == [score.text for score in refilled]
    pairs = list(zip(slid, refilled, strict=True))
    before = [abs(one.log_prior - two.log_prior) for one, two in pairs]
    after = [abs(one.log_posterior - two.log_posterior) for one, two in pairs]
    return max([*before, *after], default=0.0)
