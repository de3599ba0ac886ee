"""The model that learns: low-rank adapters on its language model, the same weights in the fast engine, and a way back.

An adapter folder is PEFT's (adapter_config.json, adapter_model.safetensors) with one more file, adapter.json, that says
which weights it belongs to and how it was made. Pickled weights are refused wherever they stand: PEFT itself loads
them even when told not to.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import Parameter
from torch.utils.checkpoint import checkpoint

from streamspike.belief.prompts import parse_sentence
from streamspike.config import EngineConfig
from streamspike.core import Pixels, Sampling
from streamspike.engine.decode import Nucleus, generate, greedy
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.forward import Row, encode_segments, score_answers
from streamspike.engine.layout import block_seconds, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.errors import ModelError

TARGETS = r"model\.language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
"""A list of bare names, or "all-linear", would reach into the vision tower as well (measured)."""

WEIGHTS_FILE = "adapter_model.safetensors"
ABOUT_FILE = "adapter.json"
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")

Segments = Sequence[Sequence[Pixels]]


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """LoRA on every linear layer of the language model."""

    rank: int = 16
    alpha: int = 32
    """The adapter's product is scaled by alpha / rank."""
    dropout: float = 0.0
    """While training only."""


class Policy:
    """A loaded model with a new adapter, which changes nothing until it is trained."""

    def __init__(self, loaded: LoadedModel, settings: AdapterSettings = AdapterSettings(), seed: int = 0) -> None:
        """Puts the adapter into `loaded.model` itself, so that every engine on it has it too.

        Args:
            seed: of the adapter's random half; the other half is zero.

        Raises:
            ModelError: the model has an adapter already, or none of its layers are called as they should be.
        """
        from peft import LoraConfig, get_peft_model

        if hasattr(loaded.model, "peft_config"):
            raise ModelError(f"{loaded.name} has an adapter already; load the model again for another one")
        self.loaded = loaded
        self.settings = settings
        self.checkpointing = False
        self._is_off = False
        config = LoraConfig(
            r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=TARGETS
        )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
            torch.manual_seed(seed)
            try:
                self._peft = get_peft_model(loaded.model, config)
            except ValueError as error:
                raise ModelError(f"{loaded.name}: its language model has no layers that an adapter fits") from error
        loaded.model.eval()

    @classmethod
    def open(cls, loaded: LoadedModel, folder: Path) -> Policy:
        """A policy of the rank and alpha of the adapter in `folder`, with its weights. Raises ModelError."""
        described = _read_json(folder / "adapter_config.json")
        try:
            settings = AdapterSettings(int(described["r"]), int(described["lora_alpha"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{folder / 'adapter_config.json'} does not describe a LoRA adapter") from error
        policy = cls(loaded, settings)
        policy.load(folder)
        return policy

    def engine(self, config: EngineConfig | None = None, segment_seconds: float = 1.0) -> IncrementalEngine:
        """The fast engine on the very same weights. Once they change its keys and values are stale: `forget()`."""
        return IncrementalEngine(self.loaded, segment_seconds, config or EngineConfig())

    @contextmanager
    def reference(self) -> Iterator[None]:
        """Within it the model is as it was before: the adapter is off."""
        self._is_off = True
        try:
            with self._peft.disable_adapter():
                yield
        finally:
            self._is_off = False

    @contextmanager
    def merged(self) -> Iterator[None]:
        """Within it the adapter is part of the weights, which is faster, and afterwards they are what they were, bit by
        bit. On a GPU nothing happens: the weights of a large model do not fit in twice."""
        if self._is_off or self.loaded.device.type != "cpu":
            yield
            return
        layers = [layer for layer in self._peft.modules() if hasattr(layer, "get_delta_weight")]
        kept = [layer.base_layer.weight.detach().clone() for layer in layers]
        try:
            with torch.no_grad():
                for layer in layers:
                    layer.base_layer.weight += layer.get_delta_weight("default")
            with self._peft.disable_adapter():
                yield
        finally:
            with torch.no_grad():
                for layer, weight in zip(layers, kept, strict=True):
                    layer.base_layer.weight.copy_(weight)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Within it the language model drops out, and with `checkpointing` keeps only the input of each layer for the
        backward pass, which then computes the rest again. Engines must not be asked meanwhile."""
        language_model = self.loaded.model.model.language_model
        # By hand: `gradient_checkpointing_enable` also hooks the embedding, which the engine asks without gradients.
        for layer in language_model.layers:
            layer.gradient_checkpointing = self.checkpointing
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
        language_model.train()
        try:
            yield
        finally:
            language_model.eval()
            for layer in language_model.layers:
                layer.gradient_checkpointing = False

    def parameters(self) -> list[Parameter]:
        """The trainable ones, in a fixed order."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        return [(name, value) for name, value in self._peft.named_parameters() if value.requires_grad]

    def write(
        self,
        segments: Segments,
        summary: str,
        question: str,
        count: int,
        sampling: Sampling,
        seed: int,
        segment_seconds: float = 1.0,
    ) -> list[str]:
        """Answers to any question about a window, repeats and all; an empty one where nothing readable was said.

        Args:
            sampling: its temperature, top_p and `max_hypothesis_tokens`; temperature 0 is greedy.
        """
        with torch.no_grad():
            row = self._row(segments, summary, question, segment_seconds)
            choose = Nucleus(sampling, count, seed) if sampling.temperature > 0.0 else greedy
            answers = generate(self.loaded, row, choose, count, sampling.max_hypothesis_tokens)
        return [parse_sentence(self.loaded.tokenizer.decode(ids)) for ids in answers]

    def choose(
        self, segments: Segments, summary: str, question: str, choices: Sequence[str], segment_seconds: float = 1.0
    ) -> list[float]:
        """Log-probability of each answer, summed over its tokens and its end, nats. No gradient."""
        with torch.no_grad():
            row = self._row(segments, summary, question, segment_seconds)
            answers = [self.loaded.layout.answer(row.span.next_position, choice) for choice in choices]
            return score_answers(self.loaded, row, answers)

    def save(self, folder: Path, about: Mapping[str, Any] | None = None) -> None:
        """Write the adapter's folder; whoever wants it whole or not at all renames it into place afterwards.

        Args:
            about: what adapter.json says besides the model it belongs to: method, parent, config, data, metrics.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config = replace(
            self._peft.peft_config["default"], base_model_name_or_path=self.loaded.name, inference_mode=True
        )
        config.save_pretrained(str(folder))
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self._state().items()}
        save_file(state, folder / WEIGHTS_FILE, metadata={"format": "pt"})
        described = {"base": self.loaded.name, "settings": asdict(self.settings), **(about or {})}
        (folder / ABOUT_FILE).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Take over the weights of an adapter of this shape, made for this model.

        Raises:
            ModelError: pickled or missing weights, another base model, another rank, names or shapes that do not fit,
                or numbers that are not finite.
        """
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(self._peft, self._check(folder))

    def _check(self, folder: Path) -> dict[str, torch.Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLED)
        if pickled:
            raise ModelError(f"{folder} holds {pickled[0]}; pickled weights can run code and are never loaded")
        base = _read_json(folder / ABOUT_FILE).get("base")
        if base != self.loaded.name:
            raise ModelError(f"the adapter in {folder} was made for {base}, and this model is {self.loaded.name}")
        try:
            state: dict[str, torch.Tensor] = load_file(folder / WEIGHTS_FILE)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{folder / WEIGHTS_FILE} cannot be read: {error}") from error
        own = self._state()
        wrong = sorted(own.keys() ^ state.keys()) or [key for key in own if own[key].shape != state[key].shape]
        if wrong:
            raise ModelError(f"the adapter in {folder} has another rank or other layers; the first is {wrong[0]}")
        if not all(bool(tensor.isfinite().all()) for tensor in state.values()):
            raise ModelError(f"the adapter in {folder} has weights that are not finite; its training failed")
        return state

    def _state(self) -> dict[str, torch.Tensor]:
        from peft import get_peft_model_state_dict

        state: dict[str, torch.Tensor] = get_peft_model_state_dict(self._peft, save_embedding_layers=False)
        return state

    def _row(self, segments: Segments, summary: str, question: str, segment_seconds: float) -> Row:
        frames, layout = self.loaded.frames, self.loaded.layout
        size = frames.frame_size(*segments[0][0].shape[:2])
        blocks = [block for encoded in encode_segments(self.loaded, segments, size) for block in encoded]
        times = block_seconds(len(segments), len(segments[0]), frames.temporal_patch, segment_seconds)
        prefix = layout.prefix(*frames.token_grid(size), times)
        return Row(join_spans([prefix, layout.question(prefix.next_position, summary, question)]), tuple(blocks))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read; is its folder an adapter's?") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} is not the description of an adapter")
    return dict(values)
