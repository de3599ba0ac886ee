"""What the gate judges is what a camera would have been told."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import cast

import numpy as np

from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Request, Scores
from streamspike.engine.engine import IncrementalEngine
from streamspike.refine.examples import Example
from streamspike.refine.gate.viewing import view_clips
from tests.support.fake_engine import OTHER, SAME, FakeEngine

LIKELIER = Scores(OTHER, 4, log(0.1), log(0.95))


class Seer(FakeEngine):
    """Sees something else that is likelier than its caption, wherever it is asked what else it saw."""

    def assess(self, request: Request) -> Assessment:
        answer = super().assess(request)
        return replace(answer, scores=answer.scores[:1], sightings=(LIKELIER,) * request.num_sightings)

    def forget(self) -> None:
        pass


def test_it_is_the_likeliest_reading_and_what_happened_is_asked_without_drawing_more() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    example = Example("clip", "door", 0.0, 1.0, ((picture, picture),) * 3, truth=(SAME, SAME, "a cat sits"))
    seer = Seer()
    [viewing] = view_clips(cast(IncrementalEngine, seer), [example], BeliefConfig())
    assert [view.caption for view in viewing.views] == [SAME, OTHER, OTHER]
    assert [view.hypotheses for view in viewing.views] == [(), (SAME,), (SAME,)]
    asked = [(request.index, request.num_sightings) for request in seer.requests if request.hypotheses]
    assert asked == [(1, 0), (2, 0)]
