"""Supervised training of the built-in model on simulated cameras, resumable at any moment.

Three questions are taught at once (what happens next, what just happened, is this true), and a dense head on the vision
tokens, free from the simulator and dropped at export, makes the model see bodies and their motion several times sooner.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamspike.belief import prompts
from streamspike.config import ModelConfig
from streamspike.engine.model import has_half_units, load_model
from streamspike.errors import ModelError
from streamspike.refine.pretrain import bins
from streamspike.refine.pretrain.bins import plan_bins
from streamspike.refine.pretrain.clips import Clip, ClipFeed
from streamspike.refine.pretrain.examiner import Examiner
from streamspike.refine.pretrain.growth import grow
from streamspike.refine.pretrain.muon import Muon
from streamspike.refine.pretrain.nano import CELLS, FRAME_PX, MERGE, SIDE, build_model, build_tokenizer, save_model
from streamspike.refine.pretrain.rows import Batch, RowBuilder
from streamspike.refine.pretrain.vision import DenseHead, VisionRunner, patchify

EVALUATION_SEED_OFFSET = 1_000_003
CONTEST_WEIGHT = 0.25
"""Of the mean nats a contest, beside those a token."""
EMBEDDINGS = ("model.language_model.embed_tokens.weight", "lm_head.weight")
"""Tied, with one row for each word: the order of the words changes when the world learns a new one."""
DENSE_WEIGHT = 0.25
DECAY_SHARE = 0.4
"""Of the time, the last: the learning rate falls straight to almost nothing. Before, it stays at its peak, which learns
as much as a cosine or more (Hu et al. 2024, "MiniCPM"; Haegele et al. 2024, "Scaling laws ... beyond fixed training
durations")."""
HEAD_STEPS = 100
"""So long the dense head of a run with a start learns alone: it begins at random, and would spoil what sees already."""


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Everything a run depends on. `minutes` is training time on this machine, over all resumptions."""

    minutes: float = 75.0
    seed: int = 0
    batch: int = 8
    fresh: int = 4
    """Clips per batch never seen before; the others come from a pool of recent ones, with other questions."""
    pool: int = 1024
    workers: int = 1
    peak_rate: float = 2.5e-3
    num_blocks: int = 9
    """Window of 8 plus the observation."""
    summary_words: int = 36
    evaluate_minutes: float = 5.0
    device: str = "cpu"
    start: str | None = None
    """A trained model whose weights a new run starts from, in place of random ones; nano is the built-in."""
    fused: bool = False
    """Whether the vision tower is compiled, which takes a C++ compiler and some seconds."""
    keep: float = 0.0
    """In [0, 1): share of the start's weights in the model handed out (`Trainer.handed_out`)."""


class Trainer:
    """Owns model, optimiser and clock. One `step` per batch; everything needed to resume is in `state`."""

    def __init__(self, settings: Pretraining, sentences: Sequence[str]) -> None:
        self.settings = settings
        self.sentences = tuple(sentences)
        self.examiner = Examiner(self.sentences)
        self.tokenizer = build_tokenizer(self.sentences)
        self.model = build_model(self.tokenizer, settings.seed).to(settings.device)
        self.model.set_attn_implementation({"text_config": bins.NAME, "vision_config": "sdpa"})
        self.head = DenseHead(self.model.config.text_config.hidden_size).to(settings.device)
        self.rows = RowBuilder(self.encode, settings.num_blocks, SIDE, self.tokenizer.pad_token_id)
        self.vision = VisionRunner(self.model.model.visual, settings.fused)
        matrices: list[Tensor] = []
        rest: list[Tensor] = []
        for name, parameter in [*self.model.named_parameters(), *self.head.named_parameters()]:
            inside = ".blocks." in name or ".layers." in name
            (matrices if inside and parameter.ndim == 2 else rest).append(parameter)
        self.optimizers = (
            Muon(matrices, lr=settings.peak_rate, weight_decay=0.01),
            torch.optim.AdamW(rest, lr=settings.peak_rate, betas=(0.9, 0.98), weight_decay=0.01),
        )
        self.device = torch.device(settings.device)
        self.half = self.device.type == "cuda" or has_half_units()
        """Whether products are computed in bfloat16."""
        self.start_weights: dict[str, Tensor] = {}
        """The weights it started from, if a share of them is kept."""
        self.mean_weights = self._copy_weights()
        """Of the path, what follows step t counting t (polynomial-decay averaging: Shamir and Zhang 2013, "Stochastic
        gradient descent for non-smooth optimization"); before the first step, those it begins with."""
        self.steps = 0
        self.clips = 0
        self.seconds = 0.0

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    @property
    def progress(self) -> float:
        """In [0, 1]: how much of the time budget is spent."""
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    @property
    def rate(self) -> float:
        """Of learning, in the coming step: warmed up over 100 steps, then at its peak, at last straight down."""
        warm = min(1.0, (self.steps + 1) / 100)
        return self.settings.peak_rate * warm * min(1.0, max(0.02, (1 - self.progress) / DECAY_SHARE))

    def step(self, clips: Sequence[Clip]) -> dict[str, float]:
        """One update; returns mean loss per token by question, and of the dense head."""
        started = time.monotonic()
        rng = np.random.default_rng([self.settings.seed, 7, self.steps])
        batch = self.rows.build([self.examiner.ask(clip, rng) for clip in clips])
        rate = self.rate
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        losses, merged = self.losses(clips, batch)
        weights = batch.weights.to(losses.device)
        loss = (losses * weights).sum() / weights.sum()
        contest = lose_contests(losses, batch)
        alone = self.settings.start is not None and self.steps < HEAD_STEPS
        dense = self.head.loss((merged.detach() if alone else merged).float(), clips)
        total = loss + CONTEST_WEIGHT * contest.sum() / max(1, len(contest)) + DENSE_WEIGHT * dense
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.model.parameters(), *self.head.parameters()], 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.steps += 1
        self._take_into_mean()
        self.clips += len(clips)
        self.seconds += time.monotonic() - started
        means = _by_question(losses.detach().float().cpu(), batch)
        return {**means, "dense": float(dense.detach()), "rate": rate}

    def _copy_weights(self) -> dict[str, Tensor]:
        return {name: weights.clone() for name, weights in self.model.state_dict().items()}

    def _take_into_mean(self) -> None:
        for name, weights in self.model.state_dict().items():
            self.mean_weights[name].lerp_(weights, 2 / (self.steps + 1))

    def losses(self, clips: Sequence[Clip], batch: Batch) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of every target token, nats, and the merged vision tokens."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            return self._losses(clips, batch)

    def _losses(self, clips: Sequence[Clip], batch: Batch) -> tuple[Tensor, Tensor]:
        device = self.device
        frames = torch.from_numpy(np.stack([clip.frames for clip in clips])).to(device).flatten(0, 1)
        merged = self.vision(patchify(frames))
        language = self.model.model.language_model
        embeds = language.embed_tokens(batch.ids.to(device))
        embeds = embeds.masked_scatter(batch.video.to(device)[..., None], merged.to(embeds.dtype))
        plan = plan_bins(batch.owner.to(device), batch.visible.to(device), batch.prefix, batch.bin)
        hidden = embeds
        rotations = language.rotary_emb(hidden, batch.positions.to(device))
        for layer in language.layers:  # the model's own forward takes no plan
            hidden = layer(hidden, attention_mask=plan, position_embeddings=rotations)
        output = language.norm(hidden)
        logits = self.model.lm_head(output[batch.rows.to(device), batch.columns.to(device)])
        return cross_entropies(logits.float(), batch), merged

    def save(self, folder: Path) -> None:
        """Checkpoint and exported model; a kill in the middle leaves the previous ones whole."""
        state = {
            "model": self.model.state_dict(), "head": self.head.state_dict(), "steps": self.steps, "clips": self.clips,
            "seconds": self.seconds, "settings": asdict(self.settings), "sentences": self.sentences,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers], "start": self.start_weights,
            "mean": self.mean_weights,
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, folder / "checkpoint.new")
        os.replace(folder / "checkpoint.new", folder / "checkpoint.pt")
        with self.handed_out():
            save_model(self.model, self.tokenizer, folder / "model")

    @contextmanager
    def handed_out(self) -> Iterator[None]:
        """Within, the model has the weights that are exported: with a start, its path's mean and `keep` of the start.

        Weights fine-tuned from one start lie in one valley, and a mean of them makes fewer mistakes than any of them
        (Izmailov et al. 2018, "Averaging weights leads to wider optima"; Wortsman et al. 2022, "Robust fine-tuning of
        zero-shot models"). A path from random weights comes from elsewhere, so such a run hands out its end.
        """
        if self.settings.start is None:
            yield
            return
        trained = self._copy_weights()
        mixed = dict(self.mean_weights)
        for name, start in self.start_weights.items():
            mixed[name] = mixed[name].lerp(start, self.settings.keep)
        self.model.load_state_dict(mixed)
        try:
            yield
        finally:
            self.model.load_state_dict(trained)

    def start_from(self, name: str) -> None:
        """Take over the weights of a trained model, as large or smaller (`growth.py`). Words that it does not know keep
        their random embedding.

        Raises:
            ModelError: there is no such model, or it does not grow into this one.
        """
        threads = torch.get_num_threads()  # a model that only answers takes fewer
        loaded = load_model(ModelConfig(name=name, device="cpu", dtype="float32", threads=threads))
        state = {key: tensor.clone() for key, tensor in loaded.model.state_dict().items()}
        known, words = loaded.tokenizer.get_vocab(), self.tokenizer.get_vocab()
        own = self.model.state_dict()
        for key in EMBEDDINGS:
            learned, table = state[key], own[key].clone()
            if learned.shape[1] == table.shape[1]:
                for word in known.keys() & words.keys():
                    table[words[word]] = learned[known[word]]
                state[key] = table
        try:
            self.model.load_state_dict(grow(state, own, MERGE * MERGE))
        except ModelError as error:
            raise ModelError(f"{name} does not grow into the built-in model; start without --from: {error}") from error
        if self.settings.keep:
            self.start_weights = self._copy_weights()
        self.mean_weights = self._copy_weights()

    def load(self, folder: Path) -> bool:
        """Continue from a checkpoint; False when there is none. Raises ModelError: it is not one to continue."""
        path = folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.settings.device, weights_only=True)
        if tuple(state["sentences"]) != self.sentences:
            raise ModelError(f"{path} was trained on other sentences than the world says now; choose another folder")
        if self.settings.keep and not state.get("start"):
            raise ModelError(f"{path} was begun without --keep and has no start to keep; choose another folder")
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise ModelError(
                f"{path} has a model of another shape; choose another folder, and --from {folder / 'model'}"
            ) from error
        self.head.load_state_dict(state["head"])
        self.start_weights = state.get("start", {})  # runs of earlier versions have none
        self.mean_weights = state.get("mean") or self._copy_weights()  # as if it had stood there from the start
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.steps, self.clips, self.seconds = state["steps"], state["clips"], state["seconds"]
        return True


