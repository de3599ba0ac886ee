"""The slow and obviously right engine: the paper's procedure by full recomputation.

For each segment: sample N hypotheses from the window, caption the new segment, score every hypothesis before and after
it. Every score is a full forward of its own row; nothing is remembered between requests. Faster engines are tested
against it.

Deviations from the paper and its code:
1. The posterior asks "what just happened", the prior "what happens next": after the fact the next moment is another
   question.
2. Frames come before the memory (see `belief/prompts.py`).
3. Draws go on until N distinct sentences are found, or DRAWS_PER_HYPOTHESIS * N were drawn. They are drawn in one batch
   and counted in order, which is the same distribution as one after the other. Or they are made to differ as `beams.py`
   says, if the sampling asks for it.
4. With `complete`, the caption of what was seen joins the set: a closed set is blind to what nobody expected.
5. Frame features are computed once per request. Vision attention stays within a temporal patch, so nothing changes.
6. Sentences may be drawn about what was seen, too (`Request.num_sightings`); they are scored apart
   (`belief.hypotheses.believed` unites them).
7. The end of the answer is part of its score, so that a sentence that stops early is not favoured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamspike.belief.hypotheses import distinct, readable
from streamspike.belief.prompts import OBSERVE, PREDICT, render_verify
from streamspike.core import Assessment, Request, Scores
from streamspike.engine.beams import make_beams
from streamspike.engine.decode import Nucleus, as_they_come, generate, greedy, search
from streamspike.engine.forward import BlockFeatures, Row, encode_segments, score_answers
from streamspike.engine.layout import block_seconds, join_spans
from streamspike.engine.plain import PlainEngine
from streamspike.engine.vision import FrameSize
from streamspike.errors import EngineError

DRAWS_PER_HYPOTHESIS = 3
"""A quiet scene has few likely futures; more draws would only repeat them."""

SIGHTING_SEED = 1 << 32
"""Added to the seed of a request, which is smaller, for draws about what was seen: they owe nothing to the others."""

NOTHING_READABLE = "nothing changes"
"""The one hypothesis when a model answers with nothing a person can read."""


class ReferenceEngine(PlainEngine):
    """Implements `core.Engine`."""

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
        num_before = len(hypotheses)
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
                log_likelihood = list(self._choose_yes(rows))
        scores = tuple(map(Scores, hypotheses, lengths, log_prior, log_posterior, log_likelihood))
        sightings: tuple[Scores, ...] = ()
        if request.num_sightings:
            with self._timed("sightings", seconds):
                sightings = self._sight(expected, seen, request)
        _check_finite([*scores, *sightings])
        joined = len(hypotheses) > num_before
        return Assessment(scores, caption, sampled, seconds, sightings=sightings, joined=joined)

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
        beams = make_beams(sampling, self._loaded.layout.special.end, request.seed)
        answers: Sequence[Sequence[int]]
        if beams:
            answers = search(self._loaded, expected, beams)
        else:
            num_draws = DRAWS_PER_HYPOTHESIS * sampling.num_hypotheses
            choose = Nucleus(sampling, num_draws, request.seed)
            answers = generate(self._loaded, expected, choose, num_draws, sampling.max_hypothesis_tokens)
        found = distinct(self._read(ids) for ids in answers)
        return found[: sampling.num_hypotheses] or (NOTHING_READABLE,)

    def _sight(self, expected: Row, seen: Row, request: Request) -> tuple[Scores, ...]:
        """Readable sentences drawn about what was seen, in order."""
        sampling = as_they_come(request.num_sightings, request.sampling.max_caption_tokens)
        choose = Nucleus(sampling, request.num_sightings, request.seed + SIGHTING_SEED)
        answers = generate(self._loaded, seen, choose, request.num_sightings, sampling.max_hypothesis_tokens)
        texts = readable(self._read(ids) for ids in answers)
        if not texts:
            return ()
        log_prior, lengths = self._score(expected, texts)
        log_posterior, _ = self._score(seen, texts)
        return tuple(map(Scores, texts, lengths, log_prior, log_posterior))

    def _score(self, context: Row, hypotheses: Sequence[str]) -> tuple[list[float], list[int]]:
        """Log-probabilities and numbers of tokens."""
        answers = [self._loaded.layout.answer(context.span.next_position, text) for text in hypotheses]
        return score_answers(self._loaded, context, answers), [len(answer) for answer in answers]


def _check_finite(scores: Sequence[Scores]) -> None:
    for score in scores:
        if not math.isfinite(score.log_prior + score.log_posterior + (score.log_likelihood or 0.0)):
            raise EngineError(
                f"the model gives {score.text!r} a log-probability that is not finite; are its weights broken?"
            )
