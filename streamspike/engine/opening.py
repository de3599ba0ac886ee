"""The first segment of an epoch, answered in two parts: what its first picture let expect, and what is seen without it.

A model that is shown a still picture before takes a person who walks for one who sets off: with it, the built-in model
captioned 32 % of first segments rightly, and 70 % without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from streamspike.core import Assessment, Request

PART = " (opening)"
"""Ends the camera of the first part: it has a stream of its own, and the camera's begins with what is seen."""


def split(request: Request) -> tuple[Request, ...]:
    """Its parts, in the order of `join`; itself if it is none of a first segment."""
    if not request.opening:
        return (request,)
    return (
        replace(request, camera_id=request.camera_id + PART),
        replace(request, window=(), opening=False),
    )


def in_parts(
    requests: Sequence[Request], assess: Callable[[Sequence[Request]], list[Assessment | Exception]]
) -> list[Assessment | Exception]:
    """Answers in the order of the requests; `assess` is asked once, about all their parts."""
    parts = [split(request) for request in requests]
    answers = iter(assess([part for each in parts for part in each]))
    return [join([next(answers) for _ in each]) for each in parts]


def join(answers: Sequence[Assessment | Exception]) -> Assessment | Exception:
    """The answer to a request, from those to its parts; the first failure if there is one."""
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    if failed or len(answers) == 1:
        return failed[0] if failed else answers[0]
    expected, seen = (answer for answer in answers if isinstance(answer, Assessment))
    seconds = Counter(expected.stage_seconds) + Counter(seen.stage_seconds)
    return replace(expected, caption=seen.caption, stage_seconds=dict(seconds))
