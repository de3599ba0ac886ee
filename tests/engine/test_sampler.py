"""Words written on the device are the words written on the tree."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from streamspike.core import Assessment, Sampling
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from tests.support.requests import MakeEngine, ask, assert_same, film


@pytest.mark.slow
def test_cameras_that_sample_and_cameras_that_do_not_equal_the_reference(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    engine, reference = make_engine(tiny, write_on_device=True), ReferenceEngine(tiny)
    films = [film(9, seed) for seed in range(3)]
    for index in range(9):
        requests = [
            ask(segments, index, () if (index + number) % 3 else ("nothing changes",), f"camera{number}", complete=True)
            for number, segments in enumerate(films)
            if index % 4 != number
        ]
        for request, assessment in zip(requests, engine.assess_batch(requests), strict=True):
            assert isinstance(assessment, Assessment)
            assert_same(assessment, reference.assess(request))
        engine.check_integrity()


def test_answers_of_different_lengths_are_cut_off_where_each_must_be(
    tiny: LoadedModel, make_engine: MakeEngine
) -> None:
    engine, reference = make_engine(tiny, write_on_device=True), ReferenceEngine(tiny)
    request = replace(ask(film(4), 3, ()), sampling=Sampling(2, max_hypothesis_tokens=4, max_caption_tokens=11))
    assert_same(engine.assess(request), reference.assess(request))


def test_the_host_looks_at_the_words_once_and_not_after_each(
    tiny: LoadedModel, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, request = make_engine(tiny, write_on_device=True), ask(film(4), 3, ())
    looks = []
    for name in ("tolist", "item", "__bool__", "__int__", "cpu"):
        original = getattr(torch.Tensor, name)

        def look(self: torch.Tensor, *args: object, original: object = original, name: str = name) -> object:
            looks.append(name)
            return original(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(torch.Tensor, name, look)
    from streamspike.engine import sampler

    steps = []
    advance = sampler._Tape._advance

    def count(tape: sampler._Tape) -> None:
        before = len(looks)
        advance(tape)
        steps.append(len(looks) - before)

    monkeypatch.setattr(sampler._Tape, "_advance", count)
    engine.assess(request)
    assert len(steps) == request.sampling.max_caption_tokens and sum(steps) == 0
