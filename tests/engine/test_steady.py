"""Passes of fixed size: the same numbers as rows end to end, in few sizes, and every row back where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamspike.config import EngineConfig
from streamspike.core import Assessment, Request
from streamspike.engine import steady
from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import Addition, run_additions
from streamspike.engine.graphs import Graphs
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from streamspike.engine.steady import PassSize, SteadyPass, group_by_size, run_fixed
from tests.support.requests import KEPT, SUMMARIES, MakeEngine, ask, assert_same, film


def random_addition(
    loaded: LoadedModel, trunk: int, branches: int, cache: PrefixCache, generator: np.random.Generator
) -> Addition:
    """Text behind what a cache holds."""
    cached, tokens = cache.num_tokens, trunk + branches
    sees = generator.random((branches, cached + tokens)) < 0.5
    sees[:, cached + trunk :] &= np.tri(branches, dtype=np.bool_)
    sees[range(branches), range(cached + trunk, cached + tokens)] = True
    positions = np.tile(np.arange(cached, cached + tokens), (3, 1))
    ids = generator.integers(0, 300, tokens)
    return Addition(ids, positions, np.zeros(tokens, dtype=np.bool_), (), trunk, sees, cache)


def copy(cache: PrefixCache, loaded: LoadedModel) -> PrefixCache:
    copied = PrefixCache(loaded.model.config.text_config.num_hidden_layers)
    if cache.num_tokens:
        copied.extend(*(part.clone() for part in cache.held))
    return copied


@torch.inference_mode()
def test_padded_rows_have_the_hidden_states_and_leave_the_keys_of_rows_end_to_end(tiny: LoadedModel) -> None:
    generator, graphs = np.random.default_rng(0), Graphs()
    caches = [PrefixCache(2) for _ in range(5)]
    for shapes in (
        [(20, 3), (20, 0), (1, 1), (17, 4), (30, 9)],
        [(0, 5), (5, 0), (0, 1), (16, 32), (17, 33)],
        [(7, 2), (7, 3), (7, 4), (7, 5), (7, 6)],
    ):
        others = [copy(cache, tiny) for cache in caches]
        additions, plain = (
            [
                random_addition(tiny, trunk, branches, cache, np.random.default_rng([number, *shapes[0]]))
                for number, ((trunk, branches), cache) in enumerate(zip(shapes, held, strict=True))
            ]
            for held in (caches, others)
        )
        fixed, expected = run_fixed(tiny, graphs, additions), run_additions(tiny, plain)
        for one, two in zip(fixed, expected, strict=True):
            assert one is not None
            torch.testing.assert_close(one, two, rtol=0, atol=2e-5)
        for cache, other in zip(caches, others, strict=True):
            cache.check_integrity()
            for part, same in zip(cache.held, other.held, strict=True):
                torch.testing.assert_close(part, same, rtol=0, atol=2e-5)
            cache.truncate(int(generator.integers(1, cache.num_tokens)))


def test_rows_of_like_length_go_together_in_powers_of_two(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "MAX_PASS_TOKENS", 250)
    generator = np.random.default_rng(0)
    shapes = [(20, 10), (31, 32), (17, 1), (500, 30), (0, 40), (20, 33), (32, 30), (18, 9), (19, 9)]
    additions = [random_addition(tiny, *shape, PrefixCache(2), generator) for shape in shapes]
    groups = [(size, [number for number, _ in group]) for size, group in group_by_size(additions)]
    assert groups == [
        (PassSize(2, 32, 32, 0), [0, 1]),
        (PassSize(2, 32, 32, 0), [2, 6]),
        (PassSize(2, 32, 32, 0), [7, 8]),
        (PassSize(1, 0, 64, 0), [4]),
        (PassSize(1, 32, 64, 0), [5]),
    ], "the row of 530 tokens is left to others"


@torch.inference_mode()
def test_a_row_that_is_too_long_is_left_and_nothing_is_written_for_it(tiny: LoadedModel) -> None:
    cache = PrefixCache(2)
    long = random_addition(tiny, steady.MAX_ROW_TOKENS, 1, cache, np.random.default_rng(0))
    assert run_fixed(tiny, Graphs(), [long]) == [None] and cache.num_tokens == 0


@torch.inference_mode()
def test_numbers_that_are_not_finite_stay_with_the_row_that_has_them(tiny: LoadedModel) -> None:
    generator, graphs = np.random.default_rng(0), Graphs()
    broken, good = PrefixCache(2), PrefixCache(2)
    run_fixed(tiny, graphs, [random_addition(tiny, 20, 3, cache, generator) for cache in (broken, good)])
    for part in broken.held:
        part.fill_(torch.inf)
    additions = [random_addition(tiny, 4, 3, cache, generator) for cache in (broken, good)]
    first, second = run_fixed(tiny, graphs, additions)
    assert first is not None and second is not None
    assert not first.isfinite().all() and second.isfinite().all()
    (third,) = run_fixed(tiny, graphs, [random_addition(tiny, 4, 3, copy(good, tiny), generator)])
    assert third is not None and third.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("write_on_device", [False, True])
@pytest.mark.parametrize("window", ["exact", "fast"])
def test_cameras_that_come_and_go_equal_the_reference(
    tiny_fixed: LoadedModel, make_engine: MakeEngine, window: str, write_on_device: bool
) -> None:
    free = replace(tiny_fixed, frames=replace(tiny_fixed.frames, height_px=32, width_px=0))  # widths follow pictures
    config = EngineConfig.model_validate({"window": window})
    engine, reference = make_engine(free, config=config, write_on_device=write_on_device), ReferenceEngine(free)
    films = {"door": film(8), "yard": film(8, 1, width=40), "hall": film(8, 2, num_frames=3), "gate": film(8, 3)}
    for turn in range(8 if window == "exact" else 5):  # a window of 4 segments has not slid before the fifth
        requests = [
            ask(
                segments,
                turn,
                KEPT if (turn + number) % 4 else (),
                camera_id,
                summary=SUMMARIES[(turn + number) // 3 % 3],
                complete=turn % 3 != 1,
                verify=(turn + number) % 5 > 2,
            )
            for number, (camera_id, segments) in enumerate(films.items())
            if (turn + number) % 7 != 5
        ]
        for request, answer in zip(requests, engine.assess_batch(requests), strict=True):
            assert isinstance(answer, Assessment)
            assert_same(answer, reference.assess(request))
        engine.check_integrity()


STEP = st.lists(
    st.tuples(st.sampled_from(["next", "stall", "jump", "forget"]), st.sampled_from([KEPT, KEPT[1:], ()])),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=st.lists(STEP, min_size=2, max_size=4))
def test_any_schedule_equals_the_reference(
    tiny_fixed: LoadedModel, make_engine: MakeEngine, schedule: list[list[tuple[str, tuple[str, ...]]]]
) -> None:
    engine, reference = make_engine(tiny_fixed, write_on_device=True), ReferenceEngine(tiny_fixed)
    films, places = [film(20, seed) for seed in range(4)], [2] * 4
    for step, cameras in enumerate(schedule):
        requests: list[Request] = []
        for number, (action, hypotheses) in enumerate(cameras):
            if action == "stall":
                continue
            if action == "forget":
                engine.forget()
            places[number] += 3 if action == "jump" else 1
            requests.append(ask(films[number], places[number], hypotheses, f"camera{number}", seed=step))
        for request, answer in zip(requests, engine.assess_batch(requests), strict=True):
            assert isinstance(answer, Assessment)
            assert_same(answer, reference.assess(request))


def test_the_steady_state_of_cameras_alike_is_one_pass_whose_tensors_are_kept(
    tiny_fixed: LoadedModel, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[SteadyPass] = []
    run = SteadyPass.run

    def spy(fixed: SteadyPass, additions: list[Addition]) -> list[torch.Tensor]:
        passes.append(fixed)
        return run(fixed, additions)

    monkeypatch.setattr(SteadyPass, "run", spy)
    engine, films = make_engine(tiny_fixed, write_on_device=True), [film(9, seed) for seed in range(4)]
    for index in (6, 7, 8):
        before = len(passes)
        engine.assess_batch(
            [ask(segments, index, camera_id=f"camera{number}") for number, segments in enumerate(films)]
        )
        assert [fixed.size.rows for fixed in passes[before:]] == [4]
    assert len({id(fixed) for fixed in passes}) == len({fixed.size for fixed in passes}) < 3


def test_forgetting_drops_the_passes_too(tiny_fixed: LoadedModel, make_engine: MakeEngine) -> None:
    engine = make_engine(tiny_fixed, write_on_device=True)
    engine.assess(ask(film(4), 3))
    assert tiny_fixed.graphs
    engine.forget()
    assert not tiny_fixed.graphs
