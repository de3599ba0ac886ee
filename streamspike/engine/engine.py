"""The incremental engine: the reference's numbers at a small part of its cost, one camera at a time.

Every frame is encoded once. The window's blocks and the new one stand in the stream's cache; the prior may not see the
new one, so both beliefs are scored on the same prefix. A segment is then
1. vision: the frames that are new to the stream;
2. prefill: one forward of the blocks the cache lacks, both questions, the hypotheses if there are any, and what was
   said last time; in the steady state nothing else is left to run;
3. sample, caption: one forward per written word, all draws and the caption together, as far as they were not guessed.
   Forwards while hypotheses are drawn count as sample, those for the caption alone as caption;
4. score: one forward of what is still missing, most often the caption as a hypothesis.
`stage_seconds` has these names; prior, posterior and verify are scored together, so they are not told apart.

Exact: a window that slides is filled again from the features of its frames, because keys and values know what stood
before them. Deviation from the reference: none but the order of floating-point sums.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import torch

from streamspike.belief.hypotheses import distinct
from streamspike.belief.prompts import parse_sentence
from streamspike.core import Assessment, Request, Scores
from streamspike.engine.forward import BlockFeatures, encode_segments
from streamspike.engine.inquiry import Inquiry
from streamspike.engine.layout import block_seconds
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import DRAWS_PER_HYPOTHESIS, NOTHING_READABLE
from streamspike.engine.runner import PackedRow
from streamspike.engine.stream import Geometry, Stream
from streamspike.engine.writer import CaptionWriter, HypothesisWriter
from streamspike.errors import EngineError

MAX_TOKENIZED = 4096
"""Texts whose token ids are remembered; hypotheses, questions and summaries come again."""


class IncrementalEngine:
    """Implements `core.Engine`. One thread calls it at a time."""

    def __init__(
        self,
        loaded: LoadedModel,
        segment_seconds: float = 1.0,
        clock: Callable[[], float] = time.perf_counter,
        max_streams: int = 64,
    ) -> None:
        """
        Args:
            segment_seconds: length of a segment; read only by models that are told the time of each frame.
            clock: monotonic seconds, for the stage times.
            max_streams: cameras remembered; the one that was silent longest is forgotten first.
        """
        if max_streams < 1:
            raise ValueError(f"an engine remembers at least one stream: {max_streams = }")
        self.name = loaded.name
        self._loaded = loaded
        self._segment_seconds = segment_seconds
        self._clock = clock
        self._max_streams = max_streams
        self._streams: OrderedDict[str, Stream] = OrderedDict()  # by camera, the longest silent first
        self._tokenize = lru_cache(MAX_TOKENIZED)(lambda text: tuple(loaded.layout.tokenize(text)))

    @property
    def num_streams(self) -> int:
        return len(self._streams)

    @property
    def cache_bytes(self) -> int:
        """Keys and values allocated for all streams."""
        return sum(stream.cache.storage_bytes for stream in self._streams.values())

    def forget(self) -> None:
        """Drop all that is remembered; call it after the model's weights changed."""
        self._streams.clear()

    def assess(self, request: Request) -> Assessment:
        """Answer one request; with an empty window only the caption, as there is no prior.

        Raises:
            EngineError: the model failed: out of memory, or its numbers are not finite. The stream is forgotten, and
                the next request of the camera fills it again.
        """
        try:
            with torch.inference_mode():
                return self._assess(request)
        except RuntimeError as error:  # torch's out-of-memory errors are RuntimeErrors
            raise EngineError(
                f"{self.name} failed at segment {request.index} of {request.camera_id}: {error}"
            ) from error

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """Requests of different cameras."""
        answers: list[Assessment | Exception] = []
        for request in requests:
            try:
                answers.append(self.assess(request))
            except EngineError as error:
                answers.append(error)
        return answers

    def check_integrity(self) -> None:
        """Assert what holds between requests: streams within their bound, each cache as long as its prefix."""
        assert len(self._streams) <= self._max_streams
        with torch.inference_mode():
            for stream in self._streams.values():
                stream.check_integrity()

    def _assess(self, request: Request) -> Assessment:
        seconds: dict[str, float] = {}
        stream = self._take(request)
        with self._timed("vision", seconds):
            window, observation = self._features(stream, request)
        hypotheses = distinct(request.hypotheses) if window else ()
        sampled = bool(window) and not hypotheses
        with self._timed("prefill", seconds):
            row, inquiry = self._open(stream, request, window, observation)
            inquiry.add_hypotheses(hypotheses, request.verify)
            self._guess(inquiry, stream, request, sampled)
            row.compute()

        layout, sampling = self._loaded.layout, request.sampling
        writer = CaptionWriter(inquiry.seen, layout.special.end, sampling.max_caption_tokens)
        if sampled:
            assert inquiry.expected is not None
            num_draws = DRAWS_PER_HYPOTHESIS * sampling.num_hypotheses
            draws = HypothesisWriter(
                inquiry.expected, layout.special.end, sampling, num_draws, request.seed, self._read
            )
            with self._timed("sample", seconds):
                while draws.advance(row):
                    writer.advance(row)
                    row.compute()
            hypotheses = draws.hypotheses or (NOTHING_READABLE,)
        with self._timed("caption", seconds):
            while writer.advance(row):
                row.compute()
            caption = self._read(writer.token_ids)

        scores: tuple[Scores, ...] = ()
        if window:
            if request.complete:
                hypotheses = distinct([*hypotheses, caption])
            with self._timed("score", seconds):
                inquiry.add_hypotheses(hypotheses, request.verify)
                row.compute()
                scores = inquiry.scores(hypotheses, request.verify)
        self._check_finite(scores)
        stream.close()
        stream.remember(map(self._tokenize, hypotheses), caption, writer.token_ids)
        self._keep(request.camera_id, stream)
        return Assessment(scores, caption, sampled, seconds)

    def _take(self, request: Request) -> Stream:
        """The camera's stream, out of the table: it comes back when the request has been answered, else it is gone."""
        size = self._loaded.frames.frame_size(*request.observation[0].shape[:2])
        geometry = Geometry(request.epoch, size, len(request.observation))
        stream = self._streams.pop(request.camera_id, None)
        if stream is None or stream.geometry != geometry:
            stream = Stream(geometry, self._loaded.model.config.text_config.num_hidden_layers)
        return stream

    def _keep(self, camera_id: str, stream: Stream) -> None:
        while len(self._streams) >= self._max_streams:
            self._streams.popitem(last=False)
        self._streams[camera_id] = stream

    def _features(self, stream: Stream, request: Request) -> tuple[list[BlockFeatures], list[BlockFeatures]]:
        """Blocks of W_t and of O_t; segments that are new to the stream are encoded together."""
        segments = [*request.window, request.observation]
        new = {tuple(map(id, frames)): frames for frames in segments if stream.blocks_of(frames) is None}
        encoded = encode_segments(self._loaded, list(new.values()), stream.geometry.size)
        for frames, blocks in zip(new.values(), encoded, strict=True):
            stream.learn(frames, blocks)
        stream.keep_only(segments)
        found = [stream.blocks_of(frames) or () for frames in segments]
        return [block for blocks in found[:-1] for block in blocks], list(found[-1])

    def _open(
        self,
        stream: Stream,
        request: Request,
        window: Sequence[BlockFeatures],
        observation: Sequence[BlockFeatures],
    ) -> tuple[PackedRow, Inquiry]:
        """The row of this request, with its questions."""
        frames, num_frames = self._loaded.frames, stream.geometry.num_frames
        if len(window) % len(observation):
            raise EngineError(f"segments of {request.camera_id} have different numbers of frames")
        blocks = [*window, *observation]
        times = block_seconds(len(blocks) // len(observation), num_frames, frames.temporal_patch, self._segment_seconds)
        extension = stream.align(self._loaded.layout, frames.token_grid(stream.geometry.size), blocks, times)
        row = PackedRow(self._loaded, stream.cache, extension)
        before = stream.boundary(len(window)) if window else None
        end_id = self._loaded.layout.special.end
        inquiry = Inquiry(row, self._tokenize, end_id, request.summary, before, stream.boundary(len(blocks)))
        return row, inquiry

    def _guess(self, inquiry: Inquiry, stream: Stream, request: Request, sampled: bool) -> None:
        """What was said last time is computed along: if it is said again, it costs no forward of its own."""
        for token_ids in stream.captions:
            inquiry.add_caption(token_ids)
        if request.complete:
            inquiry.add_hypotheses(distinct([stream.caption]), request.verify)
        if sampled and stream.repeats:
            inquiry.add_answers(stream.answers)

    def _read(self, token_ids: Sequence[int]) -> str:
        return parse_sentence(self._loaded.tokenizer.decode(token_ids))

    def _check_finite(self, scores: Sequence[Scores]) -> None:
        for score in scores:
            if not math.isfinite(score.log_prior + score.log_posterior + (score.log_likelihood or 0.0)):
                raise EngineError(
                    f"the model gives {score.text!r} a log-probability that is not finite; are its weights broken?"
                )

    @contextmanager
    def _timed(self, stage: str, seconds: dict[str, float]) -> Iterator[None]:
        started = self._clock()
        yield
        if self._loaded.device.type == "cuda":
            torch.cuda.synchronize(self._loaded.device)  # else a stage would be charged for the one before
        seconds[stage] = self._clock() - started
