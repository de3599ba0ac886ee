"""Simulated examples: the same for everybody who asks, with the truth they claim."""

import subprocess
import sys

import numpy as np
import pytest

from streamspike.errors import DatasetError
from streamspike.refine.dataset.world import FIRST_SEED, WorldClips, parse_world_clips, world_examples

SMALL = WorldClips(num_segments=4, size_px=(48, 36))


def test_two_processes_make_the_same_bytes():
    code = (
        "import hashlib, sys\n"
        "from streamspike.refine.dataset.world import WorldClips, world_examples\n"
        "example = world_examples(7, 50, WorldClips(num_segments=4, size_px=(48, 36)))[33]\n"
        "data = b''.join(frame.tobytes() for segment in example.segments for frame in segment)\n"
        "print(hashlib.sha256(data).hexdigest(), example.captions, example.surprises, example.reference)\n"
    )
    answers = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(answers) == 1
    others = [world_examples(seed, 50, SMALL)[33].captions for seed in (7, 8)]
    assert others[0] != others[1]


def test_each_example_stands_by_its_truth():
    examples = world_examples(
        3, 20, WorldClips(num_segments=6, num_surprises=2, surprising_share=0.5, size_px=(48, 36))
    )
    for example in examples:
        assert len(example.segments) == len(example.captions) == 6
        assert all(frame.shape == (36, 48, 3) for segment in example.segments for frame in segment)
        assert example.surprising == bool(example.surprises) and 0 not in example.surprises
        assert int(example.camera_id.removeprefix("world-")) >= FIRST_SEED
        if example.surprising:
            told = "; ".join(dict.fromkeys(example.truth[index] for index in example.surprises))
            assert example.reference == told
        assert example.reference
    assert sum(example.surprising for example in examples) == 10


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_surprising_clips_is_kept(share):
    examples = world_examples(5, 20, WorldClips(num_segments=4, surprising_share=share, size_px=(16, 12), num_frames=1))
    assert sum(example.surprising for example in examples) == round(20 * share)


def test_something_moves_between_frames_and_frames_cannot_be_written_to():
    example = world_examples(1, 3)[1]
    first, last = example.segments[0][0], example.segments[-1][-1]
    assert first.shape in ((240, 320, 3), (216, 384, 3))
    assert np.abs(first.astype(int) - last).mean() > 0.1
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 0


def test_what_cannot_be_is_refused_with_the_reason():
    with pytest.raises(DatasetError, match="walkway"):
        world_examples(0, 1, WorldClips(scene="moon"))
    with pytest.raises(DatasetError, match="fewer surprises"):
        world_examples(0, 1, WorldClips(num_segments=3, num_surprises=3))
    with pytest.raises(IndexError):
        world_examples(0, 2)[2]


def test_an_address_says_which_clips_and_holds_others_out():
    world = parse_world_clips("world:4:10?scene=street&rule=left&surprising=0.5", SMALL)
    assert (world.seed, world.count) == (4, 10)
    assert world.clips == WorldClips(
        num_segments=4, size_px=(48, 36), scene="street", rule="left", surprising_share=0.5
    )
    assert len(world.train) == len(world.held_out) == 10
    assert world.train[3].captions == world_examples(4, 10, world.clips)[3].captions
    assert {one.camera_id for one in world.train}.isdisjoint(one.camera_id for one in world.held_out)
    assert parse_world_clips("world:4:10").clips == WorldClips()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("world:4", "world:SEED:COUNT"),
        ("world:street?seed=4", "world:SEED:COUNT"),
        ("world:4:10?colour=red", "no setting 'colour'"),
        ("world:4:10?rule=middle", "rule='middle'"),
        ("world:4:10?surprising=often", "surprising='often'"),
        ("world:4:10?surprising=2", "share is in"),
        ("world:4:10?rule=left", "scene street"),
    ],
)
def test_an_address_that_says_nothing_is_refused_with_the_reason(address, reason):
    with pytest.raises(DatasetError, match=reason):
        parse_world_clips(address).train[0]
