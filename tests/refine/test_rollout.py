"""Trajectories over a clip, and whose words are believed."""

from __future__ import annotations

import pytest
import torch

from streamspike.config import BeliefConfig
from streamspike.core import Pixels
from streamspike.engine.model import LoadedModel
from streamspike.refine import rollout
from streamspike.refine.examples import Example
from streamspike.refine.policy import Policy
from streamspike.refine.rollout import RolloutSettings, roll_out
from streamspike.refine.witness import Witness
from tests.refine.test_packed import stir
from tests.support.requests import film

BELIEF = BeliefConfig(num_hypotheses=3, window_segments=3, max_hypothesis_tokens=6, max_caption_tokens=6)
CAPTIONS = ("a car stops", "nothing changes", "the light goes out", "a person walks in", "a person walks out")


def make_example(number: int = 0, captions: tuple[str, ...] = CAPTIONS) -> Example:
    segments: list[tuple[Pixels, ...]] = film(5, seed=number)
    return Example(
        f"clip-{number}", "door", 0.0, 1.0, tuple(segments), captions, "a car stops; the light goes out", surprises=(2,)
    )


CLIP = make_example()


def test_trajectories_are_what_the_monitor_expects_and_differ_from_each_other(learner_model: LoadedModel) -> None:
    policy = Policy(learner_model)
    stir(policy)
    one, two = roll_out(policy, CLIP, BELIEF, RolloutSettings(2), seed=3, caption=True)
    assert [each.index for each in one.expectations] == [1, 2, 3, 4]
    assert [each.num_window for each in one.expectations] == [1, 2, 3, 3]
    assert one.expectations[3].summary == one.seen[0] and not one.expectations[2].summary
    for each in one.expectations:
        assert 1 <= len(each.hypotheses) <= 3 and sum(each.prior) == pytest.approx(1.0)
    assert one.surprise_nats[0] == 0.0 and one.surprise_nats[1:] == tuple(e.surprise_nats for e in one.expectations)
    assert one.expectations != two.expectations
    assert one.caption
    assert roll_out(policy, CLIP, BELIEF, RolloutSettings(2), seed=3, caption=True) == [one, two]


def test_a_model_is_asked_for_a_caption_only_if_it_has_words_for_it(
    nano: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(nano)
    (run,) = roll_out(policy, CLIP, BELIEF, RolloutSettings(1), seed=3, caption=True)
    assert run.caption and set(run.caption.split("; ")) <= set(run.seen)
    asked = []
    monkeypatch.setattr(rollout, "FEWEST_WORDS", 1)
    monkeypatch.setattr(policy, "write", lambda *words: asked.append(words) or ["all of it"])
    (run,) = roll_out(policy, CLIP, BELIEF, RolloutSettings(1, frame_budget=5), seed=3, caption=True)
    assert run.caption == "all of it"
    ((pairs, _, question, *_),) = asked
    assert "20 words" in question and 1 <= len(pairs) <= 3 and {len(pair) for pair in pairs} == {2}


def test_rolling_out_leaves_the_weights_bit_by_bit_as_they_were(nano: LoadedModel) -> None:
    policy = Policy(nano)
    stir(policy)
    before = {name: value.detach().clone() for name, value in nano.model.state_dict().items()}
    roll_out(policy, CLIP, BELIEF, RolloutSettings(1), seed=3, caption=False)
    assert all(torch.equal(value, before[name]) for name, value in nano.model.state_dict().items())


def test_a_witness_speaks_for_itself_only_where_nobody_else_did_and_never_for_the_policy(nano: LoadedModel) -> None:
    policy = Policy(nano)
    examples = [make_example(0), make_example(1, captions=()), make_example(2)]
    given = Witness(policy, examples, BELIEF, "given")  # type: ignore[arg-type]
    own = Witness(policy, examples, BELIEF, "own")  # type: ignore[arg-type]
    untrained = own.captions(1)
    stir(policy)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(20)
    assert given.captions(0) == CAPTIONS
    assert given.captions(1) == untrained and all(untrained)
    assert own.captions(0) != CAPTIONS
    assert given.elsewhere(1) == list(dict.fromkeys(CAPTIONS))
    assert set(untrained) <= set(given.elsewhere(0))
