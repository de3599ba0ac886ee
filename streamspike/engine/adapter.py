"""LoRA adapters on a served model: read with suspicion, merged into its weights, and taken out again to the last bit.

Merged, W + scale * B A (Hu et al., arXiv 2106.09685): the engine then runs as it does without an adapter, at the same
speed, and what was captured of it on a GPU stays valid, as the weights keep their addresses. The price is a copy of the
matrices an adapter touches, in the memory of the host, from which each merge starts: subtracting a delta would leave
rounding behind. Nothing of PEFT is needed; the numbers are those of its `merge_and_unload`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamspike.engine.card import CONFIG_FILE, WEIGHTS_FILE, AdapterCard, read_card, read_json, weights_version
from streamspike.errors import ModelError

KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
"""As PEFT writes it."""
MODULE = re.compile(r"model\.language_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)")
"""What an adapter may touch: the vision tower stays, so that features of frames outlive a swap of adapters."""
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
FLOATS = {"F32", "F16", "BF16"}
MAX_RANK = 512
PLAIN: Mapping[str, Any] = {
    "bias": "none",
    "fan_in_fan_out": False,
    "use_dora": False,
    "lora_bias": False,
    "use_qalora": False,
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
    "layer_replication": None,
    "trainable_token_indices": None,
    "target_parameters": None,
    "alora_invocation_tokens": None,
}
"""Variants of LoRA that are more than W + scale * B A, and the value that says they are not used."""

Factors = tuple[Tensor, Tensor]  # A (rank, inputs), B (outputs, rank)


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """Weights that were found to fit a model."""

    card: AdapterCard
    version: str
    scale: float
    factors: Mapping[str, Factors]
    """By module, on the CPU."""

    @property
    def name(self) -> str:
        """As in events, behind the base: `night-20261121@1a2b3c4d`."""
        return f"{self.card.name}@{self.version}"


class AdapterSlot:
    """The place for one adapter in a model. Not thread-safe: nobody else uses the model while `put` runs."""

    def __init__(self, base: str, model: Any) -> None:
        """
        Args:
            base: name and version of the model.
            model: a transformers ...ForConditionalGeneration, without an adapter.
        """
        self.base = base
        self.adapter: Adapter | None = None
        self._model = model
        self._original: dict[str, Tensor] = {}  # by module, on the CPU: what an adapter was merged into

    @property
    def name(self) -> str:
        """Of the model as it is now: `nano@f57a99d5+night-20261121@1a2b3c4d`."""
        return f"{self.base}+{self.adapter.name}" if self.adapter is not None else self.base

    def shape_of(self, module: str) -> tuple[int, int]:
        """(outputs, inputs) of a projection. Raises ModelError: the model has none of that name."""
        try:
            outputs, inputs = self._model.get_submodule(module).weight.shape
        except AttributeError as error:
            raise ModelError(f"{self.base} has no {module}") from error
        return int(outputs), int(inputs)

    def put(self, adapter: Adapter | None) -> None:
        """Make the weights those of the base and this adapter, in their places. Keys and values computed before are of
        no use any more: the engine must forget them.

        Raises:
            ModelError: it cannot be merged; the weights are what they were.
        """
        before = self.adapter
        try:
            self._write(adapter)
        except (ModelError, RuntimeError) as error:  # torch's out-of-memory errors are RuntimeErrors
            self._write(before)
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"the adapter cannot be merged into {self.base}: {error}") from error

    @torch.no_grad()
    def _write(self, adapter: Adapter | None) -> None:
        factors = adapter.factors if adapter is not None else {}
        for module in {**self._original, **factors}:
            weight = self._model.get_submodule(module).weight
            if module not in self._original:
                self._original[module] = weight.detach().to("cpu", copy=True)
            original = self._original[module].to(weight.device)
            if adapter is not None and module in factors:
                merged = merge(original, factors[module], adapter.scale)
                if not bool(torch.isfinite(merged).all()):
                    raise ModelError(f"the adapter {adapter.name} makes {module} infinite in {weight.dtype}")
                original = merged
            weight.copy_(original)
        if adapter is None:
            self._original.clear()
        self.adapter = adapter


def merge(weight: Tensor, factors: Factors, scale: float) -> Tensor:
    """W + scale * B A in float32, in the dtype and on the device of W. (outputs, inputs)"""
    a, b = (factor.to(weight.device, torch.float32) for factor in factors)
    return (weight.float() + scale * (b @ a)).to(weight.dtype)


def read_adapter(folder: Path, slot: AdapterSlot) -> Adapter:
    """Check an adapter's folder against a model, then read it. The model is not touched.

    Raises:
        ModelError: no folder, pickled weights, another base, a variant of LoRA that is not served, modules that are
            none of the language model's, other shapes, or numbers that are not finite.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no adapter folder {folder}")
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
    if pickled:
        raise ModelError(f"{folder} holds pickled files ({', '.join(pickled)}), which can run code; remove them")
    card = read_card(folder)
    if card.base != slot.base:
        raise ModelError(f"the adapter {card.name} belongs to {card.base}, and {slot.base} runs")
    rank, scale = _read_config(folder)
    return Adapter(card, weights_version(folder), scale, _read_factors(folder, slot, rank))


