"""Plain fine-tuning on what came next: the caption of the next segment as the answer to "what happens next?".

The baseline that SPIKE-RL has to beat on the very same clips. Windows and memories are those of the monitor: a window
of W segments, and before it the captions of what has left it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streamspike.belief.prompts import OBSERVE, PREDICT
from streamspike.belief.summary import Summary
from streamspike.config import BeliefConfig
from streamspike.errors import DatasetError
from streamspike.refine.examples import ExampleSource
from streamspike.refine.packed import Asked, Features, PackedRows, portions, share_windows
from streamspike.refine.policy import Policy
from streamspike.refine.training import Backward, Learnt, draw_example
from streamspike.refine.witness import Witness, Words


@dataclass(frozen=True, slots=True)
class SupervisedSettings:
    """What is taught about a clip."""

    observe: bool = False
    """Teach "what just happened?" as well. Off: captions of the journal are the model's own, and it would learn to
    repeat itself."""
    words: Words = "given"
    rows_per_pass: int = 8
    """Windows in one forward and backward."""


class SupervisedLearner:
    """Implements `training.Learner`."""

    method = "supervised"

    def __init__(
        self,
        policy: Policy,
        examples: ExampleSource,
        belief: BeliefConfig,
        settings: SupervisedSettings,
        seed: int,
        data_hash: str = "",
    ) -> None:
        """
        Args:
            belief: its window and the length of its memory.

        Raises:
            DatasetError: there are no examples.
        """
        if not len(examples):
            raise DatasetError("there are no examples to learn from")
        self.policy = policy
        self._examples = examples
        self._belief = belief
        self._witness = Witness(policy, examples, belief, settings.words)
        self._settings = settings
        self._seed = seed
        self._data_hash = data_hash

    def describe(self) -> Mapping[str, Any]:
        """Settings, and what the data are."""
        shape = {"window_segments": self._belief.window_segments, "summary_words": self._belief.summary_words}
        return {
            **asdict(self._settings),
            **shape,
            "data": self._data_hash,
            "examples": len(self._examples),
            "seed": self._seed,
        }

    def learn(self, number: int, backward: Backward) -> Learnt:
        """Mean negative log-likelihood of the captions' tokens, nats."""
        settings, loaded = self._settings, self.policy.loaded
        which = draw_example(self._seed, number, len(self._examples))
        example = self._examples[which]
        captions = self._witness.captions(which, example)
        taught = teach(captions, self._belief, observe=settings.observe)
        rows = share_windows(example.segments, taught, example.segment_seconds)
        num_tokens = sum(
            len(loaded.layout.tokenize(answer)) + 1 for row in rows for asked in row.asked for answer in asked.answers
        )
        total = 0.0
        known: Features = {}
        with self.policy.training():
            for part in portions(rows, settings.rows_per_pass):
                loss = -PackedRows(loaded, part, known).log_probs().sum() / num_tokens
                total += float(loss.detach())
                backward(loss)
        return Learnt({"nats": total}, captions[-1])


def teach(captions: Sequence[str], belief: BeliefConfig, *, observe: bool) -> Iterator[tuple[int, Asked]]:
    """The first segment of each window, and what is taught about it."""
    summary = Summary(belief.summary_words)
    for index, caption in enumerate(captions):
        start = max(0, index - belief.window_segments)
        if start:
            summary.append(captions[start - 1])
        if not caption:
            continue
        if index:
            yield start, Asked(index - start, summary.text, PREDICT, (caption,))
        if observe:
            yield start, Asked(index - start + 1, summary.text, OBSERVE, (caption,))
