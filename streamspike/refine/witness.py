"""What was seen in a clip, for rewards and lessons: never in the words of the policy that is being trained.

A policy that captions everything alike would prove itself right. So the words are given (the journal's, which are the
model's own of that day; a person's; of simulated clips the truth), or the model's own with its adapter off.
"""

from __future__ import annotations

from typing import Literal

from streamspike.config import BeliefConfig
from streamspike.refine.examples import Example, ExampleSource
from streamspike.refine.policy import Policy
from streamspike.refine.rollout import watch

Words = Literal["given", "own"]
"""Whose captions: those that came with the clip, if any did; or always the model's own."""

MAX_POOL = 16
"""Clips whose captions stand for what is seen elsewhere."""


class Witness:
    """Remembers what it said: the reference never changes."""

    def __init__(self, policy: Policy, examples: ExampleSource, belief: BeliefConfig, words: Words) -> None:
        self._policy = policy
        self._examples = examples
        self._belief = belief
        self._words = words
        self._known: dict[int, tuple[str, ...]] = {}
        self._references: dict[int, str] = {}

    def captions(self, number: int, example: Example | None = None) -> tuple[str, ...]:
        """Per segment of example `number`; empty where nobody said.

        Args:
            example: the same, if it is at hand; making one costs.
        """
        if number not in self._known:
            example = example or self._examples[number]
            if self._words == "given" and any(example.captions):
                self._known[number] = example.captions
            else:
                with self._policy.reference():
                    self._known[number] = watch(self._policy, example, self._belief)
        return self._known[number]

    def elsewhere(self, number: int) -> list[str]:
        """Captions of other clips than this one, each once."""
        return list(dict.fromkeys(text for other in self._others(number) for text in self.captions(other) if text))

    def references_elsewhere(self, number: int) -> list[str]:
        """What somebody said of other clips than this one as a whole, each once."""
        for other in self._others(number):
            if other not in self._references:
                self._references[other] = self._examples[other].reference
        return list(dict.fromkeys(text for other in self._others(number) if (text := self._references[other])))

    def _others(self, number: int) -> list[int]:
        return [other for other in range(min(MAX_POOL, len(self._examples))) if other != number]
