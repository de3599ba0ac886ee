"""SPIKE-RL: the loss is TRL's where both mean the same, advantages are z-scores, and steps move the right things."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamspike.belief.prompts import OBSERVE, PREDICT
from streamspike.config import ModelConfig
from streamspike.engine.forward import embed, encode_segments, project
from streamspike.engine.layout import block_seconds, join_spans
from streamspike.engine.model import LoadedModel, load_model
from streamspike.errors import ConfigError
from streamspike.refine.appraisal import Appraisal, ask
from streamspike.refine.grpo import GrpoLearner, GrpoSettings, advantages, belief_shifts, credit, grpo_loss
from streamspike.refine.packed import Asked, LessonRow, PackedRows
from streamspike.refine.policy import Policy
from streamspike.refine.rewards.rewards import DEFAULT_REWARDS, Rewards
from streamspike.refine.rewards.similarity import NGramSimilarity
from streamspike.refine.rollout import RolloutSettings, roll_out
from streamspike.refine.training import TrainSettings, train
from tests.refine.test_packed import FILM, gradient, stir
from tests.refine.test_rollout import BELIEF, CLIP, make_example

SETS = (("nothing changes", "a person walks in from the left"), ("the light goes out",))
ROW = LessonRow(
    FILM, tuple(Asked(4, summary, PREDICT, texts) for summary, texts in zip(("", "a car"), SETS, strict=True))
)
ADVANTAGES = (1.5, -0.5, -1.0)


def make_learner(policy: Policy, rewards: str = DEFAULT_REWARDS, **settings: Any) -> GrpoLearner:
    examples: Any = [make_example(number) for number in range(2)]
    similarity = NGramSimilarity()
    made = GrpoSettings(rollout=RolloutSettings(2), **settings)
    return GrpoLearner(policy, examples, Rewards.parse(rewards, similarity), similarity, BELIEF, made, seed=1)


def test_two_steps_change_hypotheses_and_start_without_any_kl(learner_model: LoadedModel, tmp_path: Path) -> None:
    policy = Policy(learner_model)
    learner = make_learner(policy, per="hypothesis")
    seen = [value.clone() for value in learner_model.model.model.visual.state_dict().values()]
    before = policy.choose(FILM, "", PREDICT, SETS[0])
    lines: list[Any] = []
    settings = TrainSettings(steps=2, learning_rate=1e-2, warmup_share=0.0)
    train(learner, settings, tmp_path, lambda share, line, words: lines.append((line, words)))
    assert lines[0][0]["kl"] == 0.0 and lines[1][0]["kl"] > 0.0
    assert 0.0 < lines[0][0]["reward"] < 1.0 and "before" in lines[0][1]
    assert lines[0][0]["gradient"] > 0.0
    assert policy.choose(FILM, "", PREDICT, SETS[0]) != before
    assert all(map(torch.equal, seen, learner_model.model.model.visual.state_dict().values()))


@pytest.mark.parametrize("name", ["nano", "random:tiny-qwen3-vl"])
def test_in_bfloat16_and_with_checkpointing_it_learns_too(name: str, tmp_path: Path) -> None:
    """As large models are trained: the model in bfloat16 as it is loaded, the adapter in float32."""
    loaded = load_model(ModelConfig(name=name, device="cpu", dtype="bfloat16"))
    policy = Policy(loaded)
    policy.checkpointing = True
    before = policy.choose(FILM, "", PREDICT, SETS[0])
    lines: list[Any] = []
    settings = TrainSettings(steps=2, learning_rate=1e-2, warmup_share=0.0)
    train(make_learner(policy), settings, tmp_path, lambda share, line, words: lines.append(line))
    assert {weights.dtype for weights in loaded.model.model.visual.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in policy.parameters()} == {torch.float32}
    assert lines[0]["kl"] == 0.0 and lines[0]["gradient"] > 0.0
    assert policy.choose(FILM, "", PREDICT, SETS[0]) != before


def test_what_did_better_than_its_group_becomes_likelier(nano: LoadedModel) -> None:
    policy = Policy(nano)
    before = PackedRows(nano, [ROW])
    first = before.split(before.log_probs().detach())[0]
    values = before.log_probs()
    loss, _ = grpo_loss(values, values.detach(), torch.tensor(ADVANTAGES), before.lengths, 0.0, "hypothesis", 3)
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.grad is not None:
                parameter -= 1e-6 * parameter.grad
    after = before.split(before.log_probs().detach())[0]
    gains = [
        float(b.sum() - a.sum()) for old, new in zip(first, after, strict=True) for a, b in zip(old, new, strict=True)
    ]
    assert sum(advantage * gain for advantage, gain in zip(ADVANTAGES, gains, strict=True)) > 0


@pytest.mark.parametrize("model", ["random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl"])
def test_loss_and_gradients_are_those_of_trl_on_the_same_batch(model: str, tmp_path: Path) -> None:
    """TRL's own `_compute_loss` on a prepared batch, one plain row for each hypothesis; ours on one packed row."""
    loaded = load_model(ModelConfig(name=model, device="cpu", dtype="float32"))
    policy = Policy(loaded)
    stir(policy)
    packed = PackedRows(loaded, [ROW])
    with torch.no_grad(), policy.reference():
        reference = packed.log_probs()
    loss, kl = grpo_loss(packed.log_probs(), reference, torch.tensor(ADVANTAGES), packed.lengths, 0.5, "token", 3)
    loss.backward()  # type: ignore[no-untyped-call]
    ours = gradient(policy)

    trainer = _trl(policy, tmp_path)
    trainer.current_gradient_accumulation_steps = 1  # set by the step that is not taken here
    batch = _batch(loaded, packed.lengths, reference)
    theirs = trainer._compute_loss(policy._peft, batch)
    theirs.backward()
    expected = gradient(policy)
    assert float(loss.detach()) == pytest.approx(float(theirs.detach()), rel=1e-5)
    assert float(kl.mean()) > 0.0
    assert torch.allclose(ours, expected, atol=1e-5 * float(expected.abs().max()))


