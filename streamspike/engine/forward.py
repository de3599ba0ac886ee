"""Runs rows through a model: frame features in place of video tokens, explicit positions, log-probabilities out.

Rows are padded on the right. Attention is causal, so no token of a row sees its padding and no mask is needed.
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
from streamspike.engine.layout import Span, join_spans
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
    patches = torch.cat([preprocess(frames, loaded.frames, size) for frames in segments])
    counts = [loaded.frames.num_blocks(len(frames)) for frames in segments]
    grid = torch.tensor([[1, *loaded.frames.patch_grid(size)]] * sum(counts))
    output = loaded.model.model.get_video_features(
        patches.to(loaded.device), video_grid_thw=grid.to(loaded.device), return_dict=True
    )
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
    blocks = [block for row in rows for block in row.blocks]
    return run_tokens(loaded, ids, positions, is_video, blocks, cache)


def run_tokens(
    loaded: LoadedModel,
    ids: NDArray[np.int64],
    positions: NDArray[np.int64],
    is_video: NDArray[np.bool_],
    blocks: Sequence[BlockFeatures],
    cache: Any = None,
    attention: Tensor | None = None,
) -> Tensor:
    """Hidden states of tokens whose places are known.

    Args:
        ids, is_video: (num_rows, num_tokens).
        positions: (3, num_rows, num_tokens).
        blocks: in the order of the video tokens, row by row.
        cache: a transformers Cache, extended by the tokens' keys and values.
        attention: (num_rows, 1, num_tokens, cached + num_tokens) bool, who sees whom; None: causal.

    Returns:
        (num_rows, num_tokens, hidden), after the final norm.
    """
    embeddings = embed(loaded, torch.from_numpy(ids).to(loaded.device))
    extra: dict[str, Any] = {}
    if blocks:
        mask = torch.from_numpy(is_video).to(loaded.device)
        embeddings[mask] = torch.cat([block.tokens for block in blocks]).to(embeddings.dtype)
        if blocks[0].deepstack:
            levels = zip(*(block.deepstack for block in blocks), strict=True)
            extra = {"visual_pos_masks": mask, "deepstack_visual_embeds": [torch.cat(level) for level in levels]}
    output = loaded.model.model.language_model(
        inputs_embeds=embeddings,
        position_ids=torch.from_numpy(positions).to(loaded.device),
        attention_mask=attention,
        past_key_values=cache,
        use_cache=cache is not None,
        **extra,
    )
    hidden: Tensor = output.last_hidden_state
    return hidden


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
