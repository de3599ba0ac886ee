"""What the official wrappers say about a row: pixels in, logits out, nothing of ours in between."""

from __future__ import annotations

import numpy as np
import torch

from streamspike.belief.prompts import OBSERVE
from streamspike.core import Pixels
from streamspike.engine.forward import Row, encode_segments
from streamspike.engine.layout import Span, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.engine.vision import preprocess


def random_segments(count: int, seed: int = 0) -> list[tuple[Pixels, ...]]:
    generator = np.random.default_rng(seed)
    return [tuple(generator.integers(0, 256, (40, 64, 3), dtype=np.uint8) for _ in range(2)) for _ in range(count)]


def make_context(loaded: LoadedModel, segments: list[tuple[Pixels, ...]]) -> Row:
    size = loaded.frames.frame_size(40, 64)
    prefix = loaded.layout.prefix(*loaded.frames.token_grid(size), [k + 0.25 for k in range(len(segments))])
    question = loaded.layout.question(prefix.next_position, "a car stops", OBSERVE)
    features = encode_segments(loaded, segments, size)
    return Row(join_spans([prefix, question]), tuple(block for blocks in features for block in blocks))


def official_logits(
    loaded: LoadedModel, span: Span, segments: list[tuple[Pixels, ...]], infer_positions: bool = False
) -> torch.Tensor:
    """The whole row through the wrapper, pixels and all; (num_tokens, vocabulary)."""
    loaded.model.model.rope_deltas = None
    output = loaded.model(
        input_ids=torch.from_numpy(span.token_ids)[None],
        position_ids=None if infer_positions else torch.from_numpy(span.positions)[:, None],
        mm_token_type_ids=torch.from_numpy(2 * span.is_video.astype(np.int32))[None],
        pixel_values_videos=torch.cat([preprocess(frames, loaded.frames) for frames in segments]),
        video_grid_thw=torch.tensor([[1, 4, 6]] * len(segments)),
        use_cache=False,
    )
    logits: torch.Tensor = output.logits[0]
    return logits


def official_score(loaded: LoadedModel, context: Span, answer: Span, segments: list[tuple[Pixels, ...]]) -> float:
    """Teacher-forced log-probability, written again without sharing a line with the engine."""
    log_probs = torch.log_softmax(official_logits(loaded, join_spans([context, answer]), segments), dim=-1)
    return sum(float(log_probs[len(context) + k - 1, token]) for k, token in enumerate(answer.token_ids.tolist()))