def _read_config(folder: Path) -> tuple[int, float]:
    """Rank and scale."""
    path = folder / CONFIG_FILE
    values = read_json(path)
    if values.get("peft_type") != "LORA":
        raise ModelError(f"{path} describes a {values.get('peft_type')!r} adapter; only LORA is served")
    variants = [key for key, plain in PLAIN.items() if values.get(key, plain) not in (plain, None)]
    if variants:
        raise ModelError(f"{path} asks for more than plain LoRA: {', '.join(variants)}")
    rank, alpha = values.get("r"), values.get("lora_alpha")
    if not isinstance(rank, int) or not 1 <= rank <= MAX_RANK:
        raise ModelError(f"{path}: r must be a rank from 1 to {MAX_RANK}, not {rank!r}")
    if not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise ModelError(f"{path}: lora_alpha must be a number, not {alpha!r}")
    return rank, alpha / math.sqrt(rank) if values.get("use_rslora") else alpha / rank


def _read_factors(folder: Path, slot: AdapterSlot, rank: int) -> dict[str, Factors]:
    """Names, dtypes and shapes are checked before any number is read."""
    from safetensors import SafetensorError, safe_open

    path = folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="pt") as file:
            sides: dict[str, dict[str, str]] = {}
            for key in file.keys():  # noqa: SIM118  # it is no mapping
                module, side = _parse_key(path, key)
                sides.setdefault(module, {})[side] = key
                part = file.get_slice(key)
                if part.get_dtype() not in FLOATS:
                    raise ModelError(f"{path}: {key} holds {part.get_dtype()}, not floating-point numbers")
                outputs, inputs = slot.shape_of(module)
                expected = [rank, inputs] if side == "A" else [outputs, rank]
                if part.get_shape() != expected:
                    raise ModelError(f"{path}: {key} is of shape {part.get_shape()}, the model needs {expected}")
            halves = [module for module, found in sides.items() if len(found) != 2]
            if halves or not sides:
                raise ModelError(f"{path}: {halves[0]} has only one of its two factors" if halves else f"{path}: empty")
            factors = {
                module: (file.get_tensor(found["A"]), file.get_tensor(found["B"])) for module, found in sides.items()
            }
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}") from error
    for module, pair in factors.items():
        if not all(bool(torch.isfinite(factor).all()) for factor in pair):
            raise ModelError(f"{path}: the factors of {module} are not finite")
    return factors


def _parse_key(path: Path, key: str) -> tuple[str, str]:
    """Module and side."""
    match = KEY.fullmatch(key)
    if match is None:
        raise ModelError(f"{path}: {key} is no factor of a LoRA adapter")
    if not MODULE.fullmatch(match["module"]):
        raise ModelError(f"{path}: {match['module']} is no projection of the language model; nothing else is adapted")
    return match["module"], match["side"]
