"""One camera from segment to segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log

import numpy as np
import pytest

from streamspike.belief.tracker import BeliefTracker, request_seed
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Frame, Observation, Request, Scores, Segment, further_looks
from tests.support.fake_engine import OTHER, SAME, Answer, FakeEngine, always_calm, surprising_at


def make_segment(index: int, epoch: int = 0) -> Segment:
    """Its frames are all of the grey level `index`, so that a window can be read."""
    frames = tuple(
        Frame(np.full((4, 4, 3), index, dtype=np.uint8), stream_seconds=index + k / 2, arrived_at=100.0 + index)
        for k in range(2)
    )
    return Segment("door", epoch, index, float(index), index + 1.0, 100.0 + index, frames, motion=0.25)


def make_tracker(**config: object) -> BeliefTracker:
    exact = {"doubt": 0.0, "experience": 0.0, "change": 0.0, "opening": 0.0}  # what the assessments say as it is
    return BeliefTracker("door", BeliefConfig.model_validate({**exact, **config}), "fake@0", seed=3)


def run(
    tracker: BeliefTracker, segments: list[Segment], script: Callable[[Request], Answer] = always_calm
) -> tuple[list[Request], list[Observation]]:
    engine = FakeEngine(script)
    observations = [tracker.observe(segment, engine.assess(tracker.request(segment))) for segment in segments]
    return engine.requests, observations


def shown(request: Request) -> list[int]:
    """Grey levels of the window."""
    return [int(frames[0][0, 0, 0]) for frames in request.window]


def captioned_by_index(request: Request) -> Answer:
    return Answer(caption=f"caption {request.index}")


def test_without_opening_the_first_segment_has_no_window_no_hypotheses_and_no_surprise() -> None:
    requests, (observation,) = run(make_tracker(), [make_segment(0)])
    assert requests[0].window == ()
    assert observation.hypotheses == observation.prior == observation.posterior == ()
    assert observation.surprise_nats == observation.jensen_shannon == 0.0
    assert observation.caption == SAME


def test_the_first_segment_of_an_epoch_is_expected_from_its_own_first_picture() -> None:
    tracker = make_tracker(opening=0.5)
    segments = [make_segment(0), make_segment(1), make_segment(2, epoch=1), make_segment(3, epoch=1)]
    requests, observations = run(tracker, segments, surprising_at(0, 2))
    assert [shown(request) for request in requests] == [[0], [0], [2], [2]]
    assert [request.num_sightings for request in requests] == [0, 8, 0, 8]
    for opening, segment in ((requests[0], segments[0]), (requests[2], segments[2])):
        ((one, two),) = opening.window
        assert one is two is segment.frames[0].pixels and opening.observation == tuple(f.pixels for f in segment.frames)
    usual = 0.98 * np.log(99)
    for observation in (observations[0], observations[2]):
        odds = np.sqrt(99)  # half as certain as with a window
        assert observation.prior == pytest.approx((odds / (odds + 1), 1 / (odds + 1)))
        assert observation.posterior == pytest.approx((0.01, 0.99))
        assert 0.4 * usual < observation.surprise_nats < 0.6 * usual
    assert observations[1].surprise_nats == observations[3].surprise_nats == 0.0


def looked_at_twice(index: int, epoch: int = 0) -> Segment:
    segment = make_segment(index, epoch)
    return replace(segment, again=(tuple(replace(frame, pixels=frame.pixels + 100) for frame in segment.frames),))


def test_the_second_look_has_a_window_of_its_own() -> None:
    tracker = make_tracker(window_segments=2, opening=0.5)
    segments = [*map(looked_at_twice, range(4)), looked_at_twice(4, epoch=1)]
    requests, _ = run(tracker, segments)
    assert [shown(request) for request in requests] == [[0], [0], [0, 1], [1, 2], [4]]
    again = [[int(frames[0][0, 0, 0]) for look in request.again for frames in look] for request in requests]
    # What came first is held still, seen closer: in pictures of 4 px nothing is left out.
    assert again == [[0, 100], [100, 101], [100, 101, 102], [101, 102, 103], [4, 104]]
    assert requests[2].again[0][1][0] is segments[1].again[0][0].pixels, (
        "engines know pictures by their place in memory"
    )


def test_four_looks_are_shown_different_pictures() -> None:
    frames, later = ([Frame(np.full((40, 80, 3), value, np.uint8), 0.0, 0.0)] * 2 for value in (1, 2))
    segment = replace(make_segment(0), frames=tuple(frames), again=further_looks(frames, later, 4))
    request = make_tracker(looks=4, opening=0.5).request(segment)
    looks = [(*request.window, request.observation), *request.again]
    assert [[(pictures[0][0, 0, 0], pictures[0].shape[0]) for pictures in look] for look in looks] == [
        [(1, 40), (1, 40)],
        [(1, 38), (2, 38)],
        [(1, 38), (1, 38)],
        [(1, 40), (2, 40)],
    ], "each has a still of what came first for its window"


def test_what_is_seen_once_or_is_to_be_has_no_second_look() -> None:
    assert make_tracker().request(make_segment(0)).again == ()
    assert make_tracker(looks=1).request(looked_at_twice(0)).again == ()
    tracker = make_tracker()
    tracker.skip(make_segment(0))
    request = tracker.request(looked_at_twice(1))
    assert [len(frames) for look in request.again for frames in look] == [2, 2]
    assert request.again[0][0] == request.window[0], "what was seen once before is the same for both looks"


def test_the_first_picture_of_an_epoch_may_come_before_the_first_segment_s_frames() -> None:
    segment = make_segment(0)
    first = replace(segment.frames[0], pixels=np.full((4, 4, 3), 77, np.uint8))
    request = make_tracker(opening=0.5).request(replace(segment, opening=first))
    assert shown(request) == [77] and request.opening
    assert request.observation == tuple(frame.pixels for frame in segment.frames)


def test_what_a_picture_lets_expect_is_not_kept() -> None:
    tracker = make_tracker(mode="steady", max_age_segments=9, opening=0.5)
    requests, _ = run(tracker, [make_segment(i) for i in range(3)])
    assert [bool(request.hypotheses) for request in requests] == [False, False, True]
    assert requests[1].previous == ()


def test_the_window_holds_the_last_w_segments_oldest_first() -> None:
    requests, _ = run(make_tracker(window_segments=3), [make_segment(i) for i in range(6)])
    assert [shown(request) for request in requests] == [[], [0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_a_growing_window_is_cut_back_at_once_and_its_captions_are_remembered_then() -> None:
    tracker = make_tracker(window_segments=2, window_growth_segments=2)
    requests, _ = run(tracker, [make_segment(i) for i in range(8)], captioned_by_index)
    windows = [[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [3, 4], [3, 4, 5], [3, 4, 5, 6]]
    assert [shown(request) for request in requests] == windows
    assert [bool(request.summary) for request in requests] == [False] * 5 + [True] * 3
    assert requests[5].summary == requests[7].summary == "caption 0 Then, caption 1 Then, caption 2"


def test_the_observation_is_not_yet_in_the_window() -> None:
    requests, _ = run(make_tracker(), [make_segment(i) for i in range(3)])
    assert int(requests[2].observation[0][0, 0, 0]) == 2
    assert len(requests[2].observation) == 2


def test_captions_enter_the_summary_when_their_segment_leaves_the_window() -> None:
    requests, observations = run(
        make_tracker(window_segments=2), [make_segment(i) for i in range(5)], captioned_by_index
    )
    assert [request.summary for request in requests] == ["", "", "", "caption 0", "caption 0 Then, caption 1"]
    assert [o.summary for o in observations] == [request.summary for request in requests]


def test_a_new_epoch_forgets_window_summary_and_hypotheses() -> None:
    tracker = make_tracker(window_segments=1, mode="steady", max_age_segments=9)
    run(tracker, [make_segment(i) for i in range(4)])
    requests, observations = run(tracker, [make_segment(4, epoch=1), make_segment(5, epoch=1)])
    assert requests[0].window == () and requests[0].summary == "" and requests[0].hypotheses == ()
    assert observations[0].surprise_nats == 0.0 and observations[0].summary == ""
    assert shown(requests[1]) == [4] and requests[1].hypotheses == ()


def test_hypotheses_are_kept_until_they_surprise() -> None:
    tracker = make_tracker(mode="steady", max_age_segments=9, num_hypotheses=2)
    requests, _ = run(tracker, [make_segment(i) for i in range(6)], surprising_at(3))
    kept = (SAME, OTHER)
    assert [request.hypotheses for request in requests] == [(), (), kept, kept, (), kept]


def test_an_observation_carries_segment_belief_and_model() -> None:
    _, observations = run(make_tracker(), [make_segment(0), make_segment(1)], surprising_at(1))
    observation = observations[1]
    assert observation.surprise_nats == pytest.approx(0.98 * np.log(99))
    assert observation.hypotheses == (SAME, OTHER)
    assert observation.prior == pytest.approx((0.99, 0.01)) and observation.posterior == pytest.approx((0.01, 0.99))
    assert (observation.camera_id, observation.index, observation.epoch) == ("door", 1, 0)
    assert (observation.start_seconds, observation.end_seconds, observation.started_at) == (1.0, 2.0, 101.0)
    assert observation.motion == 0.25 and observation.model == "fake@0"


def test_asking_twice_changes_nothing() -> None:
    tracker = make_tracker()
    run(tracker, [make_segment(0)])
    first, second = tracker.request(make_segment(1)), tracker.request(make_segment(1))
    assert first.seed == second.seed and shown(first) == shown(second) == [0]
    assert tracker.request(make_segment(1, epoch=1)).window == ()
    assert shown(tracker.request(make_segment(1))) == [0]


def test_a_skipped_segment_is_seen_but_not_remembered_in_words() -> None:
    tracker = make_tracker(window_segments=1)
    tracker.skip(make_segment(0))
    requests, _ = run(tracker, [make_segment(1), make_segment(2)])
    assert [shown(request) for request in requests] == [[0], [1]]
    assert requests[1].summary == ""


def test_the_config_reaches_the_request() -> None:
    tracker = make_tracker(num_hypotheses=4, temperature=0.7, top_p=0.8, max_hypothesis_tokens=9, posterior="verify")
    request = tracker.request(make_segment(0))
    assert (request.sampling.num_hypotheses, request.sampling.temperature) == (4, 0.7)
    assert (request.sampling.top_p, request.sampling.max_hypothesis_tokens) == (0.8, 9)
    assert request.verify and request.complete


def test_what_else_was_seen_joins_the_set_once_and_can_surprise() -> None:
    tracker = make_tracker()
    run(tracker, [make_segment(0)])
    request = tracker.request(make_segment(1))
    assert request.num_sightings == 8
    expected = Scores(SAME, 3, log(0.9), log(0.5))
    seen = Scores(OTHER, 4, log(0.01), log(0.5))
    again = Scores(f"{SAME}.", 3, log(0.9), log(0.5))
    assessment = Assessment((expected,), SAME, sampled=True, sightings=(seen, again, seen))
    observation = tracker.observe(make_segment(1), assessment)
    assert observation.hypotheses == (SAME, OTHER)
    assert observation.posterior == pytest.approx((0.5, 0.5))
    assert observation.surprise_nats == pytest.approx(0.5 * log(0.5 / (0.9 / 0.91)) + 0.5 * log(0.5 / (0.01 / 0.91)))
    assert tracker.request(make_segment(2)).previous == (SAME,), "what was seen is no expectation"


def test_the_likeliest_of_what_was_read_is_told_and_remembered() -> None:
    tracker = make_tracker(window_segments=1)
    run(tracker, [make_segment(0)])
    guess = Scores("something else", 3, log(0.3), log(0.6))  # likelier, but nobody said that it was seen
    written = Scores(SAME, 3, log(0.5), log(0.1))
    drawn = Scores(OTHER, 4, log(0.1), log(0.2))
    assessment = Assessment((guess, written), SAME, sampled=True, sightings=(written, drawn), joined=True)
    assert tracker.observe(make_segment(1), assessment).caption == OTHER
    assert tracker.observe(make_segment(2), replace(assessment, sightings=(written,))).caption == SAME
    assert tracker.request(make_segment(3)).summary.endswith(OTHER)


@pytest.mark.parametrize("config", [{"sightings": 0}, {"complete": False}, {"posterior": "verify"}])
def test_nothing_is_drawn_about_what_was_seen_where_it_could_not_join(config: dict[str, object]) -> None:
    tracker = make_tracker(**config)
    run(tracker, [make_segment(0)])
    assert tracker.request(make_segment(1)).num_sightings == 0


def test_seeds_are_the_same_everywhere_and_differ_by_camera_segment_and_config() -> None:
    assert request_seed(3, "door", 5) == 2936916087
    seeds = {request_seed(s, c, i) for s in range(3) for c in ("door", "yard") for i in range(50)}
    assert len(seeds) == 300


class Marked(Frame):
    """Shown to the model in another grey."""

    @property
    def seen(self) -> np.ndarray:
        return np.full_like(self.pixels, 200)


def test_the_model_is_shown_what_is_seen_and_not_the_clean_picture() -> None:
    segment = make_segment(1)
    marked = tuple(Marked(frame.pixels, frame.stream_seconds, frame.arrived_at) for frame in segment.frames)
    tracker = make_tracker()
    run(tracker, [replace(segment, frames=marked)])
    request = tracker.request(make_segment(2))
    assert shown(request) == [200] and int(request.observation[0][0, 0, 0]) == 2