def cross_entropies(logits: Tensor, batch: Batch) -> Tensor:
    """(T,) nats of each target: the mean of -log-probability over what could stand there, from (T, words) logits."""
    device = logits.device
    shared, tokens, shares = (part.to(device) for part in (batch.shared, batch.tokens, batch.shares))
    spread = -shares * torch.log_softmax(logits, dim=-1)[shared, tokens]
    return logits.new_zeros(len(logits)).index_add(0, shared, spread)


def lose_contests(losses: Tensor, batch: Batch) -> Tensor:
    """(contests,) -log of the right answer's share among its rivals, from the losses (T,) of all targets."""
    contests, answers = batch.contests.to(losses.device), batch.answers.to(losses.device)
    nats = losses.new_zeros(int(batch.answers[-1]) + 1).index_add(0, answers, losses)
    scores = -nats[contests.clamp(min=0)].masked_fill(contests < 0, torch.inf)
    return -torch.log_softmax(scores, dim=-1)[:, 0]


def _by_question(losses: Tensor, batch: Batch) -> dict[str, float]:
    """Nats per token of the right answers, and per contest."""
    names = {prompts.PREDICT: "next", prompts.OBSERVE: "caption"}
    sums: dict[str, list[float]] = {"next": [], "caption": [], "verify": []}
    for loss, question, weight in zip(losses.tolist(), batch.questions, batch.weights.tolist(), strict=True):
        if weight:
            sums[names.get(question, "verify")].append(loss)
    means = {name: sum(values) / len(values) for name, values in sums.items() if values}
    return {**means, "contest": float(lose_contests(losses, batch).mean())} if len(batch.contests) else means


