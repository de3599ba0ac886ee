"""What engines share that remember nothing: one request after the other, failures in their places, times by stage."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from streamspike.belief.prompts import NO, YES, parse_sentence
from streamspike.core import Assessment, Request
from streamspike.engine.adapter import Adapter
from streamspike.engine.forward import Row, last_logits
from streamspike.engine.looks import in_looks
from streamspike.engine.model import LoadedModel
from streamspike.engine.opening import in_parts
from streamspike.errors import EngineError


class PlainEngine(ABC):
    """Implements `core.Engine`, but for how one request is answered. One thread calls it at a time."""

    def __init__(
        self, loaded: LoadedModel, segment_seconds: float = 1.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """
        Args:
            segment_seconds: length of a segment; read only by models that are told the time of each frame.
            clock: monotonic seconds, for the stage times.
        """
        self.name, self.slot = loaded.slot.name, loaded.slot
        self._loaded = loaded
        self._segment_seconds = segment_seconds
        self._clock = clock
        self._yes_no = [loaded.layout.tokenize(word)[0] for word in (YES, NO)]

    def wear(self, adapter: Adapter | None) -> None:
        """Answer with this adapter, or none, from now on. Raises ModelError: it cannot be; all is as it was."""
        self.slot.put(adapter)
        self.name = self.slot.name

    def assess(self, request: Request) -> Assessment:
        """Answer one request; with an empty window only the caption, as there is no prior.

        Raises:
            EngineError: the model failed: out of memory, or its numbers are not finite.
        """
        try:
            with torch.inference_mode():
                (answer,) = in_looks([request], lambda looks: in_parts(looks, self._assess_each))
        except RuntimeError as error:  # torch's out-of-memory errors are RuntimeErrors
            raise EngineError(
                f"{self.name} failed at segment {request.index} of {request.camera_id}: {error}"
            ) from error
        assert isinstance(answer, Assessment)  # what fails has been raised
        return answer

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """One after the other: nothing is shared, so nothing can go wrong between cameras."""
        answers: list[Assessment | Exception] = []
        for request in requests:
            try:
                answers.append(self.assess(request))
            except EngineError as error:
                answers.append(error)
        return answers

    def check_integrity(self) -> None:  # noqa: B027  # there is nothing to assert, for any of them
        """Nothing is remembered."""

    def _assess_each(self, parts: Sequence[Request]) -> list[Assessment | Exception]:
        return [self._assess(part) for part in parts]

    @abstractmethod
    def _assess(self, request: Request) -> Assessment: ...

    def _choose_yes(self, rows: Sequence[Row]) -> list[float]:
        """log P(yes) after each row, renormalised over yes and no."""
        logits = last_logits(self._loaded, rows)[:, self._yes_no]  # (num_rows, 2)
        likelihood: list[float] = torch.log_softmax(logits.double(), dim=-1)[:, 0].tolist()
        return likelihood

    def _read(self, ids: Sequence[int]) -> str:
        return parse_sentence(self._loaded.tokenizer.decode(ids))

    @contextmanager
    def _timed(self, stage: str, seconds: dict[str, float]) -> Iterator[None]:
        started = self._clock()
        yield
        if self._loaded.device.type == "cuda":
            torch.cuda.synchronize(self._loaded.device)  # else a stage would be charged for the one before
        seconds[stage] = self._clock() - started
