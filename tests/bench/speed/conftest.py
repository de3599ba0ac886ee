"""Tiny models, one thread, and one measurement that several tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from streamspike.bench.speed.engine import (
    measure_engines,
)
from streamspike.config import BeliefConfig, Config, ModelConfig
from streamspike.engine.model import LoadedModel, load_model

TINY = ("random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl")
BELIEF = BeliefConfig(window_segments=2, num_hypotheses=2, max_hypothesis_tokens=4, max_caption_tokens=4)
CONFIG = Config(belief=BELIEF)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors lose time on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def models() -> dict[str, LoadedModel]:
    return {name: load_model(ModelConfig(name=name, device="cpu", frame_width_px=64)) for name in TINY}


@pytest.fixture(params=TINY)
def tiny(request: pytest.FixtureRequest, models: dict[str, LoadedModel]) -> LoadedModel:
    return models[request.param]


@pytest.fixture(scope="package")
def result(models: dict[str, LoadedModel]) -> dict[str, Any]:
    return measure_engines(CONFIG, models[TINY[0]], 3, 1, 0, lambda *_: None)
