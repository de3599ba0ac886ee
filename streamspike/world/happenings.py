"""What may happen in the next segment: the whole table, ordinary and surprising, with exact probabilities."""

from __future__ import annotations

from streamspike.world.errand import DUE_SHARE
from streamspike.world.life import State
from streamspike.world.routines import Outcome, ordinary
from streamspike.world.rules import due
from streamspike.world.sentences import describe
from streamspike.world.surprises import surprises, surprising


def outcomes(state: State) -> list[Outcome]:
    """Every happening possible in the coming segment with its probability; they sum to 1, and exactly one is drawn."""
    odd = surprising(surprises(state))
    share = 1.0 - sum(probability for probability, _ in odd)
    step = due(state)
    if step is None:
        return ordinary(state, share) + odd
    return [*ordinary(state, share * (1.0 - DUE_SHARE)), (share * DUE_SHARE, step), *odd]


def sentence_distribution(state: State, table: list[Outcome]) -> dict[str, float]:
    """P(sentence | state): happenings that read the same are the same to an observer."""
    chances: dict[str, float] = {}
    for probability, happening in table:
        sentence = describe(state, happening)
        chances[sentence] = chances.get(sentence, 0.0) + probability
    return chances
