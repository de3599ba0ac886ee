"""What makes the host wait for the device, counted: it must not grow with the words that are written.

On a CPU nothing waits, so what would wait is counted: operations whose result the host needs to go on, and tensors that
are brought to it. deploy/gpu-check.sh counts the real ones on a GPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from streamspike.core import Sampling
from streamspike.engine.cache import PrefixCache
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.graphs import Graphs
from streamspike.engine.model import LoadedModel
from streamspike.engine.sampler import LOOK_STEPS, DeviceSampler
from streamspike.engine.steady import run_fixed
from tests.engine.test_steady import random_addition
from tests.support.requests import MakeEngine, ask, film

WAITING_OPERATIONS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique", "equal", "bincount")
WAITING_METHODS = ("cpu", "tolist", "item", "__bool__", "__int__", "__float__", "__index__")
"""Not `numpy`: a tensor on a GPU refuses it, so what calls it is the host's anyway."""


class WaitingOperations(TorchDispatchMode):
    """Counts operations that a GPU could not be left alone with."""

    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self._waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name.startswith(WAITING_OPERATIONS):
            self._waits[name] += 1
        if name in ("index", "index_put", "index_put_"):
            masks = [index for index in args[1] if index is not None and index.dtype in (torch.bool, torch.uint8)]
            if masks:
                self._waits["index by mask"] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def counted_waits() -> Iterator[Counter[str]]:
    """A method counts once, and not again for the operation it is made of."""
    waits: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch, WaitingOperations(waits):
        for name in WAITING_METHODS:
            original = getattr(torch.Tensor, name)

            def wait(self: torch.Tensor, *args: Any, original: Any = original, name: str = name) -> Any:
                waits[name] += 1
                return original(self, *args)

            patch.setattr(torch.Tensor, name, wait)
        yield waits


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.masked_select(x > 0),
        lambda x: x.index_put_((x > 0,), torch.tensor(0.0)),
    ],
)
def test_what_would_wait_is_counted(work: Any) -> None:
    with counted_waits() as waits:
        work(torch.ones(3))
    assert sum(waits.values()) >= 1


def waits_of_writing(
    engine: IncrementalEngine, max_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Counter[str], int]:
    """While hypotheses and a caption of so many words are written, and how many looks that takes."""
    found: list[Counter[str]] = []
    write = DeviceSampler.write

    def spy(sampler: DeviceSampler, questions: Any) -> Any:
        with counted_waits() as waits:
            answers = write(sampler, questions)
        found.append(waits)
        assert {len(line) for lines in answers for line in lines} == {max_tokens}, "the test is about long answers"
        return answers

    with monkeypatch.context() as patch:
        patch.setattr(DeviceSampler, "write", spy)
        engine.assess(replace(ask(film(4), 3, ()), sampling=Sampling(2, max_tokens, max_tokens)))
    (waits,) = found
    return waits, max_tokens // LOOK_STEPS


def test_writing_waits_for_the_words_once_and_looks_every_few_steps_whatever_their_number(
    tiny: LoadedModel, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = tiny.layout.special.end
    loaded = replace(tiny, suppressed=(*tiny.suppressed, end))  # so that answers are as long as they may be
    rest = []
    for max_tokens in (4, 2 * LOOK_STEPS, 6 * LOOK_STEPS):
        waits, looks = waits_of_writing(make_engine(loaded, write_on_device=True), max_tokens, monkeypatch)
        assert waits.pop("__bool__", 0) == looks
        for operation in ("_local_scalar_dense", "is_nonzero"):  # the same looks, seen from below
            assert waits.pop(operation, 0) in (0, looks)
        rest.append(dict(waits))
    assert rest == [{"cpu": 1, "tolist": 1}] * 3


@torch.inference_mode()
@pytest.mark.parametrize("num_rows", [1, 3])
@pytest.mark.parametrize("tokens", [10, 100])
def test_a_pass_of_fixed_size_waits_for_nothing(tiny: LoadedModel, num_rows: int, tokens: int) -> None:
    generator, graphs = np.random.default_rng(0), Graphs()
    caches = [PrefixCache(2) for _ in range(num_rows)]
    for _ in range(2):
        additions = [random_addition(tiny, tokens, tokens, cache, generator) for cache in caches]
        with counted_waits() as waits:
            assert None not in run_fixed(tiny, graphs, additions)
        assert not waits


def test_the_prefill_of_a_step_waits_for_nothing_on_either_way(
    tiny: LoadedModel, tiny_fixed: LoadedModel, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamspike.engine import engine as module

    found: list[Counter[str]] = []
    compute = module.compute

    def spy(*args: Any) -> None:
        with counted_waits() as waits:
            compute(*args)
        found.append(waits)

    monkeypatch.setattr(module, "compute", spy)
    for loaded in (tiny, tiny_fixed):
        engine = make_engine(loaded, write_on_device=True)
        for index in (3, 4):
            engine.assess(ask(film(5), index))
    assert len(found) >= 4 and not any(found)
