"""One tiny checkpoint per family, saved and loaded once per session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from streamspike.engine.model import LoadedModel
from tests.support.checkpoints import FAMILIES, Family, tiny_checkpoint


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors lose time on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, LoadedModel]:
    return {family: tiny_checkpoint(tmp_path_factory.mktemp(family), family) for family in FAMILIES}


@pytest.fixture(params=FAMILIES)
def tiny(request: pytest.FixtureRequest, tiny_models: dict[Family, LoadedModel]) -> LoadedModel:
    return tiny_models[request.param]
