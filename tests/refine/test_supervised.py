"""What comes next, taught in the words of captions."""

from __future__ import annotations

from typing import Any

import pytest

from streamspike.belief.prompts import OBSERVE, PREDICT
from streamspike.engine.model import LoadedModel
from streamspike.refine.policy import Policy
from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings, teach
from streamspike.refine.training import TrainSettings, train
from tests.refine.test_rollout import BELIEF, CAPTIONS, make_example


def test_each_caption_is_the_answer_before_its_segment_with_the_monitor_s_window_and_memory() -> None:
    taught = list(teach(CAPTIONS, BELIEF, observe=False))
    assert [(start, asked.num_segments, asked.answers) for start, asked in taught] == [
        (0, 1, (CAPTIONS[1],)), (0, 2, (CAPTIONS[2],)), (0, 3, (CAPTIONS[3],)), (1, 3, (CAPTIONS[4],)),
    ]  # fmt: skip
    assert [asked.summary for _, asked in taught] == ["", "", "", CAPTIONS[0]]
    assert {asked.question for _, asked in taught} == {PREDICT}
    both = list(teach(("", *CAPTIONS[1:]), BELIEF, observe=True))
    assert [asked.question for _, asked in both] == [PREDICT, OBSERVE] * 4
    assert [asked.num_segments for _, asked in both[:2]] == [1, 2]


def test_two_steps_make_the_captions_likelier(learner_model: LoadedModel, tmp_path: Any) -> None:
    policy = Policy(learner_model)
    examples: Any = [make_example()]
    before = policy.choose(examples[0].segments[:1], "", PREDICT, [CAPTIONS[1]])
    learner = SupervisedLearner(policy, examples, BELIEF, SupervisedSettings(rows_per_pass=1), seed=0)
    lines: list[Any] = []
    settings = TrainSettings(steps=3, learning_rate=1e-2, warmup_share=0.0)
    train(learner, settings, tmp_path, lambda share, line, words: lines.append(line))
    assert lines[-1]["nats"] < lines[0]["nats"]
    assert policy.choose(examples[0].segments[:1], "", PREDICT, [CAPTIONS[1]]) > before
    with policy.reference():
        assert policy.choose(examples[0].segments[:1], "", PREDICT, [CAPTIONS[1]]) == pytest.approx(before)
