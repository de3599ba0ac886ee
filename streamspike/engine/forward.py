"""Runs rows through a model: frame features in place of video tokens, explicit positions, log-probabilities out.

Two ways. `run_rows` is the plain one, of the reference: whole rows, padded on the right, by the official forward. It is
causal, so no token of a row sees its padding and no mask is needed. `run_additions` is that of the incremental engine:
what the rows of several cameras add behind their caches, end to end in one row without padding.
The language model is called directly, past the wrapper that infers positions; Qwen3-VL's deepstack features go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamspike.core import Pixels
from streamspike.engine.attention import FLASH_NAME, make_plan
from streamspike.engine.cache import PrefixCache
from streamspike.engine.layout import Integers, Span, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.engine.vision import FrameSize, preprocess


@dataclass(frozen=True, slots=True, eq=False)
class BlockFeatures:
    """What the vision tower says about one frame block."""

    tokens: Tensor  # (num_video_tokens, hidden)
    deepstack: tuple[Tensor, ...]  # per level (num_video_tokens, hidden); empty for Qwen2.5-VL


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of a batch."""

    span: Span
    blocks: tuple[BlockFeatures, ...]
    """In the order of the video tokens of the span."""

    def extended(self, span: Span) -> Row:
        """The row with text after it."""
        return Row(join_spans([self.span, span]), self.blocks)


def encode_segments(
    loaded: LoadedModel, segments: Sequence[Sequence[Pixels]], size: FrameSize
) -> list[list[BlockFeatures]]:
    """Features of each segment's frame blocks. Attention is within a temporal patch, so a block stands for itself."""
    if not segments:
        return []
    patches = torch.cat([preprocess(frames, loaded.frames, size, loaded.device) for frames in segments])
    counts = [loaded.frames.num_blocks(len(frames)) for frames in segments]
    grid = torch.tensor([[1, *loaded.frames.patch_grid(size)]] * sum(counts))
    output = loaded.model.model.get_video_features(patches, video_grid_thw=grid.to(loaded.device), return_dict=True)
    levels = output.deepstack_features if loaded.family == "qwen3_vl" else []
    blocks = [
        BlockFeatures(tokens, tuple(level[number] for level in levels))
        for number, tokens in enumerate(output.pooler_output)
    ]
    ends = np.cumsum(counts)
    return [blocks[end - count : end] for end, count in zip(ends, counts, strict=True)]


def run_rows(loaded: LoadedModel, rows: Sequence[Row], cache: Any = None) -> Tensor:
    """Hidden states of all tokens.

    Args:
        cache: a transformers Cache that takes the rows' keys and values; it must be empty.

    Returns:
        (num_rows, longest row, hidden), after the final norm; what stands behind a row's end has no meaning.
    """
    longest = max(len(row.span) for row in rows)
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    positions = np.zeros((3, len(rows), longest), dtype=np.int64)
    is_video = np.zeros((len(rows), longest), dtype=np.bool_)
    for number, row in enumerate(rows):
        ids[number, : len(row.span)] = row.span.token_ids
        positions[:, number, : len(row.span)] = row.span.positions
        is_video[number, : len(row.span)] = row.span.is_video
    embeddings = embed(loaded, torch.from_numpy(ids).to(loaded.device))
    blocks = [block for row in rows for block in row.blocks]
    extra: dict[str, Any] = {}
    if blocks:
        mask = torch.from_numpy(is_video).to(loaded.device)
        embeddings[mask] = torch.cat([block.tokens for block in blocks]).to(embeddings.dtype)
        if blocks[0].deepstack:
            extra = {"visual_pos_masks": mask, "deepstack_visual_embeds": join_deepstack(blocks)}
    output = loaded.model.model.language_model(
        inputs_embeds=embeddings,
        position_ids=torch.from_numpy(positions).to(loaded.device),
        past_key_values=cache,
        use_cache=cache is not None,
        **extra,
    )
    hidden: Tensor = output.last_hidden_state
    return hidden


