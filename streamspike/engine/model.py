"""Loads a Video-LLM: finds the folder, checks what is in it, says what is wrong with it.

Qwen2.5-VL and Qwen3-VL architectures, from the package (`nano`), a local folder or the Hugging Face hub, or with
random weights (`random:...`, see `shapes.py`). Weights are safetensors only, remote code is never run, and every weight
must be present: transformers would fill in random ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from streamspike.belief.prompts import END
from streamspike.config import ModelConfig
from streamspike.engine import attention
from streamspike.engine.adapter import AdapterSlot, read_adapter
from streamspike.engine.graphs import Graphs
from streamspike.engine.layout import Layout, SpecialIds
from streamspike.engine.shapes import build_random, is_random, random_version
from streamspike.engine.vision import FrameSpec
from streamspike.errors import ModelError

NANO = "nano"

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
FEW_PARAMETERS = 30_000_000
"""A smaller model gains nothing from a second thread (the built-in one: 42 and 40 ms a segment on an idle machine) and
loses tenfold when another process wants the core that its threads wait for each other on."""
LENGTH_DEPENDENT = ("dynamic", "longrope")
"""Rotary embeddings whose angles depend on how long the whole row is."""
DEFAULT_STATISTICS = {"qwen2_5_vl": _CLIP, "qwen3_vl": _HALF}
"""Family (config.model_type) to the mean and std its processors have when no file says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model ready to answer, with everything the engine must know about it."""

    name: str
    """Name and version, without an adapter."""
    family: str
    """qwen2_5_vl or qwen3_vl."""
    model: Any
    """A transformers ...ForConditionalGeneration in eval mode, on `device`."""
    tokenizer: Any
    layout: Layout
    frames: FrameSpec
    suppressed: tuple[int, ...]
    """Ids that are never sampled: all special ones but the end of the answer, and padding of the vocabulary."""
    device: torch.device
    slot: AdapterSlot
    """Where an adapter is put on and off; its name is the model's as it is now, as in events."""
    graphs: Graphs | None = None
    """Where passes of fixed sizes are kept (see `steady.py`). None: none are run, which is faster on a CPU."""

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def dtype(self) -> torch.dtype:
        """Of the language model; that of the vision tower may be another one (`choose_vision_dtype`)."""
        dtype: torch.dtype = self.model.model.language_model.dtype
        return dtype


