"""Models that learn: the built-in one and a tiny one of each family, loaded anew for each test that changes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from streamspike.config import ModelConfig
from streamspike.engine.model import LoadedModel, load_model

MODELS = ("nano", "random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors lose time on more threads; and sums in another order would be other numbers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=MODELS)
def learner_model(request: pytest.FixtureRequest) -> LoadedModel:
    """Float32 on the CPU, fresh."""
    return load_model(ModelConfig(name=request.param, device="cpu", dtype="float32"))


@pytest.fixture
def nano() -> LoadedModel:
    """The built-in model, fresh."""
    return load_model(ModelConfig(name="nano", device="cpu"))
