"""Measures on labelled footage, against values computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from streamspike.bench.footage import Footage
from streamspike.bench.surprise.footage_scores import measure_footage
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.measures.interval import Interval


def clip(name: str, scores: list[float]) -> ScoredClip:
    """Segments of a second."""
    segments = tuple(ScoredSegment(float(k), k + 1.0, score) for k, score in enumerate(scores))
    return ScoredClip(name, "", segments, 0.0, {})


def video(name: str, surprises: tuple[Interval, ...] = (), ordinary: tuple[Interval, ...] = (), **more: Any) -> Footage:
    return Footage(name, "home", f"{name}.mp4", surprises, ordinary, **more)


def measure(footage: list[Footage], clips: list[ScoredClip]) -> dict[str, Any]:
    table: dict[str, Any] = measure_footage(footage, {"surprise": clips}, 0)["scorers"]["surprise"]
    return table


FALL = Interval(2.0, 3.0, "", "fall")
WALK = Interval(4.0, 5.0, "", "walk")


def test_falls_are_parted_from_daily_life_by_their_peaks() -> None:
    footage = [video("fall-1", (FALL,)), video("fall-2", (FALL,)), video("tea"), video("book")]
    clips = [
        clip("fall-1", [1, 0, 5, 0, 0]),
        clip("fall-2", [1, 0, 2, 0, 0]),
        clip("tea", [3, 0, 0, 0, 0]),
        clip("book", [0, 1, 0, 0, 0]),
    ]
    table = measure(footage, clips)
    assert table["video_auroc"]["mean"] == 3 / 4, "of the four pairs 2 against 3 is wrong; the first segment counts"
    assert table["peak_at_onset"]["mean"] == 1


def test_frames_share_the_score_of_their_segment() -> None:
    half = Interval(2.5, 3.0, "", "fall")
    table = measure([video("fall", (half,))], [clip("fall", [0, 1, 3, 2, 0])])
    # Half a second is labelled, at 3. Others: half a second at 3 (ties count half), four seconds below.
    assert table["frame_auroc"]["mean"] == pytest.approx((4 + 0.25) / 4.5)
    assert table["frame_average_precision"]["mean"] == pytest.approx(0.5)


def test_abnormal_events_are_parted_from_normal_ones() -> None:
    table = measure([video("office", (FALL,), (WALK,))], [clip("office", [0, 0, 4, 0, 1])])
    assert table["event_auroc"]["mean"] == 1
    table = measure([video("office", (FALL,), (WALK,))], [clip("office", [0, 0, 1, 0, 4])])
    assert table["event_auroc"]["mean"] == 0 and table["peak_at_onset"]["mean"] == 0


@pytest.mark.parametrize(("onset", "expected"), [(1.0, 1.0), (0.9, 0.0), (3.0, 1.0), (3.1, 0.0)])
def test_a_peak_is_at_the_onset_from_half_a_second_before_to_one_and_a_half_on(onset: float, expected: float) -> None:
    """The peak is at 2.5 s, the middle of its segment."""
    surprise = Interval(onset, onset + 0.1, "", "fall")
    table = measure([video("fall", (surprise,))], [clip("fall", [0, 0, 9, 0, 0])])
    assert table["peak_at_onset"]["mean"] == expected


def test_every_annotator_has_a_say_about_the_onset() -> None:
    moment = Interval(4.0, 4.0, "", "failure")
    footage = video("slip", (moment,), onsets=((4.0, 2.3),))
    table = measure([footage], [clip("slip", [0, 0, 9, 0, 0])])
    assert table["accuracy_0.25s"]["mean"] == 1, "2.5 is within a quarter of a second of 2.3"


def test_what_is_not_defined_is_none_and_says_why() -> None:
    table = measure([video("calm"), video("quiet")], [clip("calm", [0, 1, 2]), clip("quiet", [0, 2, 1])])
    for key in ("frame_auroc", "video_auroc", "event_auroc", "peak_at_onset", "iou"):
        assert table[key]["mean"] is None and table[key]["reason"]


def test_a_video_of_one_segment_is_no_reason_to_fail() -> None:
    table = measure([video("blink", (FALL,)), video("fall", (FALL,))], [clip("blink", [0]), clip("fall", [0, 0, 1, 0])])
    assert table["peak_at_onset"]["mean"] == 0.5, "one was over before its fall"
