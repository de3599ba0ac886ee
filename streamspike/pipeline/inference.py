"""The engine's thread: requests of all cameras, one at a time, first come first served."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from streamspike.core import Assessment, Engine, Request
from streamspike.errors import EngineError
from streamspike.stats import EngineStats


class InferenceService:
    """Use as a context manager. Each camera has at most one request here, so the queue is bounded by their number."""

    def __init__(self, engine: Engine, stats: EngineStats) -> None:
        self.name = engine.name
        self.stats = stats
        self._engine = engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    async def assess(self, request: Request) -> Assessment:
        """The engine's answer; raises EngineError. The loop goes on meanwhile."""
        self.stats.requests += 1
        self.stats.queued_requests += 1
        try:
            loop = asyncio.get_running_loop()
            assessment = await loop.run_in_executor(self._thread, self._engine.assess, request)
        except EngineError:
            self.stats.failed_requests += 1
            self.stats.degraded = True
            raise
        finally:
            self.stats.queued_requests -= 1
        self.stats.degraded = False
        self.stats.segments += 1
        self.stats.sampled_requests += assessment.sampled
        self.stats.add_stages(dict(assessment.stage_seconds))
        return assessment

    async def __aenter__(self) -> InferenceService:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A request that runs cannot be interrupted; shutting down waits for it off the loop.
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
