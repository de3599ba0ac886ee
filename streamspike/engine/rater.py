"""The engine behind the zero-shot scorer: asks how surprising a segment is, and scores the eleven answers there are.

Slow and plain: one row per rating, by full recomputation, for one camera after the other. It is there to compare with.
"""

from __future__ import annotations

import math

from streamspike.belief.rating import RATE, RATINGS
from streamspike.core import Assessment, Request, Scores
from streamspike.engine.forward import Row, encode_segments, score_answers
from streamspike.engine.layout import block_seconds, join_spans
from streamspike.engine.plain import PlainEngine
from streamspike.errors import EngineError


class RatingEngine(PlainEngine):
    """Implements `core.Engine`. The texts of an assessment are RATINGS, in order; there is no caption.

    Nothing is asked before the segment is seen, so that log_prior says the same as log_posterior.
    """

    def _assess(self, request: Request) -> Assessment:
        """Nothing is asked about a first segment: before it there was nothing to expect anything from."""
        if not request.window:
            return Assessment((), "", sampled=False)
        seconds: dict[str, float] = {}
        with self._timed("vision", seconds):
            row = self._row(request)
        answers = [self._loaded.layout.answer(row.span.next_position, rating) for rating in RATINGS]
        with self._timed("score", seconds):
            values = score_answers(self._loaded, row, answers)
        if not all(map(math.isfinite, values)):
            raise EngineError("the model gives ratings a log-probability that is not finite; are its weights broken?")
        scores = tuple(
            Scores(rating, len(answer), value, value)
            for rating, answer, value in zip(RATINGS, answers, values, strict=True)
        )
        return Assessment(scores, "", sampled=False, stage_seconds=seconds)

    def _row(self, request: Request) -> Row:
        """All frames and the question."""
        frames, layout = self._loaded.frames, self._loaded.layout
        size = frames.frame_size(*request.observation[0].shape[:2])
        num_frames = len(request.observation)
        segments = [*request.window, request.observation]
        blocks = [block for encoded in encode_segments(self._loaded, segments, size) for block in encoded]
        times = block_seconds(len(segments), num_frames, frames.temporal_patch, self._segment_seconds)
        prefix = layout.prefix(*frames.token_grid(size), times)
        return Row(join_spans([prefix, layout.question(prefix.next_position, request.summary, RATE)]), tuple(blocks))
