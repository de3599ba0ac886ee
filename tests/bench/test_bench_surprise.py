"""The measurement itself: what knows nothing scores chance, what knows everything scores nearly all."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from streamspike.bench.surprise import NUM_SEGMENTS, _hit, _interval, _spearman, measure_surprise, render_table
from streamspike.config import Config
from streamspike.core import Request
from tests.support.fake_engine import Answer, FakeEngine

CONFIG = Config()


def guess(request: Request) -> Answer:
    """Surprise that depends on nothing in the picture."""
    random = np.random.default_rng(zlib.crc32(f"{request.camera_id}/{request.index}".encode()))
    prior, posterior = random.uniform(0.05, 0.95, 2)
    return Answer((("this", prior, posterior), ("that", 1 - prior, 1 - posterior)), "this")


def test_a_hit_is_the_top_segment_and_ties_share_it() -> None:
    scores = [0.1, 0.9, 0.2, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert _hit(2, scores) == 0.5 and _hit(4, scores) == 0.5 and _hit(3, scores) == 0
    assert _hit(1, [1.0] + [0.0] * 8) == 1 and _hit(9, [0.0] * 8 + [1.0]) == 1
    assert sum(_hit(segment, [0.0] * 9) for segment in range(1, 10)) == pytest.approx(1), "all equal is chance"


def test_spearman_agrees_with_a_case_done_by_hand() -> None:
    # Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24) = 0.8.
    assert _spearman([10, 20, 30, 40, 50], [0.2, 0.1, 4.0, 3.0, 50.0]) == pytest.approx(0.8)
    assert _spearman([1, 2, 3], [9, 5, 1]) == pytest.approx(-1)
    # Ties share their mean rank: 1.5 1.5 3 against 1 2 3, by Pearson on ranks.
    assert _spearman([7, 7, 8], [1, 2, 3]) == pytest.approx(1.5 / (1.5 * 2) ** 0.5)
    assert _spearman([1, 1, 1], [1, 2, 3]) == 0


def test_the_interval_holds_the_mean_and_shrinks_with_clips() -> None:
    rng = np.random.default_rng(0)
    few, many = (_interval(np.array([0.0, 1.0] * count), rng) for count in (5, 500))
    assert few["low"] < few["mean"] == 0.5 < few["high"] and few["low"] >= 0 and few["high"] <= 1
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 4


@pytest.mark.slow
def test_ignorance_scores_chance_and_the_ideal_observer_nearly_all() -> None:
    shown: list[tuple[float, str]] = []
    engine = FakeEngine(guess)
    result = measure_surprise(CONFIG, engine, 10, 0, lambda done, words: shown.append((done, words)))
    hits = {name: value["mean"] for name, value in result["hit_at_1"].items()}
    assert set(hits) == {"surprise", "ideal observer", "frame difference", "RGB histogram", "optical flow"}
    assert hits["ideal observer"] > 0.9
    # Ten clips at chance 1/9: five hits or more come once in four hundred times, and the seed is fixed.
    assert hits["surprise"] < 0.5
    assert abs(result["spearman_with_truth"]) < 0.4
    assert result["caption_exact"]["mean"] == result["first_guess_exact"]["mean"] == 0
    assert [done for done, _ in shown] == list(range(1, 11))
    assert len(engine.requests) == 10 * NUM_SEGMENTS and len({r.camera_id for r in engine.requests}) == 10
    assert sum(row["clips"] for row in result["hit_at_1_by_kind"].values()) == 10
    assert json.loads(json.dumps(result)) == result, "plain values"
    table = render_table(result)
    assert "ideal observer" in table and "fake@0" in table and f"{hits['optical flow']:.3f}" in table
    for kind in result["hit_at_1_by_kind"]:
        assert kind in table


@pytest.mark.slow
def test_the_same_seed_measures_the_same_and_another_one_other_clips() -> None:
    results = [measure_surprise(CONFIG, FakeEngine(guess), 1, seed, lambda *_: None) for seed in (3, 3, 4)]
    assert results[0] == results[1] != results[2]
