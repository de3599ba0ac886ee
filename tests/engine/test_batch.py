"""Requests of several cameras answered together are answered as if each were alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamspike.core import Assessment, Request
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from streamspike.errors import EngineError
from tests.support.requests import KEPT, SUMMARIES, MakeEngine, ask, assert_same, film


def answer(engine: IncrementalEngine, requests: list[Request]) -> list[Assessment]:
    """All of them answered, in order."""
    answers = engine.assess_batch(requests)
    assert len(answers) == len(requests)
    for one in answers:
        assert isinstance(one, Assessment), one
    return [one for one in answers if isinstance(one, Assessment)]


@pytest.mark.slow
def test_forty_segments_of_cameras_of_different_sizes_equal_the_reference(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    free = replace(tiny, frames=replace(tiny.frames, height_px=32, width_px=0))  # the width follows the picture
    engine, reference = make_engine(free), ReferenceEngine(free)
    films = {"door": film(40), "yard": film(40, 1, width=40), "hall": film(40, 2, num_frames=3), "gate": film(40, 3)}
    kept: dict[str, tuple[str, ...]] = {}
    for turn in range(40):
        requests = []
        for number, (camera_id, segments) in enumerate(films.items()):
            if (turn + number) % 9 == 7 or (camera_id == "gate" and 10 < turn < 20):  # stalls, leaves and comes back
                continue
            epoch = (turn + number) // 17
            start = max(0, epoch * 17 - number)
            requests.append(
                ask(
                    segments[start:],
                    turn - start,
                    hypotheses=kept.get(camera_id, ()) if (turn + number) % 4 else (),
                    camera_id=camera_id,
                    epoch=epoch,
                    summary=SUMMARIES[(turn + number) // 3 % 3],
                    complete=turn % 3 != 1,
                    verify=(turn + number) % 5 > 2,
                )
            )
        for request, assessment in zip(requests, answer(engine, requests), strict=True):
            assert_same(assessment, reference.assess(request))
            if assessment.sampled:
                kept[request.camera_id] = tuple(score.text for score in assessment.scores)
        engine.check_integrity()
    assert engine.num_streams == 4


CAMERA = st.tuples(
    st.sampled_from(["next", "next", "next", "stall", "again", "jump", "epoch", "forget", "evict", "swap"]),
    st.booleans(),  # complete
    st.booleans(),  # verify
    st.sampled_from([KEPT, KEPT[1:], ()]),
    st.sampled_from(SUMMARIES),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=st.lists(st.lists(CAMERA, min_size=1, max_size=4), min_size=2, max_size=4), room=st.integers(2, 5))
def test_any_schedule_of_any_cameras_equals_the_reference(
    tiny: LoadedModel, schedule: list[list[tuple[str, bool, bool, tuple[str, ...], str]]], room: int
) -> None:
    engine, reference = IncrementalEngine(tiny, max_streams=room), ReferenceEngine(tiny)
    weight = tiny.model.model.language_model.layers[0].self_attn.v_proj.weight
    before = weight.detach().clone()
    try:
        _run_schedule(engine, reference, schedule, weight, before)
    finally:
        with torch.no_grad():
            weight.copy_(before)


def _run_schedule(
    engine: IncrementalEngine,
    reference: ReferenceEngine,
    schedule: list[list[tuple[str, bool, bool, tuple[str, ...], str]]],
    weight: torch.Tensor,
    before: torch.Tensor,
) -> None:
    films = [film(30, seed) for seed in range(4)]
    places = [(2, 0)] * 4  # index and epoch of each camera
    for step, cameras in enumerate(schedule):
        requests = []
        for number, (action, complete, verify, hypotheses, summary) in enumerate(cameras):
            if action == "stall":
                continue
            if action == "forget":
                engine.forget()
            elif action == "evict":
                engine._free()  # what a full device makes it do: features only
            elif action == "swap":
                with torch.no_grad():
                    weight.copy_(before * (1.0 + 0.1 * (step + 1)))
                engine.forget()
            index, epoch = places[number]
            moves = {"again": (index, epoch), "jump": (index + 3, epoch), "epoch": (0, epoch + 1)}
            index, epoch = places[number] = moves.get(action, (index + 1, epoch))
            camera_id = f"camera{number}"
            requests.append(ask(films[number], index, hypotheses, camera_id, epoch, step, summary, complete, verify))
        for request, assessment in zip(requests, answer(engine, requests), strict=True):
            assert_same(assessment, reference.assess(request))
        engine.check_integrity()


def test_the_steady_state_of_several_cameras_is_one_forward(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine = make_engine(tiny)
    requests = [ask(film(4, seed), 3, camera_id=f"camera{seed}", complete=True, verify=True) for seed in range(3)]
    answer(engine, requests)
    assert len(forwards["vision"]) == 1
    forwards["language"].clear()
    answer(engine, requests)  # nothing has happened, and what is said is what was said
    assert len(forwards["language"]) == 1


def test_two_requests_of_one_camera_are_answered_one_after_the_other(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    segments, reference = film(5), ReferenceEngine(tiny)
    requests = [ask(segments, 3), ask(film(4, 1), 2, camera_id="yard"), ask(segments, 4)]
    for request, assessment in zip(requests, answer(make_engine(tiny), requests), strict=True):
        assert_same(assessment, reference.assess(request))


def test_one_broken_request_does_not_touch_the_others(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    ragged = [*film(2), *film(1, num_frames=4)]
    broken = replace(ask(ragged, 2, camera_id="broken"), window=tuple(ragged[1:2]))
    good = [ask(film(4, seed), 3, camera_id=f"camera{seed}") for seed in range(2)]
    first, failure, second = make_engine(tiny).assess_batch([good[0], broken, good[1]])
    assert isinstance(failure, EngineError) and "numbers of frames" in str(failure)
    for request, assessment in zip(good, (first, second), strict=True):
        assert isinstance(assessment, Assessment)
        assert_same(assessment, ReferenceEngine(tiny).assess(request))


@pytest.mark.parametrize("write_on_device", [False, True])
def test_a_step_of_broken_requests_alone_is_refused_and_nothing_else(
    tiny: LoadedModel, make_engine: MakeEngine, write_on_device: bool
) -> None:
    ragged = [*film(2), *film(1, num_frames=4)]
    broken = replace(ask(ragged, 2, ()), window=tuple(ragged[1:2]))
    with pytest.raises(EngineError, match="numbers of frames"):
        make_engine(tiny, write_on_device=write_on_device).assess(broken)


def test_when_memory_is_short_a_batch_is_halved_until_it_fits(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    requests = [ask(film(4, seed), 3, camera_id=f"camera{seed}") for seed in range(5)]
    engine, tokens = make_engine(tiny), []

    def refuse_many(module: object, args: tuple[torch.Tensor, ...]) -> None:
        tokens.append(args[0].shape[1])
        if args[0].shape[1] > 400:
            raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    hook = tiny.model.model.language_model.layers[1].register_forward_pre_hook(refuse_many)
    answers = answer(engine, requests)
    hook.remove()
    assert max(tokens) > 400 > min(tokens), "the test is about a batch that does not fit"
    for request, assessment in zip(requests, answers, strict=True):
        assert_same(assessment, ReferenceEngine(tiny).assess(request))


def test_the_time_of_a_batch_is_shared_by_those_who_took_part(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    ticks = iter(range(1000))
    engine = make_engine(tiny, clock=lambda: float(next(ticks)))
    sampling, steady = ask(film(4), 3, ()), ask(film(4, 1), 3, camera_id="yard")
    first = ask(film(1, 2), 0, camera_id="new")
    one, two, three = answer(engine, [sampling, steady, first])
    assert one.stage_seconds["sample"] == 1.0 and "sample" not in two.stage_seconds
    assert one.stage_seconds["score"] == two.stage_seconds["score"] == 0.5 and "score" not in three.stage_seconds
    assert three.stage_seconds["vision"] == pytest.approx(1 / 3)
