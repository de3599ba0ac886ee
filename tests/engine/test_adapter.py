"""Adapters: merged as PEFT merges them, taken out to the last bit, and nothing is loaded that was not checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from streamspike.config import ModelConfig
from streamspike.engine.adapter import AdapterSlot, read_adapter
from streamspike.engine.card import WEIGHTS_FILE, AdapterCard, read_card
from streamspike.engine.model import LoadedModel, load_model
from streamspike.errors import ModelError
from tests.support.adapters import write_adapter
from tests.support.requests import MakeEngine, ask, film


def load(name: str = "random:tiny-qwen2.5-vl") -> LoadedModel:
    return load_model(ModelConfig(name=name, device="cpu"))


def weights_of(loaded: LoadedModel) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in loaded.model.named_parameters()}


@pytest.mark.parametrize("name", ["nano", "random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl"])
def test_a_merged_adapter_has_the_weights_that_peft_gives_it(name: str, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    mine, theirs = load(name), load(name)
    projections = r"model\.language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
    peft = get_peft_model(
        theirs.model, LoraConfig(r=4, lora_alpha=8, target_modules=projections, init_lora_weights=False)
    )
    peft.save_pretrained(str(tmp_path / "lora"), safe_serialization=True)
    (tmp_path / "lora" / "adapter.json").write_text(json.dumps({"base": mine.name, "method": "test"}))
    merged = peft.merge_and_unload()

    before = weights_of(mine)
    mine.slot.put(read_adapter(tmp_path / "lora", mine.slot))
    after = weights_of(mine)
    expected = dict(merged.named_parameters())
    assert max(float((after[key] - expected[key]).abs().max()) for key in after) <= 1e-6
    changed = [key for key in after if not torch.equal(after[key], before[key])]
    assert len(changed) == 7 * len(mine.model.model.language_model.layers)
    assert all(key.startswith("model.language_model.layers.") for key in changed)


def test_the_base_comes_back_to_the_last_bit_whatever_was_put_between(tmp_path: Path) -> None:
    loaded = load()
    before = weights_of(loaded)
    addresses = {name: weight.data_ptr() for name, weight in loaded.model.named_parameters()}
    first, second = (
        read_adapter(write_adapter(tmp_path / name, loaded, name=name, seed=seed), loaded.slot)
        for seed, name in enumerate(("first", "second"))
    )
    loaded.slot.put(first)
    once = weights_of(loaded)
    for adapter in (second, first):
        loaded.slot.put(adapter)
    assert all(torch.equal(weight, once[name]) for name, weight in loaded.model.named_parameters())
    assert loaded.slot.name == f"{loaded.name}+first@{first.version}" and first.version != second.version
    loaded.slot.put(None)
    assert all(torch.equal(weight, before[name]) for name, weight in loaded.model.named_parameters())
    assert loaded.slot.name == loaded.name
    assert addresses == {name: weight.data_ptr() for name, weight in loaded.model.named_parameters()}


def test_an_engine_that_swaps_answers_as_one_that_was_loaded_with_the_adapter(
    tmp_path: Path, make_engine: MakeEngine
) -> None:
    loaded, segments = load(), film(4)
    requests = [ask(segments, number) for number in range(4)]
    folder = write_adapter(tmp_path / "night", loaded)
    engine = make_engine(loaded)
    plain = [engine.assess(request) for request in requests]
    engine.forget()
    for request in requests[:2]:
        engine.assess(request)
    engine.wear(read_adapter(folder, loaded.slot))
    swapped = [engine.assess(request) for request in requests[2:]]
    other = make_engine(load_model(ModelConfig(name="random:tiny-qwen2.5-vl", device="cpu", adapter=str(folder))))
    assert other.name == engine.name != loaded.name
    expected = [other.assess(request) for request in requests[2:]]
    for mine, theirs, without in zip(swapped, expected, plain[2:], strict=True):
        assert mine.model == engine.name and without.model == loaded.name
        assert [score.text for score in mine.scores] == [score.text for score in theirs.scores]
        assert [s.log_prior for s in mine.scores] == pytest.approx([s.log_prior for s in theirs.scores], abs=1e-4)
        assert [s.log_prior for s in mine.scores] != pytest.approx([s.log_prior for s in without.scores], abs=1e-2)


def rewrite(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS_FILE)
        change(weights)
        save_file(weights, folder / WEIGHTS_FILE)

    return apply


def configure(**values: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return apply


FIRST = "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight"
VISION = "base_model.model.model.visual.blocks.0.mlp.down_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "adapter_model.bin").write_bytes(b"pickle"), "pickled files .adapter_model.bin."),
        (lambda folder: (folder / WEIGHTS_FILE).write_bytes(b"\x80\x04pickle in disguise"), "as safetensors"),
        (lambda folder: (folder / WEIGHTS_FILE).unlink(), "cannot read"),
        (lambda folder: (folder / "adapter.json").write_text("{}"), "names no base"),
        (lambda folder: (folder / "adapter.json").write_text("[1]"), "not a JSON object"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "not JSON"),
        (configure(peft_type="IA3"), "'IA3' adapter; only LORA"),
        (configure(use_dora=True), "more than plain LoRA: use_dora"),
        (configure(rank_pattern={"q_proj": 8}), "rank_pattern"),
        (configure(r=0), "rank from 1"),
        (configure(lora_alpha="8"), "lora_alpha must be a number"),
        (configure(r=8), r"shape \[4, 512\], the model needs \[8, 512\]"),
        (rewrite(lambda weights: weights.pop(FIRST)), "only one of its two factors"),
        (rewrite(lambda weights: weights.clear()), "empty"),
        (rewrite(lambda weights: weights.update({FIRST: torch.zeros(4, 191)})), "the model needs"),
        (rewrite(lambda weights: weights.update({FIRST: torch.zeros(4, 192, dtype=torch.int64)})), "holds I64"),
        (rewrite(lambda weights: weights.update({FIRST: torch.full((4, 192), torch.nan)})), "not finite"),
        (rewrite(lambda weights: weights.update({VISION: torch.zeros(4, 256)})), "no projection of the language model"),
        (rewrite(lambda weights: weights.update({"lm_head.weight": torch.zeros(4)})), "no factor of a LoRA adapter"),
        (
            rewrite(lambda weights: weights.update({FIRST.replace("layers.0", "layers.9"): torch.zeros(4, 192)})),
            "has no model.language_model.layers.9",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_said(
    spoil: Callable[[Path], object], message: str, tmp_path: Path, tiny_adapted: LoadedModel
) -> None:
    folder = write_adapter(tmp_path / "night", tiny_adapted)
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        read_adapter(folder, tiny_adapted.slot)


@pytest.fixture(scope="module")
def tiny_adapted() -> LoadedModel:
    return load()


def test_an_adapter_of_another_model_is_refused(tmp_path: Path, tiny_adapted: LoadedModel) -> None:
    folder = write_adapter(tmp_path / "night", tiny_adapted, base="nano@00000000")
    with pytest.raises(ModelError, match=r"belongs to nano@00000000, and random:tiny-qwen2\.5-vl@"):
        read_adapter(folder, tiny_adapted.slot)
    with pytest.raises(ModelError, match="no adapter folder"):
        load_model(ModelConfig(name="random:tiny-qwen2.5-vl", adapter=str(tmp_path / "nowhere")))


def test_a_merge_that_fails_leaves_the_adapter_that_was_there(tmp_path: Path) -> None:
    loaded = load()
    loaded.slot.put(read_adapter(write_adapter(tmp_path / "good", loaded, name="good"), loaded.slot))
    before, name = weights_of(loaded), loaded.slot.name
    huge = read_adapter(write_adapter(tmp_path / "huge", loaded, name="huge", seed=1, std=1e19), loaded.slot)
    with pytest.raises(ModelError, match=r"huge@\w+ makes model.language_model.*infinite"):
        loaded.slot.put(huge)
    assert loaded.slot.name == name
    assert all(torch.equal(weight, before[key]) for key, weight in loaded.model.named_parameters())


def test_half_precision_is_merged_in_full_precision(tmp_path: Path, tiny_adapted: LoadedModel) -> None:
    folder = write_adapter(tmp_path / "night", tiny_adapted)
    layer = torch.nn.Linear(192, 192, bias=False, dtype=torch.bfloat16)
    original = layer.weight.detach().clone()
    adapter = read_adapter(folder, tiny_adapted.slot)
    slot = AdapterSlot("half", torch.nn.ModuleDict({"proj": layer}))
    factors = adapter.factors["model.language_model.layers.0.self_attn.q_proj"]
    slot.put(replace(adapter, factors={"proj": factors}))
    exact = original.double() + adapter.scale * (factors[1].double() @ factors[0].double())
    nearest = exact.to(torch.bfloat16).double()
    # Where two are equally near within the precision of the sum, either will do; steps are of 1e-5 and more.
    assert ((layer.weight.double() - exact).abs() <= (nearest - exact).abs() + 1e-7).all()
    in_half = original + (adapter.scale * (factors[1] @ factors[0])).to(torch.bfloat16)
    assert ((in_half.double() - exact).abs() > (nearest - exact).abs() + 1e-7).any(), "which is not the same"


def test_a_card_without_a_name_is_called_like_its_folder(tmp_path: Path) -> None:
    (tmp_path / "adapter.json").write_text(json.dumps({"base": "nano@1", "settings": {"rank": 4}}))
    card = read_card(tmp_path)
    assert card == AdapterCard(name=tmp_path.name, base="nano@1", method="unknown", config={"settings": {"rank": 4}})
    for name in ("", "promoted", "a/b", ".hidden"):
        with pytest.raises(ModelError, match="cannot be called"):
            AdapterCard(name=name, base="nano@1", method="test")
