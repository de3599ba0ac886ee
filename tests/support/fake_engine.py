"""An engine without a model: answers what a script says, the same each time."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from math import log

from streamspike.core import Assessment, Request, Scores
from streamspike.errors import EngineError

SAME = "nothing changes"
OTHER = "somebody walks in"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the fake believes about one segment: (text, prior, posterior); the probabilities need not sum to 1."""

    beliefs: tuple[tuple[str, float, float], ...] = ((SAME, 0.9, 0.9), (OTHER, 0.1, 0.1))
    caption: str = SAME


CALM = Answer()
"""Surprise 0."""
STARTLING = Answer(((SAME, 0.99, 0.01), (OTHER, 0.01, 0.99)), OTHER)
"""Surprise 0.98 ln 99 = 4.50 nats."""


def always_calm(request: Request) -> Answer:
    """A script for pipelines that do not care."""
    return CALM


def surprising_at(*indices: int) -> Callable[[Request], Answer]:
    """A script that is startled at these segment indices and calm otherwise."""
    return lambda request: STARTLING if request.index in indices else CALM


class FakeEngine:
    """Implements `core.Engine`; remembers every request it was asked."""

    def __init__(
        self, script: Callable[[Request], Answer] = always_calm, fails_at: Container[int] = (), name: str = "fake@0"
    ) -> None:
        """
        Args:
            script: what to answer; called once per request, in order.
            fails_at: segment indices at which the engine fails instead.
        """
        self.name = name
        self.requests: list[Request] = []
        self.num_checks = 0
        self._script = script
        self._fails_at = fails_at

    def assess(self, request: Request) -> Assessment:
        """The scripted answer; only a caption when the window is empty, as every engine does."""
        self.requests.append(request)
        if request.index in self._fails_at:
            raise EngineError(f"the fake was told to fail at segment {request.index}")
        answer = self._script(request)
        if not request.window:
            return Assessment((), answer.caption, sampled=False, stage_seconds={"caption": 0.0})
        scores = tuple(
            Scores(text, len(text.split()) + 1, log(prior), log(posterior), log(posterior) if request.verify else None)
            for text, prior, posterior in answer.beliefs
        )
        return Assessment(scores, answer.caption, sampled=not request.hypotheses, stage_seconds={"caption": 0.0})

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """One after the other."""
        answers: list[Assessment | Exception] = []
        for request in requests:
            try:
                answers.append(self.assess(request))
            except EngineError as error:
                answers.append(error)
        return answers

    def check_integrity(self) -> None:
        self.num_checks += 1