def load_model(config: ModelConfig) -> LoadedModel:
    """Load what `config.name` says, with the adapter in the folder `config.adapter`, if that is not None.

    `config.threads` is a setting of the whole process.

    Raises:
        ModelError: no such model, another architecture, pickled weights, missing weights or tokenizer; no such adapter,
            or one that does not fit.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    loaded = _load_random(config) if is_random(config.name) else _load_checkpoint(config)
    if not config.threads and loaded.device.type == "cpu" and loaded.num_parameters < FEW_PARAMETERS:
        torch.set_num_threads(1)
    if config.adapter is not None:
        loaded.slot.put(read_adapter(Path(config.adapter).expanduser(), loaded.slot))
    return loaded


def _load_checkpoint(config: ModelConfig) -> LoadedModel:
    from transformers import AutoConfig

    source = _locate(config.name)
    try:
        described = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"cannot read the model {config.name}: {_first_line(error)}") from error
    family = str(described.model_type)
    if family not in DEFAULT_STATISTICS:
        raise ModelError(f"{config.name} is of type {family!r}; streamspike runs {' and '.join(DEFAULT_STATISTICS)}")
    check_served(config.name, described)
    device = choose_device(config.device)
    tokenizer = _load_tokenizer(config.name, source)
    layout = _build_layout(config.name, tokenizer, family)
    model = _load_weights(config.name, source, device, choose_dtype(config.dtype, device)).to(device)
    frames = read_frame_spec(config.name, source, family, described.vision_config)
    # A folder's name, not its path: events leave the machine.
    name = f"{Path(source).name if Path(source).is_dir() else source}@{_version(source, model)}"
    return _assemble(config, name, model, tokenizer, layout, frames)


def _load_random(config: ModelConfig) -> LoadedModel:
    device = choose_device(config.device)
    dtype = choose_dtype(config.dtype, device)
    model, tokenizer = build_random(config.name, device, dtype, choose_attention(device, dtype))
    family = str(model.config.model_type)
    layout = _build_layout(config.name, tokenizer, family)
    frames = _frame_spec(family, model.config.vision_config, {})
    return _assemble(config, f"{config.name}@{random_version(model)}", model, tokenizer, layout, frames)


def _assemble(
    config: ModelConfig, name: str, model: Any, tokenizer: Any, layout: Layout, frames: FrameSpec
) -> LoadedModel:
    model.model.visual.to(choose_vision_dtype(config.dtype, model.device))
    if config.frame_height_px or config.frame_width_px:
        frames = replace(frames, height_px=config.frame_height_px, width_px=config.frame_width_px)
    return LoadedModel(
        name=name,
        family=str(model.config.model_type),
        model=model.eval(),
        tokenizer=tokenizer,
        layout=layout,
        frames=frames,
        suppressed=_suppressed_ids(tokenizer, layout.special.end, int(model.get_output_embeddings().weight.shape[0])),
        device=model.device,
        slot=AdapterSlot(name, model),
        graphs=Graphs() if model.device.type == "cuda" else None,
    )


def check_served(name: str, described: Any) -> None:
    """Refuse what the family allows and the engine would get wrong.

    Raises:
        ModelError: with a sentence that names the setting.
    """
    text, vision = described.text_config, described.vision_config
    if getattr(text, "use_sliding_window", False):
        raise ModelError(
            f"{name}: its text_config uses sliding-window attention; the engine shows a branch all of its past"
        )
    rope_type = (text.rope_parameters or {}).get("rope_type", "default")
    if rope_type in LENGTH_DEPENDENT:
        raise ModelError(
            f"{name}: its text_config has {rope_type!r} rotary embeddings, which change with the length of the prompt; "
            "cached keys would be wrong"
        )
    if vision.out_hidden_size != text.hidden_size:
        raise ModelError(
            f"{name}: its vision_config makes tokens of width {vision.out_hidden_size}, its text_config reads "
            f"{text.hidden_size}"
        )
    levels = len(getattr(vision, "deepstack_visual_indexes", None) or ())
    if levels > text.num_hidden_layers:
        raise ModelError(
            f"{name}: its vision_config has {levels} deepstack levels for {text.num_hidden_layers} language layers"
        )


def choose_device(name: str) -> torch.device:
    """`auto` is the first GPU, or the CPU without one."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"no device {name!r}: torch sees {torch.cuda.device_count()} GPUs")
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is float32 on a CPU and bfloat16 on a GPU."""
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def choose_vision_dtype(name: str, device: torch.device) -> torch.dtype:
    """As `choose_dtype`, but `auto` is bfloat16 on a CPU with units for it, too.

    Of what is seen, noise hides more than digits do (tokens of the built-in model differ by 0.4 %). Log-probabilities,
    which add up, stay in float32.
    """
    if name == "auto" and device.type == "cpu" and has_half_units():
        return torch.bfloat16
    return choose_dtype(name, device)


def has_half_units() -> bool:
    """Whether this CPU multiplies in bfloat16 (AVX-512 BF16 or AMX) faster than in float32."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported())


