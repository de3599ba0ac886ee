from __future__ import annotations

from contextlib import closing
from dataclasses import astuple, replace

import numpy as np
import pytest

from streamspike.bench.cues.clips import VIEWS, ClipShape, CuedClip, clips_ahead, make_cued_clip

SHAPE = ClipShape(seed=5, num_segments=2, side_px=96, cells=12, summary_words=24, cues="both")


@pytest.fixture(scope="module")
def clips() -> list[CuedClip]:
    return [make_cued_clip(number, SHAPE) for number in range(4)]


def test_all_views_show_the_same_moments(clips: list[CuedClip]) -> None:
    for clip in clips:
        plain = clip.views["plain"]
        for view in VIEWS:
            same = replace(clip.views[view], frames=plain.frames)
            assert same == plain if view == "plain" else same.sentences == plain.sentences
            assert same.choices is plain.choices and same.summary == plain.summary
            assert clip.views[view].frames.shape == (2, 2, SHAPE.side_px, SHAPE.side_px, 3)


def test_cues_are_drawn_where_something_moves(clips: list[CuedClip]) -> None:
    for view in ("motion", "truth"):
        changed = [(clip.views[view].frames != clip.views["plain"].frames).any(axis=-1).mean() for clip in clips]
        assert max(changed) > 0
        assert max(changed) < 0.5, "cues do not hide the picture"
    for clip in clips:
        if clip.counts.moving == 0:
            assert np.array_equal(clip.views["truth"].frames, clip.views["plain"].frames)
        if clip.counts.boxes == 0:
            assert np.array_equal(clip.views["motion"].frames, clip.views["plain"].frames)


def test_a_clip_is_determined_by_its_number(clips: list[CuedClip]) -> None:
    again = make_cued_clip(1, SHAPE)
    assert astuple(again.counts) == astuple(clips[1].counts)
    for view in VIEWS:
        assert np.array_equal(again.views[view].frames, clips[1].views[view].frames)
    assert not np.array_equal(clips[0].views["plain"].frames, clips[1].views["plain"].frames)


def test_counts_are_consistent(clips: list[CuedClip]) -> None:
    assert all(0 <= c.counts.boxed <= c.counts.moving and 0 <= c.counts.on_bodies <= c.counts.boxes for c in clips)
    assert any(c.counts.moving for c in clips)


@pytest.mark.slow
def test_clips_made_ahead_come_in_their_order(clips: list[CuedClip]) -> None:
    with closing(clips_ahead([2, 0, 1], SHAPE, workers=1)) as feed:
        made = [next(feed), next(feed)]
    assert [clip.views["plain"].number for clip in made] == [2, 0]
    assert np.array_equal(made[1].views["motion"].frames, clips[0].views["motion"].frames)
