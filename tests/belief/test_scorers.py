"""Scorers: observations without hypotheses, in nats that mean the same for each."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from streamspike.belief.rating import RATINGS
from streamspike.belief.scorers import NOTHING_ASKED, RatedScorer, Scorer, make_scorer, score_of
from streamspike.belief.tracker import BeliefTracker
from streamspike.config import Config
from streamspike.core import Assessment, EventKind, Scores, Segment
from streamspike.errors import ConfigError
from tests.support.fake_engine import STARTLING, FakeEngine
from tests.support.segments import flat, noise, segment_of, yard


def make(scorer: str, in_event: bool = False, video_seconds: float | None = None, **sections: Any) -> Scorer:
    config = Config.model_validate({"cameras": [{"id": "door", "source": "x.mp4"}], "scorer": scorer, **sections})
    return make_scorer(config.cameras[0], config, "fake@0", lambda: in_event, video_seconds)


def steps(*levels: int) -> list[Segment]:
    """Segments whose frame differences are known: (level - level before) / 255."""
    return [segment_of((flat(level),), index) for index, level in enumerate(levels)]


def test_a_baseline_asks_nothing_and_believes_nothing() -> None:
    scorer = make("frame-difference")
    first, second = steps(0, 51)
    assert scorer.request(first) is None
    scorer.observe(first, NOTHING_ASKED)
    observation = scorer.observe(second, NOTHING_ASKED)
    assert (observation.hypotheses, observation.prior, observation.posterior) == ((), (), ())
    assert (observation.caption, observation.model) == ("frame-difference 0.2", "frame-difference")
    assert (observation.index, observation.started_at) == (1, 101.0)
    assert observation.kind is EventKind.MOTION
    assert score_of(scorer, observation) == pytest.approx(0.2)


def test_nats_of_a_baseline_tell_how_rare_it_was_so_far() -> None:
    scorer = make("frame-difference")
    nats = [scorer.observe(segment, NOTHING_ASKED).surprise_nats for segment in steps(0, 10, 20, 30, 130, 140)]
    assert nats == pytest.approx([0.0, math.log(2), math.log(3 / 2), math.log(4 / 3), math.log(5), math.log(6 / 5)])


def test_what_happens_in_an_event_does_not_become_usual() -> None:
    segments = steps(0, 1, 2, 3, 4, 104, 4, 104, 4)
    calm, busy = make("frame-difference"), make("frame-difference", in_event=True)
    usual = [calm.observe(segment, NOTHING_ASKED).surprise_nats for segment in segments]
    held = [busy.observe(segment, NOTHING_ASKED).surprise_nats for segment in segments]
    assert usual[-1] == pytest.approx(math.log(9 / 4)) and usual[5] == pytest.approx(math.log(6))
    assert held == [0.0] * len(segments), "nothing was ever admitted, so nothing is known"


def test_itti_baldi_keeps_its_own_nats() -> None:
    scorer = make("itti-baldi")
    for index in range(3):
        scorer.observe(segment_of((yard(), yard()), index), NOTHING_ASKED)
    observation = scorer.observe(segment_of((yard(90), yard(90)), 3), NOTHING_ASKED)
    assert observation.surprise_nats == score_of(scorer, observation) > 1.0
    assert observation.kind is EventKind.SURPRISE, "it has beliefs of every pixel"


def test_what_is_usual_outlives_a_restart() -> None:
    before, after, other = make("frame-difference"), make("frame-difference"), make("rgb-histogram")
    assert all(isinstance(scorer, RatedScorer) for scorer in (before, after, other))
    for segment in steps(0, 10, 20, 30, 130):
        before.observe(segment, NOTHING_ASKED)
    state = json.loads(json.dumps(before.export()))
    for scorer in (after, other):
        scorer.restore(state)
        scorer.observe(segment_of((flat(130),), 4), NOTHING_ASKED)
    last = segment_of((flat(250),), 5)
    told = [scorer.observe(last, NOTHING_ASKED).surprise_nats for scorer in (after, other)]
    assert told == pytest.approx([math.log(7), math.log(2)]), "another scorer's ranks say nothing"
    with pytest.raises(ValueError, match="not the scores of a camera"):
        after.restore({"scorer": "frame-difference", "scores": "?"})


def test_a_skipped_segment_was_seen_all_the_same() -> None:
    scorer = make("frame-difference")
    before, skipped, after = steps(0, 200, 200)
    scorer.observe(before, NOTHING_ASKED)
    scorer.skip(skipped)
    observation = scorer.observe(after, NOTHING_ASKED)
    assert score_of(scorer, observation) == 0.0


def test_surprise_is_the_belief_tracker_itself() -> None:
    scorer = make("surprise")
    assert isinstance(scorer, BeliefTracker)
    engine = FakeEngine(lambda request: STARTLING)
    for index in range(2):
        segment = segment_of((noise(index),), index)
        request = scorer.request(segment)
        observation = scorer.observe(segment, engine.assess(request))
    assert score_of(scorer, observation) == observation.surprise_nats > 3


def ratings(rating: int) -> Assessment:
    scores = (Scores(text, 2, -50.0, 0.0 if text == str(rating) else -50.0) for text in RATINGS)
    return Assessment(tuple(scores), "", sampled=False)


def test_zero_shot_shows_the_model_its_window_and_keeps_the_mean_rating() -> None:
    scorer = make("zero-shot", belief={"window_segments": 2})
    windows, scores, nats = [], [], []
    for index, rating in enumerate([0, 3, 1, 9, 2]):
        segment = segment_of((noise(index),), index)
        request = scorer.request(segment)
        assert request is not None and request.summary == "" and request.hypotheses == ()
        windows.append(len(request.window))
        observation = scorer.observe(segment, ratings(rating))
        scores.append(score_of(scorer, observation))
        nats.append(observation.surprise_nats)
        assert (observation.hypotheses, observation.model) == ((), "zero-shot")
    assert windows == [1, 1, 2, 2, 2], "before the first there is its own picture"
    assert scores == pytest.approx([0, 3, 1, 9, 2], abs=1e-6)
    assert nats == pytest.approx([0, math.log(2), math.log(3 / 2), math.log(4), math.log(5 / 3)])


def test_a_segment_that_zero_shot_skips_enters_its_window() -> None:
    scorer = make("zero-shot")
    scorer.skip(segment_of((noise(0),), 0))
    request = scorer.request(segment_of((noise(1),), 1))
    assert request is not None and len(request.window) == 1


def test_middle_is_for_videos_with_an_end() -> None:
    with pytest.raises(ConfigError, match="streamspike score FILE --scorer middle"):
        make("middle")
    scorer = make("middle", video_seconds=3.0)
    assert isinstance(scorer, RatedScorer)
    scores = [score_of(scorer, scorer.observe(segment, NOTHING_ASKED)) for segment in steps(0, 0, 0)]
    assert scores[1] == max(scores) > scores[0] == pytest.approx(scores[2])


def test_a_camera_has_its_own_scorer() -> None:
    tree = {"cameras": [{"id": "door", "source": "x.mp4", "scorer": "uniform"}]}
    config = Config.model_validate(tree)
    scorer = make_scorer(config.cameras[0], config, "", lambda: False)
    observation = scorer.observe(segment_of((noise(0),), 0), NOTHING_ASKED)
    assert (observation.model, observation.surprise_nats) == ("uniform", 0.0)
