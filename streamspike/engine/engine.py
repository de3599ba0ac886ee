"""The incremental engine: the reference's numbers at a small part of its cost, for several cameras at a time.

Every frame is encoded once. The window's blocks and the new one stand in the stream's cache; the prior may not see the
new one, so both beliefs are scored on the same prefix. A step answers one request of each of its cameras, and every
forward of it is one of all of them:
1. vision: the frames that are new to their streams;
2. prefill: the blocks the caches lack, both questions, the hypotheses if there are any, and what was said last time; in
   the steady state nothing else is left to run;
3. sample, caption: one forward per written word, all draws and the captions together, as far as they were not guessed.
   Forwards while hypotheses are drawn count as sample, those for captions alone as caption;
4. score: one forward of what is still missing, most often the captions as hypotheses.
`stage_seconds` has these names, each request's share of them; prior, posterior and verify are scored together, so they
are not told apart.

Exact: a window that slides is filled again from the features of its frames, because keys and values know what stood
before them. Deviation from the reference: none but the order of floating-point sums. With `window: fast` it slides in
place, which is not exact; every `refill_segments` slides it is filled again, and the difference is measured.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice

import torch

from streamspike.belief.hypotheses import distinct
from streamspike.belief.prompts import NO, YES, parse_sentence
from streamspike.config import EngineConfig
from streamspike.core import Assessment, Request
from streamspike.engine.adapter import Adapter
from streamspike.engine.forward import encode_segments
from streamspike.engine.inquiry import Inquiry
from streamspike.engine.layout import block_seconds
from streamspike.engine.ledger import Ledger
from streamspike.engine.looks import in_looks
from streamspike.engine.model import LoadedModel
from streamspike.engine.opening import in_parts
from streamspike.engine.runner import PackedRow, choices, compute, log_probabilities
from streamspike.engine.sampler import DeviceSampler
from streamspike.engine.stream import Frames, Geometry, Stream, drift_nats
from streamspike.engine.turn import Turn
from streamspike.engine.vision import FrameSize
from streamspike.engine.writer import Writer, advance
from streamspike.errors import EngineError

logger = logging.getLogger(__name__)

MAX_TOKENIZED = 4096
"""Texts whose token ids are remembered; hypotheses, questions and summaries come again."""


class IncrementalEngine:
    """Implements `core.Engine`. One thread calls it at a time."""

    def __init__(
        self,
        loaded: LoadedModel,
        segment_seconds: float = 1.0,
        config: EngineConfig = EngineConfig(),  # noqa: B008  # frozen
        clock: Callable[[], float] = time.perf_counter,
        max_streams: int = 512,
        write_on_device: bool | None = None,
    ) -> None:
        """
        Args:
            config: its window and its memory; the rest is the scheduler's.
            segment_seconds: length of a segment; read only by models that are told the time of each frame.
            clock: monotonic seconds, for the stage times.
            max_streams: cameras remembered; the one that was silent longest is forgotten first.
            write_on_device: how words are written (see `sampler.py`); None: on the device if that is a GPU.
        """
        if max_streams < 1:
            raise ValueError(f"an engine remembers at least one stream: {max_streams = }")
        self.name, self.slot = loaded.slot.name, loaded.slot
        self._loaded = loaded
        self._segment_seconds = segment_seconds
        self._clock = clock
        self._config = config
        self._max_streams = max_streams
        self._ledger = Ledger(config.memory_bytes)
        on_device = loaded.device.type == "cuda" if write_on_device is None else write_on_device
        self._sampler = DeviceSampler(loaded) if on_device else None
        self._streams: OrderedDict[str, Stream] = OrderedDict()  # by camera, the longest silent first
        self._tokenize = lru_cache(MAX_TOKENIZED)(lambda text: tuple(loaded.layout.tokenize(text)))

    @property
    def num_streams(self) -> int:
        return len(self._streams)

    @property
    def cache_bytes(self) -> int:
        """Keys and values allocated for all streams."""
        return self._ledger.cache_bytes

    @property
    def feature_bytes(self) -> int:
        """Features of the frames in all windows."""
        return self._ledger.feature_bytes

    @property
    def evicted(self) -> Mapping[str, int]:
        """Streams that had to give memory back, by reason; see `Ledger.evicted`."""
        return self._ledger.evicted

    def wear(self, adapter: Adapter | None) -> None:
        """Answer with this adapter, or none, from now on. Raises ModelError: it cannot be; all is as it was."""
        self.slot.put(adapter)
        self.name = self.slot.name
        self.forget()

    def forget(self) -> None:
        """Drop all that is remembered; call it after the model's weights changed."""
        for camera_id in list(self._streams):
            self._drop(camera_id)
        self._forget_graphs()

    def _forget_graphs(self) -> None:
        """What was captured for passes of fixed size, and on the way to words."""
        if self._loaded.graphs is not None:
            self._loaded.graphs.clear()
        if self._sampler:
            self._sampler.forget()

    def assess(self, request: Request) -> Assessment:
        """Answer one request; with an empty window only the caption, as there is no prior.

        Raises:
            EngineError: the model failed: out of memory, or its numbers are not finite. The stream is forgotten, and
                the next request of the camera fills it again.
        """
        (answer,) = self.assess_batch([request])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def assess_batch(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """Answer requests together, in their order; those of one camera one after the other.

        When a step fails as a whole, as it does when memory is short, its halves are tried: what one camera can be
        answered, it is. An EngineError stands in the place of an answer that could not be given.
        """
        return in_looks(requests, lambda looks: in_parts(looks, self._assess_parts))

    def _assess_parts(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        answers: dict[int, Assessment | Exception] = {}
        waiting = list(enumerate(requests))
        while waiting:
            first: dict[str, tuple[int, Request]] = {}
            for number, request in waiting:
                first.setdefault(request.camera_id, (number, request))
            step = list(first.values())
            answers |= zip((number for number, _ in step), self._try([request for _, request in step]), strict=True)
            waiting = [item for item in waiting if item[0] not in answers]
        return [answers[number] for number in range(len(requests))]

    def _try(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        try:
            with torch.inference_mode():
                return self._step(requests)
        except RuntimeError as error:  # torch's out-of-memory errors are RuntimeErrors
            for request in requests:
                self._drop(request.camera_id)
            if isinstance(error, torch.OutOfMemoryError) and self._free():
                return self._try(requests)
            if len(requests) > 1:
                middle = len(requests) // 2
                return self._try(requests[:middle]) + self._try(requests[middle:])
            (request,) = requests
            failure = EngineError(f"{self.name} failed at segment {request.index} of {request.camera_id}: {error}")
            failure.__cause__ = error
            return [failure]

    def _free(self) -> bool:
        """Give back all keys and values; features stay. False when there was nothing to give."""
        held = self.cache_bytes
        for camera_id, stream in self._streams.items():
            stream.drop_keys()
            self._ledger.settle(camera_id, 0, stream.feature_bytes)
        self._evict()
        self._forget_graphs()
        if self._loaded.device.type == "cuda":
            torch.cuda.empty_cache()
        return held > 0

    def check_integrity(self) -> None:
        """Assert what holds between requests: streams within their bound, each cache as long as its prefix."""
        assert len(self._streams) <= self._max_streams
        self._ledger.check_integrity()
        assert self.cache_bytes == sum(stream.cache_bytes for stream in self._streams.values())
        with torch.inference_mode():
            for stream in self._streams.values():
                stream.check_integrity()

    def _step(self, requests: Sequence[Request]) -> list[Assessment | Exception]:
        """One request of each of several cameras."""
        self._times: dict[str, float] = {}
        answers: list[Assessment | Exception | None] = [None] * len(requests)
        turns = [Turn(number, request, self._take(request)) for number, request in enumerate(requests)]
        with self._timed("vision"):
            self._encode(turns)
        with self._timed("prefill"):
            for turn in list(turns):
                try:
                    self._open(turn)
                except EngineError as error:
                    answers[turn.number] = error
                    turns.remove(turn)
            rows = [turn.row for turn in turns]
            compute(self._loaded, rows)
        searches = any(turn.samples and turn.request.sampling.diversity != "temperature" for turn in turns)
        if self._sampler and not searches:  # beams decide on the host
            with self._timed("sample" if any(turn.samples for turn in turns) else "caption"):
                self._write_on_device(turns, self._sampler)
        else:
            self._write_on_trees(turns)
        with self._timed("score"):
            self._score(turns)
        due = [turn for turn in turns if turn.scores and turn.stream.refill_due(self._config.refill_segments)]
        if due:
            with self._timed("refill"):
                self._refill(due)
        for turn in turns:
            answers[turn.number] = self._close(turn, turns)
        self._evict()
        return [answer for answer in answers if answer is not None]

    def _take(self, request: Request) -> Stream:
        """The camera's stream, out of the table: it comes back when the request has been answered, else it is gone."""
        size = self._loaded.frames.frame_size(*request.observation[0].shape[:2])
        geometry = Geometry(request.epoch, size, len(request.observation))
        stream = self._streams.pop(request.camera_id, None)
        self._ledger.forget(request.camera_id)
        if stream is None or stream.geometry != geometry:
            language_model = self._loaded.model.model.language_model
            stream = Stream(geometry, len(language_model.layers), language_model.rotary_emb.inv_freq)
        return stream

    def _keep(self, camera_id: str, stream: Stream) -> None:
        while len(self._streams) >= self._max_streams:
            self._drop(next(iter(self._streams)))
        self._streams[camera_id] = stream
        self._ledger.settle(camera_id, stream.cache_bytes, stream.feature_bytes)

    def _drop(self, camera_id: str) -> None:
        self._streams.pop(camera_id, None)
        self._ledger.forget(camera_id)

    def _evict(self) -> None:
        """Come under the memory budget."""
        for eviction in self._ledger.evictions():
            if eviction.keep_features:
                self._streams[eviction.camera_id].drop_keys()
            else:
                del self._streams[eviction.camera_id]

    def _encode(self, turns: Sequence[Turn]) -> None:
        """Encode what is new to the streams, frames of one size together; forget what left the windows."""
        by_size: dict[FrameSize, list[tuple[Stream, Frames]]] = {}
        for turn in turns:
            new = {tuple(map(id, frames)): frames for frames in turn.segments if turn.stream.blocks_of(frames) is None}
            by_size.setdefault(turn.stream.geometry.size, []).extend((turn.stream, frames) for frames in new.values())
        for size, wanted in by_size.items():
            encoded = encode_segments(self._loaded, [frames for _, frames in wanted], size)
            for (stream, frames), blocks in zip(wanted, encoded, strict=True):
                stream.learn(frames, blocks)
        for turn in turns:
            turn.stream.keep_only(turn.segments)

    def _open(self, turn: Turn) -> None:
        """The row of a request, with its questions, known hypotheses and guesses."""
        self._lay(turn, slide=self._config.window == "fast")
        request = turn.request
        turn.hypotheses = distinct(request.hypotheses) if request.window else ()
        turn.inquiry.add_hypotheses(turn.hypotheses, request.verify)
        turn.samples = bool(request.window) and not turn.hypotheses
        self._guess(turn)

    def _lay(self, turn: Turn, *, slide: bool) -> None:
        """The row of a request, with its questions."""
        request, stream, layout = turn.request, turn.stream, self._loaded.layout
        frames, num_frames = self._loaded.frames, stream.geometry.num_frames
        *before, observation = ([*(stream.blocks_of(segment) or ())] for segment in turn.segments)
        window = [block for blocks in before for block in blocks]
        if len(window) % len(observation):
            raise EngineError(f"segments of {request.camera_id} have different numbers of frames")
        blocks = [*window, *observation]
        times = block_seconds(len(blocks) // len(observation), num_frames, frames.temporal_patch, self._segment_seconds)
        extension = stream.align(layout, frames.token_grid(stream.geometry.size), blocks, times, slide=slide)
        turn.row = PackedRow(stream.cache, extension)
        past = stream.boundary(len(window)) if window else None
        now = stream.boundary(len(blocks))
        turn.inquiry = Inquiry(turn.row.tree, self._tokenize, layout.special.end, request.summary, past, now)

    def _refill(self, turns: Sequence[Turn]) -> None:
        """Fill windows that have slid from their features, and score again: this is the answer, and tells the drift."""
        slid = [turn.scores for turn in turns]
        for turn in turns:
            turn.stream.close()
            self._lay(turn, slide=False)
            turn.inquiry.add_hypotheses(turn.hypotheses, turn.request.verify)
        compute(self._loaded, [turn.row for turn in turns])
        self._score(turns)
        for turn, scores in zip(turns, slid, strict=True):
            turn.drift_nats = drift_nats(scores, turn.scores)
            logger.debug("camera %s had drifted by %.2g nats", turn.request.camera_id, turn.drift_nats)

    def _guess(self, turn: Turn) -> None:
        """What was said last time is computed along: if it is said again, it costs no forward of its own."""
        stream, inquiry = turn.stream, turn.inquiry
        for token_ids in stream.captions:
            inquiry.add_caption(token_ids)
        if turn.request.complete:
            inquiry.add_hypotheses(distinct([stream.caption]), turn.request.verify)
        if turn.samples and stream.repeats:
            inquiry.add_answers(stream.answers)

    def _write_on_trees(self, turns: Sequence[Turn]) -> None:
        """Hypotheses and captions, one forward per word that was not guessed."""
        end_id, rows = self._loaded.layout.special.end, [turn.row for turn in turns]
        captions = [turn.caption_writer(end_id) for turn in turns]
        draws = {turn: turn.hypothesis_writer(end_id, self._read) for turn in turns if turn.samples}
        sightings = {turn: turn.sighting_writer(end_id, self._read) for turn in turns if turn.sights}
        all_writers: list[tuple[PackedRow, Writer]] = [(turn.row, writer) for turn, writer in draws.items()]
        all_writers += [(turn.row, writer) for turn, writer in sightings.items()]
        all_writers += zip(rows, captions, strict=True)
        after: list[Writer] = [*captions, *sightings.values()]
        stages: tuple[tuple[str, Sequence[Writer]], ...] = (("sample", [*draws.values()]), ("caption", after))
        for stage, writers in stages:
            with self._timed(stage):
                advance(self._loaded, all_writers)
                while any(writer.writing for writer in writers):
                    compute(self._loaded, rows)
                    advance(self._loaded, all_writers)
        for turn, caption in zip(turns, captions, strict=True):
            turn.caption_ids = caption.token_ids
        for turn, writer in draws.items():
            turn.take_hypotheses(writer.sentences)
        for turn, sighting in sightings.items():
            turn.take_sightings(sighting.sentences)

    def _write_on_device(self, turns: Sequence[Turn], sampler: DeviceSampler) -> None:
        """The same without the host: all steps in a row."""
        answers = iter(sampler.write([question for turn in turns for question in turn.questions()]))
        for turn in turns:
            turn.take_answers(answers, self._read)

    def _score(self, turns: Sequence[Turn]) -> None:
        """Score the hypotheses of all rows that have a prior."""
        scored = [turn for turn in turns if turn.inquiry.expected is not None]
        if not scored:
            return
        for turn in scored:
            turn.settle(self._read(turn.caption_ids))
            turn.inquiry.add_hypotheses(turn.hypotheses, turn.request.verify)
            turn.inquiry.add_hypotheses(turn.texts, verify=False)
        compute(self._loaded, [turn.row for turn in scored])
        places = [turn.inquiry.places(turn.texts) for turn in scored]
        targets = [target for _, wanted in places for target in wanted]
        rows = [(turn.row, nodes) for turn, (nodes, _) in zip(scored, places, strict=True)]
        values = iter(log_probabilities(self._loaded, rows, targets))
        verified = [turn for turn in scored if turn.request.verify]
        questions = [(turn.row, turn.inquiry.questions(turn.hypotheses)) for turn in verified]
        options = [self._tokenize(word)[0] for word in (YES, NO)]
        answers = iter(choices(self._loaded, questions, options) if questions else ())
        for turn, (nodes, _) in zip(scored, places, strict=True):
            likelihood = [next(answers)[0] for _ in turn.hypotheses] if turn.request.verify else None
            turn.take_scores(list(islice(values, len(nodes))), likelihood)

    def _close(self, turn: Turn, turns: Sequence[Turn]) -> Assessment | Exception:
        """The answer; the stream goes back into the table, unless the model's numbers make no sense."""
        caption, stream = self._read(turn.caption_ids), turn.stream
        seconds = {
            stage: time / sum(other.takes_part(stage) for other in turns)
            for stage, time in self._times.items()
            if turn.takes_part(stage)
        }
        answer = turn.answer(caption, seconds, self.name)
        if isinstance(answer, Assessment):
            stream.close()
            stream.remember(map(self._tokenize, turn.hypotheses), caption, turn.caption_ids)
            if not turn.request.opening:
                self._keep(turn.request.camera_id, stream)
        return answer

    def _read(self, token_ids: Sequence[int]) -> str:
        return parse_sentence(self._loaded.tokenizer.decode(token_ids))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = self._clock()
        yield
        if self._loaded.device.type == "cuda":
            torch.cuda.synchronize(self._loaded.device)  # else a stage would be charged for the one before
        self._times[stage] = self._clock() - started
