"""Models with random weights in the shapes of the real ones: what a model costs is known before it is downloaded.

`random:qwen2.5-vl-7b` has every size of Qwen/Qwen2.5-VL-7B-Instruct, so its forwards cost what those of the real one
cost; what it says means nothing. Weights are drawn where they will stand, in the dtype they will have: no second copy
ever exists. The same name draws the same weights again on the same kind of device.

A random model practically never ends an answer (one chance in the size of the vocabulary per token), so all hypotheses
are as long as the limits allow, and no two draws are the same: drawing is as dear as it can be. Captions are not. The
likeliest sentence of a random model hardly depends on the picture, so it comes again and again, and an engine that
guesses what was said last time writes it for nothing. Nor does belief move, so kept hypotheses are kept.

Sizes of the full ones are those of the `config.json` files of Qwen's repositories on the Hugging Face hub; a test
compares their numbers of parameters. The tokenizer is made up: single tokens for the words of the project's own
questions, and as many invented words as it takes to have Qwen's ids for the special tokens. So sentences that are drawn
are read back as the same number of tokens, and no more ids are suppressed than in the real ones.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from streamspike.belief import prompts
from streamspike.errors import ModelError

PREFIX = "random:"

SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
"""In Qwen's order; the first has the id `NUM_WORDS` there."""
NUM_WORDS = 151_643
NUM_PADDING = 50
"""At least so many ids of a small vocabulary are no token: the real ones are padded too."""
OTHER_WORDS = ("Before. Then,", prompts.YES, prompts.NO, "<1.5 seconds>")
SYLLABLES = tuple(map("".join, itertools.product("bdfgklmnprstvz", "aeiou")))


@dataclass(frozen=True, slots=True)
class Tower:
    """Sizes of a vision tower; `taps` are the blocks with full attention (2.5) or those that feed deepstack (3)."""

    depth: int
    hidden: int
    intermediate: int
    heads: int
    taps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of one model. What is not here is the same for the whole family."""

    family: str
    vocabulary: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    tower: Tower
    tied: bool = True
    """The embedding is the output layer too."""
    head_width: int = 128
    std: float = 0.02
    """Of all matrices: the official `initializer_range`. Larger in tiny ones, whose answers would all be as likely."""


_TOWER_25 = Tower(32, 1280, 3420, 16, (7, 15, 23, 31))
_TOWER_3 = Tower(24, 1024, 4096, 16, (5, 11, 17))
_TOWER_3_LARGE = Tower(27, 1152, 4304, 16, (8, 16, 24))

SHAPES = {
    "random:qwen2.5-vl-3b": Shape("qwen2_5_vl", 151_936, 36, 2048, 11_008, 16, 2, _TOWER_25),
    "random:qwen2.5-vl-7b": Shape("qwen2_5_vl", 152_064, 28, 3584, 18_944, 28, 4, _TOWER_25, tied=False),
    "random:qwen3-vl-2b": Shape("qwen3_vl", 151_936, 28, 2048, 6144, 16, 8, _TOWER_3),
    "random:qwen3-vl-4b": Shape("qwen3_vl", 151_936, 36, 2560, 9728, 32, 8, _TOWER_3),
    "random:qwen3-vl-8b": Shape("qwen3_vl", 151_936, 36, 4096, 12_288, 32, 8, _TOWER_3_LARGE, tied=False),
    "random:small-qwen2.5-vl": Shape(
        "qwen2_5_vl", 32_768, 16, 512, 1408, 8, 2, Tower(8, 320, 864, 5, (3, 7)), head_width=64
    ),
    "random:tiny-qwen2.5-vl": Shape(
        "qwen2_5_vl", 4096, 3, 192, 512, 6, 2, Tower(3, 96, 256, 4, (2,)), head_width=32, std=0.1
    ),
    "random:tiny-qwen3-vl": Shape(
        "qwen3_vl", 4096, 3, 192, 512, 6, 2, Tower(3, 96, 256, 4, (0, 1)), head_width=32, std=0.1
    ),
}


def is_random(name: str) -> bool:
    """Whether a model's name asks for random weights."""
    return name.startswith(PREFIX)


def find_shape(name: str) -> Shape:
    """Raises ModelError: no such shape; says which there are."""
    if name not in SHAPES:
        raise ModelError(f"there is no model {name!r}; with random weights there are {', '.join(SHAPES)}")
    return SHAPES[name]


