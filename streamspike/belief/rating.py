"""The zero-shot question: the model is simply asked how surprising a segment is, 0 to 10.

The model writes nothing. Each of the eleven answers has a likelihood; renormalised among them it is a distribution,
and its mean is the rating. This is the weakest way to use a model that SPIKE (arXiv 2509.23433) is measured against.
The built-in model was never taught this question, so what it answers means nothing; instruction-tuned models were.
"""

from __future__ import annotations

import math

import numpy as np

from streamspike.belief.surprise import log_softmax
from streamspike.core import Assessment

RATE = "How surprising is what just happened, from 0 to 10? Answer with one number."
RATINGS = tuple(str(rating) for rating in range(11))


def expected_rating(assessment: Assessment) -> float:
    """The mean of the ratings under the model, in [0, 10]; 0.0 where nothing was asked, as nothing came before.

    Raises:
        ValueError: the assessment is the answer to another question, or its numbers are not finite.
    """
    if not assessment.scores:
        return 0.0
    texts = tuple(score.text for score in assessment.scores)
    if texts != RATINGS:
        raise ValueError(f"not the ratings 0 to 10: {texts = }")
    shares = np.exp(log_softmax([score.log_posterior for score in assessment.scores]))
    return math.fsum(share * rating for rating, share in enumerate(shares.tolist()))
