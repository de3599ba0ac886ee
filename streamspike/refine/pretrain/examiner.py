"""What a training clip is asked: what came next, what happened, which of several it was, and whether something is true.

Which of several (`Branch.rivals`) is the question that surprise turns on: the belief after a segment is a softmax over
sentences that could have happened. To say each sentence well does not yet keep them apart, and being asked for the one
among its rivals does (maximum mutual information, Bahl et al. 1986; CRPO's choices, `refine/crpo/learner.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from streamspike.belief import prompts
from streamspike.refine.pretrain.clips import Clip
from streamspike.refine.pretrain.rows import Branch

NUM_EXPECTED = 4
"""Segments of a clip that are asked what comes next."""
EXPECTED_RECALL, OBSERVED_RECALL = 1 / 2, 1 / 4
"""How often a question comes with the memory, which is the longest part of a branch; without, as early in a stream."""
NUM_RIVALS = 2
VERIFY_WEIGHT = 0.5


class Examiner:
    """Draws the questions of a clip; other ones each time."""

    def __init__(self, sentences: Iterable[str]) -> None:
        """
        Args:
            sentences: all that can be said, for false statements and for rivals.
        """
        self._sentences = tuple(sentences)
        self._by_rest: dict[tuple[int, str], list[str]] = defaultdict(list)
        for sentence in self._sentences:
            for key in _rests(sentence):
                self._by_rest[key].append(sentence)

    def ask(self, clip: Clip, rng: np.random.Generator) -> list[Branch]:
        """Four segments are asked what comes next, every one what happened, and one whether something is true of it."""
        count = len(clip.sentences)
        branches = []
        for t in rng.choice(count - 1, size=NUM_EXPECTED, replace=False):
            # Drawn from the truth and not what came: a scripted surprise must not teach that surprises are common.
            table = clip.alternatives[t + 1]
            texts, weights = zip(*table, strict=True)
            summary = clip.summary if rng.random() < EXPECTED_RECALL else ""
            drawn = texts[_draw(weights, rng)]
            branches.append(Branch(int(t) + 1, prompts.PREDICT, summary, drawn, chances=table))
        for t, truth in enumerate(clip.sentences):
            summary = clip.summary if rng.random() < OBSERVED_RECALL else ""
            rivals = () if summary else self._rivals(clip, t, rng)
            branches.append(Branch(t + 1, prompts.OBSERVE, summary, truth, rivals=rivals))
        t = int(rng.integers(count))
        truth = clip.sentences[t]
        true = bool(rng.random() < 0.5)
        question = prompts.render_verify(truth if true else self._falsehood(clip, t, rng))
        summary = clip.summary if rng.random() < OBSERVED_RECALL else ""
        branches.append(Branch(t + 1, question, summary, prompts.YES if true else prompts.NO, VERIFY_WEIGHT))
        return branches

    def _rivals(self, clip: Clip, t: int, rng: np.random.Generator) -> tuple[str, ...]:
        """What else could have happened, however improbable, and what differs from the truth by a word."""
        truth = clip.sentences[t]
        could = [text for text, _ in clip.alternatives[t] if text != truth]
        near = sorted({text for key in _rests(truth) for text in self._by_rest.get(key, ()) if text != truth})
        rivals: list[str] = []
        while len(rivals) < NUM_RIVALS and (could or near):
            pool = could if could and (not near or rng.random() < 0.5) else near
            rivals.append(pool.pop(int(rng.integers(len(pool)))))
        return tuple(dict.fromkeys(rivals))

    def _falsehood(self, clip: Clip, t: int, rng: np.random.Generator) -> str:
        """Something that could have happened, or happened at another time, or happens elsewhere."""
        near = [text for text, _ in clip.alternatives[t] if text != clip.sentences[t]][:8]
        other = [text for text in clip.sentences if text != clip.sentences[t]]
        pools = [pool for pool in (near, other, list(self._sentences)) if pool]
        pool = pools[int(rng.integers(len(pools)))]
        choice = pool[int(rng.integers(len(pool)))]
        return choice if choice != clip.sentences[t] else "something else happens"


def _rests(sentence: str) -> list[tuple[int, str]]:
    """The sentence without its first word, without its second, ...: two that share one differ by that word."""
    words = sentence.split()
    return [(k, " ".join((*words[:k], "_", *words[k + 1 :]))) for k in range(len(words))]


def _draw(weights: Sequence[float], rng: np.random.Generator) -> int:
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1])), len(weights) - 1)