def join_deepstack(blocks: Sequence[BlockFeatures]) -> list[Tensor]:
    """Per level (num_video_tokens, hidden); empty without deepstack."""
    return [torch.cat(level) for level in zip(*(block.deepstack for block in blocks), strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """Tokens that one camera's row gets behind what its cache holds."""

    token_ids: Integers  # (num_tokens,)
    positions: Integers  # (3, num_tokens)
    is_video: NDArray[np.bool_]  # (num_tokens,)
    blocks: tuple[BlockFeatures, ...]
    """In the order of the video tokens."""
    num_trunk: int
    """The first tokens continue the prefix: each sees all before it. The others are branches."""
    sees: NDArray[np.bool_]
    """(branch tokens, cached + num_tokens), which columns each of those may attend to."""
    cache: PrefixCache
    """Extended by the tokens' keys and values."""


def run_additions(loaded: LoadedModel, additions: Sequence[Addition]) -> list[Tensor]:
    """One forward. Per addition hidden states (num_tokens, hidden) after the final norm."""
    device, language_model = loaded.device, loaded.model.model.language_model
    config = language_model.config
    ids, positions, is_video = (
        np.concatenate([getattr(addition, name) for addition in additions], axis=-1)
        for name in ("token_ids", "positions", "is_video")
    )
    hidden = embed(loaded, send(ids, device)[None])
    plan = make_plan(
        [addition.cache for addition in additions],
        [addition.num_trunk for addition in additions],
        [torch.from_numpy(addition.sees) for addition in additions],
        config.num_attention_heads // config.num_key_value_heads,
        hidden.dtype,
        device,
        flash=config._attn_implementation == FLASH_NAME,
    )
    blocks = [block for addition in additions for block in addition.blocks]
    levels: list[Tensor] = []
    # By number and not by mask: a mask on a GPU would make the host wait for how many there are.
    places = send(np.flatnonzero(is_video), device)
    if blocks:
        hidden[0].index_copy_(0, places, torch.cat([block.tokens for block in blocks]).to(hidden.dtype))
        levels = join_deepstack(blocks)
    rotations = language_model.rotary_emb(hidden, send(positions, device)[:, None])
    for number, layer in enumerate(language_model.layers):
        hidden = layer(hidden, attention_mask=plan, position_embeddings=rotations)
        if number < len(levels):
            hidden[0].index_add_(0, places, levels[number].to(hidden.dtype))
    hidden = language_model.norm(hidden)[0]
    return list(hidden.split([len(addition.token_ids) for addition in additions]))


def send(array: NDArray[Any], device: torch.device) -> Tensor:
    """To the device, without waiting for it."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def embed(loaded: LoadedModel, ids: Tensor) -> Tensor:
    """Token embeddings, (*ids.shape, hidden); a fresh tensor."""
    embedded: Tensor = loaded.model.get_input_embeddings()(ids)
    return embedded


def project(loaded: LoadedModel, hidden: Tensor) -> Tensor:
    """Raw logits in float32, (..., vocabulary)."""
    logits: Tensor = loaded.model.get_output_embeddings()(hidden)
    return logits.float()


def score_answers(loaded: LoadedModel, context: Row, answers: Sequence[Span]) -> list[float]:
    """Teacher-forced log-probability of each answer after the context.

    Raw logits at temperature 1; log-softmax in float32, summed in float64. Full recomputation: one row per answer.

    Args:
        answers: spans that start at `context.span.next_position`.

    Returns:
        Nats, one sum per answer.
    """
    rows = [context.extended(answer) for answer in answers]
    hidden = run_rows(loaded, rows)
    first = len(context.span) - 1  # the last token of the context predicts the first of the answer
    sums = []
    for number, answer in enumerate(answers):
        targets = torch.from_numpy(answer.token_ids).to(loaded.device)
        logits = project(loaded, hidden[number, first : first + len(answer)])  # (num_tokens, vocabulary)
        chosen = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None])
        sums.append(float(chosen.double().sum()))
    return sums


def last_logits(loaded: LoadedModel, rows: Sequence[Row]) -> Tensor:
    """Logits of the token after each row, (num_rows, vocabulary) float32."""
    hidden = run_rows(loaded, rows)
    last = torch.tensor([len(row.span) - 1 for row in rows], device=loaded.device)
    return project(loaded, hidden[torch.arange(len(rows), device=loaded.device), last])
