"""Tiny checkpoints with random weights, saved by the official API: a second of work, no download."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

import torch

from streamspike.belief.prompts import HEADER, OBSERVE, PREDICT, VERIFY, render_suffix
from streamspike.config import ModelConfig
from streamspike.engine.model import LoadedModel, load_model

Family = Literal["qwen2_5_vl", "qwen3_vl"]
FAMILIES: tuple[Family, ...] = ("qwen2_5_vl", "qwen3_vl")

SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
SENTENCES = [
    "a person walks in from the left",
    "nothing changes",
    "the red car drives away",
    "the light goes out",
    "a dog runs across the yard",
    "<1.5 seconds>",
    "yes",
    "no",
]

DEVICE = os.environ.get("STREAMSPIKE_TEST_DEVICE", "cpu")
"""CI has no GPU; deploy/gpu-check.sh runs the engine's tests on one."""

PATCH_PX, MERGE = 8, 2
HEIGHT_PX, WIDTH_PX = 32, 48  # 4 x 6 patches, 2 x 3 video tokens a block


def tiny_tokenizer() -> Any:
    """Byte-level BPE over the project's own prompts, with Qwen's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=380, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    text = [HEADER, render_suffix("Before.", PREDICT), render_suffix("", OBSERVE), VERIFY, *SENTENCES]
    tokenizer.train_from_iterator(text, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=SPECIAL_TOKENS[1:2] + SPECIAL_TOKENS[3:],
    )


def tiny_model(family: Family, tokenizer: Any, seed: int = 0) -> Any:
    """Two vision blocks, two language layers, weights large enough that answers differ."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    text: dict[str, Any] = {
        "vocab_size": len(tokenizer) + 4,  # a padded vocabulary, as the real ones have
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        "initializer_range": 0.15,
        "bos_token_id": None,
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    vision: dict[str, Any] = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "patch_size": PATCH_PX,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "out_hidden_size": 32,
        "initializer_range": 0.15,
    }
    shared = {
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "tie_word_embeddings": True,
    }
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
    )

    torch.manual_seed(seed)
    if family == "qwen2_5_vl":
        vision |= {"window_size": 32, "fullatt_block_indexes": [1]}
        return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision, **shared))
    vision |= {"num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1]}
    text["head_dim"] = 8
    text["rope_parameters"] |= {"mrope_interleaved": True}
    return Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=text, vision_config=vision, **shared))


def save_checkpoint(folder: Path, family: Family, seed: int = 0) -> Path:
    """Write a checkpoint as the trainer does: model and tokenizer by the official API, the processor's file by hand."""
    tokenizer = tiny_tokenizer()
    tiny_model(family, tokenizer, seed).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor = {
        "patch_size": PATCH_PX,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.3, 0.3, 0.2],
        "size": {"height": HEIGHT_PX, "width": WIDTH_PX},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder


def tiny_checkpoint(folder: Path, family: Family, seed: int = 0) -> LoadedModel:
    """Save a checkpoint and load it again the way the program does."""
    return load_model(ModelConfig(name=str(save_checkpoint(folder, family, seed)), device=DEVICE, dtype="float32"))
