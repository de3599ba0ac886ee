"""The built-in model before training: a Qwen2.5-VL of twelve million parameters, its tokenizer and its frame format.

The same Hugging Face class as the large models, so that everything that runs the one runs the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from streamspike.belief import prompts

FRAME_PX = 180
PATCH_PX = 10
MERGE = 3
"""Patches per side that become one language token: 180 / 10 / 3 = 6 x 6 tokens a segment."""
CELLS = FRAME_PX // PATCH_PX
SIDE = CELLS // MERGE
"""Patches, and tokens, per side."""
WINDOW = 3
"""Tokens per side of the windows within which patches attend to each other, but for FULL_BLOCKS."""
FULL_BLOCKS = (2, 5)
TEMPORAL_PATCH = 2
VISION_BLOCKS = 6
VISION_WIDTH = 256
HEAD_WIDTH = 32
MLP_RATIO = 8
"""Thirds of the width: its gate takes a third of the weights."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>")
EXTRA_SPECIAL_TOKENS = ("<|image_pad|>", "<|vision_pad|>")


def build_tokenizer(sentences: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE that can write anything, with one token for each word the simulated world uses.

    The fixed questions are one token each: they stand before every answer, and their words carry no information.
    """
    words = [word for sentence in sentences for word in (sentence, *sentence.split())]
    corpus = [f" {word}" for word in words] + words + ["Before:", " Then,", "yes", "no", "user", "assistant", "system"]
    corpus += [prompts.HEADER, prompts.VERIFY, prompts.PREDICT, prompts.OBSERVE]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048,
        min_frequency=1,
        special_tokens=list(SPECIAL_TOKENS + EXTRA_SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    before, after = prompts.VERIFY.split("{statement}")
    phrases = [prompts.PREDICT, prompts.OBSERVE, before.strip(), after, "You watch a fixed camera."]
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL_TOKENS[1:] + EXTRA_SPECIAL_TOKENS),
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """Random weights. 180 px frames, 324 patches, 36 language tokens per segment of two frames."""
    torch.manual_seed(seed)

    def id_of(token: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(token))

    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 160,
            "intermediate_size": 448,
            "num_hidden_layers": 4,
            "num_attention_heads": 5,
            "num_key_value_heads": 5,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [6, 5, 5]},
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": id_of("<|im_end|>"),
            "pad_token_id": id_of("<|endoftext|>"),
        },
        vision_config={
            "depth": VISION_BLOCKS,
            "hidden_size": VISION_WIDTH,
            "intermediate_size": MLP_RATIO * VISION_WIDTH // 3,
            "num_heads": VISION_WIDTH // HEAD_WIDTH,
            "patch_size": PATCH_PX,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": TEMPORAL_PATCH,
            "window_size": WINDOW * MERGE * PATCH_PX,
            "fullatt_block_indexes": list(FULL_BLOCKS),
            "out_hidden_size": 160,
            "tokens_per_second": 1,
        },
        tie_word_embeddings=True,
        image_token_id=id_of("<|image_pad|>"),
        video_token_id=id_of("<|video_pad|>"),
        vision_start_token_id=id_of("<|vision_start|>"),
        vision_end_token_id=id_of("<|vision_end|>"),
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def save_model(model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Half precision safetensors, tokenizer and frame format, as any Hugging Face checkpoint has them."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    state.pop("lm_head.weight", None)  # tied to the embedding
    model.save_pretrained(folder, state_dict=state)
    config_path = folder / "config.json"
    config = json.loads(config_path.read_text())
    config["dtype"] = "bfloat16"
    config_path.write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save_pretrained(folder)
    frames: dict[str, Any] = {
        "patch_size": PATCH_PX,
        "temporal_patch_size": TEMPORAL_PATCH,
        "merge_size": MERGE,
        "image_mean": MEAN,
        "image_std": STD,
        "size": {"height": FRAME_PX, "width": FRAME_PX},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(frames, indent=2) + "\n")
