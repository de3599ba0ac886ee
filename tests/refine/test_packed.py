"""Packed rows say what the engine's slow reference says, and teach what separate rows teach."""

from __future__ import annotations

import pytest
import torch

from streamspike.belief.prompts import OBSERVE, PREDICT
from streamspike.engine.model import LoadedModel
from streamspike.refine.packed import Asked, LessonRow, PackedRows, answer_log_probs, portions
from streamspike.refine.policy import Policy
from tests.support.requests import film

FILM = tuple(film(4))
LONG = LessonRow(
    FILM,
    (
        Asked(3, "a car stops", PREDICT, ("a person walks in from the left", "a person walks out", "nothing changes")),
        Asked(3, "", PREDICT, ("nothing changes",)),
        Asked(4, "a car stops", OBSERVE, ("the light goes out", "")),
    ),
)
SHORT = LessonRow(FILM[1:3], (Asked(2, "", PREDICT, ("a person walks out", "a person walks out")),))


def stir(policy: Policy) -> None:
    """An adapter as it is after some training: its second half is no longer zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))


def gradient(policy: Policy) -> torch.Tensor:
    values = [parameter.grad for parameter in policy.parameters()]
    for parameter in policy.parameters():
        parameter.grad = None
    return torch.cat([value.flatten() for value in values if value is not None])


def test_log_probabilities_are_those_of_the_engine_s_reference(learner_model: LoadedModel) -> None:
    policy = Policy(learner_model)
    stir(policy)
    ours = answer_log_probs(learner_model, [LONG, SHORT])
    for row, scored in zip((LONG, SHORT), ours, strict=True):
        for asked, answers in zip(row.asked, scored, strict=True):
            seen = row.segments[: asked.num_segments]
            expected = policy.choose(seen, asked.summary, asked.question, asked.answers)
            assert [float(answer.sum().detach()) for answer in answers] == pytest.approx(expected, abs=1e-4)
            lengths = [len(learner_model.layout.tokenize(answer)) + 1 for answer in asked.answers]
            assert [len(answer) for answer in answers] == lengths


def test_gradients_are_those_of_one_row_for_each_answer(learner_model: LoadedModel) -> None:
    policy = Policy(learner_model)
    stir(policy)
    torch.cat([a.sum()[None] for row in answer_log_probs(learner_model, [LONG, SHORT]) for q in row for a in q]).mul(
        torch.tensor([1.0, -0.5, 0.3, 2.0, 0.7, -1.0, 0.4, 0.6])
    ).sum().backward()  # type: ignore[no-untyped-call]
    packed = gradient(policy)
    weights = iter([1.0, -0.5, 0.3, 2.0, 0.7, -1.0, 0.4, 0.6])
    for row in (LONG, SHORT):
        for asked in row.asked:
            for answer in asked.answers:
                alone = LessonRow(
                    row.segments[: asked.num_segments],
                    (Asked(asked.num_segments, asked.summary, asked.question, (answer,)),),
                )
                (((tokens,),),) = answer_log_probs(learner_model, [alone])
                (next(weights) * tokens.sum()).backward()
    separate = gradient(policy)
    assert packed.abs().max() > 0.1
    assert torch.allclose(packed, separate, atol=1e-5 * float(separate.abs().max()))


def test_checkpointing_costs_a_second_forward_and_changes_no_gradient(learner_model: LoadedModel) -> None:
    policy = Policy(learner_model)
    stir(policy)
    packed = PackedRows(learner_model, [LONG, SHORT])
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    hook = learner_model.model.model.language_model.layers[0].mlp.register_forward_pre_hook(count)
    gradients = []
    for checkpointing in (False, True):
        policy.checkpointing = checkpointing
        with policy.training():
            packed.log_probs().sum().backward()  # type: ignore[no-untyped-call]
        gradients.append(gradient(policy))
    hook.remove()
    assert passes == 3
    assert torch.equal(*gradients)
    assert not learner_model.model.training


def test_no_gradient_reaches_the_vision_tower_and_a_segment_is_encoded_once(nano: LoadedModel) -> None:
    encoded = []
    hook = nano.model.model.visual.register_forward_hook(lambda *_: encoded.append(torch.is_grad_enabled()))
    Policy(nano)
    for parameter in nano.model.model.visual.parameters():
        parameter.requires_grad_(True)
    answer_log_probs(nano, [LONG, SHORT, SHORT])[0][0][0].sum().backward()
    hook.remove()
    assert encoded == [False]
    assert all(parameter.grad is None for parameter in nano.model.model.visual.parameters())


def test_a_row_needs_questions_it_can_answer() -> None:
    with pytest.raises(ValueError, match="after 5 of 4"):
        LessonRow(FILM, (Asked(5, "", PREDICT, ("x",)),))
    with pytest.raises(ValueError, match="questions"):
        LessonRow(FILM, ())
    assert [len(part) for part in portions([LONG] * 5, 2)] == [2, 2, 1]
