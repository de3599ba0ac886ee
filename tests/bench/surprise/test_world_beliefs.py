"""Where a miss comes from: hits where the surprise was told rightly, and where it was not."""

from __future__ import annotations

import math

import pytest

from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.bench.surprise.world_beliefs import measure_beliefs
from streamspike.world.simulation import Truth

QUIET, BALL = "the street is quiet", "a ball flies in from the left"


def truth(index: int, sentence: str, nats: float, scripted: bool) -> Truth:
    probability = math.exp(-nats)
    return Truth(
        index, float(index), index + 1.0, sentence, probability, nats, scripted, scripted,
        "ball" if scripted else "continue", ((sentence, probability),),
    )  # fmt: skip


def clip(name: str, captions: tuple[str, ...], scores: tuple[float, ...]) -> ScoredClip:
    segments = tuple(
        ScoredSegment(float(k), k + 1.0, score, caption)
        for k, (caption, score) in enumerate(zip(captions, scores, strict=True))
    )
    return ScoredClip(name, name, segments, 0.0, {})


KNOWN = (truth(0, QUIET, 0.1, False), truth(1, BALL, 7.0, True), truth(2, QUIET, 0.2, False))
TOLD = (QUIET, BALL, QUIET)
UNTOLD = (QUIET, QUIET, QUIET)


def test_hits_are_counted_apart_where_the_surprise_was_told_and_where_not() -> None:
    clips = [
        clip("told and hit", TOLD, (0.0, 5.0, 1.0)),
        clip("told and hit again", TOLD, (1.0, 4.0, 2.0)),
        clip("told and missed", TOLD, (0.0, 2.0, 3.0)),
        clip("told from the other side", (QUIET, "a ball flies in from the right", QUIET), (0.0, 1.0, 2.0)),
        clip("untold and hit by luck", UNTOLD, (0.0, 2.0, 1.0)),
    ]
    measured = measure_beliefs(clips, [KNOWN] * 5, 6, seed=0)
    assert measured["told"]["mean"] == pytest.approx(3 / 5)
    assert measured["hit_told"]["mean"] == pytest.approx(2 / 3)
    assert measured["hit_untold"]["mean"] == pytest.approx(1 / 2)
    assert measured["caption_meaning"]["mean"] == pytest.approx((3 + 2 * 2 / 3) / 5)


def test_what_was_told_wrongly_is_left_out_of_the_ranks() -> None:
    right = clip("right", TOLD, (0.0, 5.0, 1.0))
    wrong = clip("wrong", UNTOLD, (0.0, 0.0, 1.0))  # its surprise scores lowest: that is of its wrong caption
    assert measure_beliefs([right, wrong], [KNOWN] * 2, 6, seed=0)["spearman_told"]["mean"] > 0.8
    assert measure_beliefs([right], [KNOWN], 6, seed=0)["hit_untold"]["mean"] is None, "no such clip, and says so"