def choose_attention(device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """`attn_implementation` by tower. flash-attn serves the vision tower, whose patches see each other in runs, and the
    trunks of the language model's rows; it knows nothing but half precision on a GPU, and no masks for branches."""
    from transformers.utils import is_flash_attn_2_available

    if device.type == "cuda" and dtype in (torch.float16, torch.bfloat16) and is_flash_attn_2_available():
        return {"text_config": attention.FLASH_NAME, "vision_config": "flash_attention_2"}
    return {"text_config": attention.NAME, "vision_config": "sdpa"}


def read_frame_spec(name: str, source: str, family: str, vision: Any) -> FrameSpec:
    """Geometry from the weights' own config; statistics and a fixed size from the processor's files, if there are any.

    Raises:
        ModelError: the processor's files and the weights disagree about the patches.
    """
    values = _processor_values(source)
    for key, expected in _geometry(vision).items():
        if int(values.get(key, expected)) != expected:
            raise ModelError(f"{name}: the processor says {key} {values[key]}, the model's config says {expected}")
    return _frame_spec(family, vision, values)


def _geometry(vision: Any) -> dict[str, int]:
    """As the processor's files name it."""
    return {
        "patch_size": int(vision.patch_size),
        "temporal_patch_size": int(vision.temporal_patch_size),
        "merge_size": int(vision.spatial_merge_size),
    }


def _frame_spec(family: str, vision: Any, values: Mapping[str, Any]) -> FrameSpec:
    geometry = _geometry(vision)
    mean, std = DEFAULT_STATISTICS[family]
    size = values.get("size") or {}
    return FrameSpec(
        patch_px=geometry["patch_size"],
        temporal_patch=geometry["temporal_patch_size"],
        merge=geometry["merge_size"],
        mean=_triple(values.get("image_mean", mean)),
        std=_triple(values.get("image_std", std)),
        # Only a model trained at one size says height and width; the others state bounds, and ours keep within them.
        height_px=int(size.get("height") or 0),
        width_px=int(size.get("width") or 0),
    )


def _processor_values(source: str) -> Mapping[str, Any]:
    """What the files say about video, else about images: one file each, or sections of one file (transformers 5)."""
    from transformers.utils import cached_file

    def read(file_name: str) -> dict[str, Any]:
        path = cached_file(source, file_name, _raise_exceptions_for_missing_entries=False)
        return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}

    nested = read("processor_config.json")
    return (
        nested.get("video_processor")
        or read("video_preprocessor_config.json")
        or nested.get("image_processor")
        or read("preprocessor_config.json")
    )


def _locate(name: str) -> str:
    """A folder, or a hub id as it is."""
    if name == NANO:
        folder = Path(str(resources.files("streamspike"))) / "models" / NANO
        if not (folder / "config.json").is_file():
            raise ModelError(f"the built-in model is not part of this installation: {folder} has no config.json")
        return str(folder)
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{name} is a folder without a config.json, so not a model")
        if not any(path.glob("*.safetensors")):
            raise ModelError(f"{name} has no .safetensors weights; pickled ones (.bin, .pt) are never loaded")
        return str(path)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ModelError(f"no model {name!r}: neither {NANO!r}, nor a folder, nor a Hugging Face id such as Qwen/...")
    return name


def _load_tokenizer(name: str, source: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name} has no usable tokenizer: {_first_line(error)}") from error


def _load_weights(name: str, source: str, device: torch.device, dtype: torch.dtype) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar per load has no place in a monitor's log
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation=choose_attention(device, dtype),
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{name}: the weights cannot be loaded: {_first_line(error)}") from error
    if report["missing_keys"] or report["mismatched_keys"]:
        wrong = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        raise ModelError(f"{name}: {len(wrong)} weights are missing or of another shape, the first is {wrong[0]}")
    return model


def _build_layout(name: str, tokenizer: Any, family: str) -> Layout:
    def find(token: str) -> int:
        ids: list[int] = tokenize(token)
        if len(ids) != 1:
            raise ModelError(f"{name}: the tokenizer does not know the special token {token}")
        return ids[0]

    def tokenize(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    special = SpecialIds(find("<|vision_start|>"), find("<|video_pad|>"), find("<|vision_end|>"), find(END))
    return Layout(tokenize, special, timestamps=family == "qwen3_vl")


def _suppressed_ids(tokenizer: Any, end: int, num_logits: int) -> tuple[int, ...]:
    added = {int(token_id) for token_id in tokenizer.added_tokens_decoder}
    padding = range(len(tokenizer), num_logits)
    return tuple(sorted((added | set(padding)) - {end}))


def _version(source: str, model: Any) -> str:
    """Eight hex digits that change with the weights: the hub's commit, or a digest of both ends of each weight file."""
    commit = getattr(model.config, "_commit_hash", None)
    if commit and not Path(source).is_dir():
        return str(commit)[:8]
    digest = hashlib.sha256()
    for path in sorted(Path(source).glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(f"{path.stat().st_size}".encode())
            digest.update(file.read(1 << 20))
            file.seek(max(0, path.stat().st_size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()[:8]


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
