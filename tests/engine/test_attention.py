"""Trunks and branches: who attends to whom, and by which kernel."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from streamspike.core import Assessment
from streamspike.engine import attention, runner
from streamspike.engine.attention import attend, make_plan
from streamspike.engine.cache import PrefixCache
from streamspike.engine.forward import Addition
from streamspike.engine.model import LoadedModel, choose_attention
from streamspike.engine.reference import ReferenceEngine
from tests.support.requests import MakeEngine, ask, assert_same, film

CPU = torch.device("cpu")
HEADS, KEY_HEADS, WIDTH = 6, 2, 8
GROUPS = HEADS // KEY_HEADS
LAYER = SimpleNamespace(layer_idx=0)


class FlashModule(ModuleType):
    """What flash-attn 2 documents of `flash_attn_func`, in plain float64."""

    def __init__(self) -> None:
        super().__init__("flash_attn")
        self.asked: list[int] = []
        """Queries of each call."""

    def flash_attn_func(
        self, q: Tensor, k: Tensor, v: Tensor, *, softmax_scale: float | None = None, causal: bool = False
    ) -> Tensor:
        """(rows, tokens, heads, width); causal is aligned at the bottom right; query heads share key heads in runs."""
        assert causal and q.shape[2] % k.shape[2] == 0 and k.shape == v.shape
        self.asked.append(q.shape[1])
        keys, values = (part.double().repeat_interleave(q.shape[2] // k.shape[2], dim=2) for part in (k, v))
        scores = torch.einsum("bqhd,bkhd->bhqk", q.double(), keys) * (softmax_scale or q.shape[-1] ** -0.5)
        ahead = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool, device=q.device).triu(1 + k.shape[1] - q.shape[1])
        mixed = torch.einsum("bhqk,bkhd->bqhd", scores.masked_fill(ahead, -torch.inf).softmax(-1), values)
        return mixed.to(q.dtype)


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> FlashModule:
    """Stands where `import flash_attn` looks."""
    module = FlashModule()
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    return module


def random_row(num_cached: int, trunk: int, branches: int, generator: torch.Generator) -> tuple[PrefixCache, Any]:
    """A cache, and (query, key, value, sees) of what is added to it."""

    def draw(heads: int, tokens: int) -> Tensor:
        return torch.randn(1, heads, tokens, WIDTH, generator=generator)

    cache = PrefixCache(1)
    if num_cached:
        cache.update(draw(KEY_HEADS, num_cached), draw(KEY_HEADS, num_cached), 0)
    tokens = trunk + branches
    sees = torch.rand(branches, num_cached + tokens, generator=generator) < 0.5
    sees[:, 0] = True
    return cache, (draw(HEADS, tokens), draw(KEY_HEADS, tokens), draw(KEY_HEADS, tokens), sees)


def attend_one_by_one(cache: PrefixCache, query: Tensor, key: Tensor, value: Tensor, sees: Tensor) -> Tensor:
    """(tokens, heads, width): each query for itself over the columns it sees."""
    held = cache.layers[0]
    keys, values = key, value
    num_cached = cache.num_tokens
    if num_cached:
        keys, values = torch.cat([held.keys, key], dim=2), torch.cat([held.values, value], dim=2)
    trunk = query.shape[2] - len(sees)
    mixed = []
    for number in range(query.shape[2]):
        columns = sees[number - trunk] if number >= trunk else torch.arange(keys.shape[2]) <= num_cached + number
        for head in range(HEADS):
            seen = keys[0, head // GROUPS, columns].double()
            weights = (seen @ query[0, head, number].double() * WIDTH**-0.5).softmax(0)
            mixed.append(weights @ values[0, head // GROUPS, columns].double())
    return torch.stack(mixed).reshape(query.shape[2], HEADS, WIDTH).float()


@pytest.mark.parametrize("use_flash", [False, True])
@pytest.mark.parametrize("run_tokens", [1, 4, 256])
def test_rows_of_any_trunk_and_branches_attend_as_each_token_would_alone(
    monkeypatch: pytest.MonkeyPatch, flash: FlashModule, run_tokens: int, use_flash: bool
) -> None:
    monkeypatch.setattr(attention, "RUN_TOKENS", run_tokens)
    generator = torch.Generator().manual_seed(0)
    shapes = [(0, 5, 3), (7, 9, 0), (6, 0, 4), (3, 8, 2), (0, 1, 1)]
    rows = [random_row(*shape, generator) for shape in shapes]
    expected = torch.cat([attend_one_by_one(cache, *added) for cache, added in rows])
    trunks = [trunk for _, trunk, _ in shapes]
    caches, sees = [cache for cache, _ in rows], [added[3] for _, added in rows]
    plan = make_plan(caches, trunks, sees, GROUPS, torch.float32, CPU, use_flash)
    query, key, value = (torch.cat([added[part] for _, added in rows], dim=2) for part in range(3))
    mixed, _ = attend(LAYER, query, key, value, plan)
    torch.testing.assert_close(mixed[0], expected, rtol=0, atol=1e-5)
    assert [cache.num_tokens for cache in caches] == [sum(shape) for shape in shapes]
    assert flash.asked == ([trunk for trunk in trunks if trunk] if use_flash else [])


def test_a_run_of_a_trunk_reads_no_column_ahead_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "RUN_TOKENS", 4)
    cache, (*_, sees) = random_row(3, 10, 2, torch.Generator().manual_seed(0))
    (part,) = make_plan([cache], [10], [sees], GROUPS, torch.float32, CPU).parts
    pieces = [(piece.start, piece.stop, piece.num_columns) for piece in part.pieces]
    assert pieces == [(0, 4, 7), (4, 8, 11), (8, 10, 13), (10, 12, 15)]


def test_with_flash_attn_an_engine_leaves_it_the_trunks_and_nothing_else(
    tiny: LoadedModel, make_engine: MakeEngine, flash: FlashModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.model.model.language_model.config
    requests = [ask(film(6, seed), index, camera_id=f"camera{seed}") for index in (3, 4) for seed in range(2)]
    requests += [ask(film(6), 5, ())]
    expected = [ReferenceEngine(tiny).assess(request) for request in requests]
    monkeypatch.setattr(config, "_attn_implementation", attention.FLASH_NAME)
    trunks: list[int] = []
    run_additions = runner.run_additions

    def spy(loaded: LoadedModel, additions: list[Addition]) -> list[Tensor]:
        found = [addition.num_trunk for addition in additions if addition.num_trunk]
        trunks.extend(found * config.num_hidden_layers)
        assert all(len(addition.sees) == len(addition.token_ids) - addition.num_trunk for addition in additions)
        return run_additions(loaded, additions)

    monkeypatch.setattr(runner, "run_additions", spy)
    answers = make_engine(tiny).assess_batch(requests)
    for answer, reference in zip(answers, expected, strict=True):
        assert isinstance(answer, Assessment)
        assert_same(answer, reference)
    assert flash.asked == trunks and len(trunks) >= 3 * config.num_hidden_layers


@pytest.mark.gpu
def test_on_a_gpu_flash_attn_attends_as_runs_do() -> None:
    pytest.importorskip("flash_attn")
    device, mixed = torch.device("cuda"), []
    for use_flash in (False, True):
        generator = torch.Generator().manual_seed(0)
        cache, added = random_row(300, 500, 40, generator)
        moved = PrefixCache(1)
        moved.extend(*(part.to(device, torch.bfloat16) for part in cache.held))
        query, key, value = (part.to(device, torch.bfloat16) for part in added[:3])
        plan = make_plan([moved], [500], [added[3]], GROUPS, torch.bfloat16, device, use_flash)
        mixed.append(attend(LAYER, query, key, value, plan)[0])
    torch.testing.assert_close(*mixed, rtol=0, atol=2e-2)


@pytest.mark.parametrize(
    ("device", "dtype", "installed", "takes_trunks"),
    [
        ("cuda", torch.bfloat16, True, True),
        ("cuda", torch.float16, True, True),
        ("cuda", torch.float32, True, False),
        ("cuda", torch.bfloat16, False, False),
        ("cpu", torch.bfloat16, True, False),
    ],
)
def test_flash_attn_is_chosen_where_it_is_installed_and_can_run(
    monkeypatch: pytest.MonkeyPatch, device: str, dtype: torch.dtype, installed: bool, takes_trunks: bool
) -> None:
    monkeypatch.setattr("transformers.utils.is_flash_attn_2_available", lambda: installed)
    chosen = choose_attention(torch.device(device), dtype)
    names = (attention.FLASH_NAME, "flash_attention_2") if takes_trunks else (attention.NAME, "sdpa")
    assert (chosen["text_config"], chosen["vision_config"]) == names
