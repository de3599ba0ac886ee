"""An adapter sits on the language model alone, can be switched off, and is read back only if it fits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from streamspike.belief.prompts import OBSERVE, PREDICT
from streamspike.config import ModelConfig
from streamspike.core import Sampling
from streamspike.engine.forward import encode_segments
from streamspike.engine.model import LoadedModel, load_model
from streamspike.errors import ModelError
from streamspike.refine.policy import AdapterSettings, Policy
from tests.refine.test_packed import FILM, stir
from tests.support.requests import ask, assert_same

STATEMENTS = ("nothing changes", "a person walks in from the left")


def test_a_new_adapter_changes_nothing_and_is_on_language_layers_only(learner_model: LoadedModel) -> None:
    vision = sum(parameter.numel() for parameter in learner_model.model.model.visual.parameters())
    before = learner_model.model.model.language_model(inputs_embeds=torch.ones(1, 3, _width(learner_model)))[0]
    policy = Policy(learner_model)
    after = learner_model.model.model.language_model(inputs_embeds=torch.ones(1, 3, _width(learner_model)))[0]
    assert torch.equal(before, after)
    names = [name for name, _ in policy.named_parameters()]
    layers = len(learner_model.model.model.language_model.layers)
    assert len(names) == 2 * 7 * layers and not any("visual" in name for name in names)
    assert sum(parameter.numel() for parameter in learner_model.model.model.visual.parameters()) == vision


def test_a_trained_adapter_changes_words_and_not_what_is_seen(learner_model: LoadedModel) -> None:
    policy = Policy(learner_model)
    size = learner_model.frames.frame_size(*FILM[0][0].shape[:2])
    with torch.no_grad():
        seen = encode_segments(learner_model, FILM, size)[0][0].tokens
    before = policy.choose(FILM, "", PREDICT, STATEMENTS)
    stir(policy)
    after = policy.choose(FILM, "", PREDICT, STATEMENTS)
    with torch.no_grad():
        assert torch.equal(encode_segments(learner_model, FILM, size)[0][0].tokens, seen)
    assert after != pytest.approx(before, abs=1e-3)
    with policy.reference():
        assert policy.choose(FILM, "", PREDICT, STATEMENTS) == before
    assert policy.choose(FILM, "", PREDICT, STATEMENTS) == after


def test_the_engine_sees_the_new_weights_once_it_forgets(learner_model: LoadedModel) -> None:
    policy = Policy(learner_model)
    engine = policy.engine()
    request = ask(list(FILM), 3)
    engine.assess(request)
    stir(policy)
    engine.forget()
    assert_same(engine.assess(request), policy.engine().assess(request))
    engine.check_integrity()


def test_what_is_written_is_readable_and_repeats_with_its_seed(nano: LoadedModel) -> None:
    policy = Policy(nano)
    sampling = Sampling(max_hypothesis_tokens=12)
    first = policy.write(FILM, "", OBSERVE, 3, sampling, seed=4)
    assert first == policy.write(FILM, "", OBSERVE, 3, sampling, seed=4)
    assert len(first) == 3 and all(first)
    greedy = policy.write(FILM, "", OBSERVE, 1, Sampling(max_hypothesis_tokens=12, temperature=0.0), seed=0)
    assert greedy == policy.write(FILM, "", OBSERVE, 1, Sampling(max_hypothesis_tokens=12, temperature=0.0), seed=9)


def test_an_adapter_comes_back_as_it_was(tmp_path: Path) -> None:
    policy = Policy(load_model(ModelConfig(name="nano", device="cpu")), AdapterSettings(rank=4, alpha=8))
    stir(policy)
    policy.save(tmp_path, {"method": "test"})
    expected = policy.choose(FILM, "", PREDICT, STATEMENTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter.json", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    about = json.loads((tmp_path / "adapter.json").read_text())
    assert about["base"] == policy.loaded.name and about["method"] == "test"
    again = Policy.open(load_model(ModelConfig(name="nano", device="cpu")), tmp_path)
    assert again.settings == policy.settings
    assert again.choose(FILM, "", PREDICT, STATEMENTS) == expected


def test_a_folder_that_does_not_fit_is_refused_with_a_sentence(tmp_path: Path, nano: LoadedModel) -> None:
    policy = Policy(nano, AdapterSettings(rank=4))
    good = tmp_path / "good"
    policy.save(good)

    def refuse(name: str, words: str) -> None:
        before = [parameter.detach().clone() for parameter in policy.parameters()]
        with pytest.raises(ModelError, match=words):
            policy.load(tmp_path / name)
        assert all(map(torch.equal, before, policy.parameters()))

    def spoil(name: str) -> Path:
        return Path(shutil.copytree(good, tmp_path / name))

    (spoil("pickled") / "adapter_model.bin").write_bytes(b"\x80\x04.")
    refuse("pickled", "pickled weights can run code")
    (spoil("other") / "adapter.json").write_text('{"base": "nano@00000000"}')
    refuse("other", "made for nano@00000000")
    (spoil("torn") / "adapter_model.safetensors").write_bytes(b"torn")
    refuse("torn", "cannot be read")
    state = load_file(good / "adapter_model.safetensors")
    first = next(iter(state))
    save_file({**state, first: state[first][:2].contiguous()}, spoil("rank") / "adapter_model.safetensors")
    refuse("rank", "another rank or other layers")
    save_file({**state, first: state[first] * torch.nan}, spoil("nan") / "adapter_model.safetensors")
    refuse("nan", "not finite")
    refuse("nowhere", "cannot be read")
    with pytest.raises(ModelError, match="adapter already"):
        Policy(nano)


def _width(loaded: LoadedModel) -> int:
    return int(loaded.model.config.text_config.hidden_size)
