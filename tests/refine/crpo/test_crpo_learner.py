"""Dual-branch GRPO on a few clips: it learns, on every family; what it promises about groups and about resuming."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamspike.engine.model import LoadedModel
from streamspike.errors import DatasetError
from streamspike.refine.crpo.asking import choice_scores, pose, style_of
from streamspike.refine.crpo.counterfactual import BRANCHES
from streamspike.refine.crpo.learner import CrpoLearner, CrpoSettings, _Branch
from streamspike.refine.crpo.questions import ask_all
from streamspike.refine.crpo.scenes import Item
from streamspike.refine.examples import Example
from streamspike.refine.policy import AdapterSettings, Policy
from streamspike.refine.training import TrainSettings, train

SENTENCES = (
    "the room is quiet",
    "a person enters from the left",
    "on the left a person walks to the right",
    "a person leaves to the right",
)
ADAPTER = AdapterSettings(rank=4, alpha=8)


def make_items() -> list[Item]:
    """One question of some kinds, about frames with a square that goes to the right."""
    frames = []
    for k in range(2 * len(SENTENCES)):
        frame = np.full((32, 48, 3), 90, np.uint8)
        frame[12:20, 5 * k : 5 * k + 8] = 220
        frames.append(frame)
    segments = tuple(zip(frames[::2], frames[1::2], strict=True))
    example = Example("clip", "room", 0.0, 1.0, segments, SENTENCES, truth=SENTENCES)
    rng = np.random.default_rng(0)
    kinds: Any = ("direction", "reversible", "who")
    return [Item(example, ask_all(SENTENCES, (kind,), BRANCHES, rng)[0]) for kind in kinds]


def settings(**others: Any) -> CrpoSettings:
    return CrpoSettings(**{"questions": 3, "seed": 3, **others})


def both_right(loaded: LoadedModel, items: list[Item], style: Any) -> float:
    """Mean log-likelihood of the right answers among the choices: it moves before the first choice does."""
    total = 0.0
    for item, scores in zip(items, choice_scores(loaded, items, style), strict=True):
        for answer, branch in zip(item.question.answers, scores, strict=True):
            total += float(torch.log_softmax(torch.tensor(branch), 0)[answer])
    return total / len(items)


@pytest.mark.slow
@pytest.mark.parametrize(("style", "group"), [("sentences", 0), ("letters", 0), ("sentences", 16)])
def test_two_steps_make_right_answers_likelier_in_every_family(
    learner_model: LoadedModel, tmp_path: Path, style: Any, group: int
) -> None:
    policy, items = Policy(learner_model, ADAPTER), make_items()
    before = both_right(learner_model, items, style)
    learner = CrpoLearner(policy, items, settings(style=style, group=group, temperature=20.0, beta=0.0), {})
    lines: list[dict[str, Any]] = []
    how = TrainSettings(steps=2, learning_rate=3e-3, warmup_share=0.0)
    train(learner, how, tmp_path, lambda share, line, words: lines.append({**line, "words": words}))
    assert both_right(learner_model, items, style) > before
    assert lines[0]["kl"] == pytest.approx(0, abs=1e-6) and lines[1]["kl"] > 1e-6
    assert "; mirrored:" in lines[0]["words"] or "; reversed:" in lines[0]["words"]
    with policy.reference():
        assert both_right(learner_model, items, style) == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("labels", ["majority", "verify"])
def test_without_truth_the_reference_says_what_is_right_and_the_branch_follows(nano: LoadedModel, labels: Any) -> None:
    policy, items = Policy(nano, ADAPTER), make_items()
    learner = CrpoLearner(policy, items, settings(labels=labels), {})
    for place, item in enumerate(items):
        one, other = learner._pose(place).truths
        assert item.question.goes_with[one] == other
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.5)  # the policy is spoilt now; the reference is not
    again = CrpoLearner(policy, items, settings(labels=labels), {})
    assert [again._pose(place).truths for place in range(3)] == [learner._pose(place).truths for place in range(3)]


def test_a_group_that_agrees_teaches_nothing_but_to_stay(nano: LoadedModel) -> None:
    """Nobody in it is better than another; with beta 0 there is no gradient at all."""
    policy = Policy(nano, ADAPTER)
    learner = CrpoLearner(policy, make_items(), settings(group=4, temperature=1e-3, beta=0.0), {})
    losses: list[float] = []
    learner.learn(0, lambda loss: losses.append(float(loss.detach())))
    assert losses == pytest.approx([0.0] * 3)


def test_the_expected_reward_is_what_drawing_would_earn_and_who_is_sure_and_wrong_learns(nano: LoadedModel) -> None:
    policy, items = Policy(nano, ADAPTER), make_items()
    learner = CrpoLearner(policy, items, settings(beta=0.0), {})
    losses: list[float] = []
    learnt = learner.learn(0, lambda loss: losses.append(float(loss.detach())))
    expected = []
    for item, scores in zip(items, choice_scores(nano, items, "sentences"), strict=True):
        pi = [torch.softmax(torch.tensor(branch), 0).tolist() for branch in scores]
        pairs = [(a, b, pi[0][a] * pi[1][b]) for a in range(len(pi[0])) for b in range(len(pi[1]))]
        for side in (0, 1):
            right = pi[side][item.question.answers[side]]
            related = sum(chance for a, b, chance in pairs if item.question.goes_with[a] == b)
            expected.append((right + related) / 2)
    assert learnt.values["reward"] == pytest.approx(np.mean(expected), abs=1e-4)
    assert sum(losses) == pytest.approx(-np.mean(np.log(np.array(expected) + 1e-4)), abs=1e-3)
    sure = torch.tensor([0.0, -20.0], requires_grad=True)
    branch = _Branch(torch.log_softmax(sure, 0), torch.zeros(2), [0, 1])
    branch.loss([0.0, 1.0], 0.0).backward()  # type: ignore[no-untyped-call]
    assert sure.grad is not None and sure.grad[1] < 0, (
        "the right answer becomes likelier, however little it was believed"
    )


def test_choices_are_weighed_as_the_policy_would_weigh_them_one_by_one(nano: LoadedModel) -> None:
    item = make_items()[0]
    (scores,) = choice_scores(nano, [item], "sentences")
    view, segments = item.question.original, item.example.segments
    row = pose(segments, item.question.text, view, "sentences")
    alone = Policy(nano, ADAPTER).choose(
        row.segments, "", row.asked[0].question, [claims[0].sentence for claims in view.claims]
    )
    assert scores[0] == pytest.approx(alone, abs=1e-3)
    assert style_of(nano) == "sentences"


@pytest.mark.slow
def test_a_run_that_is_continued_ends_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    from streamspike.config import ModelConfig
    from streamspike.engine.model import load_model

    def run(folder: Path, stop_after: int) -> bytes:
        policy = Policy(load_model(ModelConfig(name="random:tiny-qwen3-vl", device="cpu", threads=1)), ADAPTER)
        steps = [0]

        def pause() -> bool:
            steps[0] += 1
            return steps[0] > stop_after

        learner = CrpoLearner(policy, make_items(), settings(), {})
        train(learner, TrainSettings(steps=4, save_every=1), folder, lambda *_: None, should_pause=pause)
        weights = folder / "adapter" / "adapter_model.safetensors"
        return weights.read_bytes() if weights.exists() else b""

    assert run(tmp_path / "stopped", 2) == b""
    shutil.copytree(tmp_path / "stopped", tmp_path / "copy")
    assert run(tmp_path / "copy", 9) == run(tmp_path / "whole", 9) != b""
    curves = [(tmp_path / name / "curve.jsonl").read_text().splitlines() for name in ("copy", "whole")]
    copied, whole = ([json.loads(line)["loss"] for line in lines] for lines in curves)
    assert copied == whole and len(whole) == 4


def test_nothing_to_ask_is_said(nano: LoadedModel) -> None:
    with pytest.raises(DatasetError, match="nothing to ask"):
        CrpoLearner(Policy(nano, ADAPTER), [], settings(), {})