def _trl(policy: Policy, folder: Path) -> Any:
    """Their trainer, but for how the log-probabilities of a row come about: it knows images, and no frames of video."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    class Trainer(GRPOTrainer):  # type: ignore[misc]
        def _get_per_token_logps_and_entropies(self, model: Any, ids: Any, mask: Any, keep: int, **_: Any) -> Any:
            values = [_plain_log_probs(policy.loaded, summary, text) for summary, text in _texts()]
            padded = torch.nn.utils.rnn.pad_sequence(values, batch_first=True)
            assert padded.shape[1] == keep
            return padded, torch.zeros_like(padded), None

    config = GRPOConfig(
        output_dir=str(folder), beta=0.5, loss_type="grpo", use_cpu=True, report_to="none", num_generations=3,
        per_device_train_batch_size=3, bf16=False, use_bias_correction_kl=False,
    )  # fmt: skip
    return Trainer(
        model=policy._peft,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=config,
        train_dataset=Dataset.from_list([{"prompt": "x"}] * 3),
        processing_class=policy.loaded.tokenizer,
    )


def _texts() -> list[tuple[str, str]]:
    return [(asked.summary, text) for asked in ROW.asked for text in asked.answers]


def _batch(loaded: LoadedModel, lengths: list[int], reference: torch.Tensor) -> dict[str, torch.Tensor]:
    longest = max(lengths)
    mask = torch.tensor([[1] * length + [0] * (longest - length) for length in lengths])
    padded = torch.nn.utils.rnn.pad_sequence(list(torch.split(reference, lengths)), batch_first=True)
    return {
        "prompt_ids": torch.zeros(3, 1, dtype=torch.long), "prompt_mask": torch.ones(3, 1, dtype=torch.long),
        "completion_ids": torch.zeros(3, longest, dtype=torch.long), "completion_mask": mask,
        "advantages": torch.tensor(ADVANTAGES), "ref_per_token_logps": padded,
    }  # fmt: skip


def _plain_log_probs(loaded: LoadedModel, summary: str, text: str) -> torch.Tensor:
    """One hypothesis by the official forward: whole row, causal, no mask of ours."""
    frames, layout = loaded.frames, loaded.layout
    size = frames.frame_size(*FILM[0][0].shape[:2])
    times = block_seconds(len(FILM), 2, frames.temporal_patch, 1.0)
    prefix = layout.prefix(*frames.token_grid(size), times)
    question = layout.question(prefix.next_position, summary, PREDICT)
    answer = layout.answer(question.next_position, text)
    span = join_spans([prefix, question, answer])
    with torch.no_grad():
        blocks = [block for segment in encode_segments(loaded, FILM, size) for block in segment]
    hidden = embed(loaded, torch.from_numpy(span.token_ids)[None])
    video = torch.from_numpy(span.is_video)[None]
    hidden = hidden.masked_scatter(video[..., None], torch.cat([block.tokens for block in blocks]))
    extra: dict[str, Any] = {}
    if blocks[0].deepstack:
        levels = [torch.cat(level) for level in zip(*(block.deepstack for block in blocks), strict=True)]
        extra = {"visual_pos_masks": video, "deepstack_visual_embeds": levels}
    output = loaded.model.model.language_model(
        inputs_embeds=hidden, position_ids=torch.from_numpy(span.positions)[:, None], use_cache=False, **extra
    ).last_hidden_state[0]
    logits = torch.log_softmax(project(loaded, output[-len(answer) - 1 : -1]), dim=-1)
    return logits.gather(1, torch.from_numpy(answer.token_ids)[:, None])[:, 0]


def test_advantages_are_z_scores_with_a_floor() -> None:
    plain = GrpoSettings(least_spread=0.0)
    values = [0.2, 0.5, 0.8]
    assert advantages(values, plain) == pytest.approx(np.array([-1.0, 0.0, 1.0]), abs=1e-4)
    assert advantages([0.5, 0.5], plain).tolist() == [0.0, 0.0]
    assert advantages([0.5], plain).tolist() == [0.0]
    assert np.abs(advantages([0.500, 0.501], GrpoSettings(least_spread=0.05))).max() < 0.02
    assert advantages(values, GrpoSettings(scale="none")) == pytest.approx(np.array([-0.3, 0.0, 0.3]))


def test_credit_goes_to_runs_to_sets_or_to_sentences_in_the_order_of_what_is_asked(nano: LoadedModel) -> None:
    judged = Appraisal(
        totals=(0.2, 0.8),
        sets=((0.1, 0.9), (0.3, 0.9)),
        hypotheses=(((0.1, 0.3), (0.9,)), ((0.2,), (0.7, 0.8))),
        parts={},
    )
    low, high = -1 / np.sqrt(2), 1 / np.sqrt(2)
    settings = {per: GrpoSettings(per=per, least_spread=0.0) for per in ("trajectory", "segment", "hypothesis")}
    # moment 0: two of the first run, one of the second; moment 1: one, two
    assert credit(judged, settings["trajectory"]) == pytest.approx([low, low, high, low, high, high], abs=1e-4)
    assert credit(judged, settings["segment"]) == pytest.approx([low, low, high, 0, 0, 0], abs=1e-4)
    assert credit(judged, settings["hypothesis"]) == pytest.approx([-1, 1, 0, 1, -1, 0], abs=1e-4)
    runs = roll_out(Policy(nano), CLIP, BELIEF, RolloutSettings(2), seed=1, caption=False)
    asked = list(ask(runs))
    assert [start for start, _ in asked] == [0, 0, 0, 0, 0, 0, 1, 1]
    expected = [run.expectations[moment].hypotheses for moment in range(4) for run in runs]
    assert [each.answers for _, each in asked] == expected


def test_belief_shifts_are_the_gradient_of_the_surprise_within_the_set() -> None:
    """KL(q || p), p the softmax of the scores, downwards; torch differentiates what we have written down."""
    scores = torch.tensor([-1.0, -2.5, -0.3], dtype=torch.float64, requires_grad=True)
    after = torch.log_softmax(torch.tensor([-3.0, -1.0, -7.0], dtype=torch.float64), 0)
    surprise = (after.exp() * (after - torch.log_softmax(scores, 0))).sum()
    surprise.backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    prior = torch.softmax(scores.detach(), 0).tolist()
    for constant in (0.0, -900.0):  # what is all unlikely is compared all the same
        assert belief_shifts(prior, (after + constant).tolist()) == pytest.approx((-3 * scores.grad).numpy(), abs=1e-9)
    assert belief_shifts((1.0,), (-5.0,)) == [0.0], "one alone is neither more nor less believed than others"


def test_belief_is_credited_run_by_run_and_left_alone_where_a_person_was_surprised(nano: LoadedModel) -> None:
    policy = Policy(nano)
    learner = make_learner(policy)
    runs = roll_out(policy, CLIP, BELIEF, RolloutSettings(2), seed=1, caption=False)
    after = learner._appraiser.look_back(CLIP, runs, {})
    granted, values, words = learner._by_belief(0, CLIP, runs, {})
    expected = [
        value
        for moment in range(4)
        for place, run in enumerate(runs)
        for value in belief_shifts(run.expectations[moment].prior, after[place][moment])
    ]
    assert granted == pytest.approx(expected) and max(map(abs, granted)) > 1e-3
    assert 0.0 < values["foreseen"] <= 1.0 and "before" in words
    for moment, expectation in enumerate(runs[1].expectations):  # whoever packs the rows: these are its probabilities
        with policy.reference():
            alone = _scores(policy, CLIP, expectation, OBSERVE)
        assert after[1][moment] == pytest.approx(alone, abs=1e-3)
    assert set(learner._by_belief(0, replace(CLIP, verdict=1), runs, {})[0]) == {0.0}
    assert learner._by_belief(0, replace(CLIP, verdict=-1), runs, {})[0] == pytest.approx([2 * one for one in granted])


def test_the_credit_is_of_probabilities_whatever_surprise_is_served_with(nano: LoadedModel) -> None:
    """As published beliefs are of means over tokens; the gradient of whole sentences is another matter."""
    policy = Policy(nano)
    published = BELIEF.model_copy(update={"length_normalised": True, "tau": 0.5, "doubt": 0.01, "posterior": "verify"})
    examples: Any = [CLIP]
    similarity = NGramSimilarity()
    settings = GrpoSettings(rollout=RolloutSettings(1))
    learner = GrpoLearner(
        policy, examples, Rewards.parse(DEFAULT_REWARDS, similarity), similarity, published, settings, seed=1
    )
    (run,) = learner._roll(CLIP, settings.rollout, 1, learner._rolled)
    for each in run.expectations:
        alone = torch.softmax(torch.tensor(_scores(policy, CLIP, each, PREDICT)), 0).tolist()
        assert each.prior == pytest.approx(alone, abs=1e-3)


def test_what_was_seen_joins_in_ordinary_clips_and_where_a_person_said_routine(
    nano: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(nano)
    similarity = NGramSimilarity()
    rewards = Rewards.parse(DEFAULT_REWARDS, similarity)
    ordinary, surprise, called_routine = (False, 0), (True, 0), (True, -1)
    foreseen: dict[tuple[bool, int], list[bool]] = {ordinary: [], surprise: [], called_routine: []}
    for (surprising, verdict), found in foreseen.items():
        examples: Any = [replace(CLIP, surprising=surprising, verdict=verdict)]
        settings = GrpoSettings(rollout=RolloutSettings(1))
        learner = GrpoLearner(policy, examples, rewards, similarity, BELIEF, settings, seed=1)
        look_back = learner._appraiser.look_back

        def seen(example: Any, runs: Any, features: Any, found: Any = found, look_back: Any = look_back) -> Any:
            found += [run.seen[one.index] in one.hypotheses for run in runs for one in run.expectations]
            return look_back(example, runs, features)

        monkeypatch.setattr(learner._appraiser, "look_back", seen)
        learner.learn(0, lambda loss: loss.backward())  # type: ignore[no-untyped-call]
    assert all(foreseen[ordinary] + foreseen[called_routine]) and not all(foreseen[surprise])


def test_an_expectation_that_comes_true_again_and_again_is_expected(nano: LoadedModel, tmp_path: Path) -> None:
    """And the surprise within the sets of the very same clips falls: those with what was seen in them."""
    policy = Policy(nano)
    learner = make_learner(policy)
    values: list[float] = []
    settings = TrainSettings(steps=12, learning_rate=2e-3, warmup_share=0.0)
    before = [_within(policy, number) for number in range(2)]
    train(learner, settings, tmp_path, lambda share, line, words: values.append(line["kl"]))
    after = [_within(policy, number) for number in range(2)]
    assert values[0] == 0.0 < values[-1]
    assert sum(after) < sum(before)


def _within(policy: Policy, number: int) -> float:
    """Mean surprise of a clip within fixed sets: those that the reference draws."""
    clip = make_example(number)
    with policy.reference():
        (run,) = roll_out(policy, clip, BELIEF, RolloutSettings(1), seed=9, caption=False, join=True)
        sets = [(each, _scores(policy, clip, each, OBSERVE)) for each in run.expectations]
    found = []
    for each, after in sets:
        q = torch.softmax(torch.tensor(after), 0)
        p = torch.log_softmax(torch.tensor(_scores(policy, clip, each, PREDICT)), 0)
        found.append(float((q * (q.log() - p)).sum()))
    return float(np.mean(found))


def _scores(policy: Policy, clip: Any, each: Any, question: str) -> list[float]:
    end = each.index + int(question == OBSERVE)
    return policy.choose(clip.segments[each.index - each.num_window : end], each.summary, question, each.hypotheses)


def test_rewards_of_captions_are_given_to_whole_runs_only(nano: LoadedModel, tmp_path: Path) -> None:
    policy = Policy(nano)
    with pytest.raises(ConfigError, match="only be given per trajectory"):
        make_learner(policy, "rouge-l=1")
    learner = make_learner(policy, "rouge-l=1,hindsight=0.5", per="trajectory", normalise="sum")
    learnt = learner.learn(0, lambda loss: loss.backward())  # type: ignore[no-untyped-call]
    assert learnt.values["reward_rouge-l"] > 0.0
    examples: Any = [make_example(7)]
    measured = learner.measure(examples, learner.witness_of(examples))
    assert measured == learner.measure(examples, learner.witness_of(examples))
    assert set(measured) == {"held_out_reward", "held_out_diversity", "held_out_hit_at_1"}
