"""The floor: what a model must multiply and read at least, against what its parts do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from streamspike.bench.speed.floor import Floor, Rates, find_floor, measure_rates
from streamspike.engine.forward import encode_segments
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from tests.support.requests import KEPT, WINDOW, ask, film


def flops_of(loaded: LoadedModel, growth: int = 0, hypotheses: tuple[str, ...] = KEPT) -> Floor:
    """Seconds on a machine of one operation a second and endless bandwidth: operations."""
    request = ask(film(6), 5, hypotheses)
    answer = ReferenceEngine(loaded).assess(request)
    return find_floor(loaded, Rates(np.inf, 1.0, 1.0), [(request, answer)], WINDOW, growth, 1.0)


def test_vision_floor_is_just_below_what_the_tower_multiplies(tiny: LoadedModel) -> None:
    segment = film(1)[0]
    size = tiny.frames.frame_size(*segment[0].shape[:2])
    plain = sdpa_kernel(SDPBackend.MATH)  # the fused one is not counted
    with FlopCounterMode(display=False) as counter, torch.inference_mode(), plain:
        encode_segments(tiny, [segment], size)
    assert 0.9 * counter.get_total_flops() < flops_of(tiny).vision_seconds <= counter.get_total_flops()


def test_pass_floor_is_just_below_what_a_row_of_as_many_tokens_multiplies(tiny: LoadedModel) -> None:
    floor = flops_of(tiny)
    language = tiny.model.model.language_model
    linear = 2 * sum(parameter.numel() for parameter in language.layers.parameters() if parameter.ndim == 2)
    head = 2 * tiny.model.get_output_embeddings().weight.numel()
    assert linear + head < floor.decode_step_seconds < 1.2 * (linear + head), "the rest is attention"
    assert floor.pass_seconds > 20 * linear, "the questions alone are more than twenty tokens"
    assert floor.segment_seconds == floor.vision_seconds + floor.pass_seconds
    written = floor.written_segment_seconds - floor.segment_seconds
    words = len(tiny.layout.tokenize(ReferenceEngine(tiny).assess(ask(film(6), 5)).caption))
    assert words > 1 and written == pytest.approx((words - 1) * floor.decode_step_seconds)


def test_floor_follows_the_work(tiny: LoadedModel) -> None:
    floor = flops_of(tiny)
    assert flops_of(tiny, growth=3).pass_seconds < floor.pass_seconds, "a window that grows is filled again less often"
    assert flops_of(tiny, hypotheses=KEPT[:1]).pass_seconds < floor.pass_seconds
    request = ask(film(6), 5)
    answered = [(request, ReferenceEngine(tiny).assess(request))]
    weights = sum(parameter.numel() for parameter in tiny.model.model.language_model.layers.parameters())
    head = tiny.model.get_output_embeddings().weight.numel()
    slow = find_floor(tiny, Rates(1.0, np.inf, np.inf), answered, WINDOW, 0, 1.0)
    assert slow.decode_step_seconds == slow.pass_seconds == 4 * (weights + head), "four bytes a weight"


def test_rates_are_those_of_a_machine(tiny: LoadedModel) -> None:
    rates = measure_rates(tiny)
    assert 1e8 < rates.bytes_per_second < 1e14 and 1e8 < rates.flops_per_second < 1e17
    assert 1e8 < rates.vision_flops_per_second < 1e17
