"""The baselines by name: what each compares, and where it begins again."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from streamspike.belief.baselines import (
    BASELINES,
    COMPARISONS,
    FRAME_BASELINES,
    make_baseline,
    make_frame_score,
    score_frames,
)
from streamspike.belief.itti_baldi import IttiBaldi
from streamspike.config import MODEL_SCORERS, ScorerName
from tests.support.segments import flat, noise, segment_of, yard


def test_every_scorer_is_a_baseline_or_asks_the_model() -> None:
    assert {*BASELINES, *MODEL_SCORERS} == set(get_args(ScorerName)) and not {*BASELINES} & {*MODEL_SCORERS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_segment_is_compared_by_its_newest_frame_with_that_of_the_one_before(name: ScorerName) -> None:
    pictures = [(noise(0), yard()), (noise(1), yard(60)), (noise(2), yard(90)), (noise(3), yard(90))]
    baseline = make_baseline(name)
    scores = [baseline.score(segment_of(frames, index)) for index, frames in enumerate(pictures)]
    compare = COMPARISONS[name]
    seen = [pictures[0][0], *(frames[-1] for frames in pictures)]
    assert scores == [compare(a, b) for a, b in pairwise(seen)], "the first with its own first frame"
    first = segment_of(pictures[0], opening=noise(9))
    assert make_baseline(name).score(first) == compare(noise(9), pictures[0][-1]), "or with the first of the epoch"


def test_itti_baldi_sees_every_frame_once_and_its_most_surprising_one_counts() -> None:
    baseline, detectors = make_baseline("itti-baldi"), IttiBaldi()
    pictures = [(yard(), yard(2)), (yard(4), yard(100)), (yard(102), yard(104))]
    expected = [[detectors.see(picture) for picture in pair] for pair in pictures]
    scores = [baseline.score(segment_of(pair, index)) for index, pair in enumerate(pictures)]
    assert scores == [0.0, max(expected[1]), max(expected[2])] and scores[1] > scores[2] > 0
    repeated = yard(180)
    once = detectors.see(repeated)
    assert baseline.score(segment_of([repeated, repeated], 3)) == once


def test_the_first_picture_of_an_epoch_is_seen_once_when_a_slow_camera_repeats_it() -> None:
    baseline, detectors = make_baseline("itti-baldi"), IttiBaldi()
    pictures = [yard(), yard(4), yard(8), yard(100)]
    expected = [detectors.see(picture) for picture in pictures]
    scores = [baseline.score(segment_of([pictures[0]] * 2, opening=pictures[0]))]
    scores += [baseline.score(segment_of([picture], index)) for index, picture in enumerate(pictures[1:], start=1)]
    assert scores == expected and expected[-1] > 0.0


@pytest.mark.parametrize("name", FRAME_BASELINES)
def test_nothing_is_compared_across_epochs(name: ScorerName) -> None:
    baseline = make_baseline(name)
    for index in range(3):
        baseline.score(segment_of((yard(), yard()), index))
    fresh = make_baseline(name).score(segment_of((noise(0), noise(1)), 3, epoch=1))
    assert baseline.score(segment_of((noise(0), noise(1)), 3, epoch=1)) == fresh
    assert baseline.score(segment_of((yard(), yard()), 4, epoch=1)) > 0.0


@pytest.mark.parametrize("name", FRAME_BASELINES)
def test_frames_are_scored_one_by_one(name: ScorerName) -> None:
    pictures = [yard(), yard(), yard(), yard(100), yard(100), yard(100)]
    scores = list(score_frames(name, pictures))
    assert len(scores) == len(pictures) and scores[0] == 0.0
    assert int(np.argmax(scores)) == 3 and scores[2] == pytest.approx(0, abs=1e-3)


def test_the_frame_difference_of_frames_is_that_of_successive_ones() -> None:
    assert list(score_frames("frame-difference", [flat(0), flat(51), flat(51), flat(0)])) == pytest.approx(
        [0.0, 0.2, 0.0, 0.2]
    )


def test_uniform_prefers_no_segment() -> None:
    baseline = make_baseline("uniform")
    assert {baseline.score(segment_of((noise(index),), index)) for index in range(5)} == {0.0}


@pytest.mark.parametrize(("num_segments", "highest"), [(9, [4]), (10, [4, 5]), (1, [0])])
def test_middle_prefers_the_middle(num_segments: int, highest: list[int]) -> None:
    baseline = make_baseline("middle", float(num_segments))
    scores = [baseline.score(segment_of((flat(0),), index)) for index in range(num_segments)]
    assert [index for index, score in enumerate(scores) if score == max(scores)] == highest
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert scores == pytest.approx(scores[::-1])


def test_middle_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="video_seconds"):
        make_baseline("middle")
    with pytest.raises(ValueError, match="has a length"):
        make_baseline("middle", 0.0)


@pytest.mark.parametrize("name", ["uniform", "middle", "surprise"])
def test_what_scores_no_frames_says_who_does(name: ScorerName) -> None:
    with pytest.raises(ValueError, match=r"frame-difference.*itti-baldi"):
        make_frame_score(name)
