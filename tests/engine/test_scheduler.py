"""Who is served when: batches within their bound, fair turns, waits that end, and load that is shed by rule."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspike.config import EngineConfig
from streamspike.core import Request, Sampling
from streamspike.engine.scheduler import Scheduler, Step, Ticket
from streamspike.stats import EngineStats

FRAMES = (np.zeros((4, 4, 3), np.uint8),)
LAST = ("a car stops", "nothing changes")
LIMITS = {"busy_wait_seconds": 1.0, "max_wait_seconds": 5.0}

SECONDS = st.integers(0, 40).map(lambda eighths: eighths / 8)  # exact in binary, so that sums of them are too
DURATIONS = st.lists(st.integers(1, 24).map(lambda eighths: eighths / 8), min_size=1, max_size=40)
SHEDS = st.sampled_from([(), ("reuse",), ("skip",), ("reuse", "skip"), ("skip", "reuse")])


def make_request(
    camera_id: str, index: int = 0, hypotheses: tuple[str, ...] = (), previous: tuple[str, ...] = LAST
) -> Request:
    sampling = Sampling()
    return Request(
        camera_id,
        0,
        index,
        (FRAMES,),
        FRAMES,
        "",
        hypotheses,
        sampling,
        0,
        complete=False,
        verify=False,
        previous=previous,
    )


def make_scheduler(max_batch: int = 1, **settings: object) -> tuple[Scheduler, EngineStats]:
    stats = EngineStats()
    return Scheduler(EngineConfig.model_validate({**LIMITS, "max_batch": max_batch, **settings}), stats), stats


def cameras(tickets: Sequence[Ticket]) -> list[str]:
    return [ticket.camera_id for ticket in tickets]


def serve_all(scheduler: Scheduler, now: float) -> list[str]:
    """Cameras in the order in which they are served."""
    served: list[str] = []
    while (step := scheduler.next_step(now)).tickets:
        served += cameras(step.tickets)
    return served


def test_nobody_waits_so_nothing_is_run() -> None:
    scheduler, stats = make_scheduler()
    assert scheduler.next_step(0.0) == Step((), (), ()) and stats.steps == 0


def test_a_batch_takes_as_many_as_it_may_and_the_others_stay() -> None:
    scheduler, stats = make_scheduler(max_batch=3)
    for name in "abcd":
        scheduler.submit(make_request(name), 0, 0.0)
    step = scheduler.next_step(0.5)
    assert cameras(step.tickets) == ["a", "b", "c"] == [request.camera_id for request in step.requests]
    assert len(scheduler) == 1 and cameras(scheduler.next_step(0.75).tickets) == ["d"]
    assert (stats.steps, stats.batched_requests) == (2, 4)
    assert (stats.waiting_seconds, stats.longest_wait_seconds) == (3 * 0.5 + 0.75, 0.75)


def test_a_higher_priority_goes_first() -> None:
    scheduler, _ = make_scheduler()
    for name, priority in (("a", 0), ("b", 1), ("c", 0), ("d", 2)):
        scheduler.submit(make_request(name), priority, 0.0)
    assert serve_all(scheduler, 0.5) == ["d", "b", "a", "c"]


def test_the_camera_that_was_served_longest_ago_goes_first_even_if_it_asks_last() -> None:
    scheduler, _ = make_scheduler()
    for name in "abc":
        scheduler.submit(make_request(name), 0, 0.0)
    assert serve_all(scheduler, 0.0) == ["a", "b", "c"]
    for name in "cbad":
        scheduler.submit(make_request(name, 1), 0, 0.5)
    assert serve_all(scheduler, 0.5) == ["d", "a", "b", "c"], "one that was never served waits longer than all"


def test_who_waits_too_long_has_nobody_above() -> None:
    scheduler, _ = make_scheduler(shed=[])
    scheduler.submit(make_request("a"), 0, 0.0)
    scheduler.submit(make_request("b"), 7, 0.5)
    scheduler.submit(make_request("c"), 0, 0.5)
    assert cameras(scheduler.next_step(1.0).tickets) == ["b"], "not yet: it must be longer than busy_wait_seconds"
    scheduler.submit(make_request("b", 1), 7, 1.0)
    assert serve_all(scheduler, 1.25) == ["a", "b", "c"]


def test_a_withdrawn_ticket_is_not_served_and_its_camera_may_ask_again() -> None:
    scheduler, _ = make_scheduler(max_batch=4)
    first = scheduler.submit(make_request("a"), 0, 0.0)
    scheduler.withdraw(first)
    second = scheduler.submit(make_request("a"), 0, 0.0)
    scheduler.withdraw(first)  # once more, too late
    assert scheduler.next_step(0.0).tickets == (second,)
    scheduler.withdraw(second)
    assert not len(scheduler)


def test_a_camera_with_two_requests_is_a_bug() -> None:
    scheduler, _ = make_scheduler()
    scheduler.submit(make_request("a"), 0, 0.0)
    with pytest.raises(AssertionError):
        scheduler.submit(make_request("a", 1), 0, 0.0)


def test_a_busy_engine_scores_the_last_hypotheses_instead_of_sampling() -> None:
    scheduler, stats = make_scheduler(max_batch=8)
    scheduler.submit(replace(make_request("samples"), num_sightings=8), 0, 0.0)
    scheduler.submit(make_request("cached", hypotheses=("a cat sleeps",)), 0, 0.0)
    scheduler.submit(make_request("new", previous=()), 0, 0.0)
    scheduler.submit(make_request("event"), 1, 0.0)
    step = scheduler.next_step(1.25)
    asked = {request.camera_id: request.hypotheses for request in step.requests}
    assert asked == {"samples": LAST, "cached": ("a cat sleeps",), "new": (), "event": ()}
    assert stats.shed_requests == Counter(reuse=1) and not step.skipped
    changed = step.requests[cameras(step.tickets).index("samples")]
    assert replace(changed, hypotheses=()) == make_request("samples"), "nothing is drawn, and nothing else is changed"


def test_a_busy_engine_looks_once() -> None:
    scheduler, stats = make_scheduler(max_batch=8)
    look = make_request("a").observation
    for name, options in (("samples", {}), ("cached", {"hypotheses": LAST}), ("new", {"previous": ()})):
        scheduler.submit(replace(make_request(name, **options), again=(look,)), 0, 0.0)
    scheduler.submit(replace(make_request("event"), again=(look,)), 1, 0.0)
    step = scheduler.next_step(1.25)
    asked = {request.camera_id: (request.hypotheses, request.again) for request in step.requests}
    assert asked == {"samples": (LAST, ()), "cached": (LAST, ()), "new": ((), ()), "event": ((), (look,))}
    assert stats.shed_requests == Counter(reuse=3)


def test_as_long_as_nobody_waits_too_long_everybody_may_sample() -> None:
    scheduler, stats = make_scheduler(max_batch=8)
    scheduler.submit(make_request("a"), 0, 0.0)
    assert scheduler.next_step(1.0).requests[0].hypotheses == () and not stats.shed_requests.total()


def test_one_old_ticket_is_enough_to_be_busy() -> None:
    scheduler, stats = make_scheduler(max_batch=8)
    scheduler.submit(make_request("old", hypotheses=LAST), 0, 0.0)
    scheduler.submit(make_request("young"), 0, 1.0)
    scheduler.next_step(1.25)
    assert stats.shed_requests["reuse"] == 1


def test_a_wait_that_began_before_the_request_counts() -> None:
    scheduler, stats = make_scheduler(max_batch=2)
    scheduler.submit(make_request("a"), 0, 2.0)
    scheduler.submit(make_request("behind"), 0, 0.5)  # its segment lay in the camera's queue
    step = scheduler.next_step(2.0)
    assert {request.hypotheses for request in step.requests} == {LAST} and stats.longest_wait_seconds == 1.5


def test_a_patient_ticket_is_never_given_up_and_sheds_nothing_but_does_not_starve() -> None:
    scheduler, stats = make_scheduler()
    scheduler.submit(make_request("file"), 0, 0.0, patient=True)
    scheduler.submit(make_request("live"), 1, 9.0)
    (first,), (second,) = scheduler.next_step(9.0).requests, scheduler.next_step(9.0).requests
    assert [first.camera_id, second.camera_id] == ["file", "live"], "it has waited long enough to rank with the highest"
    assert first.hypotheses == second.hypotheses == () and stats.shed_requests.total() == 0


def test_who_waits_beyond_the_limit_is_given_up_with_or_without_priority() -> None:
    scheduler, stats = make_scheduler(max_batch=8)
    for name, priority, at in (("a", 0, 0.0), ("b", 1, 0.0), ("c", 0, 0.5)):
        scheduler.submit(make_request(name), priority, at)
    step = scheduler.next_step(5.25)
    assert (cameras(step.skipped), cameras(step.tickets)) == (["a", "b"], ["c"])
    assert stats.shed_requests == Counter(skip=2, reuse=1)
    assert (stats.waiting_seconds, stats.longest_wait_seconds) == (5.25 + 5.25 + 4.75, 5.25)


@pytest.mark.parametrize("shed", [[], ["reuse"]])
def test_without_skip_nothing_is_given_up(shed: list[str]) -> None:
    scheduler, stats = make_scheduler(shed=shed)
    for name in "ab":
        scheduler.submit(make_request(name), 0, 0.0)
    assert serve_all(scheduler, 1000.0) == ["a", "b"]
    assert stats.shed_requests == Counter(reuse=2 * len(shed))


def test_reuse_behind_skip_begins_with_the_first_that_is_given_up_and_ends_with_the_waiting() -> None:
    scheduler, stats = make_scheduler(shed=["skip", "reuse"])
    scheduler.submit(make_request("a"), 0, 0.0)
    scheduler.next_step(3.0)
    assert not stats.shed_requests.total(), "busy, but nobody was given up yet"
    for name, at in (("b", 3.0), ("c", 4.0), ("d", 5.0)):
        scheduler.submit(make_request(name), 0, at)
    assert cameras(scheduler.next_step(8.25).skipped) == ["b"] and stats.shed_requests == Counter(skip=1, reuse=1)
    scheduler.next_step(8.5)
    assert stats.shed_requests == Counter(skip=1, reuse=2), "nobody is given up any more, but d still waits too long"
    scheduler.submit(make_request("e"), 0, 8.5)
    assert scheduler.next_step(9.0).requests[0].hypotheses == ()
    scheduler.submit(make_request("f"), 0, 9.0)
    assert scheduler.next_step(11.0).requests[0].hypotheses == (), "busy again, which says nothing about skipping"


@dataclass
class Run:
    """Cameras that ask again some time after each answer, and an engine that takes its time."""

    scheduler: Scheduler
    submitted: list[Ticket] = field(default_factory=list)
    steps: list[tuple[float, Step]] = field(default_factory=list)
    """Each with the time it began."""


def simulate(
    scheduler: Scheduler,
    num_cameras: int,
    pauses: Sequence[float],
    priorities: Sequence[int],
    step_seconds: Sequence[float],
) -> Run:
    """One step of each duration; priorities and pauses are dealt out in turn."""
    run = Run(scheduler)
    names = [f"camera{number}" for number in range(num_cameras)]
    pause, priority_of = itertools.cycle(pauses), dict(zip(names, itertools.cycle(priorities), strict=False))
    asks_at = {name: next(pause) for name in names}
    now, index = 0.0, Counter[str]()
    for seconds in step_seconds:
        if not len(scheduler):
            now = max(now, min(asks_at.values()))
        for at, name in sorted((at, name) for name, at in asks_at.items() if at <= now):
            del asks_at[name]
            run.submitted.append(scheduler.submit(make_request(name, index[name]), priority_of[name], at))
            index[name] += 1
        step = scheduler.next_step(now)
        run.steps.append((now, step))
        asks_at |= {ticket.camera_id: now + next(pause) for ticket in step.skipped}
        now += seconds if step.tickets else 0.0
        asks_at |= {ticket.camera_id: now + next(pause) for ticket in step.tickets}
    return run


NUM_CAMERAS = st.integers(1, 12)
MAX_BATCH = st.integers(1, 6)
PAUSES = st.just([0.0]) | st.lists(SECONDS, min_size=1, max_size=12)
PRIORITIES = st.lists(st.integers(0, 3), min_size=1, max_size=12)


@given(NUM_CAMERAS, MAX_BATCH, SHEDS, PAUSES, PRIORITIES, DURATIONS)
def test_every_ticket_is_served_or_given_up_once_and_in_order(
    num_cameras: int,
    max_batch: int,
    shed: tuple[str, ...],
    pauses: list[float],
    priorities: list[int],
    step_seconds: list[float],
) -> None:
    scheduler, stats = make_scheduler(max_batch, shed=shed)
    run = simulate(scheduler, num_cameras, pauses, priorities, step_seconds)
    steps = [step for _, step in run.steps]
    left = [ticket for step in steps for ticket in (*step.skipped, *step.tickets)]
    assert len(left) == len(set(left)) and set(left) <= set(run.submitted)
    assert len(scheduler) == len(run.submitted) - len(left)
    for name in {ticket.camera_id for ticket in left}:
        indices = [ticket.request.index for ticket in left if ticket.camera_id == name]
        assert indices == list(range(len(indices)))
    for step in steps:
        assert len(step.tickets) <= max_batch and len(set(cameras(step.tickets))) == len(step.tickets)
        assert [request.camera_id for request in step.requests] == cameras(step.tickets)
    assert stats.steps == sum(bool(step.tickets) for step in steps)
    assert stats.batched_requests + stats.shed_requests["skip"] == len(left)


@given(NUM_CAMERAS, MAX_BATCH, PAUSES, PRIORITIES, DURATIONS)
def test_nobody_waits_longer_than_the_bound(
    num_cameras: int, max_batch: int, pauses: list[float], priorities: list[int], step_seconds: list[float]
) -> None:
    scheduler, _ = make_scheduler(max_batch, shed=[])
    bound_seconds = 1.0 + math.ceil(num_cameras / max_batch) * max(step_seconds)
    run = simulate(scheduler, num_cameras, pauses, priorities, step_seconds)
    served = {ticket: now for now, step in run.steps for ticket in step.tickets}
    end = run.steps[-1][0]
    for ticket in run.submitted:
        assert served.get(ticket, end) - ticket.submitted_at <= bound_seconds


@given(NUM_CAMERAS, MAX_BATCH, SHEDS, PAUSES, PRIORITIES, DURATIONS)
def test_load_is_shed_only_as_configured_and_only_while_somebody_waits_too_long(
    num_cameras: int,
    max_batch: int,
    shed: tuple[str, ...],
    pauses: list[float],
    priorities: list[int],
    step_seconds: list[float],
) -> None:
    scheduler, stats = make_scheduler(max_batch, shed=shed)
    run = simulate(scheduler, num_cameras, pauses, priorities, step_seconds)
    waiting = list(run.submitted)
    for now, step in run.steps:
        known = [ticket for ticket in waiting if ticket.submitted_at <= now]
        busy = any(now - ticket.submitted_at > 1.0 for ticket in known)
        reused = [t for t, request in zip(step.tickets, step.requests, strict=True) if request is not t.request]
        assert busy or not (reused or step.skipped)
        assert not any(ticket.priority for ticket in reused)
        assert all(now - ticket.submitted_at > 5.0 for ticket in step.skipped)
        if "skip" in shed:
            assert all(now - ticket.submitted_at <= 5.0 for ticket in step.tickets)
        waiting = [ticket for ticket in waiting if ticket not in step.tickets and ticket not in step.skipped]
    assert set(+stats.shed_requests) <= set(shed)


@given(NUM_CAMERAS, MAX_BATCH, st.data())
def test_cameras_that_always_wait_take_turns(num_cameras: int, max_batch: int, data: st.DataObject) -> None:
    """However long steps take and in whatever order cameras ask again."""
    scheduler, _ = make_scheduler(max_batch, shed=[])
    names = [f"camera{number}" for number in range(num_cameras)]
    counts = Counter(dict.fromkeys(names, 0))
    asking, now = names, 0.0
    for _ in range(data.draw(st.integers(1, 20))):
        for name in data.draw(st.permutations(asking)):
            now += data.draw(SECONDS)
            scheduler.submit(make_request(name, counts[name]), 0, now)
        step = scheduler.next_step(now)
        asking = cameras(step.tickets)
        counts.update(asking)
        assert max(counts.values()) - min(counts.values()) <= 1
        now += data.draw(SECONDS)
