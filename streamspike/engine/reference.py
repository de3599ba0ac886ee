"""The slow and obviously right engine: the paper's procedure by full recomputation.

For each segment: sample N hypotheses from the window, caption the new segment, score every hypothesis before and after
it. Every score is a full forward of its own row; nothing is remembered between requests. Faster engines are tested
against it.

Deviations from the paper and its code:
1. The posterior asks "what just happened", the prior "what happens next": after the fact the next moment is another
   question.
2. Frames come before the memory (see `belief/prompts.py`).
3. Draws go on until N distinct sentences are found, or DRAWS_PER_HYPOTHESIS * N were drawn. They are drawn in one batch
   and counted in order, which is the same distribution as one after the other.
4. With `complete`, the caption of what was seen joins the set: a closed set is blind to what nobody expected.
5. Frame features are computed once per request. Vision attention stays within a temporal patch, so nothing changes.
6. The end of the answer is part of its score, so that a sentence that stops early is not favoured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from streamspike.belief.hypotheses import distinct
from streamspike.belief.prompts import NO, OBSERVE, PREDICT, YES, parse_sentence, render_verify
from streamspike.core import Assessment, Request, Scores
from streamspike.engine.decode import Nucleus, generate, greedy
from streamspike.engine.forward import BlockFeatures, Row, encode_segments, last_logits, score_answers
from streamspike.engine.layout import block_seconds, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.engine.vision import FrameSize
from streamspike.errors import EngineError

DRAWS_PER_HYPOTHESIS = 3
"""A quiet scene has few likely futures; more draws would only repeat them."""

NOTHING_READABLE = "nothing changes"
"""The one hypothesis when a model answers with nothing a person can read."""


class ReferenceEngine:
    """Implements `core.Engine`. One thread calls it at a time."""

    def __init__(
        self, loaded: LoadedModel, segment_seconds: float = 1.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """
        Args:
            segment_seconds: length of a segment; read only by models that are told the time of each frame.
            clock: monotonic seconds, for the stage times.
        """
        self.name = loaded.name
        self._loaded = loaded
        self._segment_seconds = segment_seconds
        self._clock = clock
        self._yes_no = [loaded.layout.tokenize(word)[0] for word in (YES, NO)]

    def assess(self, request: Request) -> Assessment:
        """Answer one request; with an empty window only the caption, as there is no prior.

        Raises:
            EngineError: the model failed: out of memory, or its numbers are not finite.
        """
        try:
            with torch.inference_mode():
                return self._assess(request)
        except RuntimeError as error:  # torch's out-of-memory errors are RuntimeErrors
            raise EngineError(
                f"{self.name} failed at segment {request.index} of {request.camera_id}: {error}"
            ) from error

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """One after the other: nothing is shared, so nothing can go wrong between cameras."""
        answers: list[Assessment | Exception] = []
        for request in requests:
            try:
                answers.append(self.assess(request))
            except EngineError as error:
                answers.append(error)
        return answers

    def check_integrity(self) -> None:
        """Nothing is remembered."""

    def _assess(self, request: Request) -> Assessment:
        seconds: dict[str, float] = {}
        size = self._loaded.frames.frame_size(*request.observation[0].shape[:2])
        with self._timed("vision", seconds):
            segments = encode_segments(self._loaded, [*request.window, request.observation], size)
        num_frames = len(request.observation)
        after = [block for blocks in segments for block in blocks]
        seen = self._context(after, num_frames, size, request.summary, OBSERVE)
        with self._timed("caption", seconds):
            caption = self._caption(seen, request)
        if not request.window:
            return Assessment((), caption, sampled=False, stage_seconds=seconds)

        before = [block for blocks in segments[:-1] for block in blocks]
        expected = self._context(before, num_frames, size, request.summary, PREDICT)
        hypotheses = distinct(request.hypotheses)
        sampled = not hypotheses
        if sampled:
            with self._timed("sample", seconds):
                hypotheses = self._sample(expected, request)
        if request.complete:
            hypotheses = distinct([*hypotheses, caption])
        with self._timed("prior", seconds):
            log_prior, lengths = self._score(expected, hypotheses)
        with self._timed("posterior", seconds):
            log_posterior, _ = self._score(seen, hypotheses)
        log_likelihood: list[float | None] = [None] * len(hypotheses)
        if request.verify:
            with self._timed("verify", seconds):
                questions = [render_verify(text) for text in hypotheses]
                rows = [self._context(after, num_frames, size, request.summary, question) for question in questions]
                log_likelihood = list(self._verify(rows))
        scores = tuple(map(Scores, hypotheses, lengths, log_prior, log_posterior, log_likelihood))
        _check_finite(scores)
        return Assessment(scores, caption, sampled, seconds)

    def _context(
        self, blocks: Sequence[BlockFeatures], num_frames: int, size: FrameSize, summary: str, question: str
    ) -> Row:
        """A row up to the answer."""
        frames, layout = self._loaded.frames, self._loaded.layout
        num_segments = len(blocks) // frames.num_blocks(num_frames)
        times = block_seconds(num_segments, num_frames, frames.temporal_patch, self._segment_seconds)
        prefix = layout.prefix(*frames.token_grid(size), times)
        return Row(join_spans([prefix, layout.question(prefix.next_position, summary, question)]), tuple(blocks))

    def _caption(self, seen: Row, request: Request) -> str:
        (ids,) = generate(self._loaded, seen, greedy, 1, request.sampling.max_caption_tokens)
        return self._read(ids)

    def _sample(self, expected: Row, request: Request) -> tuple[str, ...]:
        """At least one and at most N distinct sentences."""
        sampling = request.sampling
        num_draws = DRAWS_PER_HYPOTHESIS * sampling.num_hypotheses
        choose = Nucleus(sampling, num_draws, request.seed)
        answers = generate(self._loaded, expected, choose, num_draws, sampling.max_hypothesis_tokens)
        found = distinct(self._read(ids) for ids in answers)
        return found[: sampling.num_hypotheses] or (NOTHING_READABLE,)

    def _score(self, context: Row, hypotheses: Sequence[str]) -> tuple[list[float], list[int]]:
        """Log-probabilities and numbers of tokens."""
        answers = [self._loaded.layout.answer(context.span.next_position, text) for text in hypotheses]
        return score_answers(self._loaded, context, answers), [len(answer) for answer in answers]

    def _verify(self, rows: Sequence[Row]) -> list[float]:
        """log P(yes), renormalised over yes and no."""
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


def _check_finite(scores: Sequence[Scores]) -> None:
    for score in scores:
        if not math.isfinite(score.log_prior + score.log_posterior + (score.log_likelihood or 0.0)):
            raise EngineError(
                f"the model gives {score.text!r} a log-probability that is not finite; are its weights broken?"
            )
