"""What a reward is told about the clip beside the candidates, and what a reward is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Subject = Literal["hypotheses", "captions"]


@dataclass(frozen=True, slots=True)
class RewardContext:
    """Plain data about one window, or about a whole clip. Everything may be missing; a reward says what it needs.

    What was seen must come from the journal, from a person or from the reference policy (adapter off), never from the
    policy in training: one that captions everything alike would prove itself right.
    """

    caption: str = ""
    """What was seen in the segment that the hypotheses are about."""
    previous_caption: str = ""
    """What was seen in the segment before it, which the policy knew."""
    next_captions: tuple[str, ...] = ()
    """What was seen in the segments after it, in order."""
    reference: str = ""
    """What the whole clip shows, in somebody's words."""
    decoys: tuple[str, ...] = ()
    """The same kind of text of other clips or other moments (captions for hypotheses, references for captions). What
    fits them as well says nothing about this one; a few suffice, and more are better."""
    reference_hypotheses: tuple[str, ...] = ()
    """The set that the reference policy made for this window."""
    num_wanted: int = 0
    """How many hypotheses the policy was asked for; 0: as many as came."""
    prior: tuple[float, ...] = ()
    """Of the candidates, in their order: the policy's beliefs before it saw; positive. Empty: all alike."""
    posterior_nats: tuple[float, ...] = ()
    """Of the candidates, in their order: mean log-probability of a token after the segment was seen, by the reference
    policy; at most 0. Empty: not known."""
    verdict: int = 0
    """What a person said of the event: 1 the surprise there was right, -1 it was routine, 0 nothing."""

    def __post_init__(self) -> None:
        if self.verdict not in (-1, 0, 1):
            raise ValueError(f"a verdict is -1, 0 or 1: {self.verdict = }")
        if any(value <= 0 for value in self.prior) or any(value > 0 for value in self.posterior_nats):
            raise ValueError(f"probabilities in (0, 1]: {self.prior = }, {self.posterior_nats = }")


class Reward(Protocol):
    """Pure: the same candidates and context, the same scores."""

    name: str
    subject: Subject
    """hypotheses: the candidates are one set, made for one window, and what one is worth depends on the others.
    captions: each candidate is a caption of the clip and judged by itself."""

    def score(self, candidates: Sequence[str], context: RewardContext) -> list[float]:
        """What each candidate is worth, in [0, 1], in their order. An unreadable candidate is worth 0."""
        ...

    def value(self, candidates: Sequence[str], context: RewardContext) -> float:
        """What they are worth together, in [0, 1], and what a policy is to be paid by: of a set, more than the sum of
        its members; of captions, their mean. 0 for none."""
        ...
