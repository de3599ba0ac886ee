"""The published procedure and the naive one: both score as the reference does, and do the work they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from streamspike.bench.speed.procedures import NaiveEngine, Procedure, PublishedEngine
from streamspike.core import Assessment
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import ReferenceEngine
from streamspike.errors import EngineError
from tests.bench.speed.conftest import TINY
from tests.support.requests import KEPT, SHORT, WINDOW, ask, assert_same, film

PROCEDURES: tuple[type[Procedure], ...] = (PublishedEngine, NaiveEngine)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_procedures_draw_and_score_what_the_reference_does(tiny: LoadedModel, procedure: type[Procedure]) -> None:
    for complete, verify in ((False, False), (True, True)):
        request = ask(film(6), 5, (), complete=complete, verify=verify)
        ours, reference = procedure(tiny).assess(request), ReferenceEngine(tiny).assess(request)
        assert ours.sampled and len(ours.scores) == SHORT.num_hypotheses + complete
        assert_same(ours, reference)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_given_hypotheses_are_scored_though_new_ones_are_drawn(
    tiny: LoadedModel, procedure: type[Procedure], towers: list[int]
) -> None:
    request = ask(film(6), 5)
    assessment = procedure(tiny).assess(request)
    assert [score.text for score in assessment.scores] == list(KEPT) and not assessment.sampled
    assert_same(assessment, ReferenceEngine(tiny).assess(request))
    towers.clear()
    procedure(tiny).assess(replace(request, hypotheses=()))
    drawn = len(towers)
    towers.clear()
    procedure(tiny).assess(request)
    assert len(towers) == drawn


@pytest.fixture
def towers(tiny: LoadedModel) -> Iterator[list[int]]:
    """Patches of each run of the vision tower."""
    runs: list[int] = []

    def count(module: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        runs.append(len(args[0] if args else kwargs["hidden_states"]))

    hook = tiny.model.model.visual.register_forward_pre_hook(count, with_kwargs=True)
    yield runs
    hook.remove()


def test_published_encodes_every_frame_for_every_token_and_naive_for_every_call(
    tiny: LoadedModel, towers: list[int]
) -> None:
    request = ask(film(6), 5, (), complete=False)
    height, width = request.observation[0].shape[:2]
    rows, columns = tiny.frames.patch_grid(tiny.frames.frame_size(height, width))
    before, after = WINDOW * rows * columns, (WINDOW + 1) * rows * columns
    hypotheses, tokens = SHORT.num_hypotheses, SHORT.max_hypothesis_tokens
    PublishedEngine(tiny).assess(request)
    assert towers == [after] + [before] * hypotheses * tokens + [before] * hypotheses + [after] * hypotheses
    towers.clear()
    NaiveEngine(tiny).assess(request)
    assert towers == [after, before, before, after], "caption, draws, prior, posterior"


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_without_a_window_there_is_only_a_caption(tiny: LoadedModel, procedure: type[Procedure]) -> None:
    assessment = procedure(tiny).assess(ask(film(1), 0))
    assert not assessment.scores and assessment.caption and set(assessment.stage_seconds) == {"caption"}


def test_a_model_that_fails_is_an_engine_error_in_its_place(
    models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = models[TINY[0]]
    real, asked = loaded.model.model.get_video_features, 0

    def fail_once(*args: object, **kwargs: object) -> object:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RuntimeError("out of memory")
        return real(*args, **kwargs)

    monkeypatch.setattr(loaded.model.model, "get_video_features", fail_once)
    broken, fine = NaiveEngine(loaded).assess_batch([ask(film(3), 2), ask(film(3), 2, camera_id="yard")])
    assert isinstance(broken, EngineError) and "segment 2 of door: out of memory" in str(broken)
    assert isinstance(fine, Assessment)
