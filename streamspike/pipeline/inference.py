"""The engine's thread: requests of all cameras, answered together, as many at a time as wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from streamspike.clock import Clock, SystemClock
from streamspike.config import EngineConfig
from streamspike.core import Assessment, Engine, Request
from streamspike.engine.scheduler import Scheduler, Ticket
from streamspike.errors import EngineError, RequestShed, StreamspikeError
from streamspike.stats import EngineStats

T = TypeVar("T")

CHECK_SECONDS = 60.0
"""The engine checks what it remembers that often, when nobody waits. A check takes about as long as one answer."""


class InferenceService:
    """Use as a context manager. Each camera has at most one request waiting, so the queue is bounded by their number.

    A step is taken as soon as the engine is free, with whoever waits by then; nobody is waited for. While one step runs
    the next one gathers: a busy engine gets full batches by itself, and one that keeps up has nothing to gain from
    delaying an answer that it could give now.
    """

    def __init__(
        self,
        engine: Engine,
        stats: EngineStats,
        config: EngineConfig = EngineConfig(),  # noqa: B008  # frozen
        clock: Clock = SystemClock(),  # noqa: B008  # has no state
    ) -> None:
        self.engine = engine
        self.stats = stats
        self._clock = clock
        self._scheduler = Scheduler(config, stats)
        self._answers: dict[Ticket, asyncio.Future[Assessment]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._submitted = asyncio.Event()
        self._closing = False
        self._bug_was_heard = False

    @property
    def name(self) -> str:
        """Of the model as it is now."""
        return self.engine.name

    async def between_steps(self, work: Callable[[], T]) -> T:
        """Run something on the engine's thread, while no step runs and requests wait. What it raises is raised."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def assess(
        self, request: Request, priority: int = 0, waiting_since: float | None = None, *, patient: bool = False
    ) -> Assessment:
        """The engine's answer; the loop goes on meanwhile. When cancelled, the answers of others are not touched.

        A caller is cancelled when the service is closed before its request was taken up, or a bug stops the process.

        Args:
            priority: 0 for none; a higher one is served first, as long as nobody waits too long for it.
            waiting_since: monotonic seconds; when the segment began to wait, which may be before this call.
            patient: it waits as long as it must, and is never shed.

        Raises:
            EngineError: the model failed at this request.
            RequestShed: the model is too busy; ask about a newer segment.
        """
        self.stats.requests += 1
        self.stats.queued_requests += 1
        since = self._clock.monotonic() if waiting_since is None else waiting_since
        ticket = self._scheduler.submit(request, priority, since, patient=patient)
        answer: asyncio.Future[Assessment] = asyncio.get_running_loop().create_future()
        self._answers[ticket] = answer
        self._submitted.set()
        if self._serving.done():
            self._end_callers(self._serving)
        try:
            return await answer
        finally:
            self.stats.queued_requests -= 1
            self._scheduler.withdraw(ticket)
            del self._answers[ticket]

    async def __aenter__(self) -> InferenceService:
        self._serving = asyncio.create_task(self._serve(), name="inference")
        self._serving.add_done_callback(self._end_callers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._submitted.set()
        # A step that runs cannot be interrupted; its answers still reach their callers.
        await asyncio.wait([self._serving])
        await asyncio.to_thread(self._thread.shutdown)
        if not self._bug_was_heard:
            self._serving.result()

    async def _serve(self) -> None:
        """Take step after step until closed. What it raises is a bug."""
        loop = asyncio.get_running_loop()
        checked_at = self._clock.monotonic()
        while not self._closing:
            step = self._scheduler.next_step(self._clock.monotonic())
            for ticket in step.skipped:
                self._reply(ticket, RequestShed(f"no time for segment {ticket.request.index} of {ticket.camera_id}"))
            if step.tickets:
                answers = await loop.run_in_executor(self._thread, self.engine.assess_batch, step.requests)
                self._settle(step.tickets, answers)
            elif self._clock.monotonic() - checked_at > CHECK_SECONDS:
                await loop.run_in_executor(self._thread, self.engine.check_integrity)
                checked_at = self._clock.monotonic()
            else:
                self._submitted.clear()
                await self._submitted.wait()

    def _settle(self, tickets: Sequence[Ticket], answers: Sequence[Assessment | Exception]) -> None:
        self.stats.degraded = all(isinstance(answer, EngineError) for answer in answers)
        for ticket, answer in zip(tickets, answers, strict=True):
            if isinstance(answer, Assessment):
                self.stats.segments += 1
                self.stats.sampled_requests += answer.sampled
                self.stats.add_stages(dict(answer.stage_seconds))
                self.stats.add_drift(answer.drift_nats)
            elif isinstance(answer, EngineError):
                self.stats.failed_requests += 1
            else:
                raise answer
            self._reply(ticket, answer)

    def _reply(self, ticket: Ticket, reply: Assessment | StreamspikeError) -> None:
        answer = self._answers.get(ticket)
        if answer is None or answer.done():
            return  # its caller was cancelled, perhaps in this very turn of the loop
        if isinstance(reply, Assessment):
            answer.set_result(reply)
        else:
            answer.set_exception(reply)

    def _end_callers(self, serving: asyncio.Task[None]) -> None:
        """Nobody waits for ever. A bug is raised to one caller, which stops the process; the others would repeat it."""
        waiting = [answer for answer in self._answers.values() if not answer.done()]
        bug = None if serving.cancelled() else serving.exception()
        if bug is not None and waiting and not self._bug_was_heard:
            waiting.pop(0).set_exception(bug)
            self._bug_was_heard = True
        for answer in waiting:
            answer.cancel()
