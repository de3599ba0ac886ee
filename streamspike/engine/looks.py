"""A segment looked at several times: beliefs are those of all looks.

Further looks are a moment later, or a little closer, or both (`core.further_looks`), each with a window of its own, so
that a model errs in other places (Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep
convolutional neural networks", section 4.1: means over crops). They add hypotheses where the first drew fewer than are
wanted, and draw their share of the sightings; each look scores all sentences.
What was expected is the mean of their probabilities, as any may be right. Of what was seen, which is evidence of one
moment, the logarithms are averaged: what one look rules out was not there (linear and logarithmic pools: Genest and
Zidek 1986, "Combining probability distributions", Statistical Science 1(1)).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from streamspike.belief.hypotheses import distinct
from streamspike.core import Assessment, Request, Scores

LOOK_SEED = 1 << 33
"""Added to the seed of a request, which is smaller, once for each further look, for what it draws."""

Assess = Callable[[Sequence[Request]], list[Assessment | Exception]]


def split(request: Request) -> tuple[Request, ...]:
    """Its looks, each with its share of the sightings; itself if it has one, or nothing to compare with."""
    if not request.again or not request.window:
        return (request,)
    share, rest = divmod(request.num_sightings, 1 + len(request.again))
    looks = [replace(request, num_sightings=share + rest, again=())]
    for number, (*window, observation) in enumerate(request.again, 1):
        look = replace(
            looks[0],
            camera_id=stream_of(request.camera_id, number),
            window=tuple(window),
            observation=observation,
            seed=request.seed + number * LOOK_SEED,
            num_sightings=share,
        )
        looks.append(look)
    return tuple(looks)


def stream_of(camera_id: str, number: int) -> str:
    """The camera of a further look: each has a stream of its own."""
    return f"{camera_id} (look {number + 1})"


def in_looks(requests: Sequence[Request], assess: Assess) -> list[Assessment | Exception]:
    """Answers in the order of the requests; `assess` is asked about all looks, then about what not all have scored."""
    looks = [split(request) for request in requests]
    firsts = iter(assess([look for each in looks for look in each]))
    found = [[next(firsts) for _ in each] for each in looks]
    missing = [_ask_missing(each, answers) for each, answers in zip(looks, found, strict=True)]
    seconds = iter(assess([look for each in missing for look in each]))
    more = [[next(seconds) for _ in each] for each in missing]
    return [unite(*item) for item in zip(requests, found, more, strict=True)]


def unite(
    request: Request, looks: Sequence[Assessment | Exception], more: Sequence[Assessment | Exception]
) -> Assessment | Exception:
    """The answer to a request, from those to its looks; the first failure if there is one.

    Args:
        more: what the looks were asked afterwards, in their order; a look that had scored everything was not.
    """
    for answer in (*looks, *more):
        if isinstance(answer, Exception):
            return answer
    answers = [answer for answer in (*looks, *more) if isinstance(answer, Assessment)]
    if len(looks) == 1:
        return answers[0]
    given = answers[: len(looks)]
    scored: dict[str, list[Scores]] = {}
    for answer in answers:
        # What was drawn twice by one look is scored once by it.
        for score in {score.text: score for score in (*answer.scores, *answer.sightings)}.values():
            scored.setdefault(score.text, []).append(score)
    pooled = {text: _pool(scores) for text, scores in scored.items()}
    drawn = distinct([text for answer in given for text in _drawn(answer)])
    if not request.hypotheses:
        drawn = drawn[: request.sampling.num_hypotheses]
    # Several may have written a caption that nobody expected: the likeliest joins, the others are sightings.
    written = [answer.scores[-1].text if answer.joined else answer.caption for answer in given]
    written = [text for text in written if text in pooled and request.complete]
    joined = sorted(distinct([*drawn, *written])[len(drawn) :], key=lambda text: -pooled[text].log_posterior)
    others = joined[1:] if request.num_sightings else []
    sightings = [score.text for answer in given for score in answer.sightings]
    # That of a first segment was written without the still, after which all is scored (`opening.py`).
    captions = [answer.caption for answer in given if answer.caption in pooled and not request.opening]
    seconds: Counter[str] = Counter()
    for answer in answers:
        seconds.update(answer.stage_seconds)
    drifts = [answer.drift_nats for answer in answers if answer.drift_nats is not None]
    return replace(
        given[0],
        scores=tuple(pooled[text] for text in (*drawn, *joined[:1])),
        caption=max(captions, key=lambda text: pooled[text].log_posterior, default=given[0].caption),
        stage_seconds=dict(seconds),
        drift_nats=max(drifts, default=None),
        sightings=tuple(pooled[text] for text in (*others, *sightings)),
        joined=bool(joined),
    )


def _ask_missing(looks: Sequence[Request], answers: Sequence[Assessment | Exception]) -> tuple[Request, ...]:
    """Each look is asked to score what others have drawn or written and it has not."""
    if len(looks) == 1 or any(isinstance(answer, Exception) for answer in answers):
        return ()
    texts = [
        {score.text: None for score in (*answer.scores, *answer.sightings)}
        for answer in answers
        if isinstance(answer, Assessment)
    ]
    of_all = {text: None for own in texts for text in own}
    missing = [tuple(text for text in of_all if text not in own) for own in texts]
    return tuple(
        replace(look, hypotheses=lacking, complete=False, num_sightings=0)
        for look, lacking in zip(looks, missing, strict=True)
        if lacking
    )


def _drawn(answer: Assessment) -> list[str]:
    return [score.text for score in answer.scores[: len(answer.scores) - answer.joined]]


def _pool(scores: Sequence[Scores]) -> Scores:
    """One sentence by all looks."""
    first, *_ = scores
    likelihoods = [score.log_likelihood for score in scores if score.log_likelihood is not None]
    return replace(
        first,
        log_prior=float(np.logaddexp.reduce([score.log_prior for score in scores])) - math.log(len(scores)),
        log_posterior=fmean(score.log_posterior for score in scores),
        log_likelihood=fmean(likelihoods) if likelihoods else None,
    )
