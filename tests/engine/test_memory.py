"""What the engine does when memory is short, and when a window slides in place."""

from __future__ import annotations

import pytest
import torch

from streamspike.config import EngineConfig
from streamspike.core import Assessment
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from tests.support.requests import WINDOW, MakeEngine, ask, assert_same, film

TIGHT = EngineConfig(memory_bytes=1 << 20)


def test_idle_cameras_give_their_keys_back_first_and_nobody_gets_a_wrong_number(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine, reference = make_engine(tiny, config=TIGHT), ReferenceEngine(tiny)
    films = [film(4, seed) for seed in range(20)]
    for turn in range(2):
        for number, segments in enumerate(films):
            engine.assess(ask(segments, 2 + turn, camera_id=f"camera{number}"))
            engine.check_integrity()
            assert engine.cache_bytes + engine.feature_bytes <= TIGHT.memory_bytes
    assert engine.evicted["keys"] > 0 and engine.evicted["in_use"] == 0
    assert engine.num_streams == len(films), "features of all of them fit"
    forwards["vision"].clear()
    request = ask(films[0], 3, camera_id="camera0")
    assessment = engine.assess(request)
    assert forwards["vision"] == [], "features were kept"
    assert_same(assessment, reference.assess(request))


def test_a_budget_too_small_for_one_step_is_kept_all_the_same(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine, reference = make_engine(tiny, config=TIGHT), ReferenceEngine(tiny)
    requests = [ask(film(4, seed), 3, camera_id=f"camera{seed}") for seed in range(20)]
    for _ in range(2):
        for request, assessment in zip(requests, engine.assess_batch(requests), strict=True):
            assert isinstance(assessment, Assessment)
            assert_same(assessment, reference.assess(request))
        engine.check_integrity()
    assert engine.evicted["in_use"] > 0


def test_when_the_device_is_full_idle_keys_are_given_back_and_the_answer_is_still_given(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    engine, request = make_engine(tiny), ask(film(4), 3)
    engine.assess(ask(film(4, 1), 3, camera_id="idle"))

    def fail_while_somebody_is_idle(*args: object) -> None:
        if engine.cache_bytes:
            raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    hook = tiny.model.model.language_model.layers[1].register_forward_pre_hook(fail_while_somebody_is_idle)
    try:
        assessment = engine.assess(request)
    finally:
        hook.remove()
    assert_same(assessment, ReferenceEngine(tiny).assess(request))
    assert engine.num_streams == 2


@pytest.mark.slow
def test_a_fast_window_is_filled_again_in_time_and_says_how_far_it_had_drifted(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    fast, reference = make_engine(tiny, config=EngineConfig(window="fast", refill_segments=3)), ReferenceEngine(tiny)
    segments = film(WINDOW + 12)
    drifts, first_tokens = [], []
    for index in range(WINDOW + 12):
        request = ask(segments, index, () if index % 5 == 0 else ("nothing changes", "the light goes out"))
        forwards["language"].clear()
        assessment = fast.assess(request)
        first_tokens.append(forwards["language"][0])
        drifts.append(assessment.drift_nats)
        if assessment.drift_nats is not None:
            expected = reference.assess(ask(segments, index, tuple(score.text for score in assessment.scores)))
            for one, other in zip(assessment.scores, expected.scores, strict=True):
                assert one.log_prior == pytest.approx(other.log_prior, rel=0, abs=1e-4)
                assert one.log_posterior == pytest.approx(other.log_posterior, rel=0, abs=1e-4)
            assert "refill" in assessment.stage_seconds
        fast.check_integrity()
    measured = [index for index, drift in enumerate(drifts) if drift is not None]
    assert len(measured) == 3 and set(map(int.__sub__, measured[1:], measured)) == {3}
    assert all((drifts[index] or 0.0) > 1e-4 for index in measured), "random weights drift"
    assert max(first_tokens[WINDOW + 1 :]) < min(first_tokens[WINDOW + 1 :]) + 60, "no forward of a whole window"
