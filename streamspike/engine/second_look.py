"""A segment looked at twice: beliefs are those of both looks.

The second look is a moment later and a little closer (`core.Frame.closer`), with a window of its own, so that a model
errs in other places (Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural
networks", section 4.1: means over crops). The second look adds hypotheses where the first drew fewer than are wanted,
and half of the sightings; each look scores all sentences.
What was expected is the mean of both probabilities, as either may be right. Of what was seen, which is evidence of one
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

LOOK = " (again)"
"""Ends the camera of the second look: it has a stream of its own."""
LOOK_SEED = 1 << 33
"""Added to the seed of a request, which is smaller, for what the second look draws."""

Assess = Callable[[Sequence[Request]], list[Assessment | Exception]]


def split(request: Request) -> tuple[Request, ...]:
    """Its looks, each with half of the sightings; itself if it has one, or nothing to compare with."""
    if not request.again or not request.window:
        return (request,)
    *window, observation = request.again
    later = request.num_sightings // 2
    second = replace(
        request,
        camera_id=request.camera_id + LOOK,
        window=tuple(window),
        observation=observation,
        seed=request.seed + LOOK_SEED,
        num_sightings=later,
        again=(),
    )
    return replace(request, num_sightings=request.num_sightings - later, again=()), second


def in_looks(requests: Sequence[Request], assess: Assess) -> list[Assessment | Exception]:
    """Answers in the order of the requests; `assess` is asked about all looks, then about what one alone has scored."""
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
    one, other = answers[:2]
    scored: dict[str, list[Scores]] = {}
    for answer in answers:
        # What was drawn twice by one look is scored once by it.
        for score in {score.text: score for score in (*answer.scores, *answer.sightings)}.values():
            scored.setdefault(score.text, []).append(score)
    pooled = {text: _pool(scores) for text, scores in scored.items()}
    drawn = distinct([*_drawn(one), *_drawn(other)])
    if not request.hypotheses:
        drawn = drawn[: request.sampling.num_hypotheses]
    # Both may have written a caption that nobody expected: the likelier joins, the other is a sighting.
    written = [answer.scores[-1].text if answer.joined else answer.caption for answer in (one, other)]
    written = [text for text in written if text in pooled and request.complete]
    joined = sorted(distinct([*drawn, *written])[len(drawn) :], key=lambda text: -pooled[text].log_posterior)
    others = joined[1:] if request.num_sightings else []
    sightings = [score.text for answer in (one, other) for score in answer.sightings]
    # That of a first segment was written without the still, after which all is scored (`opening.py`).
    captions = [text for text in (one.caption, other.caption) if text in pooled and not request.opening]
    seconds: Counter[str] = Counter()
    for answer in answers:
        seconds.update(answer.stage_seconds)
    drifts = [answer.drift_nats for answer in answers if answer.drift_nats is not None]
    return replace(
        one,
        scores=tuple(pooled[text] for text in (*drawn, *joined[:1])),
        caption=max(captions, key=lambda text: pooled[text].log_posterior, default=one.caption),
        stage_seconds=dict(seconds),
        drift_nats=max(drifts, default=None),
        sightings=tuple(pooled[text] for text in (*others, *sightings)),
        joined=bool(joined),
    )


def _ask_missing(looks: Sequence[Request], answers: Sequence[Assessment | Exception]) -> tuple[Request, ...]:
    """Each look is asked to score what the other has drawn or written and it has not."""
    if len(looks) == 1 or any(isinstance(answer, Exception) for answer in answers):
        return ()
    texts = [
        {score.text: None for score in (*answer.scores, *answer.sightings)}
        for answer in answers
        if isinstance(answer, Assessment)
    ]
    missing = [tuple(text for text in texts[1 - number] if text not in texts[number]) for number in range(2)]
    return tuple(
        replace(look, hypotheses=lacking, complete=False, num_sightings=0)
        for look, lacking in zip(looks, missing, strict=True)
        if lacking
    )


def _drawn(answer: Assessment) -> list[str]:
    return [score.text for score in answer.scores[: len(answer.scores) - answer.joined]]


def _pool(scores: Sequence[Scores]) -> Scores:
    """One sentence by both looks."""
    first, *_ = scores
    likelihoods = [score.log_likelihood for score in scores if score.log_likelihood is not None]
    return replace(
        first,
        log_prior=float(np.logaddexp.reduce([score.log_prior for score in scores])) - math.log(len(scores)),
        log_posterior=fmean(score.log_posterior for score in scores),
        log_likelihood=fmean(likelihoods) if likelihoods else None,
    )
