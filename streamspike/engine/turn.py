"""One request on its way through a step of the engine: what has been laid out, written and scored for it so far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamspike.belief.hypotheses import distinct, readable
from streamspike.core import Assessment, Request, Sampling, Scores
from streamspike.engine.beams import make_beams
from streamspike.engine.decode import Nucleus, as_they_come
from streamspike.engine.inquiry import Inquiry
from streamspike.engine.reference import DRAWS_PER_HYPOTHESIS, NOTHING_READABLE, SIGHTING_SEED
from streamspike.engine.runner import PackedRow
from streamspike.engine.sampler import Question
from streamspike.engine.stream import Frames, Stream
from streamspike.engine.writer import BeamWriter, CaptionWriter, DrawWriter, Reader
from streamspike.errors import EngineError


@dataclass(slots=True, eq=False)
class Turn:
    """One request in a step."""

    number: int
    request: Request
    stream: Stream
    row: PackedRow = field(init=False)
    inquiry: Inquiry = field(init=False)
    samples: bool = False
    """Hypotheses are drawn: none are given, and there is a past to expect something from."""
    hypotheses: tuple[str, ...] = ()
    joined: bool = False
    """The caption was none of them and is their last now."""
    seen: tuple[str, ...] = ()
    """Readable sentences drawn about what was seen, repeats and all."""
    caption_ids: list[int] = field(default_factory=list)
    scores: tuple[Scores, ...] = ()
    sightings: tuple[Scores, ...] = ()
    drift_nats: float | None = None

    @property
    def segments(self) -> tuple[Frames, ...]:
        """W_t and O_t."""
        return (*self.request.window, self.request.observation)

    @property
    def sights(self) -> bool:
        """Sentences are drawn about what was seen: they are wanted, and there is a past to compare with."""
        return bool(self.request.num_sightings and self.request.window)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is scored: the hypotheses, then what else was drawn."""
        return tuple(dict.fromkeys((*self.hypotheses, *self.seen)))

    def settle(self, caption: str) -> None:
        """What is scored is known now: one hypothesis at least, and the caption joins if that is wanted."""
        self.hypotheses = self.hypotheses or (NOTHING_READABLE,)
        if not self.request.complete:
            return
        completed = distinct([*self.hypotheses, caption])
        self.joined = self.joined or len(completed) > len(self.hypotheses)
        self.hypotheses = completed

    def nucleus(self) -> Nucleus:
        """Draws the hypotheses."""
        sampling = self.request.sampling
        return Nucleus(sampling, DRAWS_PER_HYPOTHESIS * sampling.num_hypotheses, self.request.seed)

    @property
    def sighting(self) -> Sampling:
        """How sentences about what was seen are drawn."""
        return as_they_come(self.request.num_sightings, self.request.sampling.max_caption_tokens)

    def sighting_nucleus(self) -> Nucleus:
        """Draws sentences about what was seen."""
        return Nucleus(self.sighting, self.request.num_sightings, self.request.seed + SIGHTING_SEED)

    def caption_writer(self, end_id: int) -> CaptionWriter:
        """Writes what is seen on the row's tree."""
        return CaptionWriter(self.inquiry.seen, end_id, self.request.sampling.max_caption_tokens)

    def hypothesis_writer(self, end_id: int, read: Reader) -> BeamWriter | DrawWriter:
        """Writes the hypotheses on the row's tree."""
        sampling, node = self.request.sampling, self.inquiry.asked
        if beams := make_beams(sampling, end_id, self.request.seed):
            return BeamWriter(node, beams, read)
        return DrawWriter(node, end_id, sampling, self.nucleus(), read)

    def sighting_writer(self, end_id: int, read: Reader) -> DrawWriter:
        """Writes sentences about what was seen on the row's tree."""
        return DrawWriter(self.inquiry.seen, end_id, self.sighting, self.sighting_nucleus(), read)

    def questions(self) -> list[Question]:
        """What the device is to answer: the caption, and what is drawn."""
        sampling, inquiry = self.request.sampling, self.inquiry
        questions = [Question(self.row, inquiry.seen, sampling.max_caption_tokens)]
        if self.samples:
            questions.append(Question(self.row, inquiry.asked, sampling.max_hypothesis_tokens, self.nucleus()))
        if self.sights:
            questions.append(Question(self.row, inquiry.seen, sampling.max_caption_tokens, self.sighting_nucleus()))
        return questions

    def take_answers(self, answers: Iterator[list[list[int]]], read: Reader) -> None:
        """One for each of `questions`."""
        (self.caption_ids,) = next(answers)
        if self.samples:
            self.take_hypotheses([*map(read, next(answers))])
        if self.sights:
            self.take_sightings([*map(read, next(answers))])

    def take_hypotheses(self, sentences: Sequence[str]) -> None:
        """At most as many distinct ones as are wanted."""
        self.hypotheses = distinct(sentences)[: self.request.sampling.num_hypotheses]

    def take_sightings(self, sentences: Sequence[str]) -> None:
        self.seen = readable(sentences)

    def take_scores(self, log_probabilities: Sequence[float], log_likelihood: Sequence[float] | None) -> None:
        """
        Args:
            log_probabilities: of the targets of the inquiry's places of `texts`.
            log_likelihood: log P(yes) of the hypotheses; None: not asked.
        """
        scores = self.inquiry.scores(self.texts, log_probabilities)
        by_text = {score.text: score for score in scores}
        self.sightings = tuple(by_text[text] for text in self.seen)
        self.scores = scores[: len(self.hypotheses)]
        if log_likelihood is not None:
            self.scores = tuple(
                replace(score, log_likelihood=value) for score, value in zip(self.scores, log_likelihood, strict=True)
            )

    def answer(self, caption: str, seconds: Mapping[str, float], model: str) -> Assessment | EngineError:
        """What the request is answered with, or that the model's numbers make no sense.

        Args:
            seconds: by stage, its share of this request.
        """
        for score in (*self.scores, *self.sightings):
            if not math.isfinite(score.log_prior + score.log_posterior + (score.log_likelihood or 0.0)):
                return EngineError(
                    f"the model gives {score.text!r} a log-probability that is not finite; are its weights broken?"
                )
        drift, sightings = self.drift_nats, self.sightings
        return Assessment(self.scores, caption, self.samples, seconds, drift, sightings, self.joined, model)

    def takes_part(self, stage: str) -> bool:
        """Whether any of the stage's work is for this request."""
        special = {"sample": self.samples, "score": bool(self.scores), "refill": self.drift_nats is not None}
        return special.get(stage, True)