def build_random(
    name: str, device: torch.device, dtype: torch.dtype, attention: str | dict[str, str], seed: int = 0
) -> tuple[Any, Any]:
    """Draw a model.

    Args:
        attention: `attn_implementation` of transformers.

    Returns:
        A transformers ...ForConditionalGeneration on `device`, and its tokenizer.

    Raises:
        ModelError: no such shape, or too little memory for it.
    """
    from transformers.initialization import no_init_weights

    shape = find_shape(name)
    tokenizer = build_tokenizer(shape.vocabulary)
    family, config = describe(shape, tokenizer)
    with torch.device("meta"), no_init_weights():
        model = family._from_config(config, dtype=dtype, attn_implementation=attention)
    try:
        model.to_empty(device=device)
        model.tie_weights()  # each use of a tied matrix has got memory of its own
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            model.initialize_weights()
    except RuntimeError as error:  # torch's out-of-memory errors are RuntimeErrors
        raise ModelError(f"{name} does not fit on {device}: {str(error).splitlines()[0]}") from error
    return model, tokenizer


def describe(shape: Shape, tokenizer: Any) -> tuple[Any, Any]:
    """The transformers class of a shape, and its config."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
    )

    is_third, tower, half = shape.family == "qwen3_vl", shape.tower, shape.head_width // 2
    side = half * 5 // 16 if is_third else half * 3 // 8  # of the rotary frequencies, for height and for width
    rope: dict[str, Any] = {"rope_type": "default", "mrope_section": [half - 2 * side, side, side]}
    rope |= {"rope_theta": 5e6, "mrope_interleaved": True} if is_third else {"rope_theta": 1e6}
    text: dict[str, Any] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "max_position_embeddings": 262_144 if is_third else 128_000,
        "rms_norm_eps": 1e-6,
        "initializer_range": shape.std,
        "rope_parameters": rope,
        "bos_token_id": None,
        "eos_token_id": _id_of(tokenizer, prompts.END),
        "pad_token_id": None,  # its embedding would be zero
    }
    vision: dict[str, Any] = {
        "depth": tower.depth,
        "hidden_size": tower.hidden,
        "intermediate_size": tower.intermediate,
        "num_heads": tower.heads,
        "out_hidden_size": shape.hidden,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "initializer_range": shape.std,
    }
    shared: dict[str, Any] = {
        "tie_word_embeddings": shape.tied,
        "image_token_id": _id_of(tokenizer, "<|image_pad|>"),
        "video_token_id": _id_of(tokenizer, "<|video_pad|>"),
        "vision_start_token_id": _id_of(tokenizer, "<|vision_start|>"),
        "vision_end_token_id": _id_of(tokenizer, "<|vision_end|>"),
    }
    if is_third:
        text["head_dim"] = shape.head_width
        vision |= {"patch_size": 16, "deepstack_visual_indexes": list(tower.taps), "num_position_embeddings": 2304}
        return Qwen3VLForConditionalGeneration, Qwen3VLConfig(text_config=text, vision_config=vision, **shared)
    assert shape.hidden == shape.heads * shape.head_width, shape  # the family has no other width
    vision |= {"patch_size": 14, "window_size": 112, "fullatt_block_indexes": list(tower.taps), "tokens_per_second": 2}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, **shared)
    return Qwen2_5_VLForConditionalGeneration, config


def build_tokenizer(vocabulary: int) -> Any:
    """A byte-level tokenizer that can write anything, filled up with invented words.

    Every text starts with a space, so that a word is the same token at the start of a sentence as within it.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    num_words = min(NUM_WORDS, vocabulary - len(SPECIAL_TOKENS) - NUM_PADDING)
    split = pre_tokenizers.ByteLevel(add_prefix_space=True)
    texts = (prompts.HEADER, prompts.PREDICT, prompts.OBSERVE, prompts.VERIFY, prompts.ANSWER_HEADER, *OTHER_WORDS)
    asked = [word for text in texts for word, _ in split.pre_tokenize_str(text)]
    words = dict.fromkeys([*sorted(pre_tokenizers.ByteLevel.alphabet()), *asked])
    invented = _invent_words()
    while len(words) < num_words:
        words[f"\u0120{next(invented)}"] = None  # the space, as byte-level vocabularies write it
    ids = {word: number for number, word in enumerate(words)}
    # No merges: what is a whole word of the vocabulary is one token, all else is spelled in bytes.
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=prompts.END,
        pad_token=SPECIAL_TOKENS[0],
        extra_special_tokens=[token for token in SPECIAL_TOKENS[1:] if token != prompts.END],
        clean_up_tokenization_spaces=False,
    )


def random_version(model: Any) -> str:
    """Eight hex digits that change with the shape, the dtype and the kind of device, hence with the weights."""
    told = f"{model.config.to_json_string()}{model.dtype}{model.device.type}"
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _invent_words() -> Iterator[str]:
    """Short ones first, all different."""
    for length in itertools.count(2):
        yield from map("".join, itertools.product(SYLLABLES, repeat=length))


def _id_of(tokenizer: Any, token: str) -> int:
    return int(tokenizer.convert_tokens_to_ids(token))
