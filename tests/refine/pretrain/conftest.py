"""Two simulated clips and a trainer with random weights, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from streamspike.refine.pretrain import sft
from streamspike.refine.pretrain.clips import Clip, make_clip
from streamspike.refine.pretrain.nano import CELLS, FRAME_PX
from streamspike.refine.pretrain.sft import Pretraining, Trainer

SHAPE = (9, FRAME_PX, CELLS, 24)
"""Segments, pixels a side, cells a side, words of memory: as `pretrain` asks for them."""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors lose time on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """One with scripted surprises, one without; both with a memory."""
    made = (make_clip(number, 3, *SHAPE) for number in range(1, 60))
    found: dict[bool, Clip] = {}
    while len(found) < 2:
        clip = next(made)
        if clip.summary:
            found.setdefault(bool(clip.scripted), clip)
    return [found[True], found[False]]


@pytest.fixture(scope="session")
def sentences(clips: list[Clip]) -> list[str]:
    """Enough of the world's to make a tokenizer from, in a moment."""
    return sorted({text for clip in clips for table in clip.alternatives for text, _ in table})[:60] + [
        text for clip in clips for text in clip.sentences
    ]


@pytest.fixture
def trainer(sentences: list[str], monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """In float32 on every machine, as what is compared with it."""
    monkeypatch.setattr(sft, "has_half_units", lambda: False)
    return Trainer(Pretraining(batch=2, fresh=1, minutes=1.0), sentences)
