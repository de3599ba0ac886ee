"""How fast a segment could be: bytes over measured bandwidth, operations over measured rate.

The rates are measured on the spot, by the calls a forward is made of, in the types of the model's two parts and with
the process's threads. A forward takes at least as long as reading its weights once, and at least as long as its
multiplications; the floor is the larger one. What is small beside these (norms, masks, attention within the windows of
a vision tower, the host) costs nothing here, so nobody reaches the floor, and nobody gets below it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from streamspike.belief.prompts import OBSERVE, PREDICT, render_suffix
from streamspike.core import Assessment, Request
from streamspike.engine.layout import block_seconds
from streamspike.engine.model import LoadedModel

MEASURE_SECONDS = 0.3
"""Of each rate; the best repetition counts, as everything else on the machine only makes it worse."""
MAX_COPY_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Rates:
    """What the machine can do."""

    bytes_per_second: float
    """Read and written by a copy that is as large as the weights, so that what fits a cache counts as fast as it is."""
    flops_per_second: float
    """In the language model's dtype; a multiplication and an addition are two."""
    vision_flops_per_second: float
    """In the vision tower's."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Least times of a segment in the steady state: kept hypotheses, an exact window."""

    vision_seconds: float
    """Encoding the new frames."""
    pass_seconds: float
    """One forward of what the window lacks, both questions, and every hypothesis behind both."""
    decode_step_seconds: float
    """One forward of a single token: one word of a caption, or of all hypotheses side by side."""
    segment_seconds: float
    """Vision and one pass; the caption was guessed."""
    written_segment_seconds: float
    """The same, with the caption written word by word."""


def measure_rates(loaded: LoadedModel) -> Rates:
    """Takes about a second."""
    model = loaded.model
    weights = _bytes(model.model.language_model.layers)
    half = min(weights, MAX_COPY_BYTES) // 2
    source = torch.zeros(half, dtype=torch.uint8, device=loaded.device)
    target = torch.empty_like(source)
    copy_seconds = _best_seconds(loaded.device, lambda: target.copy_(source))
    language, vision = (_flops_per_second(loaded.device, dtype) for dtype in (loaded.dtype, model.model.visual.dtype))
    return Rates(2 * half / copy_seconds, language, vision)


def _flops_per_second(device: torch.device, dtype: torch.dtype) -> float:
    side = 1024 if device.type == "cpu" else 8192
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(left)
    return 2 * side**3 / _best_seconds(device, lambda: torch.mm(left, right, out=product))


def _best_seconds(device: torch.device, work: Callable[[], object]) -> float:
    best, spent = float("inf"), 0.0
    while spent < MEASURE_SECONDS or best == float("inf"):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
        best, spent = min(best, seconds), spent + seconds
    return best


def find_floor(
    loaded: LoadedModel,
    rates: Rates,
    answered: Sequence[tuple[Request, Assessment]],
    window_segments: int,
    window_growth_segments: int,
    segment_seconds: float,
) -> Floor:
    """The floor of the mean segment.

    Args:
        answered: segments with full windows, of one size of picture.
        window_growth_segments: how far the window grows before it slides; when it does, all of it is filled again.
    """
    request = answered[0][0]
    frames, num_frames = loaded.frames, len(request.observation)
    size = frames.frame_size(*request.observation[0].shape[:2])
    grid, num_blocks = frames.token_grid(size), frames.num_blocks(num_frames)
    times = block_seconds(1, num_frames, frames.temporal_patch, segment_seconds)
    block_tokens = sum(len(loaded.layout.block(0, *grid, at_seconds)) for at_seconds in times)
    refilled = window_segments / (window_growth_segments + 1)
    text_tokens, projected, words = (
        sum(values) / len(answered) for values in zip(*(_tokens(loaded, *pair) for pair in answered), strict=True)
    )
    patches = num_blocks * frames.patch_grid(size)[0] * frames.patch_grid(size)[1]
    vision = _vision_seconds(loaded, rates, patches, num_blocks)
    seen, new, again = window_segments * block_tokens, block_tokens + text_tokens, refilled * block_tokens
    one_pass = _language_seconds(loaded, rates, new + again, projected, (new + again / 2) * seen)
    step = _language_seconds(loaded, rates, 1, 1, seen)
    return Floor(vision, one_pass, step, vision + one_pass, vision + one_pass + max(0, words - 1) * step)


def _tokens(loaded: LoadedModel, request: Request, assessment: Assessment) -> tuple[int, int, int]:
    """Tokens of questions and answers behind the frames, places where logits are read, and words of the caption.

    Hypotheses that begin alike share their first tokens.
    """
    tokenize = loaded.layout.tokenize
    answers = [tuple(tokenize(score.text)) for score in assessment.scores]
    shared = {answer[:length] for answer in answers for length in range(1, len(answer) + 1)}
    questions = [tokenize(render_suffix(request.summary, question)) for question in (PREDICT, OBSERVE)]
    num_tokens = sum(map(len, questions)) + 2 * len(shared)
    return num_tokens, 2 * (len(shared) + 1), len(tokenize(assessment.caption))


def _language_seconds(loaded: LoadedModel, rates: Rates, tokens: float, projected: float, pairs: float) -> float:
    """One forward of `tokens`, with `pairs` of one that sees and one that is seen, and logits at `projected` places."""
    language, config = loaded.model.model.language_model, loaded.model.model.language_model.config
    head: torch.Tensor = loaded.model.get_output_embeddings().weight
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = pairs * 4 * config.num_hidden_layers * config.num_attention_heads * width
    flops = tokens * 2 * _count(language.layers) + projected * 2 * head.numel() + attention
    read = _bytes(language.layers) + head.numel() * head.element_size()
    return _seconds(rates, read, flops / rates.flops_per_second)


def _vision_seconds(loaded: LoadedModel, rates: Rates, patches: int, num_blocks: int) -> float:
    visual, config = loaded.model.model.visual, loaded.model.model.visual.config
    cells = patches / loaded.frames.merge**2
    mergers = _count(visual.merger) + _count(getattr(visual, "deepstack_merger_list", torch.nn.Module()))
    # Blocks whose patches all see each other; those with windows are left out.
    full = len(config.fullatt_block_indexes) if hasattr(config, "fullatt_block_indexes") else config.depth
    attention = 4 * full * config.hidden_size * patches * (patches / num_blocks)
    flops = patches * 2 * (_count(visual.blocks) + _count(visual.patch_embed)) + cells * 2 * mergers + attention
    return _seconds(rates, _bytes(visual), flops / rates.vision_flops_per_second)


def _seconds(rates: Rates, num_bytes: float, multiplying: float) -> float:
    return max(num_bytes / rates.bytes_per_second, multiplying)


def _count(module: torch.nn.Module) -> int:
    """Weights that are multiplied with every token: matrices, not biases and norms."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)


def _bytes(module: torch.nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def as_json(rates: Rates, floor: Floor) -> dict[str, Any]:
    """Plain values."""
    return {**asdict(rates), **asdict(floor)}
