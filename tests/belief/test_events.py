from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.belief.events import EventTracker, event_id
from streamspike.config import EventConfig
from streamspike.core import Event, EventPhase, Observation

NOON = 1_785_146_400.0  # 2026-07-27T10:00:00Z


def observe(index: int, surprise: float, epoch: int = 0, camera_id: str = "door") -> Observation:
    return Observation(
        camera_id=camera_id,
        epoch=epoch,
        index=index,
        start_seconds=float(index),
        end_seconds=index + 1.0,
        started_at=NOON + index,
        hypotheses=("a car passes", "a cat sits", f"thing {index}"),
        prior=(0.3, 0.6, 0.1),
        posterior=(0.1, 0.2, 0.7),
        surprise_nats=surprise,
        jensen_shannon=0.5,
        caption=f"thing {index}",
        summary="",
        motion=0.1,
        model="fake",
    )


def make(**changes: object) -> EventTracker:
    """Threshold 2.0 (a camera that is being learned), over below 1.0, two quiet segments, five seconds of cooldown."""
    learning = {"learning_seconds": 86_400, "extreme_nats": 2.0, "alerts_per_day": 1000}
    return EventTracker("door", EventConfig.model_validate(learning | changes))


def take(tracker: EventTracker, observation: Observation) -> Event | None:
    return tracker.update(tracker.weigh(observation))


def play(tracker: EventTracker, surprises: list[float], start: int = 0) -> list[tuple[int, Event]]:
    updates = ((index, take(tracker, observe(index, value))) for index, value in enumerate(surprises, start))
    return [(index, event) for index, event in updates if event is not None]


def test_life_of_an_event() -> None:
    messages = play(make(), [0.1, 0.2, 3.0, 5.0, 4.0, 1.5, 0.4, 0.3, 0.1])
    assert [(index, event.phase) for index, event in messages] == [(2, "start"), (3, "update"), (7, "end")]
    start, update, end = (event for _, event in messages)
    assert {event.event_id for _, event in messages} == {"door-20260727T100002Z-2"}
    assert [start.revision, update.revision, end.revision] == [0, 1, 2]
    assert start.end_at is None and update.end_at is None
    assert (end.onset_at, end.peak_at, end.end_at) == (NOON + 2, NOON + 3, NOON + 6)
    assert (end.onset_index, end.peak_index, end.surprise_nats, end.threshold_nats) == (2, 3, 5.0, 2.0)
    assert end.saw == "thing 3"


def test_beliefs_are_sorted_by_probability() -> None:
    [(_, event)] = play(make(), [9.0])
    assert event.expected == (("a cat sits", 0.6), ("a car passes", 0.3), ("thing 0", 0.1))
    assert event.believed == (("thing 0", 0.7), ("a cat sits", 0.2), ("a car passes", 0.1))


def test_surprise_at_the_threshold_is_not_above_it() -> None:
    assert play(make(), [2.0, 2.0]) == []


def test_between_hysteresis_and_threshold_the_event_goes_on() -> None:
    messages = play(make(), [3.0, *[1.2, 0.9] * 10])
    assert [event.phase for _, event in messages] == [EventPhase.START]


def test_cooldown_starts_nothing_and_is_counted() -> None:
    tracker = make()
    messages = play(tracker, [4.0, 0.0, 0.0, 3.0, 4.0, 0.0, 3.0])  # ends at NOON + 1, cool until NOON + 6
    assert [(index, event.phase) for index, event in messages] == [(0, "start"), (2, "end"), (6, "start")]
    assert tracker.counts.num_cooled == 2


def test_what_is_stronger_than_the_last_event_does_not_wait_for_the_end_of_the_cooldown() -> None:
    tracker = make()
    messages = play(tracker, [3.0, 0.0, 0.0, 3.0, 3.1, 0.0, 0.0, 3.05, 0.0])
    assert [(index, event.phase) for index, event in messages] == [(0, "start"), (2, "end"), (4, "start"), (6, "end")]
    assert tracker.counts.num_cooled == 2, "one before and one after the stronger, whose own cooldown has begun"


def test_endless_event_is_cut_and_becomes_the_new_normal() -> None:
    tracker = make(max_event_segments=20)
    messages = play(tracker, [0.1] * 50 + [5.0] * 600)
    assert [event.phase for _, event in messages] == [EventPhase.START, EventPhase.END]
    assert tracker.counts.num_truncated == 1
    assert messages[1][1].end_at == NOON + 70
    assert 5.0 < tracker.calibrator.level < 8.0, "what is far above the new normal still counts"


