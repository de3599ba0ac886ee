"""Which requests the model answers next, and which are answered cheaply or not at all when it cannot keep up.

Order of a step: priority first, then the camera that was served longest ago; cameras never served before come first, in
the order of their tickets. A ticket that has waited longer than `busy_wait_seconds` ranks with the highest priority, so
nobody starves: from then on each other camera goes before it at most once, because having been served puts a camera
behind it. With C cameras, steps of at most B requests and at most S seconds, every ticket enters a step within

    busy_wait_seconds + ceil(C / B) * S

of its submission.

Load is shed only while some ticket has waited longer than `busy_wait_seconds`; patient ones do not count:
- `reuse`: requests of the step without priority that would sample score the last hypotheses of their camera instead,
  and none of them looks twice.
  All of them, not as few as needed: a step takes as long as its longest answer.
- `skip`: tickets that have waited longer than `max_wait_seconds` are given up, with or without priority.
The order says what is tried first: as `[reuse, skip]` each begins at its own limit; as `[skip, reuse]` reuse begins
with the first ticket that is given up, and ends when the oldest ticket waits no longer than `busy_wait_seconds` again.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from streamspike.config import EngineConfig
from streamspike.core import Request
from streamspike.stats import EngineStats


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A request that waits. Two tickets are never equal: a camera may ask the same again."""

    request: Request
    priority: int
    """0 for none; a higher one goes first."""
    submitted_at: float
    """When the wait began. Monotonic seconds, not UTC: a corrected clock is no reason to shed load."""

    patient: bool = False
    """It waits as long as it must, as a file does: never given up, and no reason to shed load."""

    @property
    def camera_id(self) -> str:
        return self.request.camera_id


@dataclass(frozen=True, slots=True)
class Step:
    """What leaves the queue at once."""

    tickets: tuple[Ticket, ...]
    requests: tuple[Request, ...]
    """What to ask for each ticket: its own request, or one that costs less."""
    skipped: tuple[Ticket, ...]
    """Given up."""


class Scheduler:
    """The queue of all cameras, at most one ticket each. Time is a parameter and never goes back. Not thread-safe."""

    def __init__(self, config: EngineConfig, stats: EngineStats) -> None:
        self._config = config
        self._stats = stats
        self._waiting: dict[str, Ticket] = {}  # by camera, in the order of their submission
        self._served: dict[str, int] = {}  # by camera: the number of its last ticket, counted over all tickets served
        self._num_served = 0
        self._skipping = False  # something was given up since the queue became busy

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, request: Request, priority: int, now: float, *, patient: bool = False) -> Ticket:
        """Queue a request; its camera has none waiting.

        Args:
            now: when its segment began to wait: with a camera that has others queued, before this call.
        """
        assert priority >= 0 and request.camera_id not in self._waiting, (priority, request.camera_id)
        ticket = Ticket(request, priority, now, patient)
        self._waiting[request.camera_id] = ticket
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Nobody waits for this answer any more; one that has left the queue is fine."""
        if self._waiting.get(ticket.camera_id) is ticket:
            del self._waiting[ticket.camera_id]

    def next_step(self, now: float) -> Step:
        """Take the next step out of the queue; it is empty when nobody waits."""
        busy = self._is_busy(now)
        skipped = self._overdue(now) if busy and "skip" in self._config.shed else ()
        self._skipping = busy and (self._skipping or bool(skipped))
        self._take(skipped)
        tickets = tuple(self._in_order(now)[: self._config.max_batch])
        self._take(tickets)
        for ticket in tickets:
            self._num_served += 1
            self._served[ticket.camera_id] = self._num_served
        reuse = busy and "reuse" in self._config.shed and (self._skipping or self._config.shed[0] == "reuse")
        step = Step(tickets, tuple(_cheaper(ticket) if reuse else ticket.request for ticket in tickets), skipped)
        self._count(step, now)
        return step

    def _is_busy(self, now: float) -> bool:
        return any(self._has_aged(ticket, now) and not ticket.patient for ticket in self._waiting.values())

    def _has_aged(self, ticket: Ticket, now: float) -> bool:
        return now - ticket.submitted_at > self._config.busy_wait_seconds

    def _overdue(self, now: float) -> tuple[Ticket, ...]:
        limit = now - self._config.max_wait_seconds
        return tuple(ticket for ticket in self._waiting.values() if ticket.submitted_at < limit and not ticket.patient)

    def _in_order(self, now: float) -> list[Ticket]:
        highest = max((ticket.priority for ticket in self._waiting.values()), default=0)

        def rank(ticket: Ticket) -> tuple[int, int]:
            priority = highest if self._has_aged(ticket, now) else ticket.priority
            return -priority, self._served.get(ticket.camera_id, 0)

        return sorted(self._waiting.values(), key=rank)  # stable: equal ranks stay in the order of their tickets

    def _take(self, tickets: tuple[Ticket, ...]) -> None:
        for ticket in tickets:
            del self._waiting[ticket.camera_id]

    def _count(self, step: Step, now: float) -> None:
        stats = self._stats
        stats.steps += bool(step.tickets)
        stats.batched_requests += len(step.tickets)
        pairs = zip(step.tickets, step.requests, strict=True)
        stats.shed_requests["reuse"] += sum(request is not ticket.request for ticket, request in pairs)
        stats.shed_requests["skip"] += len(step.skipped)
        waits = [now - ticket.submitted_at for ticket in (*step.tickets, *step.skipped)]
        if waits:
            stats.waiting_seconds += sum(waits)
            stats.longest_wait_seconds = max(waits)


def _cheaper(ticket: Ticket) -> Request:
    """The request with one look, and with the last hypotheses instead of new ones and nothing drawn; itself if it has
    priority, or costs no less that way."""
    request = ticket.request
    if ticket.priority:
        return request
    if not request.hypotheses and request.previous:
        return dataclasses.replace(request, hypotheses=request.previous, num_sightings=0, again=())
    return dataclasses.replace(request, again=()) if request.again else request
