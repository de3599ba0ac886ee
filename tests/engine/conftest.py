"""One tiny checkpoint per family, saved and loaded once per session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.graphs import Graphs
from streamspike.engine.model import LoadedModel
from tests.support.checkpoints import FAMILIES, Family, tiny_checkpoint
from tests.support.requests import MakeEngine


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors lose time on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, LoadedModel]:
    """Without passes of fixed sizes, also on a GPU: a graph calls no hook. `tiny_fixed` has them."""
    return {
        family: replace(tiny_checkpoint(tmp_path_factory.mktemp(family), family), graphs=None) for family in FAMILIES
    }


@pytest.fixture(params=FAMILIES)
def tiny(request: pytest.FixtureRequest, tiny_models: dict[Family, LoadedModel]) -> LoadedModel:
    return tiny_models[request.param]


@pytest.fixture
def tiny_fixed(tiny: LoadedModel) -> LoadedModel:
    """The same model with passes of fixed sizes, as on a GPU."""
    return replace(tiny, graphs=Graphs())


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    """Engines whose integrity is checked when the test is over."""
    made: list[IncrementalEngine] = []

    def make(loaded: LoadedModel, **options: object) -> IncrementalEngine:
        made.append(IncrementalEngine(loaded, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        engine.check_integrity()


@pytest.fixture
def forwards(tiny: LoadedModel) -> Iterator[dict[str, list[int]]]:
    """Tokens of each forward of the two towers, in order."""
    seen: dict[str, list[int]] = {"vision": [], "language": []}

    def vision(module: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        seen["vision"].append(len(args[0] if args else kwargs["hidden_states"]))

    def language(module: object, args: tuple[torch.Tensor, ...], kwargs: object) -> None:
        seen["language"].append(args[0].shape[1])

    hooks = [
        tiny.model.model.visual.register_forward_pre_hook(vision, with_kwargs=True),
        tiny.model.model.language_model.layers[0].register_forward_pre_hook(language, with_kwargs=True),
    ]
    yield seen
    for hook in hooks:
        hook.remove()
