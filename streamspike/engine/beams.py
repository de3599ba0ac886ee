"""Answers written side by side so that no two are alike: sampled without replacement, or searched for in groups.

Plain arithmetic, no torch: after each word a beam is shown a short list of what may follow it (`decode.shortlist`), and
the beams decide which of all continuations live on.

- `StochasticBeams`: stochastic beam search (Kool, van Hoof and Welling, 2019), which draws N sentences without
  replacement from the tempered nucleus of the model. A Gumbel number per sentence decides; it is drawn from the root
  down, the best of a beam's children inheriting the beam's own. Only the N best children of a beam can matter, and they
  are drawn one after the other (the Gumbel process of Maddison, Tarlow and Minka, 2014), so that a word costs a beam
  2 N random numbers and not a vocabulary of them.
- `GroupBeams`: diverse beam search (Vijayakumar et al., 2016) with N groups of one beam and Hamming diversity: a token
  loses DIVERSITY_NATS for every earlier group that chose it at the same place. Nothing is drawn. On confident models
  groups agree nevertheless, and there are fewer than N sentences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamspike.core import Sampling

DIVERSITY_NATS = 0.5
"""Strength of the diversity; the paper finds 0.2 to 0.8 to work."""


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """What a step needs to know of the tokens after each beam that still writes."""

    count: int
    """Tokens per beam."""
    temperature: float = 1.0
    top_p: float = 1.0
    numbers: NDArray[np.float64] | None = None
    """(num_writing, count) in [0, 1): tokens are drawn without replacement; None: the likeliest."""


class Beams(Protocol):
    parents: list[int]
    """For each beam that writes: its place among those that wrote before the last step."""

    @property
    def writing(self) -> bool:
        """Whether any beam is not at its end."""
        ...

    @property
    def answers(self) -> list[tuple[int, ...]]:
        """Token ids of each beam without the end, best first."""
        ...

    def wanted(self) -> Shortlist:
        """What the next step needs. Random numbers are consumed: once per step."""
        ...

    def take(self, token_ids: Sequence[Sequence[int]], log_probabilities: Sequence[Sequence[float]]) -> list[int]:
        """Move on.

        Args:
            token_ids: per beam that writes, as wanted.
            log_probabilities: of the same; -inf where the nucleus holds no more.

        Returns:
            The last token of each beam that writes now, in the order of `parents`.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Beam:
    token_ids: tuple[int, ...] = ()
    log_probability: float = 0.0
    gumbel: float = 0.0
    """log_probability and Gumbel noise, given that the best of all is 0."""
    parent: int = -1
    ended: bool = False

    def followed_by(self, token_id: int, end_id: int, max_tokens: int, parent: int) -> _Beam:
        """The beam one token later."""
        if token_id == end_id:
            return replace(self, parent=parent, ended=True)
        token_ids = (*self.token_ids, token_id)
        return replace(self, token_ids=token_ids, parent=parent, ended=len(token_ids) == max_tokens)


