"""How much a picture changes surprises against what is usual of that camera, and against nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest

from streamspike.belief import change
from streamspike.belief.baselines import make_baseline
from streamspike.belief.change import LEAST_NATS, Change
from streamspike.belief.experience import PATIENCE_SEGMENTS
from streamspike.belief.tracker import BeliefTracker
from streamspike.config import BeliefConfig
from streamspike.core import Segment
from tests.support.fake_engine import FakeEngine, always_calm
from tests.support.segments import segment_of, yard

HOPS_PX = (0, 2, 1, 2, 0, 1, 2, 0, 2, 0)


def walk(lefts_px: Sequence[int], first_index: int = 0, epoch: int = 0) -> list[Segment]:
    """Somebody in a yard, twice a segment, so many pixels from the left side."""
    return [segment_of([yard(20 + left), yard(21 + left)], first_index + k, epoch) for k, left in enumerate(lefts_px)]


def usual(num_segments: int) -> list[Segment]:
    return walk([HOPS_PX[k % len(HOPS_PX)] for k in range(num_segments)])


def test_it_is_the_logarithm_of_how_many_times_the_usual() -> None:
    segments = [*usual(80), *walk([120, 0], 80)]
    amounts = make_baseline("itti-baldi")
    logs = [math.log(amounts.score(segment) + LEAST_NATS) for segment in segments]
    camera = Change()
    nats = [camera.nats(segment) for segment in segments]
    assert nats[:2] == [0.0, 0.0], "there is nothing to compare with, and then nothing usual"
    for index in (2, 40, 80):
        count = index - 1
        surprise = max(0.0, logs[index] - sum(logs[1:index]) / count)
        assert nats[index] == pytest.approx(surprise * count / (count + PATIENCE_SEGMENTS), rel=1e-3, abs=1e-9)
    assert nats[80] > 1.0 > max(nats[:80])


def test_it_counts_little_until_the_camera_is_known() -> None:
    """The same jump among the same changes, after ten segments and after a hundred."""
    early, late = Change(), Change()
    for camera, count in ((early, 10), (late, 100)):
        for segment in usual(count):
            camera.nats(segment)
    soon, later = early.nats(walk([120], 10)[0]), late.nats(walk([120], 100)[0])
    assert 0.0 < soon < later / 3


def test_less_than_usual_surprises_nobody() -> None:
    camera = Change()
    for segment in usual(60):
        camera.nats(segment)
    assert [camera.nats(segment) for segment in walk([0] * 6, 60)][1:] == [0.0] * 5


def test_what_comes_back_surprises_less() -> None:
    camera = Change()
    for segment in usual(60):
        camera.nats(segment)
    jumps = [max(camera.nats(segment) for segment in [*walk([120, 0], 60 + 12 * k), *usual(10)][:2]) for k in range(12)]
    assert jumps[-1] < jumps[0] - 0.3


def test_a_new_epoch_is_compared_with_nothing_and_knows_the_camera() -> None:
    camera = Change()
    for segment in usual(60):
        camera.nats(segment)
    far = [camera.nats(segment) for segment in walk([120, 0], 0, epoch=1)]
    assert far[0] == 0.0
    assert far[1] > 1.0


def test_it_survives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change, "FADING", 0.99)
    camera, other = Change(), Change()
    for segment in usual(60):
        camera.nats(segment)
    other.restore(json.loads(json.dumps(camera.export())))
    far = walk([0, 120], 0, epoch=1)
    expected = [camera.nats(segment) for segment in far]
    assert [other.nats(segment) for segment in far] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {"segments": 3.0},
        {"segments": "3", "sum": 0.0},
        {"segments": -1.0, "sum": 0.0},
        {"segments": 1e12, "sum": 0.0},
        {"segments": math.nan, "sum": 0.0},
        {"segments": 3.0, "sum": 100.0},
        {"segments": 3.0, "sum": math.inf},
        {"segments": 3.0, "sum": math.nan},
    ],
)
def test_what_is_no_export_is_refused_and_changes_nothing(state: object) -> None:
    camera = Change()
    before = camera.export()
    with pytest.raises(ValueError, match="not what is usual of a camera"):
        camera.restore(state)
    assert camera.export() == before


def tracker(weight: float) -> BeliefTracker:
    return BeliefTracker("door", BeliefConfig(change=weight), "fake@0", seed=0)


def surprises(camera: BeliefTracker, segments: Sequence[Segment]) -> list[tuple[float, float]]:
    engine = FakeEngine(always_calm)
    seen = [camera.observe(segment, engine.assess(camera.request(segment))) for segment in segments]
    return [(each.surprise_nats, each.change_nats) for each in seen]


def test_surprise_is_that_of_the_words_and_the_weighted_change() -> None:
    segments = [*usual(60), *walk([120], 60)]
    words, half, whole = (surprises(tracker(weight), segments) for weight in (0.0, 0.5, 1.0))
    assert {change_nats for _, change_nats in words} == {0.0}
    assert half[-1][1] > 0.5
    assert whole[-1][1] == pytest.approx(2 * half[-1][1])
    for (alone, _), (both, change_nats) in zip(words, whole, strict=True):
        assert both == pytest.approx(alone + change_nats)


def test_segments_that_nobody_scored_count_as_seen() -> None:
    left_out = tracker(1.0)
    for segment in usual(60):
        left_out.skip(segment)
    scored = tracker(1.0)
    surprises(scored, usual(60))
    assert left_out.export()["change"] == scored.export()["change"] != tracker(1.0).export()["change"]


def test_a_tracker_restores_an_export_and_that_of_an_earlier_version() -> None:
    camera = tracker(1.0)
    surprises(camera, usual(30))
    again = tracker(1.0)
    again.restore(camera.export())
    assert again.export() == camera.export()
    earlier = {key: value for key, value in camera.export().items() if key != "change"}
    old = tracker(1.0)
    old.restore(earlier)
    assert old.export() == {**earlier, "change": tracker(1.0).export()["change"]}