def evaluate(trainer: Trainer, clips: Sequence[Clip]) -> dict[str, float]:
    """Held-out nats per token by question, and the share of sentences whose every token is the model's first choice."""
    rng = np.random.default_rng(1)
    trainer.model.eval()
    totals: dict[str, list[float]] = {}
    with torch.inference_mode():
        for start in range(0, len(clips), 16):
            part = clips[start : start + 16]
            batch = trainer.rows.build([trainer.examiner.ask(clip, rng) for clip in part])
            losses, _ = trainer.losses(part, batch)
            for name, value in _by_question(losses.float().cpu(), batch).items():
                totals.setdefault(name, []).append(value)
    trainer.model.train()
    return {f"held_out_{name}": float(np.mean(values)) for name, values in totals.items()}


def pretrain(settings: Pretraining, folder: Path, report: Callable[[dict[str, Any]], None]) -> Path:
    """Train until the time budget is spent, continuing from a checkpoint in `folder`; returns the model folder.

    `report` gets one dict every 20 steps and after every evaluation; the same lines are appended to `curve.jsonl`. What
    is evaluated is the model as it is handed out.
    """
    from streamspike.world.sentences import all_sentences

    trainer = Trainer(settings, all_sentences())
    if not trainer.load(folder) and settings.start is not None:
        trainer.start_from(settings.start)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (settings.num_blocks, FRAME_PX, CELLS, settings.summary_words)
    held_out_seed = settings.seed + EVALUATION_SEED_OFFSET

    def log(values: dict[str, Any]) -> None:
        line = {"minutes": round(trainer.seconds / 60, 3), "steps": trainer.steps, "clips": trainer.clips, **values}
        with (folder / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}) + "\n")
        report(line)

    with ClipFeed(held_out_seed, 0, 1, *shape) as feed:
        held_out = [feed.take() for _ in range(64)]

    def save_and_evaluate() -> None:
        trainer.save(folder)
        with trainer.handed_out():
            values = evaluate(trainer, held_out)
        log(values)

    pool_rng = np.random.default_rng([settings.seed, 11, trainer.steps])
    pool: list[Clip] = []
    next_evaluation = trainer.seconds + 60 * settings.evaluate_minutes
    # Every step takes `fresh` new clips, so the number of the next clip follows from the number of steps.
    with ClipFeed(settings.seed, trainer.steps * settings.fresh, settings.workers, *shape) as feed:
        while trainer.progress < 1.0:
            fresh = [feed.take() for _ in range(settings.fresh)]
            past = [pool[int(pool_rng.integers(len(pool)))] for _ in range(settings.batch - len(fresh) if pool else 0)]
            values = trainer.step(fresh + past)
            pool = (pool + fresh)[-settings.pool :]
            if trainer.steps % 20 == 0:
                log(values)
            if trainer.seconds >= next_evaluation:
                next_evaluation = trainer.seconds + 60 * settings.evaluate_minutes
                save_and_evaluate()
    save_and_evaluate()
    return folder / "model"
