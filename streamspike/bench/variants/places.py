"""Sentences that differ in nothing but where in the picture, taken together: surprise about what happens, not where.

A camera the model never saw has people where it does not expect them. Only the built-in model's sentences say where.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from streamspike.core import Scores
from streamspike.world.sentences import PLACES

_PLACE = re.compile(rf"^(?:{'|'.join(PLACES.values())}) ")


def everywhere(sentences: Sequence[str]) -> tuple[str, ...]:
    """Each sentence in every third of the picture, if it says one; no sentence twice."""
    found: dict[str, None] = {}
    for sentence in sentences:
        rest = _PLACE.sub("", sentence)
        places = [f"{place} {rest}" for place in PLACES.values()] if rest != sentence else [sentence]
        found.update(dict.fromkeys(places))
    return tuple(found)


def without_place(scores: Sequence[Scores]) -> tuple[Scores, ...]:
    """One for all that differ in place only, with the sum of their probabilities; no likelihoods."""
    groups: defaultdict[str, list[Scores]] = defaultdict(list)
    for score in scores:
        groups[_PLACE.sub("", score.text)].append(score)
    return tuple(
        Scores(
            text,
            min(score.num_tokens for score in group),
            float(np.logaddexp.reduce([score.log_prior for score in group])),
            float(np.logaddexp.reduce([score.log_posterior for score in group])),
        )
        for text, group in groups.items()
    )
