"""Unrest: what surprises, what lasts of it, and how much moves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspike.belief.scorers import NOTHING_ASKED, make_scorer
from streamspike.belief.tracker import BeliefTracker
from streamspike.belief.unrest import STILL, Unrest
from streamspike.config import BeliefConfig, CameraConfig, Config
from streamspike.core import Frame, Segment
from tests.support.fake_engine import FakeEngine, surprising_at


def make_segment(index: int, pixels: np.ndarray, epoch: int = 0, seconds: float = 1.0) -> Segment:
    start = index * seconds
    frames = tuple(Frame(pixels, start + k * seconds / 2, start) for k in range(2))
    return Segment("door", epoch, index, start, start + seconds, start, frames)


def blocks() -> np.ndarray:
    colours = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    return colours.repeat(10, axis=0).repeat(10, axis=1)


def calm(index: int, epoch: int = 0, seconds: float = 1.0) -> Segment:
    return make_segment(index, np.full((90, 160, 3), 99, np.uint8), epoch, seconds)


def test_where_nothing_moves_it_is_the_surprise_and_what_was_above_two_nats_fading() -> None:
    unrest = Unrest()
    seen = [unrest.nats(calm(index), nats) for index, nats in enumerate((0.5, 6.0, 0.5, 1.0, 2.5))]
    assert seen == pytest.approx([0.5, 6 + 4, 0.5 + 4 * 0.85, 1 + 4 * 0.85**2, 2.5 + 4 * 0.85**3])


def test_the_strongest_surprise_lasts_until_it_has_faded_below_a_later_one() -> None:
    unrest = Unrest()
    seen = [unrest.nats(calm(index), nats) for index, nats in enumerate((4.0, 3.9, 0.0))]
    assert seen == pytest.approx([4 + 2, 3.9 + 1.9, 1.9 * 0.85])


def test_it_fades_with_time_and_not_with_segments() -> None:
    long, short = Unrest(), Unrest()
    long.nats(calm(0, seconds=2.0), 6.0)
    short.nats(calm(0, seconds=1.0), 6.0)
    short.nats(calm(1, seconds=1.0), 0.0)
    assert long.nats(calm(1, seconds=2.0), 0.0) == pytest.approx(4 * 0.85**2)
    assert short.nats(calm(3, seconds=1.0), 0.0) == pytest.approx(4 * 0.85**3), "one was left out, time went on"


def test_a_new_epoch_begins_calm_and_a_segment_that_was_not_scored_only_fades() -> None:
    unrest = Unrest()
    unrest.nats(calm(0), 6.0)
    assert unrest.nats(calm(1), 0.0) == pytest.approx(4 * 0.85)
    assert unrest.nats(calm(2, epoch=1), 0.0) == 0.0
    unrest.nats(calm(900, epoch=2), 6.0)
    assert unrest.nats(calm(901, epoch=2), 0.0) == pytest.approx(4 * 0.85), "whenever the epoch was joined"


def test_what_moves_counts_by_the_logarithm_of_its_flow_with_the_same_unit_for_all_cameras() -> None:
    def moved_by(pixels: int) -> float:
        unrest = Unrest()
        unrest.nats(make_segment(0, blocks()), 0.0)
        return unrest.nats(make_segment(1, np.roll(blocks(), pixels, axis=1)), 0.0)

    assert moved_by(0) < 0.05
    little, much = moved_by(1), moved_by(4)
    assert 2 * math.log1p(0.5 / 160 / STILL) < little < 2 * math.log1p(1.1 / 160 / STILL), "a pixel of 160"
    assert little < much < 2 * math.log1p(4.4 / 160 / STILL)


def test_every_scorer_tells_it() -> None:
    tracker = BeliefTracker("door", BeliefConfig(change=0.0, looks=1), "fake", 0)
    engine = FakeEngine(surprising_at(2))
    observations = []
    for index in range(4):
        segment = calm(index)
        observations.append(tracker.observe(segment, engine.assess(tracker.request(segment))))
    peak = observations[2].surprise_nats
    assert peak > 3 and observations[2].unrest_nats == pytest.approx(2 * peak - 2)
    assert observations[3].unrest_nats == pytest.approx(observations[3].surprise_nats + 0.85 * (peak - 2))

    camera = CameraConfig.model_validate({"id": "door", "source": "door.mp4"})
    scorer = make_scorer(camera, Config(scorer="itti-baldi", cameras=[camera]), "", lambda: False)
    first, second = (scorer.observe(segment, NOTHING_ASKED) for segment in (calm(0), calm(1)))
    assert first.unrest_nats == first.surprise_nats and second.unrest_nats == second.surprise_nats
    scorer.skip(calm(2))
    moved = scorer.observe(make_segment(3, blocks()), NOTHING_ASKED)
    assert moved.unrest_nats > moved.surprise_nats + 0.1
