"""From log-likelihoods to beliefs, and from two beliefs to surprise in nats.

Everything is float64 and in log space: a hypothesis of probability 1e-400 still has a finite share in the divergence.

- paper (`nll`): prior and posterior are each softmax(log-likelihood / tau), before and after the observation.
- published code (`verify`): Bayes' rule with the model as judge, log P' = log P + log L - logsumexp, where L is the
  probability that the hypothesis is true of the newest segment. L is used as it is, without tau or normalisation.

Surprise is KL(posterior || prior) (Itti and Baldi, 2005). The closed set of hypotheses is all the model believes in.

Beliefs are not taken to their last digit: `doubt` is added to each probability (contaminated priors, Berger and
Berliner, Annals of Statistics 14(2), 1986; ours, the presets as published have none). A small model
gives 1 in 10,000 to what it then says it saw, and that once in a hundred segments; without doubt it is those sentences,
and not what is truly rare, that take up a budget of alerts (docs/surprise.md). So surprise ends near -ln(doubt).

Which of several things that nobody expected it was is left open (`belief_shift`): a picture that shows a fall or
somebody who vanishes is no less surprising for that (ours, docs/adr/0021).

The prior knows the camera too: `experience` is the weight of how often it showed each hypothesis (`experience.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamspike.belief.hypotheses import believed
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores

LogBelief = NDArray[np.float64]
"""(N,) log-probabilities; their exponentials sum to 1."""


class Measure(NamedTuple):
    """What an assessment says about one segment."""

    prior: tuple[float, ...]
    posterior: tuple[float, ...]
    surprise_nats: float
    jensen_shannon: float


def log_softmax(scores: ArrayLike, tau: float = 1.0) -> LogBelief:
    """Beliefs in proportion to exp(score / tau).

    Raises:
        ValueError: no scores, or one that is not finite (a broken model; a softmax would hide it).
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"beliefs need finite log-likelihoods of at least one hypothesis: {values = }")
    # The maximum is taken off before the division, so that a tiny tau cannot overflow.
    shifted = (values - values.max()) / tau
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), dtype=np.float64)


def bayes_posterior(log_prior: LogBelief, log_likelihood: ArrayLike) -> LogBelief:
    """Bayes' rule: prior times the probability that each hypothesis is true, renormalised."""
    likelihood = np.asarray(log_likelihood, dtype=np.float64)
    if likelihood.shape != log_prior.shape:
        raise ValueError(f"one likelihood per hypothesis: {likelihood.shape = }, {log_prior.shape = }")
    return log_softmax(log_prior + likelihood)


def contaminate(belief: LogBelief, doubt: float) -> LogBelief:
    """The belief with `doubt` added to the probability of every hypothesis, renormalised; as it is without doubt."""
    if doubt == 0.0:
        return belief
    return np.asarray(np.logaddexp(belief, math.log(doubt)) - math.log1p(len(belief) * doubt), dtype=np.float64)


def recall(belief: LogBelief, frequencies: ArrayLike, weight: float) -> LogBelief:
    """The mixture, in proportion to p + weight * f, of a belief p and how often each hypothesis came true before, f.

    Args:
        frequencies: (N,) in [0, 1].
    """
    often = np.asarray(frequencies, dtype=np.float64)
    if often.shape != belief.shape:
        raise ValueError(f"one frequency per hypothesis: {often.shape = }, {belief.shape = }")
    if weight == 0.0 or not often.any():
        return belief
    with np.errstate(divide="ignore"):
        mixed = np.logaddexp(belief, np.log(weight * often))
    return np.asarray(mixed - math.log1p(weight * float(often.sum())), dtype=np.float64)


def kl_nats(log_posterior: LogBelief, log_prior: LogBelief) -> float:
    """KL(posterior || prior), clamped at 0: rounding may leave -1e-17 where beliefs are equal."""
    return max(0.0, float(np.sum(np.exp(log_posterior) * (log_posterior - log_prior))))


def belief_shift(log_posterior: LogBelief, log_prior: LogBelief, num_expected: int) -> float:
    """KL(posterior || prior) in nats, but for the uncertainty among the sentences that nobody expected.

    The first `num_expected` were there before the segment was seen, the others tell of it. By the chain rule their part
    of KL is their mass m times (ln m + KL within them), and KL within them is a cross-entropy less an entropy. That
    entropy is left out: as if the unexpected were one outcome, whose prior is the geometric mean of theirs, weighted by
    the posterior. With one of them, or none, it is KL.
    """
    unexpected = log_posterior[num_expected:]
    shift = kl_nats(log_posterior, log_prior)
    if len(unexpected) < 2:
        return shift
    log_mass = float(np.logaddexp.reduce(unexpected))
    within = np.exp(unexpected - log_mass)
    return shift - math.exp(log_mass) * float(np.sum(within * (unexpected - log_mass)))


def jensen_shannon(log_posterior: LogBelief, log_prior: LogBelief) -> float:
    """Jensen-Shannon divergence to base 2, in [0, 1]; symmetric."""
    middle = np.logaddexp(log_posterior, log_prior) - math.log(2.0)
    nats = (kl_nats(log_posterior, middle) + kl_nats(log_prior, middle)) / 2.0
    return min(1.0, nats / math.log(2.0))


def measure(
    assessment: Assessment, config: BeliefConfig, frequencies: Sequence[float] = (), certainty: float = 1.0
) -> Measure:
    """Prior, posterior and the distance between them, as the config defines beliefs.

    Without hypotheses there is no belief to move: empty, and a surprise of 0.

    Args:
        frequencies: how often the camera showed each of what is `believed`; empty where nobody counted.
        certainty: in (0, 1], the power of the prior (Ibrahim and Chen, "Power prior distributions", Statistical Science
            15(1), 2000): below 1 where it comes from less than a window.

    Raises:
        ValueError: a score is not finite, or `verify` is asked of an assessment without likelihoods.
    """
    scores = believed(assessment)
    if not scores:
        return Measure((), (), 0.0, 0.0)
    log_prior = log_softmax(_normalised(scores, [s.log_prior for s in scores], config), config.tau / certainty)
    if frequencies:
        log_prior = recall(log_prior, frequencies, config.experience)
    if config.posterior == "verify":
        log_posterior = bayes_posterior(log_prior, [_likelihood(s) for s in scores])
    else:
        log_posterior = log_softmax(_normalised(scores, [s.log_posterior for s in scores], config), config.tau)
    log_prior, log_posterior = (contaminate(belief, config.doubt) for belief in (log_prior, log_posterior))
    return Measure(
        prior=tuple(np.exp(log_prior).tolist()),
        posterior=tuple(np.exp(log_posterior).tolist()),
        surprise_nats=belief_shift(log_posterior, log_prior, len(assessment.scores) - assessment.joined),
        jensen_shannon=jensen_shannon(log_posterior, log_prior),
    )


def _normalised(scores: Sequence[Scores], sums: list[float], config: BeliefConfig) -> list[float]:
    """Sums as they are, or per token as published."""
    if not config.length_normalised:
        return sums
    return [total / score.num_tokens for score, total in zip(scores, sums, strict=True)]


def _likelihood(score: Scores) -> float:
    if score.log_likelihood is None:
        raise ValueError(
            f"posterior 'verify' needs the likelihood of {score.text!r}; the request did not ask to verify"
        )
    return score.log_likelihood
