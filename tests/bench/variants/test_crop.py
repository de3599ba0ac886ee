"""The busiest region: where it is, what the model is asked about it, and what becomes of both answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamspike.bench.datasets.world import FIRST_SEED
from streamspike.bench.variants.crop import LOOKS, Looker, region_of, zoom
from streamspike.bench.variants.recordings import PLANS, record_clip
from streamspike.bench.variants.variants import VARIANTS
from streamspike.config import Config
from streamspike.core import Assessment, Frame, Request, Sampling, Scores, Segment
from tests.support.fake_engine import FakeEngine
from tests.support.requests import film


def test_the_region_is_a_square_part_around_all_that_moves_and_within_the_picture() -> None:
    x0, y0, x1, y1 = region_of([(0.02, 0.5, 0.1, 0.8), (0.3, 0.55, 0.4, 0.7)]) or (1.0,) * 4
    assert x0 == 0.0 and x1 - x0 == pytest.approx(y1 - y0) == pytest.approx(1.5 * 0.38)
    assert y0 <= 0.5 and y1 >= 0.8 and x1 >= 0.4
    small = region_of([(0.5, 0.5, 0.52, 0.52)])
    assert small is not None and small[2] - small[0] == pytest.approx(0.4)
    assert region_of([]) is None and region_of([(0.1, 0.1, 0.9, 0.9)]) is None


def test_what_moves_is_found_in_all_frames_and_two_are_shown() -> None:
    looker, region = Looker(), None
    for index in range(3):
        frames = []
        for k in range(LOOKS):
            pixels = np.full((90, 120, 3), 90, np.uint8)
            left = 5 + 4 * (index * LOOKS + k)
            pixels[40:60, left : left + 12] = (220, 40, 40)
            seconds = index + (k + 0.5) / LOOKS
            frames.append(Frame(pixels, seconds, seconds))
        segment, region = looker.look(Segment("door", 0, index, index, index + 1.0, index, tuple(frames)))
        assert [frame.stream_seconds - index for frame in segment.frames] == pytest.approx([0.25, 0.75])
    assert region is not None and region[0] < 0.5 < region[2] and region[1] < 0.55 < region[3]


class Witness(FakeEngine):
    """Is surprised by the second look alone."""

    def assess(self, request: Request) -> Assessment:
        self.requests.append(request)
        if not request.window:
            return Assessment((), "nothing", sampled=False)
        after = -1.0 if request.camera_id.endswith("-zoom") else -3.0
        scores = (Scores("a", 1, -1.0, -1.0), Scores("b", 1, -3.0, after))
        return Assessment(scores, "b", sampled=True, joined=True)


def test_both_looks_are_recorded_and_combined() -> None:
    (plan,) = (plan for plan in PLANS if plan.zoom)
    engine = Witness()
    record = record_clip(Config(), engine, plan, FIRST_SEED + 1)
    near = [request for request in engine.requests if request.camera_id.endswith("-zoom")]
    assert near, "something moves in this clip"
    assert all({p.shape for f in (*r.window, r.observation) for p in f} == {near_shape(r)} for r in near)
    assert len({request.epoch for request in near}) == len(near), "no pictures of another region are remembered"
    looks = {v.name: [v.score(s) for s in record.segments] for v in VARIANTS if v.plan == "zoom"}
    alone, larger, smaller, mean = (np.array(looks[name]) for name in sorted(looks, key=order))
    assert sum(alone > 0) == len(near)
    assert (larger == alone).all() and (smaller == 0).all() and mean == pytest.approx(alone / 2)


def near_shape(request: Request) -> tuple[int, ...]:
    return request.observation[0].shape


def order(name: str) -> int:
    return [word in name for word in ("alone", "larger", "smaller", "mean")].index(True)


def test_a_zoomed_question_differs_in_nothing_but_what_is_seen() -> None:
    window = tuple(film(3, height=40, width=80))
    belief = Config().belief
    names = ("num_hypotheses", "max_hypothesis_tokens", "max_caption_tokens", "temperature", "temperature_spread")
    sampling = Sampling(**{name: getattr(belief, name) for name in (*names, "top_p", "top_p_spread")})
    request = Request("door", 2, 7, window[:2], window[2], "before", (), sampling, 5, True, False)
    near = zoom(request, (0.25, 0.5, 0.75, 1.0))
    assert near.observation[0].shape == (20, 40, 3)
    assert (near.observation[0] == window[2][0][20:, 20:60]).all()
    same = replace(near, camera_id="door", epoch=2, window=request.window, observation=request.observation)
    assert same == request
