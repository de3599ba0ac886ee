"""Detection: against counting pairs and thresholds one by one, and with one class only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspike.measures.detection import (
    Tolerance,
    Track,
    auroc,
    average_precision,
    collect,
    detection_delays,
    recall_at,
    threshold_at,
    trace_curve,
)
from streamspike.measures.interval import Interval


def track(scores: list[float], *onsets: float | tuple[float, float]) -> Track:
    """One segment a second from 0; an onset without an end lasts for one."""
    starts = np.arange(float(len(scores)))
    spans = [one if isinstance(one, tuple) else (one, one + 1) for one in onsets]
    return Track(starts, starts + 1, np.array(scores, float), tuple(Interval(*span) for span in spans))


def test_auroc_and_precision_of_a_case_done_by_hand() -> None:
    scores, labelled = [0.9, 0.8, 0.8, 0.1], [True, False, True, False]
    # Pairs: 0.9 beats both; 0.8 ties with 0.8 and beats 0.1.
    assert auroc(scores, labelled) == pytest.approx(3.5 / 4)
    # At 0.9: recall 1/2, precision 1; at 0.8: recall 1, precision 2/3.
    assert average_precision(scores, labelled) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert auroc([1, 1, 1], [True, False, False]) == 0.5, "a constant is chance"
    assert average_precision([1, 1, 1], [True, False, False]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("seed", range(10))
def test_auroc_and_precision_agree_with_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labelled = rng.integers(0, 5, 30), rng.random(30) < 0.3
    pairs = [(p > n) + (p == n) / 2 for p in scores[labelled] for n in scores[~labelled]]
    assert auroc(scores, labelled) == pytest.approx(np.mean(pairs))
    precision, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        alarmed = scores >= threshold
        recall = labelled[alarmed].sum() / labelled.sum()
        precision += (recall - before) * labelled[alarmed].mean()
        before = recall
    assert average_precision(scores, labelled) == pytest.approx(precision)


def test_weights_are_as_good_as_listing_every_frame() -> None:
    rng = np.random.default_rng(0)
    scores, positive, negative = rng.integers(0, 6, 20), rng.integers(0, 4, 20), rng.integers(0, 4, 20)
    listed = np.repeat(scores, positive + negative)
    labels = np.concatenate([[True] * p + [False] * n for p, n in zip(positive, negative, strict=True)])
    assert auroc(scores, positive, negative) == pytest.approx(auroc(listed, labels))
    assert average_precision(scores, positive, negative) == pytest.approx(average_precision(listed, labels))


@pytest.mark.parametrize(("labelled", "reason"), [([0, 0], "nothing is labelled"), ([1, 1], "everything is labelled")])
def test_one_class_only_has_no_auroc_and_says_why(labelled: list[int], reason: str) -> None:
    value = auroc([1.0, 2.0], labelled)
    assert math.isnan(value) and value.reason == reason  # type: ignore[attr-defined]
    assert math.isnan(average_precision([1.0, 2.0], [0, 0])) and average_precision([1.0, 2.0], [1, 1]) == 1
    assert math.isnan(auroc([], []))


def test_numbers_that_cannot_be_weights_are_refused() -> None:
    for scores, labelled in (([1.0], [True, False]), ([math.nan], [True])):
        with pytest.raises(ValueError, match="one number per score"):
            auroc(scores, labelled)
    with pytest.raises(ValueError, match="not negative"):
        auroc([1.0, 2.0], [2, 0])
    with pytest.raises(ValueError, match="one score per segment"):
        Track(np.zeros(2), np.ones(2), np.zeros(3), ())


def test_the_curve_of_a_case_done_by_hand() -> None:
    # Onset at 4: segments 3, 4 and 5 are within [3.5, 5.5); ordinary are the other seven.
    curve = trace_curve([collect(track([0, 9, 0, 0, 5, 7, 0, 0, 2, 0], 4.0))])
    assert curve.thresholds.tolist() == [math.inf, 9, 7, 2, 0]
    assert curve.recall.tolist() == [0, 0, 1, 1, 1]
    assert curve.false_alarms_per_hour == pytest.approx(np.array([0, 1, 1, 2, 7]) * 3600 / 7)
    assert threshold_at(curve, 600) == 7 and recall_at(curve, 600) == 1
    assert threshold_at(curve, 100) == math.inf and recall_at(curve, 100) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_agrees_with_trying_every_threshold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clips = [track(list(rng.integers(0, 9, 20)), *map(float, rng.choice(18, 2, replace=False))) for _ in range(4)]
    curve = trace_curve([collect(clip) for clip in clips])
    for threshold, recall, rate in zip(curve.thresholds, curve.recall, curve.false_alarms_per_hour, strict=True):
        found, alarms, ordinary = [], 0, 0
        for clip in clips:
            near = [
                [s < one.start_seconds + 1.5 and s + 1 > one.start_seconds - 0.5 for s in clip.starts]
                for one in clip.surprises
            ]
            found += [any(clip.scores[k] >= threshold for k in range(20) if close[k]) for close in near]
            quiet = [not any(close[k] for close in near) for k in range(20)]
            alarms += sum(clip.scores[k] >= threshold for k in range(20) if quiet[k])
            ordinary += sum(quiet)
        assert (recall, rate) == pytest.approx((np.mean(found), alarms * 3600 / ordinary))


def test_a_long_surprise_is_no_ordinary_time_and_is_not_found_late() -> None:
    clip = track([0, 0, 0, 0, 0, 8, 0, 3], (1.0, 6.5))
    evidence = collect(clip)
    assert evidence.onset_scores.tolist() == [0] and evidence.ordinary_scores.tolist() == [3]
    assert recall_at(trace_curve([evidence]), 0) == 0
    assert detection_delays([clip], 5.0).tolist() == [5.0], "late, but an alarm about it"


def test_delays_run_from_the_onset_to_the_end_of_the_segment_that_alarms() -> None:
    clips = [track([0, 0, 6, 0], 2.25), track([0, 6, 0, 0], 2.25), track([0, 0, 0, 6], 1.0), track([6, 0, 0], 0.0)]
    # Early by less than the tolerance is no delay; segment 3 is later than the tolerance after 1.0.
    assert detection_delays(clips, 6.0) == pytest.approx([0.75, 0.0, math.nan, 1.0], nan_ok=True)
    assert np.isnan(detection_delays(clips, 7.0)).all() and detection_delays([], 1.0).shape == (0,)
    assert detection_delays(clips[2:3], 6.0, Tolerance(0.0, 3.0)).tolist() == [3.0]


def test_without_onsets_or_ordinary_time_there_is_no_number_and_a_reason() -> None:
    quiet, short = (trace_curve([collect(one)]) for one in (track([1, 2]), track([1, 2], 0.5)))
    assert np.isnan(quiet.recall).all() and recall_at(quiet, 1).reason == "no labelled onset"  # type: ignore[attr-defined]
    assert np.isnan(short.false_alarms_per_hour).all() and math.isnan(recall_at(short, 1))
    assert trace_curve([]).thresholds.tolist() == [math.inf]


def test_an_onset_that_no_segment_covers_is_missed() -> None:
    curve = trace_curve([collect(track([5, 5], 60.0)), collect(track([5, 5], 0.0))])
    assert curve.recall.max() == 0.5
