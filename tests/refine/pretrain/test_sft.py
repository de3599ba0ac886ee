"""Training: asks what it should, goes on where it was killed, and exports what the official class loads."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from streamspike.cli import main
from streamspike.config import ModelConfig
from streamspike.engine.model import load_model
from streamspike.errors import ModelError
from streamspike.refine.pretrain import nano, sft, vision
from streamspike.refine.pretrain.clips import Clip
from streamspike.refine.pretrain.growth import VISION, grow
from streamspike.refine.pretrain.sft import Pretraining, Trainer, evaluate, pretrain
from streamspike.refine.pretrain.vision import VisionRunner, patchify
from tests.support.checkpoints import save_checkpoint


def state_of(trainer: Trainer) -> dict[str, Any]:
    momenta = [optimizer.state_dict()["state"] for optimizer in trainer.optimizers]
    return {"model": trainer.model.state_dict(), "head": trainer.head.state_dict(), "momenta": dict(enumerate(momenta))}


def flatten(tree: Any) -> Iterator[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, dict):
        for key in tree:
            yield from flatten(tree[key])


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    trainer: Trainer, clips: list[Clip], sentences: list[str], tmp_path: Path
) -> None:
    first = trainer.step(clips)
    assert all(np.isfinite(list(first.values()))) and {"next", "caption", "verify", "contest", "dense", "rate"} <= set(
        first
    )
    trainer.save(tmp_path)
    resumed = Trainer(trainer.settings, sentences)
    assert not resumed.load(tmp_path / "nothing")
    assert resumed.load(tmp_path)
    assert (resumed.steps, resumed.clips, resumed.seconds) == (1, 2, trainer.seconds)
    before = list(zip(flatten(state_of(trainer)), flatten(state_of(resumed)), strict=True))
    assert len(before) > 100 and all(torch.equal(a, b) for a, b in before)
    # The rate follows the clock; make it the same for both.
    trainer.settings = resumed.settings = replace(trainer.settings, minutes=1e6)
    losses = [each.step(clips) for each in (trainer, resumed)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    after = zip(flatten(state_of(trainer)), flatten(state_of(resumed)), strict=True)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in after)


def test_the_rate_warms_up_stays_and_falls_with_the_clock(trainer: Trainer) -> None:
    trainer.settings = replace(trainer.settings, minutes=10.0, peak_rate=2.0)
    rates = []
    for trainer.steps, trainer.seconds in ((0, 0.0), (49, 1.0), (99, 2.0), (999, 360.0), (1499, 480.0), (1999, 600.0)):
        rates.append(trainer.rate)
    assert rates == pytest.approx([0.02, 1.0, 2.0, 2.0, 1.0, 0.04])


@pytest.mark.slow
def test_other_sentences_are_not_mixed_up(trainer: Trainer, sentences: list[str], tmp_path: Path) -> None:
    trainer.save(tmp_path)
    with pytest.raises(ModelError, match="other sentences"):
        Trainer(trainer.settings, [*sentences, "a whale jumps"]).load(tmp_path)


def test_a_share_of_a_start_that_was_not_kept_is_refused(
    trainer: Trainer, sentences: list[str], tmp_path: Path
) -> None:
    """And a checkpoint of a version that kept none is continued as it was."""
    trainer.save(tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["start"]
    torch.save(state, tmp_path / "checkpoint.pt")
    assert Trainer(trainer.settings, sentences).load(tmp_path)
    with pytest.raises(ModelError, match="begun without --keep"):
        Trainer(replace(trainer.settings, start="nano", keep=0.5), sentences).load(tmp_path)


@pytest.mark.slow
def test_training_on_one_clip_learns_it(trainer: Trainer, clips: list[Clip]) -> None:
    trainer.settings = replace(trainer.settings, peak_rate=0.3, minutes=1e6)  # of which warming up leaves some percent
    values = [trainer.step(clips[:1]) for _ in range(8)]
    assert values[-1]["next"] < 0.9 * values[0]["next"] and values[-1]["dense"] < values[0]["dense"]


class ReadyFeed:
    """Implements `ClipFeed` without processes: the same clips again and again."""

    ready_made: Sequence[Clip] = ()
    firsts: list[int] = []  # noqa: RUF012  shared on purpose: the test reads it

    def __init__(self, seed: int, first: int, *_: int) -> None:
        self.firsts.append(first)
        self._clips = itertools.cycle(self.ready_made)

    def __enter__(self) -> ReadyFeed:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def take(self) -> Clip:
        return next(self._clips)


@pytest.mark.slow
def test_a_run_trains_is_resumed_and_exports_what_the_official_class_loads(
    monkeypatch: pytest.MonkeyPatch, clips: list[Clip], sentences: list[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sft, "ClipFeed", ReadyFeed)
    monkeypatch.setattr(ReadyFeed, "ready_made", clips)
    monkeypatch.setattr(ReadyFeed, "firsts", [])
    monkeypatch.setattr("streamspike.world.sentences.all_sentences", lambda: sentences)
    monkeypatch.setattr(sft, "evaluate", lambda trainer, held_out: evaluate(trainer, held_out[:2]))
    settings = Pretraining(minutes=1e-6, batch=2, fresh=1)
    reports: list[dict[str, Any]] = []
    folder = pretrain(settings, tmp_path / "run", reports.append)
    assert folder == tmp_path / "run" / "model" and reports[-1]["steps"] == 1
    spent = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["seconds"]
    pretrain(replace(settings, minutes=spent / 60 + 1e-6), tmp_path / "run", reports.append)
    assert reports[-1]["steps"] == 2 and ReadyFeed.firsts == [0, 0, 0, 1], "clips go on where they stopped"
    curve = [json.loads(line) for line in (tmp_path / "run" / "curve.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in curve] == [1, 2] and all(np.isfinite(line["held_out_next"]) for line in curve)
    assert not list((tmp_path / "run").glob("*.new")), "nothing half-written stays"

    model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor.to(torch.bfloat16), saved[name].to(torch.bfloat16)), name
    loaded = load_model(ModelConfig(name=str(folder), device="cpu"))
    assert (loaded.frames.width_px, loaded.frames.height_px, loaded.family) == (
        nano.FRAME_PX,
        nano.FRAME_PX,
        "qwen2_5_vl",
    )
    assert not [path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".py")]


def test_a_run_may_start_from_a_trained_model(trainer: Trainer, sentences: list[str], tmp_path: Path) -> None:
    trainer.save(tmp_path)
    other = Trainer(Pretraining(batch=2, fresh=1, minutes=1.0, seed=5), sentences)
    other.start_from(str(tmp_path / "model"))
    for (name, mine), theirs in zip(other.model.named_parameters(), trainer.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-3, msg=f"{name} was not taken over")  # bfloat16


def test_what_is_handed_out_keeps_a_share_of_the_start(
    trainer: Trainer, clips: list[Clip], sentences: list[str], tmp_path: Path
) -> None:
    trainer.save(tmp_path / "start")
    start = str(tmp_path / "start" / "model")
    settings = replace(trainer.settings, minutes=1e6, peak_rate=0.3, seed=5, start=start, keep=0.25)
    other = Trainer(settings, sentences)
    other.start_from(start)
    began = {name: weights.clone() for name, weights in other.model.state_dict().items()}
    other.step(clips)
    trained = {name: weights.clone() for name, weights in other.model.state_dict().items()}
    other.save(tmp_path / "run")
    with other.handed_out():
        for name, weights in other.model.state_dict().items():
            torch.testing.assert_close(weights, 0.25 * began[name] + 0.75 * trained[name])
    assert all(torch.equal(weights, trained[name]) for name, weights in other.model.state_dict().items())
    assert any(not torch.equal(weights, began[name]) for name, weights in trained.items())

    exported = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path / "run" / "model").state_dict()
    resumed = Trainer(settings, sentences)
    shutil.rmtree(tmp_path / "start")
    assert resumed.load(tmp_path / "run"), "without the model that it started from"
    assert all(torch.equal(weights, trained[name]) for name, weights in resumed.model.state_dict().items())
    with resumed.handed_out():
        for name, weights in resumed.model.state_dict().items():
            assert torch.equal(weights.to(torch.bfloat16), exported[name].to(torch.bfloat16)), name


def test_what_is_handed_out_is_the_mean_of_the_path_which_outlives_a_kill(
    trainer: Trainer, clips: list[Clip], sentences: list[str], tmp_path: Path
) -> None:
    """Step t weighs t, so the mean of three is (1 w1 + 2 w2 + 3 w3) / 6. A run from nothing hands out its end."""
    trainer.settings = replace(trainer.settings, minutes=1e6, peak_rate=0.3, start="nano")
    path = []
    for _ in range(3):
        trainer.step(clips[:1])
        path.append({name: weights.clone() for name, weights in trainer.model.state_dict().items()})
        if len(path) == 2:
            trainer.save(tmp_path)
            resumed = Trainer(trainer.settings, sentences)
            assert resumed.load(tmp_path)
    resumed.step(clips[:1])
    with trainer.handed_out(), resumed.handed_out():
        moved = 0
        for name, weights in trainer.model.state_dict().items():
            expected = sum(number * weights[name] for number, weights in enumerate(path, 1)) / 6
            torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(resumed.model.state_dict()[name], expected, rtol=1e-3, atol=1e-4)
            moved += not torch.allclose(weights, path[-1][name], rtol=1e-4, atol=1e-6)
    assert moved > 50, "it is not where the path ends"
    trainer.settings = replace(trainer.settings, start=None)
    with trainer.handed_out():
        assert all(torch.equal(weights, path[-1][name]) for name, weights in trainer.model.state_dict().items())


def test_words_that_are_new_begin_anew_and_the_others_keep_what_they_mean(
    trainer: Trainer, sentences: list[str], tmp_path: Path
) -> None:
    trainer.save(tmp_path)
    other = Trainer(Pretraining(batch=2, fresh=1, minutes=1.0), ["an ostrich escapes", *sentences])
    before = other.model.get_input_embeddings().weight.detach().clone()
    other.start_from(str(tmp_path / "model"))
    learned, words = trainer.model.get_input_embeddings().weight, other.tokenizer.get_vocab()
    after = other.model.get_input_embeddings().weight
    known = trainer.tokenizer.get_vocab()
    assert set(words) - set(known), "ostrich is new"
    for word, row in words.items():
        expected = learned[known[word]].bfloat16().float() if word in known else before[row]
        assert torch.equal(after[row], expected), word
    assert torch.equal(other.model.lm_head.weight, after), "they are tied"


def test_a_checkpoint_of_fewer_blocks_is_no_one_to_continue_but_to_start_from(
    trainer: Trainer, sentences: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.save(tmp_path)
    monkeypatch.setattr(nano, "VISION_BLOCKS", nano.VISION_BLOCKS + 1)
    deeper = Trainer(trainer.settings, sentences)
    with pytest.raises(ModelError, match="another shape"):
        deeper.load(tmp_path)
    deeper.start_from(str(tmp_path / "model"))


def test_blocks_that_are_new_change_nothing_until_they_learn(
    trainer: Trainer, clips: list[Clip], sentences: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.save(tmp_path)
    depth = nano.VISION_BLOCKS
    monkeypatch.setattr(nano, "VISION_BLOCKS", depth + 2)
    deeper = Trainer(replace(trainer.settings, minutes=1e6, seed=5), sentences)
    deeper.start_from(str(tmp_path / "model"))
    assert deeper.model.config.vision_config.depth == len(deeper.model.model.visual.blocks) == depth + 2
    monkeypatch.setattr(nano, "VISION_BLOCKS", depth)
    shallow = Trainer(trainer.settings, sentences)
    shallow.start_from(str(tmp_path / "model"))
    assert evaluate(deeper, clips) == pytest.approx(evaluate(shallow, clips), rel=1e-4)

    before = {name: weights.clone() for name, weights in deeper.model.model.visual.blocks[-1].named_parameters()}
    for _ in range(2):  # at first only what is zero learns
        deeper.step(clips)
    for name, weights in deeper.model.model.visual.blocks[-1].named_parameters():
        assert not torch.equal(weights, before[name]), f"{name} does not learn"


def test_a_wider_tower_and_larger_patches_begin_with_what_was_learned(
    trainer: Trainer, clips: list[Clip], sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of equal squares says the same to larger patches; and all that is new learns."""
    learned = trainer.model.state_dict()
    patch_px, width = nano.PATCH_PX, nano.VISION_WIDTH
    small = torch.from_numpy(clips[0].frames[:2])
    expected = trainer.vision(patchify(small)).detach()
    monkeypatch.setattr(nano, "PATCH_PX", 2 * patch_px)
    monkeypatch.setattr(nano, "VISION_WIDTH", width + nano.HEAD_WIDTH)
    monkeypatch.setattr(vision, "PATCH_PX", 2 * patch_px)
    model = nano.build_model(trainer.tokenizer, seed=7)
    grown = grow(learned, model.state_dict(), nano.MERGE**2)
    model.load_state_dict(grown)
    runner = VisionRunner(model.model.visual)
    large = patchify(small.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(runner(large), expected, rtol=1e-3, atol=1e-4)

    optimizer = torch.optim.SGD(model.model.visual.parameters(), lr=1.0)
    for _ in range(2):  # at first only what is zero learns
        optimizer.zero_grad()
        runner(large).square().mean().backward()
        optimizer.step()
    for name, weights in model.model.visual.named_parameters():
        assert (weights[-1] != grown[f"{VISION}{name}"][-1]).any(), f"what is new in {name} does not learn"
    with pytest.raises(ModelError, match="is of shape"):
        grow(model.state_dict(), learned, nano.MERGE**2)


def test_smaller_patches_begin_with_what_larger_ones_say_of_them_enlarged(trainer: Trainer) -> None:
    learned, stem = trainer.model.state_dict(), "model.visual.patch_embed.proj.weight"
    kernel = learned[stem]
    side, small = nano.PATCH_PX, nano.PATCH_PX - 4
    grown = grow(learned, {**learned, stem: torch.empty(*kernel.shape[:-2], small, small)}, nano.MERGE**2)
    patches = torch.rand(3, kernel[0].numel() // side**2, small, small)
    enlarged = torch.nn.functional.interpolate(patches, size=(side, side), mode="bilinear")
    torch.testing.assert_close(grown[stem].flatten(1) @ patches.flatten(1).T, kernel.flatten(1) @ enlarged.flatten(1).T)
    assert all(torch.equal(grown[name], weights) for name, weights in learned.items() if name != stem)
    with pytest.raises(ModelError, match="no multiple"):
        grow(learned, {**learned, stem: torch.empty(*kernel.shape[:-2], side + 1, side + 1)}, nano.MERGE**2)


def test_the_tower_over_many_blocks_says_what_the_stock_one_says(trainer: Trainer, clips: list[Clip]) -> None:
    """Windows and all; blocks far from zero, or a window would not matter."""
    visual = trainer.model.model.visual
    for weights in visual.parameters():
        weights.data += 0.03 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(0))
    patches = patchify(torch.from_numpy(clips[0].frames[:3]))
    grid = torch.tensor([[1, nano.CELLS, nano.CELLS]])
    with torch.inference_mode():
        stock = torch.stack([visual(block, grid_thw=grid).pooler_output for block in patches])
        torch.testing.assert_close(trainer.vision(patches), stock, rtol=1e-4, atol=1e-5)
        visual.fullatt_block_indexes = list(range(nano.VISION_BLOCKS))
        assert not torch.allclose(visual(patches[0], grid_thw=grid).pooler_output, stock[0], rtol=0.01, atol=0.01)


def test_the_head_of_a_run_with_a_start_learns_alone_at_first(trainer: Trainer, clips: list[Clip]) -> None:
    trainer.head.zero_grad()
    seen: list[bool] = []
    loss = trainer.head.loss

    def watched(merged: torch.Tensor, some: Sequence[Clip]) -> torch.Tensor:
        seen.append(merged.requires_grad)
        return loss(merged, some)

    trainer.head.loss = watched  # type: ignore[method-assign]
    trainer.settings = replace(trainer.settings, start="nano")
    for trainer.steps in (sft.HEAD_STEPS - 1, sft.HEAD_STEPS):
        trainer.step(clips[:1])
    assert seen == [False, True]


def test_in_bfloat16_losses_are_nearly_the_same(trainer: Trainer, clips: list[Clip]) -> None:
    exact = evaluate(trainer, clips)
    trainer.half = True
    half = evaluate(trainer, clips)
    assert half != exact and half == pytest.approx(exact, rel=0.02)


def test_fused_the_blocks_are_compiled_and_say_the_same(
    trainer: Trainer, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[object] = []

    def stand_in(function: object, **_: object) -> object:  # the real one takes a C++ compiler and half a minute
        compiled.append(function)
        return function

    monkeypatch.setattr(torch, "compile", stand_in)
    patches = patchify(torch.from_numpy(clips[0].frames[:1]))
    fused = VisionRunner(trainer.model.model.visual, fused=True)
    assert compiled and torch.equal(fused(patches), trainer.vision(patches))


def test_fused_without_a_compiler_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "nothing")
    monkeypatch.setattr("sys.argv", ["streamspike", "refine", "pretrain", "--fused", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code not in (0, None) and not (tmp_path / "run").exists()
    assert "apt-get install g++" in capsys.readouterr().err


def test_in_bfloat16_patches_attend_as_in_float32() -> None:
    parts = torch.randn(3, 2, 3, 144, 32, generator=torch.Generator().manual_seed(0))
    exact, half = vision.attend(*parts), vision.attend(*parts.bfloat16())
    torch.testing.assert_close(half.float(), exact, rtol=0.05, atol=0.02)


def test_a_model_of_another_shape_is_no_start(trainer: Trainer, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "other", "qwen2_5_vl")
    with pytest.raises(ModelError, match="does not grow"):
        trainer.start_from(str(tmp_path / "other"))
