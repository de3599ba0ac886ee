"""One request on its way through a step of the engine: what has been laid out, written and scored for it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamspike.core import Request, Scores
from streamspike.engine.decode import Nucleus
from streamspike.engine.inquiry import Inquiry
from streamspike.engine.reference import DRAWS_PER_HYPOTHESIS
from streamspike.engine.runner import PackedRow
from streamspike.engine.stream import Frames, Stream


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
    caption_ids: list[int] = field(default_factory=list)
    scores: tuple[Scores, ...] = ()
    drift_nats: float | None = None

    @property
    def segments(self) -> tuple[Frames, ...]:
        """W_t and O_t."""
        return (*self.request.window, self.request.observation)

    def nucleus(self) -> Nucleus:
        """Draws the hypotheses."""
        sampling = self.request.sampling
        return Nucleus(sampling, DRAWS_PER_HYPOTHESIS * sampling.num_hypotheses, self.request.seed)

    def takes_part(self, stage: str) -> bool:
        """Whether any of the stage's work is for this request."""
        special = {"sample": self.samples, "score": bool(self.scores), "refill": self.drift_nats is not None}
        return special.get(stage, True)
