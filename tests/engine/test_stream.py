"""What a stream remembers: the prefix it continues, slides or fills again, and the bytes it holds.

There is no model: keys and values are written as a first layer would, from a token and its position alone, which makes
sliding exact and a wrong shift visible.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.core import Scores
from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import BlockFeatures, Row
from streamspike.engine.layout import Layout, SpecialIds
from streamspike.engine.stream import Stream, drift_nats
from tests.support.windows import GEOMETRY, GRID, MovingWindow, boundaries, largest_difference

LAYERS, WIDTH = 2, 8
BLOCK_TOKENS = GRID[0] * GRID[1] + 2
INV_FREQ = torch.tensor([1.0, 0.3, 0.1, 0.03]).double()  # exact angles allow a tight bound
EMBEDDINGS = torch.randn(300, WIDTH, generator=torch.Generator().manual_seed(1))

# One token a letter: "<9.5 seconds>" is shorter than "<12.5 seconds>".
STAMPED = Layout(lambda text: [ord(letter) % 256 for letter in text], SpecialIds(256, 257, 258, 259), timestamps=True)
PLAIN = Layout(STAMPED.tokenize, STAMPED.special, timestamps=False)


def write(cache: PrefixCache, row: Row | None) -> None:
    """The row, and an answer behind it."""
    if row is not None:
        vectors = EMBEDDINGS[row.span.token_ids].clone()
        vectors[row.span.is_video] = torch.cat([block.tokens for block in row.blocks])
        # Two frequencies turn with T, one with H, one with W.
        add(cache, vectors, torch.from_numpy(row.span.positions[[0, 0, 1, 2]].T) * INV_FREQ)
    add(cache, EMBEDDINGS[:5], torch.zeros(5, len(INV_FREQ)))


def add(cache: PrefixCache, vectors: torch.Tensor, angles: torch.Tensor) -> None:
    front, back = vectors.chunk(2, dim=-1)
    cosine, sine = angles.cos().float(), angles.sin().float()
    keys = torch.cat([front * cosine - back * sine, back * cosine + front * sine], dim=-1)
    for layer in range(LAYERS):
        cache.update((layer + 1) * keys[None, None], (layer + 1) * vectors[None, None], layer)


def make_stream() -> Stream:
    return Stream(GEOMETRY, LAYERS, INV_FREQ)


def moving(length: int = 0, layout: Layout = PLAIN, segment_seconds: float = 1.0) -> MovingWindow:
    """A window that shows its first segments."""
    window = MovingWindow(layout, make_stream, write, WIDTH, segment_seconds=segment_seconds)
    if length:
        window.record(length)
        window.request(window.segments, slide=True)
    return window


def slid(length: int = 4, slides: int = 2, layout: Layout = PLAIN) -> MovingWindow:
    window = moving(length, layout)
    for _ in range(slides):
        window.advance(length, slide=True)
    assert window.stream.slides_since_refill == slides
    return window


def assert_filled_with_what_was_said(window: MovingWindow) -> None:
    """Keys, values and ends are those of the prefix written at once."""
    fresh, count = window.filled(window.said), len(window.shown)
    assert boundaries(window.stream, count) == boundaries(fresh, count)
    assert largest_difference(window.stream.cache, fresh.cache) < 1e-5


def assert_exact(window: MovingWindow) -> None:
    assert window.stream.slides_since_refill == 0
    assert window.said == window.seconds
    assert_filled_with_what_was_said(window)


def test_a_window_that_slides_runs_the_new_block_alone() -> None:
    window = moving(4)
    row = window.advance(4, slide=True)
    assert row is not None and list(row.blocks) == window.blocks[-1:]
    assert len(row.span) == BLOCK_TOKENS
    assert window.stream.slides_since_refill == 1
    assert_filled_with_what_was_said(window)


def test_a_new_block_stands_where_it_would_in_an_exact_window() -> None:
    fast, exact = moving(4), moving(4)
    for _ in range(5):
        new, all_blocks = fast.advance(4, slide=True), exact.advance(4, slide=False)
        assert new is not None and all_blocks is not None
        assert new.span.positions.tolist() == all_blocks.span.positions[:, -BLOCK_TOKENS:].tolist()
        assert boundaries(fast.stream, 4) == boundaries(exact.stream, 4)
    assert exact.stream.slides_since_refill == 0


def test_several_blocks_go_and_come_at_once() -> None:
    window = moving(6)
    window.record(2)
    row = window.request(window.segments[3:], slide=True)  # a shorter window: three go, two come
    assert row is not None and len(row.blocks) == 2
    assert_filled_with_what_was_said(window)


def test_a_window_that_loses_blocks_and_gains_none_runs_nothing() -> None:
    window = moving(6)
    assert window.request(window.segments[2:], slide=True) is None
    assert_filled_with_what_was_said(window)


def test_a_window_that_grows_is_no_slide() -> None:
    window = moving(3)
    row = window.advance(4, slide=True)
    assert row is not None and len(row.blocks) == 1
    assert_exact(window)


def test_a_slid_window_may_grow_and_stays_slid() -> None:
    window = slid(4, slides=2)
    row = window.advance(5, slide=True)
    assert row is not None and len(row.blocks) == 1
    assert window.stream.slides_since_refill == 2
    assert_filled_with_what_was_said(window)


def test_the_same_request_again_runs_nothing() -> None:
    window = slid()
    assert window.request(window.shown, slide=True) is None
    assert window.stream.slides_since_refill == 2


def test_a_segment_shown_twice_slides_too() -> None:
    window = moving(3)
    first, second, third = window.segments
    window.request([first, first, second], slide=True)
    row = window.request([first, second, third], slide=True)
    assert row is not None and len(row.blocks) == 1
    assert window.stream.slides_since_refill == 1
    assert largest_difference(window.stream.cache, window.filled(window.seconds).cache) < 1e-5


def test_a_window_without_a_block_of_the_last_one_is_filled_again() -> None:
    window = slid()
    window.record(4)
    window.request(window.segments[-4:], slide=True)
    assert_exact(window)


def test_a_slid_window_with_a_block_gone_in_its_middle_is_filled_again() -> None:
    window = slid(5)
    window.record()
    kept = window.segments[-5:]
    window.request([*kept[:1], *kept[2:]], slide=True)
    assert_exact(window)


def test_a_window_that_loses_blocks_at_both_ends_is_filled_again() -> None:
    window = moving(5)
    row = window.request(window.segments[1:4], slide=True)
    assert row is not None and len(row.blocks) == 3
    assert_exact(window)


def test_a_slid_window_with_another_newest_block_is_filled_again() -> None:
    window = slid()
    window.record()
    window.request([*window.shown[:-1], window.segments[-1]], slide=True)
    assert_exact(window)


def test_an_exact_window_with_another_newest_block_is_cut() -> None:
    window = moving(4)
    window.record()
    row = window.request([*window.shown[:-1], window.segments[-1]], slide=True)
    assert row is not None and len(row.blocks) == 1
    assert_exact(window)


@pytest.mark.parametrize("new", [0, 1])
def test_without_leave_to_slide_a_slid_window_is_filled_again_even_if_it_could_go_on(new: int) -> None:
    window = slid()
    window.record(new)
    row = window.request([*window.shown, *window.segments[-1:][:new]], slide=False)
    assert row is not None and len(row.blocks) == len(window.shown)
    assert_exact(window)


def test_a_refill_is_due_after_so_many_slides() -> None:
    window, num_run = moving(4), []
    for _ in range(8):
        row = window.advance(4, slide=not window.stream.refill_due(3))
        num_run.append(len(row.blocks) if row else 0)
    assert num_run == [1, 1, 1, 4] * 2
    assert_exact(window)


def test_a_refill_of_the_same_blocks_follows_a_slide() -> None:
    window = moving(4)
    for _ in range(3):
        window.advance(4, slide=True)
        assert window.stream.refill_due(1)
        row = window.request(window.shown, slide=False)
        assert row is not None and len(row.blocks) == 4
        assert_exact(window)


def test_times_keep_their_words_and_their_length() -> None:
    window = moving(12, STAMPED)  # from "<0.2 seconds>" to "<11.2 seconds>"
    for _ in range(4):
        window.advance(12, slide=True)
        assert_filled_with_what_was_said(window)
    assert window.said[0] == 4.25 and window.seconds[0] == 0.25
    exact = window.filled(window.seconds)
    longer = len(STAMPED.tokenize("1")) * 4  # four blocks that were told two digits stand where one would do
    assert window.stream.boundary(12).num_tokens == exact.boundary(12).num_tokens + longer


def test_a_stream_without_frequencies_does_not_slide() -> None:
    window = MovingWindow(PLAIN, lambda: Stream(GEOMETRY, LAYERS), write, WIDTH)
    window.advance(1, slide=True)
    window.advance(2, slide=True)
    with pytest.raises(AssertionError, match="not made to slide"):
        window.advance(2, slide=True)


def test_dropped_keys_are_filled_again_from_the_features() -> None:
    window = slid()
    features = window.blocks
    window.stream.drop_keys()
    window.stream.check_integrity()
    assert window.stream.cache_bytes == 0 and window.stream.feature_bytes > 0
    row = window.advance(4, slide=True)
    assert row is not None and len(row.blocks) == 4
    assert window.blocks[:-1] == features[1:]
    assert_exact(window)


def test_only_a_stream_that_slid_pays_for_the_keys_as_they_were_written() -> None:
    window = moving(4)
    keys_and_values = window.stream.cache_bytes
    window.advance(4, slide=False)
    assert window.stream.cache_bytes == keys_and_values
    window.advance(4, slide=True)
    assert window.stream.cache_bytes == keys_and_values * 3 // 2


def test_memory_does_not_grow_while_a_window_slides() -> None:
    window = slid(4, slides=1)
    held = window.stream.cache_bytes, window.stream.feature_bytes
    for _ in range(60):
        window.advance(4, slide=not window.stream.refill_due(8))
        assert (window.stream.cache_bytes, window.stream.feature_bytes) == held


def test_features_count_with_all_their_levels() -> None:
    window = MovingWindow(PLAIN, make_stream, write, WIDTH, num_levels=2)
    window.advance(1, slide=False)
    window.advance(2, slide=False)
    assert window.stream.feature_bytes == 2 * 3 * GRID[0] * GRID[1] * WIDTH * 4


def test_a_stream_keeps_no_other_camera_s_features_alive() -> None:
    batch = torch.randn(16, WIDTH)
    window = moving()
    window.record()
    window.stream.learn(window.segments[0], [BlockFeatures(batch[:4], (batch[4:8],))])
    (block,) = window.stream.blocks_of(window.segments[0]) or ()
    for part, view in zip((block.tokens, *block.deepstack), (batch[:4], batch[4:8]), strict=True):
        assert torch.equal(part, view)
        assert part.untyped_storage().nbytes() == 4 * WIDTH * 4


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 3), st.booleans()),  # new segments
        st.tuples(st.just("length"), st.integers(1, 8), st.booleans()),  # segments in the window from now on
        st.tuples(st.just("replace"), st.just(0), st.booleans()),  # another newest segment
        st.tuples(st.just("skip"), st.integers(0, 7), st.booleans()),  # one segment in the middle is missing
        st.tuples(st.just("drop"), st.just(0), st.booleans()),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, stamped=st.booleans(), segment_seconds=st.sampled_from([1.0, 3.0]))
def test_whatever_comes_the_prefix_is_what_was_said(
    steps: list[tuple[str, int, bool]], stamped: bool, segment_seconds: float
) -> None:
    window, length = moving(5, STAMPED if stamped else PLAIN, segment_seconds), 5
    for what, number, slide in steps:
        shown = None
        if what == "advance":
            window.record(number)
        elif what == "length":
            length = number
        elif what == "replace":
            del window.segments[-1]
            window.record()
        elif what == "drop":
            window.stream.drop_keys()
        elif what == "skip" and min(length, len(window.segments)) > 1:
            shown = window.segments[-length:]
            del shown[number % len(shown)]
        before = window.stream.slides_since_refill
        window.request(shown or window.segments[-length:], slide=slide)
        after = window.stream.slides_since_refill
        assert after in ({before, before + 1, 0} if slide else {0})
        if after:
            assert_filled_with_what_was_said(window)
        else:
            assert_exact(window)


def test_drift_is_the_largest_difference_of_a_log_probability() -> None:
    slid_scores = [Scores("a", 2, -1.0, -2.0), Scores("b", 3, -4.0, -5.0)]
    refilled = [Scores("a", 2, -1.25, -2.0), Scores("b", 3, -4.0, -4.5)]
    assert drift_nats(slid_scores, refilled) == 0.5
    assert drift_nats(slid_scores, slid_scores) == 0.0
    assert drift_nats([], []) == 0.0
    with pytest.raises(AssertionError):
        drift_nats(slid_scores, refilled[::-1])
