"""Sliding in place on both families: exact where it can be, in the first layer, and in its places on all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from streamspike.config import ModelConfig
from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import Row
from streamspike.engine.model import LoadedModel, load_model
from streamspike.engine.runner import PackedRow, compute
from streamspike.engine.stream import Stream
from tests.support.checkpoints import FAMILIES, save_checkpoint
from tests.support.windows import GEOMETRY, MovingWindow, boundaries, largest_difference

MakeModel = Callable[[str], LoadedModel]


@pytest.fixture(scope="module", params=FAMILIES)
def first_layer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Models of one layer, by dtype. What it caches depends on a token and its position alone: eviction is exact."""
    folder = save_checkpoint(tmp_path_factory.mktemp(request.param), request.param)

    def make(dtype: str) -> LoadedModel:
        loaded = load_model(ModelConfig(name=str(folder), device="cpu", dtype=dtype))
        language_model = loaded.model.model.language_model
        language_model.layers = language_model.layers[:1]
        return loaded

    return make


def moving(loaded: LoadedModel, length: int) -> MovingWindow:
    """A window that shows its first segments."""
    language_model = loaded.model.model.language_model

    def run(cache: PrefixCache, row: Row | None) -> None:
        compute(loaded, [PackedRow(cache, row)])

    window = MovingWindow(
        loaded.layout,
        lambda: Stream(GEOMETRY, len(language_model.layers), language_model.rotary_emb.inv_freq),
        run,
        width=language_model.config.hidden_size,
        num_levels=2 if loaded.family == "qwen3_vl" else 0,
    )
    window.record(length)
    window.request(window.segments, slide=True)
    return window


@torch.inference_mode()
def test_in_the_first_layer_a_slid_window_is_the_refilled_one_however_often_it_slid(first_layer: MakeModel) -> None:
    window = moving(first_layer("float32"), 5)
    for slides in range(1, 201):
        window.advance(5, slide=True)
        if slides in (1, 2, 7, 200):
            refilled = window.filled(window.said)
            assert window.stream.slides_since_refill == slides
            assert boundaries(window.stream, 5) == boundaries(refilled, 5)
            assert largest_difference(window.stream.cache, refilled.cache) < 1e-5


@pytest.mark.slow
@torch.inference_mode()
def test_in_bfloat16_the_error_does_not_grow_with_the_number_of_slides(first_layer: MakeModel) -> None:
    length = 201  # so long that a block that was there at first still is after 200 slides
    window, errors = moving(first_layer("bfloat16"), length), {}
    for slides in range(1, 201):
        window.advance(length, slide=True)
        if slides in (8, 200):
            kept, refilled = window.stream.cache.layers[0], window.filled(window.said).cache.layers[0]
            assert torch.equal(kept.values, refilled.values)
            errors[slides] = float((kept.keys.float() - refilled.keys.float()).norm() / refilled.keys.float().norm())
    assert 0 < errors[8] < 0.01
    assert errors[200] < 1.25 * errors[8]


@torch.inference_mode()
def test_in_all_layers_blocks_stand_where_an_exact_window_has_them(tiny: LoadedModel) -> None:
    fast, exact = moving(tiny, 5), moving(tiny, 5)
    for slides in range(1, 9):
        new, everything = fast.advance(5, slide=True), exact.advance(5, slide=False)
        assert new is not None and everything is not None
        assert len(new.blocks) == 1 and len(everything.blocks) == 5
        assert new.span.positions.tolist() == everything.span.positions[:, -len(new.span) :].tolist()
        assert boundaries(fast.stream, 5) == boundaries(exact.stream, 5)
        assert (fast.stream.slides_since_refill, exact.stream.slides_since_refill) == (slides, 0)


@torch.inference_mode()
def test_a_refill_takes_back_what_slides_led_to(tiny: LoadedModel) -> None:
    window = moving(tiny, 5)
    for _ in range(3):
        window.advance(5, slide=True)
    assert largest_difference(window.stream.cache, window.filled(window.seconds).cache) > 1e-3
    window.request(window.shown, slide=False)
    assert largest_difference(window.stream.cache, window.filled(window.seconds).cache) < 1e-5