class StochasticBeams:
    """N sentences without replacement, in the order in which they would be drawn one after the other."""

    def __init__(self, sampling: Sampling, end_id: int, seed: int) -> None:
        self.parents = [0]
        self._sampling = sampling
        self._end_id = end_id
        self._random = np.random.default_rng(seed)
        self._beams = [_Beam()]
        self._numbers = np.empty(0)

    @property
    def writing(self) -> bool:
        return not all(beam.ended for beam in self._beams)

    @property
    def answers(self) -> list[tuple[int, ...]]:
        return [beam.token_ids for beam in self._beams]

    def wanted(self) -> Shortlist:
        sampling = self._sampling
        count = sampling.num_hypotheses
        # As many numbers whoever still writes, so that a step's draws do not depend on rounding in an earlier one.
        numbers = self._random.random((2, count, count))
        writing = sum(not beam.ended for beam in self._beams)
        self._numbers = numbers[1, :writing]
        return Shortlist(count, sampling.temperature, sampling.top_p, numbers[0, :writing])

    def take(self, token_ids: Sequence[Sequence[int]], log_probabilities: Sequence[Sequence[float]]) -> list[int]:
        candidates = [beam for beam in self._beams if beam.ended]
        writing = [beam for beam in self._beams if not beam.ended]
        for place, beam in enumerate(writing):
            values = _gumbels(beam, log_probabilities[place], self._numbers[place])
            for token_id, log_probability, gumbel in zip(
                token_ids[place], log_probabilities[place], values, strict=False
            ):
                child = beam.followed_by(token_id, self._end_id, self._sampling.max_hypothesis_tokens, place)
                total = beam.log_probability + log_probability
                candidates.append(replace(child, log_probability=total, gumbel=gumbel))
        best = sorted(candidates, key=lambda beam: beam.gumbel, reverse=True)
        self._beams = best[: self._sampling.num_hypotheses]
        return _follow(self, self._beams)


def _gumbels(beam: _Beam, log_probabilities: Sequence[float], numbers: Sequence[float]) -> list[float]:
    """Perturbed log-probabilities of children that were drawn without replacement, in that order: the first has the
    beam's own, each further one is a Gumbel variable of all that was left, given that it is below the one before."""
    values: list[float] = []
    left = 1.0
    for log_probability, number in zip(log_probabilities, numbers, strict=True):
        if log_probability == -math.inf or (values and left <= 0.0):
            break
        if not values:
            values.append(beam.gumbel)
        else:
            location = beam.log_probability + math.log(left)
            exponential = math.log(-math.log(max(number, 1e-300)) or 1e-300)  # of a number in [0, 1)
            values.append(location - float(np.logaddexp(location - values[-1], exponential)))
        left -= math.exp(log_probability)
    return values


class GroupBeams:
    """N groups of one beam each, the most likely answer first."""

    def __init__(self, sampling: Sampling, end_id: int) -> None:
        self.parents = list(range(sampling.num_hypotheses))
        self._sampling = sampling
        self._end_id = end_id
        self._beams = [_Beam() for _ in self.parents]

    @property
    def writing(self) -> bool:
        return not all(beam.ended for beam in self._beams)

    @property
    def answers(self) -> list[tuple[int, ...]]:
        return [beam.token_ids for beam in self._beams]

    def wanted(self) -> Shortlist:
        # Earlier groups hold back at most N - 1 tokens, so the best that is left is among the N likeliest.
        return Shortlist(self._sampling.num_hypotheses)

    def take(self, token_ids: Sequence[Sequence[int]], log_probabilities: Sequence[Sequence[float]]) -> list[int]:
        chosen: list[int] = []
        for number, beam in enumerate(self._beams):
            if beam.ended:
                continue
            place = len(chosen)
            options = list(zip(token_ids[place], log_probabilities[place], strict=True))
            token_id, log_probability = max(
                options, key=lambda option: option[1] - DIVERSITY_NATS * chosen.count(option[0])
            )
            chosen.append(token_id)
            following = beam.followed_by(token_id, self._end_id, self._sampling.max_hypothesis_tokens, place)
            self._beams[number] = replace(following, log_probability=beam.log_probability + log_probability)
        return _follow(self, self._beams)


def _follow(beams: Beams, now: Sequence[_Beam]) -> list[int]:
    """Set `parents` and return the tokens of those that write."""
    writing = [beam for beam in now if not beam.ended]
    beams.parents = [beam.parent for beam in writing]
    return [beam.token_ids[-1] for beam in writing]


def make_beams(sampling: Sampling, end_id: int, seed: int) -> Beams | None:
    """The beams a sampling asks for; None when its sentences are drawn one by one."""
    if sampling.diversity == "distinct":
        return StochasticBeams(sampling, end_id, seed)
    return GroupBeams(sampling, end_id) if sampling.diversity == "groups" else None
