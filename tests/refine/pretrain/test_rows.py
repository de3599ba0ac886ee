"""What is trained is what is served: the same tokens, the same positions, the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamspike.belief.prompts import NO, OBSERVE, PREDICT, YES, render_verify
from streamspike.config import ModelConfig
from streamspike.core import Request, Sampling
from streamspike.engine.layout import join_spans
from streamspike.engine.model import LoadedModel, load_model
from streamspike.engine.reference import ReferenceEngine
from streamspike.refine.pretrain.bins import attend_bins, plan_bins
from streamspike.refine.pretrain.clips import Clip
from streamspike.refine.pretrain.nano import build_model, build_tokenizer, save_model
from streamspike.refine.pretrain.rows import Branch, RowBuilder, conditionals, pack
from streamspike.refine.pretrain.sft import Trainer, cross_entropies, lose_contests

SIDE = 4


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> LoadedModel:
    """Random weights, saved as the trainer saves and loaded as the program loads."""
    folder = tmp_path_factory.mktemp("nano")
    tokenizer = build_tokenizer(sentences)
    save_model(build_model(tokenizer, seed=1), tokenizer, folder)
    return load_model(ModelConfig(name=str(folder), device="cpu", dtype="float32"))


@pytest.fixture
def rows(nano: LoadedModel) -> RowBuilder:
    return RowBuilder(nano.layout.tokenize, 9, SIDE, nano.tokenizer.pad_token_id)


@pytest.mark.parametrize("num_blocks", [1, 8, 9])
@pytest.mark.parametrize("summary", ["", "a car stops Then, a dog runs"])
def test_a_branch_has_the_tokens_and_positions_of_the_engine(
    rows: RowBuilder, nano: LoadedModel, num_blocks: int, summary: str
) -> None:
    batch = rows.build([[Branch(num_blocks, PREDICT, summary, "a car stops")]])
    prefix = nano.layout.prefix(SIDE, SIDE, [0.25 + k for k in range(num_blocks)])
    question = nano.layout.question(prefix.next_position, summary, PREDICT)
    answer = nano.layout.answer(question.next_position, "a car stops")
    served = join_spans([prefix, question, answer])
    whole = len(nano.layout.prefix(SIDE, SIDE, [0.25 + k for k in range(9)]))
    # The blocks the branch does not see stand between the ones it sees and its own text.
    told = np.flatnonzero(batch.owner[0].numpy() == 1)
    seen = np.r_[0 : len(prefix), told]
    assert told[0] == whole
    assert batch.ids[0, seen].tolist() == served.token_ids[:-1].tolist()  # the end token is only ever predicted
    assert batch.positions[:, 0, seen].tolist() == served.positions[:, :-1].tolist()
    assert batch.video[0, seen].tolist() == served.is_video[:-1].tolist()
    assert batch.tokens.tolist() == answer.token_ids.tolist() and set(batch.shares.tolist()) == {1.0}
    assert batch.columns.tolist() == list(range(whole + len(question) - 1, whole + len(question) - 1 + len(answer)))


def test_a_branch_sees_the_frames_up_to_its_time_and_itself_alone(rows: RowBuilder, nano: LoadedModel) -> None:
    layout = nano.layout
    branches = [Branch(2, PREDICT, "", "a car stops"), Branch(9, OBSERVE, "", "yes"), Branch(1, OBSERVE, "", "no")]
    batch = rows.build([branches, branches[:1]])
    plan = plan_bins(batch.owner, batch.visible, batch.prefix, batch.bin)
    num_bins = (batch.ids.shape[1] - batch.prefix) // batch.bin
    mask = plan.mask[:num_bins, 0].flatten(0, 1)  # of the first row: (bins * bin, prefix + bin)
    ends = [len(layout.prefix(SIDE, SIDE, [0.0] * n)) for n in range(10)]
    assert plan.prefix == ends[9]
    for k, branch in enumerate(branches, start=1):
        told = np.flatnonzero(batch.owner[0].numpy() == k) - batch.prefix
        length = len(layout.question(0, "", branch.question)) + len(layout.answer(0, branch.answer)) - 1
        assert len(told) == length and told[0] // batch.bin == told[-1] // batch.bin
        inside = told[0] % batch.bin
        expected = torch.zeros(length, mask.shape[1], dtype=torch.bool)
        expected[:, : ends[branch.num_blocks]] = True
        first = ends[9] + inside
        expected[:, first : first + length] = torch.ones(length, length, dtype=torch.bool).tril()
        assert torch.equal(mask[told], expected)
    assert plan.mask.any(dim=-1).all(), "a padded token that saw nothing would make the loss undefined"


def test_bins_attend_as_one_mask_over_the_whole_row_would(trainer: Trainer, clips: list[Clip]) -> None:
    rng = np.random.default_rng(0)
    batch = trainer.rows.build([trainer.examiner.ask(clip, rng) for clip in clips])
    order = torch.arange(batch.ids.shape[1])
    own, causal = batch.owner, order[:, None] >= order
    mask = (own[:, None] == 0) & (order < batch.visible[:, :, None])
    mask |= (own[:, :, None] == own[:, None]) & (own[:, :, None] != 0) & causal
    query, key, value = (
        torch.randn(2, 5, len(order), 32, generator=torch.manual_seed(k), requires_grad=True) for k in range(3)
    )
    plan = plan_bins(own, batch.visible, batch.prefix, batch.bin)
    real = (own >= 0)[..., None, None]
    answers = []
    for attention_mask in (plan, mask[:, None]):
        mixed, _ = attend_bins(torch.nn.Module(), query, key, value, attention_mask, scaling=0.3)
        told = mixed * real  # padding may differ: nobody reads it
        answers.append([told, *torch.autograd.grad(told.square().sum(), (query, key, value))])
    for binned, whole in zip(*answers, strict=True):
        torch.testing.assert_close(binned, whole, rtol=1e-4, atol=1e-4)


def test_texts_lie_in_bins_one_behind_the_other() -> None:
    lengths = [30, 40, 30, 64, 4, 20]
    places = pack(lengths, 64)
    assert places == [0, 64, 30, 128, 60, 104]


def test_rivals_weigh_nothing_but_in_their_contest(rows: RowBuilder, nano: LoadedModel) -> None:
    branches = [
        Branch(1, PREDICT, "", "yes"),
        Branch(2, OBSERVE, "", "a car stops", rivals=("no", "yes")),
        Branch(3, OBSERVE, "", "no", rivals=("yes",)),
    ]
    batch = rows.build([branches, branches])
    assert batch.contests.tolist() == [[1, 2, 3], [4, 5, -1], [7, 8, 9], [10, 11, -1]]
    weights = {number: set(batch.weights[batch.answers == number].tolist()) for number in range(6)}
    assert weights == {0: {1.0}, 1: {1.0}, 2: {0.0}, 3: {0.0}, 4: {1.0}, 5: {0.0}}
    losses = torch.rand(len(batch.rows), generator=torch.manual_seed(0)).double()
    nats = [float(losses[batch.answers == number].sum()) for number in range(12)]
    expected = []
    for right, *others in ((1, 2, 3), (4, 5), (7, 8, 9), (10, 11)):
        total = sum(np.exp(-nats[number]) for number in (right, *others))
        expected.append(nats[right] + np.log(total))
    assert lose_contests(losses, batch).tolist() == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("num_blocks", [1, 8])
def test_the_loss_of_a_branch_is_what_the_engine_says(
    trainer: Trainer, nano: LoadedModel, clips: list[Clip], sentences: list[str], num_blocks: int
) -> None:
    clip, answers = clips[0], (clips[0].sentences[0], "nobody is there at all")
    trainer.model.load_state_dict(nano.model.state_dict())
    trainer.model.eval()
    segments = [tuple(segment) for segment in clip.frames]
    window, observation = tuple(segments[:num_blocks]), segments[num_blocks]
    sampling = Sampling(max_caption_tokens=4)
    request = Request(
        "door", 0, num_blocks, window, observation, clip.summary, answers, sampling, 0, complete=False, verify=True
    )
    scores = ReferenceEngine(nano).assess(request).scores
    kinds = ((num_blocks, PREDICT), (num_blocks + 1, OBSERVE))
    branches = [Branch(count, question, clip.summary, score.text) for score in scores for count, question in kinds]
    for score in scores:
        branches += [Branch(num_blocks + 1, render_verify(score.text), clip.summary, word) for word in (YES, NO)]
    losses = []
    with torch.inference_mode():
        for branch in branches:  # beside others, as in training
            batch = trainer.rows.build([[Branch(3, OBSERVE, "", "yes"), branch]])
            per_token = trainer.losses([clip], batch)[0].double()
            losses.append(float(per_token[-len(trainer.encode(branch.answer)) - 1 :].sum()))
            first_token = float(per_token[-len(trainer.encode(branch.answer)) - 1])
            if branch.answer in (YES, NO):
                losses[-1] = first_token
    expected = [log for score in scores for log in (score.log_prior, score.log_posterior)]
    assert [-loss for loss in losses[: len(expected)]] == pytest.approx(expected, abs=1e-4)
    yes, no = np.array(losses[len(expected) :: 2]), np.array(losses[len(expected) + 1 :: 2])
    likelihood = -np.log1p(np.exp(yes - no))  # log P(yes) over yes and no
    assert likelihood.tolist() == pytest.approx([score.log_likelihood for score in scores], abs=1e-4)


def test_each_word_of_a_drawn_answer_is_learned_as_a_draw_among_all_that_could_stand_there(
    rows: RowBuilder, nano: LoadedModel
) -> None:
    table = (("a car stops", 0.6), ("a dog runs", 0.3), ("yes", 0.1))
    batch = rows.build([[Branch(1, PREDICT, "", "a dog runs", chances=table), Branch(2, OBSERVE, "", "a car stops")]])
    told = [nano.layout.tokenize(text) for text in ("a dog runs", "a car stops", "yes")]
    (a, dog, runs), (_, car, stops), (yes,) = told
    end = nano.layout.special.end
    logits = torch.randn(8, len(nano.tokenizer), generator=torch.manual_seed(0))
    nats = -torch.log_softmax(logits, dim=-1)
    expected = [
        0.9 * nats[0, a] + 0.1 * nats[0, yes],
        2 / 3 * nats[1, car] + 1 / 3 * nats[1, dog],
        nats[2, runs],
        nats[3, end],
        *nats[4:][torch.arange(4), [a, car, stops, end]],
    ]
    torch.testing.assert_close(cross_entropies(logits, batch), torch.stack(expected))


def test_what_could_follow_has_the_mean_of_what_is_drawn() -> None:
    """The gradient is that of the sentence's own cross-entropy, on average over draws."""
    table = [([1, 2, 0], 0.5), ([1, 3, 0], 0.2), ([1, 3, 4, 0], 0.2), ([5, 0], 0.1)]
    nats = torch.rand(4, 6, generator=torch.manual_seed(1)).tolist()  # of a model that only knows the place

    def spread(ids: list[int]) -> float:
        return sum(p * nats[k][token] for k, could in enumerate(conditionals(ids, table)) for token, p in could.items())

    plain = sum(chance * sum(nats[k][token] for k, token in enumerate(ids)) for ids, chance in table)
    assert sum(chance * spread(ids) for ids, chance in table) == pytest.approx(plain)
    assert conditionals([5, 0], []) == [{5: 1.0}, {0: 1.0}]
