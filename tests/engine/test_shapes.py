"""Models with random weights: the sizes of the real ones, answers that mean nothing, and no second copy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamspike.belief.prompts import END, NO, OBSERVE, PREDICT, YES, render_suffix
from streamspike.config import ModelConfig
from streamspike.core import Request, Sampling
from streamspike.engine.model import LoadedModel, load_model
from streamspike.engine.reference import ReferenceEngine
from streamspike.engine.shapes import SHAPES, build_random, build_tokenizer, describe, random_version
from streamspike.errors import ModelError

TINY = ("random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl")
PUBLISHED_PARAMETERS = {
    "random:qwen2.5-vl-3b": 3_754_622_976,
    "random:qwen2.5-vl-7b": 8_292_166_656,
    "random:qwen3-vl-2b": 2_127_532_032,
    "random:qwen3-vl-4b": 4_437_815_808,
    "random:qwen3-vl-8b": 8_767_123_696,
}
"""As the hub shows them for the safetensors of Qwen's repositories."""


@pytest.fixture(scope="module", params=TINY)
def tiny(request: pytest.FixtureRequest) -> LoadedModel:
    """In float32 on every machine: how long what it writes is hangs on the last digits."""
    return load_model(ModelConfig(name=request.param, device="cpu", dtype="float32", frame_width_px=64))


def outline(name: str) -> torch.nn.Module:
    """The model without memory for its weights."""
    from transformers.initialization import no_init_weights

    family, config = describe(SHAPES[name], build_tokenizer(4096))
    with torch.device("meta"), no_init_weights():
        model: torch.nn.Module = family._from_config(config)
    model.tie_weights()
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED_PARAMETERS)
def test_full_size_shapes_have_as_many_parameters_as_the_real_ones(name: str) -> None:
    assert sum(parameter.numel() for parameter in outline(name).parameters()) == PUBLISHED_PARAMETERS[name]


def test_the_small_one_is_for_curves_on_a_cpu_and_the_tiny_ones_for_tests() -> None:
    millions = {name: sum(p.numel() for p in outline(name).parameters()) / 1e6 for name in SHAPES}
    assert 60 <= millions["random:small-qwen2.5-vl"] <= 100
    assert all(millions[name] < 5 for name in TINY)
    assert set(millions) == {*PUBLISHED_PARAMETERS, *TINY, "random:small-qwen2.5-vl"}


@pytest.mark.slow
def test_special_tokens_have_qwens_ids() -> None:
    for name in PUBLISHED_PARAMETERS:
        _, config = describe(SHAPES[name], tokenizer := build_tokenizer(SHAPES[name].vocabulary))
        assert (config.image_token_id, config.video_token_id) == (151_655, 151_656)
        assert (config.vision_start_token_id, config.vision_end_token_id) == (151_652, 151_653)
        assert tokenizer.convert_tokens_to_ids(END) == 151_645 and len(tokenizer) == 151_657


def test_what_is_drawn_is_read_back_as_the_same_tokens(tiny: LoadedModel) -> None:
    words = range(300, len(tiny.tokenizer) - 20)  # behind the bytes, before the special tokens
    ids = np.random.default_rng(0).choice(words, 25).tolist()
    text = tiny.tokenizer.decode(ids).strip()
    assert tiny.layout.tokenize(text) == ids and len(text.split()) == 25
    assert tiny.layout.tokenize(YES)[0] != tiny.layout.tokenize(NO)[0]
    for question in (PREDICT, OBSERVE):
        asked = render_suffix("it is 7 o'clock \u2014 caf\u00e9", question)
        again = tiny.tokenizer.decode(tiny.layout.tokenize(asked))
        assert again.split() == asked.replace("<|im_start|>", "<|im_start|> ").split(), (
            "but for the space before a text"
        )


def test_only_special_and_padding_ids_are_suppressed(tiny: LoadedModel) -> None:
    assert tiny.layout.special.end not in tiny.suppressed
    assert 13 + 50 <= len(tiny.suppressed) < 100  # the special ones but the end, and the padding


def test_answers_depend_on_what_is_seen_and_are_as_long_as_they_may_be(tiny: LoadedModel) -> None:
    sampling = Sampling(num_hypotheses=3, max_hypothesis_tokens=5, max_caption_tokens=7)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    assessments = []
    for seen in (0, 1):
        window, observation = ((pictures[2], pictures[2]),), (pictures[seen], pictures[seen])
        request = Request("door", 0, 1, window, observation, "", (), sampling, 0, complete=False, verify=False)
        assessments.append(ReferenceEngine(tiny).assess(request))
    first, second = assessments
    assert [score.text for score in first.scores] == [score.text for score in second.scores], "the prior saw the same"
    assert len({score.text for score in first.scores}) == 3
    for one, two in zip(first.scores, second.scores, strict=True):
        assert one.num_tokens == 6, "five words and the end"
        assert one.log_prior == two.log_prior != one.log_posterior != two.log_posterior
    assert len(tiny.layout.tokenize(first.caption)) == 7
    assert tiny.name.startswith(("random:tiny-qwen2.5-vl@", "random:tiny-qwen3-vl@"))


def test_the_same_name_draws_the_same_weights_and_leaves_the_global_seed_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    device, attention = torch.device("cpu"), "sdpa"
    (one, _), (two, _), (other, _) = (
        build_random(TINY[0], device, dtype, attention, seed)
        for dtype, seed in ((torch.float32, 0), (torch.float32, 0), (torch.float32, 1))
    )
    assert torch.equal(torch.rand(3), expected)
    states = [dict(model.named_parameters()) for model in (one, two, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)
    assert all(bool(parameter.isfinite().all()) for parameter in states[0].values())
    assert all(bool(buffer.isfinite().all()) and buffer.abs().sum() > 0 for buffer in one.buffers())
    half, _ = build_random(TINY[0], device, torch.bfloat16, attention)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    assert random_version(one) == random_version(two) != random_version(half)
    assert one.lm_head.weight is one.get_input_embeddings().weight, "tied"


def test_unknown_shape_names_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"no model 'random:qwen9'.*random:qwen2\.5-vl-7b.*random:tiny-qwen3-vl"):
        load_model(ModelConfig(name="random:qwen9", device="cpu"))
