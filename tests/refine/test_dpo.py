"""Direct preference optimisation: the loss is TRL's on the same batch, and the reference is the adapter off."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from streamspike.belief.prompts import OBSERVE
from streamspike.engine.forward import Row, encode_segments, project, run_rows
from streamspike.engine.layout import block_seconds, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.errors import ConfigError, DatasetError
from streamspike.refine.dpo import DpoLearner, DpoSettings, Preference, held_kl
from streamspike.refine.examples import Example
from streamspike.refine.packed import Asked, LessonRow, PackedRows, answer_log_probs
from streamspike.refine.policy import AdapterSettings, Policy
from streamspike.refine.training import TrainSettings, train
from tests.refine.test_rollout import make_example
from tests.support.checkpoints import tiny_tokenizer

PREFERENCES = (
    Preference(
        0, 0, 2, "What just happened? Answer in one short sentence.", "a person falls", "a car drives away fast"
    ),
    Preference(1, 1, 2, "Is this what just happened: a dog runs? Answer yes or no.", "no", "yes"),
)
BETA = 0.3


def make_policy(loaded: LoadedModel) -> Policy:
    """With an adapter that has learned something already."""
    policy = Policy(loaded, AdapterSettings(rank=2, alpha=4))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.07 * torch.randn(parameter.shape, generator=generator))
    return policy


def make_learner(policy: Policy, settings: DpoSettings) -> DpoLearner:
    examples: Any = [make_example(number) for number in range(2)]
    return DpoLearner(policy, examples, PREFERENCES, settings, seed=1)


def gradients(policy: Policy) -> list[Tensor]:
    found = [parameter.grad for parameter in policy.parameters()]
    assert all(gradient is not None for gradient in found)
    return [gradient.clone() for gradient in found if gradient is not None]


class RowByRow(torch.nn.Module):
    """What TRL calls: a causal model with a fused head. Every answer is a row of its own, by the official forward."""

    def __init__(self, loaded: LoadedModel, examples: list[Example]) -> None:
        super().__init__()
        self.loaded = loaded
        answers = [pair.preferred for pair in PREFERENCES] + [pair.dispreferred for pair in PREFERENCES]
        pairs = zip([*PREFERENCES, *PREFERENCES], answers, strict=True)
        self.rows, self.masks = zip(
            *(self.lay(pair, examples[pair.example], text) for pair, text in pairs), strict=True
        )

    def lay(self, pair: Preference, example: Example, answer: str) -> tuple[Row, list[int]]:
        frames, layout = self.loaded.frames, self.loaded.layout
        segments = example.segments[pair.start : pair.start + pair.num_segments]
        size = frames.frame_size(*segments[0][0].shape[:2])
        with torch.no_grad():
            blocks = [block for encoded in encode_segments(self.loaded, segments, size) for block in encoded]
        times = block_seconds(len(segments), len(segments[0]), frames.temporal_patch, example.segment_seconds)
        prefix = layout.prefix(*frames.token_grid(size), times)
        question = layout.question(prefix.next_position, pair.summary, pair.question)
        said = layout.answer(question.next_position, answer)
        mask = [0] * (len(prefix) + len(question)) + [1] * len(said)
        return Row(join_spans([prefix, question, said]), tuple(blocks)), mask

    def batch(self) -> dict[str, Tensor]:
        longest = max(len(mask) for mask in self.masks)
        ids = torch.zeros((len(self.rows), longest), dtype=torch.long)
        seen, mask = torch.zeros_like(ids), torch.zeros_like(ids)
        for number, (row, completion) in enumerate(zip(self.rows, self.masks, strict=True)):
            ids[number, : len(completion)] = torch.from_numpy(row.span.token_ids)
            seen[number, : len(completion)] = 1
            mask[number, : len(completion)] = torch.tensor(completion)
        return {"input_ids": ids, "attention_mask": seen, "completion_mask": mask}

    def forward(self, input_ids: Tensor, labels: Tensor, **_: Any) -> Any:
        logits = project(self.loaded, run_rows(self.loaded, self.rows))[:, :-1]
        targets = input_ids[:, 1:]
        chosen = torch.log_softmax(logits, dim=-1).gather(2, targets[..., None])[..., 0]
        nothing = torch.zeros_like(chosen)
        kept = torch.where(labels[:, 1:] == -100, nothing, chosen)
        return SimpleNamespace(log_probs=kept, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool())


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """TRL's, around a model that is never asked. The reference's log-probabilities come with the batch."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl import DPOConfig, DPOTrainer

    tokenizer = tiny_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1,
    )  # fmt: skip
    data = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])
    folder = tmp_path_factory.mktemp("trl")
    arguments = DPOConfig(output_dir=str(folder), beta=BETA, use_cpu=True, report_to=[], disable_tqdm=True, bf16=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL's own
        made = DPOTrainer(
            Qwen2ForCausalLM(config), args=arguments, train_dataset=data, processing_class=tokenizer,
            peft_config=LoraConfig(r=1, target_modules=["q_proj"]),
        )  # fmt: skip
    made.precompute_ref_logps = True
    return made


def test_loss_and_gradients_are_those_of_trl(learner_model: LoadedModel, trainer: Any) -> None:
    policy = make_policy(learner_model)
    learner = make_learner(policy, DpoSettings(beta=BETA, pairs=2, rows_per_pass=1))
    losses: list[float] = []

    def backward(loss: Tensor) -> None:
        losses.append(float(loss.detach()))
        loss.backward()  # type: ignore[no-untyped-call]

    learner.learn(0, backward)
    ours = gradients(policy)
    for parameter in policy.parameters():
        parameter.grad = None

    model = RowByRow(learner_model, [make_example(number) for number in range(2)])
    inputs = model.batch()
    labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
    with torch.no_grad(), policy.reference():
        reference = model(inputs["input_ids"], labels).log_probs.sum(dim=1)
    inputs["ref_chosen_logps"], inputs["ref_rejected_logps"] = reference.chunk(2)
    loss = trainer._compute_loss(model, inputs, False)
    loss.backward()

    assert abs(float(loss.detach()) - math.log(2)) > 1e-3, "the adapter changes what is preferred"
    assert sum(losses) == pytest.approx(float(loss.detach()), rel=1e-5, abs=1e-5)
    largest = max(float(gradient.abs().max()) for gradient in ours)
    for one, other in zip(ours, gradients(policy), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-4 * largest)


def test_a_new_adapter_prefers_nothing(nano: LoadedModel) -> None:
    """pi = ref: the loss is ln 2 and no margin is anything but 0."""
    losses: list[float] = []
    learner = make_learner(Policy(nano, AdapterSettings(rank=2, alpha=4)), DpoSettings(beta=BETA, pairs=2))
    learnt = learner.learn(0, lambda loss: losses.append(float(loss.detach())))
    assert sum(losses) == pytest.approx(math.log(2), abs=1e-6)
    assert learnt.values["margin_nats"] == pytest.approx(0, abs=1e-6) and learnt.values["right"] == 0


@pytest.mark.parametrize("anchor", [0.0, 1.0])
def test_what_is_preferred_becomes_likelier_than_what_is_not(nano: LoadedModel, tmp_path: Path, anchor: float) -> None:
    policy = Policy(nano, AdapterSettings(rank=2, alpha=4))
    learner = make_learner(policy, DpoSettings(beta=BETA, anchor=anchor, pairs=2))
    lines: list[dict[str, Any]] = []
    settings = TrainSettings(steps=6, learning_rate=5e-3, save_every=6)
    assert train(learner, settings, tmp_path, lambda _, line, __: lines.append(dict(line)))
    assert lines[0]["right"] == 0 and lines[-1]["right"] == 1
    assert lines[-1]["margin_nats"] > 1
    if anchor:
        assert lines[-1]["preferred_nats"] > 0.5, "its own likelihood grows, not only the distance"


@pytest.mark.parametrize("hold", [0.0, 10.0])
def test_what_is_held_stays_while_preferences_are_learned(nano: LoadedModel, tmp_path: Path, hold: float) -> None:
    held = ("a person falls", "a car drives away fast", "nobody is there")
    examples: Any = [make_example(0)]
    preference = Preference(
        0, 0, 2, "Is this what just happened: a dog runs? Answer yes or no.", "no", "yes", held=held
    )
    policy = Policy(nano, AdapterSettings(rank=2, alpha=4))
    learner = DpoLearner(policy, examples, [preference], DpoSettings(beta=BETA, hold=hold, pairs=1), seed=1)
    row = LessonRow(tuple(examples[0].segments[:2]), (Asked(2, "", OBSERVE, held),), examples[0].segment_seconds)

    def held_nats() -> Tensor:
        with torch.no_grad():
            [[answers]] = answer_log_probs(nano, [row])
        return torch.stack([tokens.sum() for tokens in answers])

    before = held_nats()
    lines: list[dict[str, Any]] = []
    settings = TrainSettings(steps=12, learning_rate=5e-3, save_every=12)
    assert train(learner, settings, tmp_path, lambda _, line, __: lines.append(dict(line)))
    change = float((held_nats() - before).abs().max())
    assert lines[-1]["margin_nats"] > 0.5
    assert change < 0.8 if hold else change > 1.6


def test_the_price_of_held_answers_is_a_divergence(nano: LoadedModel) -> None:
    example = make_example(0)
    pair = Asked(2, "", OBSERVE, ("yes", "no"))
    held = Asked(2, "", OBSERVE, ("a person falls",))
    rows = [LessonRow(tuple(example.segments[:2]), asked) for asked in ((pair, held), (pair,))]
    packed = PackedRows(nano, rows)
    with torch.no_grad():
        reference = packed.log_probs()
    assert held_kl(packed, reference, reference).tolist() == [0.0, 0.0]
    change = torch.linspace(-1, 1, len(reference))
    of_held = [answer for [_, *others] in packed.split(change) for [answer] in others]
    expected = float(torch.cat(of_held).apply_(lambda d: math.exp(d) - 1 - d).mean())
    assert held_kl(packed, reference + change, reference).tolist() == pytest.approx([expected, 0.0], rel=1e-4)


def test_nothing_to_prefer_is_an_error(nano: LoadedModel) -> None:
    with pytest.raises(DatasetError, match="no pair"):
        DpoLearner(Policy(nano), [make_example(0)], [], DpoSettings(), seed=0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="beta is positive"):
        DpoSettings(beta=0)
