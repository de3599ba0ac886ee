"""Requests as a camera with random pictures makes them, and what it means that two engines agree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamspike.core import Assessment, Pixels, Request, Sampling
from streamspike.engine.engine import IncrementalEngine

MakeEngine = Callable[..., IncrementalEngine]

KEPT = ("nothing changes", "a person walks in from the left", "the light goes out")
SUMMARIES = ("", "a car stops", "a car stops. Then, the light goes out")
SHORT = Sampling(num_hypotheses=3, max_hypothesis_tokens=6, max_caption_tokens=6)
WINDOW = 4


def film(count: int, seed: int = 0, height: int = 40, width: int = 64, num_frames: int = 2) -> list[tuple[Pixels, ...]]:
    generator = np.random.default_rng(seed)
    return [
        tuple(generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(num_frames))
        for _ in range(count)
    ]


def ask(
    segments: list[tuple[Pixels, ...]],
    index: int,
    hypotheses: tuple[str, ...] = KEPT,
    camera_id: str = "door",
    epoch: int = 0,
    seed: int | None = None,
    summary: str = "a car stops",
    complete: bool = False,
    verify: bool = False,
) -> Request:
    """The request for `segments[index]` with a window of up to WINDOW segments before it."""
    window = tuple(segments[max(0, index - WINDOW) : index])
    seed = index if seed is None else seed
    return Request(camera_id, epoch, index, window, segments[index], summary, hypotheses, SHORT, seed, complete, verify)


def assert_same(ours: Assessment, reference: Assessment) -> None:
    assert (ours.caption, ours.sampled, ours.joined) == (reference.caption, reference.sampled, reference.joined)
    assert [(s.text, s.num_tokens) for s in ours.scores] == [(s.text, s.num_tokens) for s in reference.scores]
    for one, other in zip(ours.scores, reference.scores, strict=True):
        assert one.log_prior == pytest.approx(other.log_prior, rel=0, abs=1e-4)
        assert one.log_posterior == pytest.approx(other.log_posterior, rel=0, abs=1e-4)
        if other.log_likelihood is None:
            assert one.log_likelihood is None
        else:
            assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=0, abs=1e-4)
