"""Simulated clips: held-out seeds, the truth beside the pictures, and the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.bench.datasets.world import FIRST_SEED, NUM_SEGMENTS, WorldDataset
from streamspike.errors import DatasetError


def test_every_clip_has_one_surprise_where_it_was_scripted() -> None:
    dataset = open_dataset("world?clips=4&seed=3")
    footage = dataset.footage()
    assert isinstance(dataset, WorldDataset) and len(footage) == 4
    for number, one in enumerate(dataset.footage()):
        (surprise,) = one.surprises
        assert one.seed == FIRST_SEED + 300_000 + number >= 2**30, "no training run draws it"
        assert surprise.start_seconds == one.scripted_index > 0 and len(one.ordinary) == NUM_SEGMENTS - 1
        assert one.address.startswith(f"world:{one.scene}?seed={one.seed}&size={one.width_px}x{one.height_px}&")
    assert footage == dataset.footage()
    assert len({one.name for one in [*footage, *open_dataset("world?clips=4&seed=4").footage()]}) == 8


@pytest.mark.slow
def test_the_truth_comes_with_the_pictures_and_agrees_with_the_labels() -> None:
    (one,) = WorldDataset(clips=1).footage()
    played = list(one.play(2))
    segments, truths = zip(*played, strict=True)
    assert [segment.index for segment in segments] == list(range(NUM_SEGMENTS)) == [truth.index for truth in truths]
    assert truths == one.truths()
    assert [truth.sentence for truth in truths if truth.scripted] == [one.surprises[0].text]
    assert segments[0].frames[1].pixels.shape == (one.height_px, one.width_px, 3)
    again = next(iter(one.play(2)))[0]
    assert np.array_equal(again.frames[0].pixels, segments[0].frames[0].pixels)


def test_a_scene_can_be_chosen() -> None:
    assert {one.scene for one in WorldDataset(clips=5, scene="yard").footage()} == {"yard"}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("world?clip=5", "no setting 'clip'; they have clips, seed and scene"),
        ("world?scene=moon", "no simulated scene 'moon'; there are street"),
        ("world?clips=many", "whole numbers"),
        ("world?clips=0", "1 to 100000 clips"),
        ("world?seed=-1", "seeds from 0"),
    ],
)
def test_a_setting_that_is_none_is_told(spec: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        open_dataset(spec)
