"""The incremental engine gives the reference's numbers, whatever comes in which order, and remembers within bounds."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamspike.core import Engine
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.graphs import Graphs
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import NOTHING_READABLE, ReferenceEngine
from streamspike.errors import EngineError
from tests.support.requests import KEPT, SUMMARIES, WINDOW, MakeEngine, ask, assert_same, film


@pytest.mark.slow
def test_forty_segments_of_two_cameras_equal_the_reference(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    free = replace(tiny, frames=replace(tiny.frames, height_px=32, width_px=0))  # the width follows the picture
    engine, reference = make_engine(free), ReferenceEngine(free)
    films = {"door": film(40), "yard": film(16, seed=1, width=40)}
    assert len({free.frames.frame_size(*segments[0][0].shape[:2]) for segments in films.values()}) == 2
    kept: dict[str, tuple[str, ...]] = {}
    for turn in range(40):
        for camera_id, segments in films.items():
            if turn >= len(segments) or turn % 11 == 7:  # skipped: the segment is in the window, nobody asked about it
                continue
            epoch = turn // 17
            request = ask(
                segments[epoch * 17 :],
                turn - epoch * 17,
                hypotheses=kept.get(camera_id, ()) if turn % 4 else (),
                camera_id=camera_id,
                epoch=epoch,
                summary=SUMMARIES[turn // 3 % 3],
                complete=turn % 3 != 1,
                verify=turn % 5 > 2,
            )
            assessment = engine.assess(request)
            engine.check_integrity()
            assert_same(assessment, reference.assess(request))
            if assessment.sampled:
                kept[camera_id] = tuple(score.text for score in assessment.scores)
    assert engine.num_streams == 2


@pytest.mark.parametrize("fixed", [False, True], ids=["any", "fixed"])
def test_a_vision_tower_in_bfloat16_before_a_language_model_in_float32_equals_the_reference(
    tiny: LoadedModel, make_engine: MakeEngine, fixed: bool
) -> None:
    """As on a CPU with units for it. What one frame is seen as does not depend on what is encoded along with it."""
    model = copy.deepcopy(tiny.model)
    model.model.visual.to(torch.bfloat16)
    half = replace(tiny, model=model, graphs=Graphs() if fixed else None)
    engine, reference, segments = make_engine(half), ReferenceEngine(half), film(8)
    for index in range(2, 8):
        assert_same(engine.assess(ask(segments, index)), reference.assess(ask(segments, index)))
    exact = ReferenceEngine(tiny).assess(ask(segments, 7))
    assert reference.assess(ask(segments, 7)) != exact, "the tower of the copy is another one"


def test_a_picture_that_changes_its_shape_changes_the_size_of_the_whole_window(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    free = replace(tiny, frames=replace(tiny.frames, height_px=32, width_px=0))  # the width follows the picture
    engine, reference = make_engine(free), ReferenceEngine(free)
    segments = [*film(3), *film(2, seed=1, width=40)]
    for index in (2, 3, 4):
        assert_same(engine.assess(ask(segments, index)), reference.assess(ask(segments, index)))


ACTIONS = st.tuples(
    st.sampled_from(["next", "next", "next", "again", "jump", "epoch", "copy", "forget", "resize"]),
    st.booleans(),  # complete
    st.booleans(),  # verify
    st.sampled_from(["kept", "fewer", "sample"]),
    st.sampled_from(SUMMARIES),
)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=st.lists(ACTIONS, min_size=3, max_size=6))
def test_any_schedule_equals_the_reference(tiny: LoadedModel, schedule: list[tuple[str, bool, bool, str, str]]) -> None:
    engine, reference = IncrementalEngine(tiny), ReferenceEngine(tiny)
    segments, index, epoch = film(30), 2, 0
    for turn, (action, complete, verify, which, summary) in enumerate(schedule):
        if action == "copy":  # the same pixels in other arrays, as after a journey through another process
            segments = [tuple(pixels.copy() for pixels in frames) for frames in segments]
        elif action == "forget":
            engine.forget()
        elif action == "resize":
            segments = film(30, seed=turn, num_frames=1 + turn % 3)
        index, epoch = {"again": (index, epoch), "jump": (index + 3, epoch), "epoch": (0, epoch + 1)}.get(
            action, (index + 1, epoch)
        )
        hypotheses = {"kept": KEPT, "fewer": KEPT[1:], "sample": ()}[which]
        request = ask(segments, index, hypotheses, "door", epoch, turn, summary, complete, verify)
        assert_same(engine.assess(request), reference.assess(request))
        engine.check_integrity()


def test_without_a_window_there_is_only_a_caption(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine, request = make_engine(tiny), ask(film(1), 0, complete=True, verify=True)
    assessment = engine.assess(request)
    assert assessment.scores == () and not assessment.sampled
    assert assessment.caption == ReferenceEngine(tiny).assess(request).caption
    assert set(assessment.stage_seconds) == {"vision", "prefill", "caption"}


def test_a_sentence_that_was_guessed_wrong_changes_nothing(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine, reference = make_engine(tiny), ReferenceEngine(tiny)
    captions = set()
    for seed in range(4):
        segments = film(3, seed)
        for hypotheses in ((), KEPT):
            request = ask(segments, 2, hypotheses, complete=True)
            assessment = engine.assess(request)
            captions.add(assessment.caption)
            assert_same(assessment, reference.assess(request))
    assert len(captions) > 1  # the guess of one film was wrong for another


def test_an_unreadable_model_still_has_one_hypothesis(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    end = tiny.layout.special.end
    everything_else = set(range(tiny.model.config.text_config.vocab_size)) - {end}
    silent = replace(tiny, suppressed=tuple(sorted(everything_else)))
    request = ask(film(3), 2, hypotheses=(), complete=True)
    assessment = make_engine(silent).assess(request)
    assert [score.text for score in assessment.scores] == [NOTHING_READABLE]
    assert_same(assessment, ReferenceEngine(silent).assess(request))


def test_every_frame_is_encoded_once(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine, segments = make_engine(tiny), film(9)
    for index in (0, 1, 2, 4, 5, 8):  # the others are skipped, and come with the next one's window
        engine.assess(ask(segments, index))
    assert sum(forwards["vision"]) == 9 * 24  # 4 x 6 patches a block


def test_the_steady_state_is_one_forward(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine, segments = make_engine(tiny), film(4)
    engine.assess(ask(segments, 3, complete=True, verify=True))
    forwards["language"].clear()
    # Nothing has happened: the prefix stands, and what is said is what was said.
    engine.assess(ask(segments, 3, complete=True, verify=True))
    assert len(forwards["language"]) == 1


def test_a_window_that_grows_only_runs_what_is_new(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    segments = film(7)
    tokens = {}
    for index in (2, 3, WINDOW + 1, WINDOW + 2):
        engine = make_engine(tiny)
        engine.assess(ask(segments, index - 1))
        forwards["language"].clear()
        engine.assess(ask(segments, index))
        tokens[index] = forwards["language"][0]
    # A block costs its tokens; the timestamps of Qwen3-VL have lengths that differ by a token or two.
    assert tokens[2] == pytest.approx(tokens[3], abs=8)
    assert tokens[WINDOW + 1] > tokens[3] + (WINDOW - 1) * 8


def test_arrays_that_reuse_an_address_are_not_mistaken_for_old_ones(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine, reference = make_engine(tiny), ReferenceEngine(tiny)
    for seed in range(6):
        request = ask(film(2, seed), 1)  # the arrays of the request before are garbage by now, but for the engine's
        assert_same(engine.assess(request), reference.assess(request))
        del request


def test_the_stream_that_was_silent_longest_is_forgotten_first(
    tiny: LoadedModel, make_engine: MakeEngine, forwards: dict[str, list[int]]
) -> None:
    engine = make_engine(tiny, max_streams=2)
    films = {camera_id: film(3, seed) for seed, camera_id in enumerate("abc")}

    def patches(camera_id: str) -> int:
        forwards["vision"].clear()
        engine.assess(ask(films[camera_id], 2, camera_id=camera_id))
        assert engine.num_streams <= 2
        return sum(forwards["vision"])

    assert [patches(camera_id) > 0 for camera_id in "abacabb"] == [True, True, False, True, False, True, False]


def test_a_failure_costs_the_stream_and_the_next_request_fills_it_again(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    engine, reference, segments = make_engine(tiny), ReferenceEngine(tiny), film(5)
    engine.assess(ask(segments, 2))
    engine.assess(ask(segments, 2, camera_id="yard"))

    def fail(*args: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    hook = tiny.model.model.language_model.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(EngineError, match="20 GiB"):
        engine.assess(ask(segments, 3))
    hook.remove()
    assert engine.num_streams == 1
    engine.check_integrity()
    assert_same(engine.assess(ask(segments, 3)), reference.assess(ask(segments, 3)))


def test_broken_weights_are_an_engine_error(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine, segments = make_engine(tiny), film(4)
    weight = tiny.model.model.language_model.norm.weight
    with torch.no_grad():
        before = weight.clone()
        weight.fill_(torch.nan)
    try:
        with pytest.raises(EngineError, match="not finite"):
            engine.assess(ask(segments, 2))
    finally:
        with torch.no_grad():
            weight.copy_(before)
    assert engine.num_streams == 0
    assert_same(engine.assess(ask(segments, 3)), ReferenceEngine(tiny).assess(ask(segments, 3)))


def test_segments_of_different_length_in_one_window_are_refused(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    segments = [*film(2), *film(1, num_frames=4)]
    with pytest.raises(EngineError, match="numbers of frames"):
        make_engine(tiny).assess(replace(ask(segments, 2), window=tuple(segments[1:2])))


def test_memory_does_not_grow_once_the_window_is_full(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine, segments = make_engine(tiny), film(14)
    sizes = []
    for index in range(14):
        engine.assess(ask(segments, index, hypotheses=KEPT if index % 2 else (), complete=True))
        engine.check_integrity()
        sizes.append(engine.cache_bytes)
    assert len(set(sizes[WINDOW + 2 :])) == 1


def test_stages_are_timed_by_the_given_clock(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine = make_engine(tiny, clock=itertools.count(0.0, 0.5).__next__)
    seconds = engine.assess(ask(film(3), 2, hypotheses=())).stage_seconds
    assert seconds == dict.fromkeys(["vision", "prefill", "sample", "caption", "score"], 0.5)


def test_an_engine_without_room_for_a_stream_is_refused(tiny: LoadedModel) -> None:
    with pytest.raises(ValueError, match="max_streams"):
        IncrementalEngine(tiny, max_streams=0)


def test_it_is_an_engine(tiny: LoadedModel, make_engine: MakeEngine) -> None:
    engine: Engine = make_engine(tiny)
    assert engine.name == tiny.name
