"""Adapters with random weights, written as PEFT writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from streamspike.engine.card import AdapterCard, write_card
from streamspike.engine.model import LoadedModel

PROJECTIONS = ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")


def write_adapter(
    folder: Path,
    loaded: LoadedModel,
    *,
    name: str = "night",
    seed: int = 0,
    std: float = 0.05,
    config: dict[str, Any] | None = None,
    **card: Any,
) -> Path:
    """A folder with an adapter of rank 4.

    Args:
        std: of both factors; 0.0 changes nothing.
        config: what adapter_config.json says instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for number in range(len(loaded.model.model.language_model.layers)):
        for projection in PROJECTIONS:
            module = f"model.language_model.layers.{number}.{projection}"
            outputs, inputs = loaded.slot.shape_of(module)
            weights[f"base_model.model.{module}.lora_A.weight"] = torch.randn(4, inputs, generator=random) * std
            weights[f"base_model.model.{module}.lora_B.weight"] = torch.randn(outputs, 4, generator=random) * std
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    plain = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": list(PROJECTIONS), "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **(config or {})}))
    write_card(AdapterCard(**{"name": name, "base": loaded.name, "method": "test", **card}), folder)
    return folder