def test_an_event_may_be_asked_to_last() -> None:
    messages = play(make(onset_segments=3), [3.0, 3.0, 0.1, 3.0, 3.0, 4.0, 0.0, 0.0])
    assert [(index, event.phase) for index, event in messages] == [(5, "start"), (7, "end")]


def test_an_observation_is_weighed_before_it_counts() -> None:
    tracker = make()
    for index in range(200):
        take(tracker, observe(index, 0.1 + 0.001 * index))
    weighed = tracker.weigh(observe(200, 9.0))
    assert weighed.threshold_nats == 2.0 and 0.0 < weighed.p_value < 0.01
    [start] = [event for event in [tracker.update(weighed)] if event]
    assert start.p_value == weighed.p_value
    assert tracker.weigh(observe(201, 0.05)).p_value == pytest.approx(1.0)


def test_peak_in_the_last_segment_of_a_cut_event_is_in_its_end() -> None:
    _, (_, end) = play(make(max_event_segments=2), [3.0, 8.0])
    assert (end.phase, end.revision, end.surprise_nats, end.saw) == (EventPhase.END, 1, 8.0, "thing 1")


def test_new_epoch_ends_the_event_and_starts_none_in_the_same_segment() -> None:
    tracker = make(cooldown_seconds=0.0)
    take(tracker, observe(0, 5.0))
    end = take(tracker, observe(1, 9.0, epoch=1))
    assert end is not None and (end.phase, end.epoch, end.surprise_nats) == (EventPhase.END, 0, 5.0)
    start = take(tracker, observe(2, 9.0, epoch=1))
    assert start is not None and (start.phase, start.epoch) == (EventPhase.START, 1)
    assert tracker.counts.num_interrupted == 1


def test_close_ends_the_open_event_once() -> None:
    tracker = make()
    take(tracker, observe(0, 5.0))
    take(tracker, observe(1, 4.0))
    end = tracker.close(NOON + 60)
    assert end is not None and (end.phase, end.revision, end.end_at) == (EventPhase.END, 1, NOON + 2)
    assert tracker.close(NOON + 61) is None and tracker.event is None


def test_threshold_is_frozen_at_the_onset() -> None:
    tracker = make()
    play(tracker, [2.5] * 40)  # the first starts an event that goes on
    assert tracker.event is not None and tracker.event.threshold_nats == 2.0


def test_the_tracker_of_another_camera_refuses() -> None:
    with pytest.raises(ValueError, match="'yard' for the tracker of 'door'"):
        make().update(observe(0, 1.0, camera_id="yard"))


def test_ids_differ_by_camera_time_and_index() -> None:
    ids = {event_id(camera, at, index) for camera in ("a", "b") for at in (NOON, NOON + 1) for index in (0, 1)}
    assert len(ids) == 8


def test_same_stream_gives_the_same_events() -> None:
    surprises = [0.1, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0]
    assert play(make(), surprises) == play(make(), surprises)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 20).map(lambda n: n == 0)), max_size=120),
    st.integers(2, 12),
    st.integers(1, 4),
)
def test_every_event_starts_rises_and_ends_in_order(steps: list[tuple[float, bool]], longest: int, quiet: int) -> None:
    tracker = make(max_event_segments=longest, quiet_segments=quiet, cooldown_seconds=0.0)
    epoch, messages = 0, []
    for index, (surprise, reconnects) in enumerate(steps):
        epoch += reconnects
        messages.append(take(tracker, observe(index, surprise, epoch)))
    messages.append(tracker.close(NOON + 10_000))
    last: Event | None = None
    for event in filter(None, messages):
        if event.phase is EventPhase.START:
            assert last is None or (last.phase is EventPhase.END and last.event_id != event.event_id)
            assert event.revision == 0 and event.surprise_nats > event.threshold_nats
        else:
            assert last is not None and last.phase is not EventPhase.END
            assert event.revision == last.revision + 1 and event.event_id == last.event_id
            assert event.surprise_nats >= last.surprise_nats
            if event.phase is EventPhase.UPDATE:
                assert event.surprise_nats > last.surprise_nats
            else:
                assert event.end_at is not None and event.onset_at <= event.peak_at < event.end_at
                assert event.end_at - event.onset_at <= longest
        last = event
    assert last is None or last.phase is EventPhase.END
    if last is not None:
        assert replace(last, revision=0).event_id == event_id("door", last.onset_at, last.onset_index)
