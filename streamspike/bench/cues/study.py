"""Do visual cues help the built-in model? Trained with and without them, asked what it is and what it does.

The study of github.com/4g/visual_cues rebuilt on simulated cameras. Three copies of one model are trained on the same
clips, with the same questions, for the same number of steps: one sees them plain, one with cues by the motion stage,
one with cues by the simulator's truth. Each, and the model they started from, then answers questions about clips no
training run uses, in each of the three views.

Deviations from the study:

1. It trained one model on plain and cued clips together; here there is one for each view, so that what a model learned
   from cues and what it needs them for can be told apart.
2. It trained adapters of rank 64 on a large model's language layers; here all weights of a small model.
3. Its wrong choices are any words of the data; here they are words that can stand in that sentence.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamspike.belief import prompts
from streamspike.bench.cues.choices import Question, Questioner
from streamspike.bench.cues.clips import VIEWS, ClipShape, CuedClip, View, clips_ahead
from streamspike.bench.cues.tables import summarise
from streamspike.bench.machine import describe_machine, find_commit
from streamspike.config import CuesName, ModelConfig
from streamspike.engine.model import load_model
from streamspike.errors import ConfigError
from streamspike.refine.pretrain.nano import CELLS, FRAME_PX
from streamspike.refine.pretrain.rows import Branch
from streamspike.refine.pretrain.sft import Pretraining, Trainer
from streamspike.world.sentences import all_sentences

START = "start"
"""The model before the training of this study."""
FRESH, BATCH, POOL = 4, 8, 128
"""New clips per step, clips per step, and how many recent ones the others are drawn from."""
PEAK_RATE = 1e-3
"""Below that of pretraining: these models have learned already."""
TRIAL_STEPS = 4
"""Timed to find out how many fit in the minutes; the first does not count."""
SAVE_STEPS = 50
TEST_SEED_OFFSET = 2_000_029
QUESTIONED_SEGMENTS = 3
"""Per test clip."""

Report = Callable[[float, str], None]
"""Called with how much is done, in per cent, and words about it: training is the first half, asking the second."""


@dataclass(frozen=True, slots=True)
class CuesStudy:
    """Everything a study depends on, its machine apart."""

    minutes: float
    """Training time of each model."""
    num_clips: int
    """Test clips."""
    seed: int
    cues: CuesName
    start: str


class PacedTrainer(Trainer):
    """A trainer whose learning rate follows its steps and not the clock, so that three of them do the same."""

    def __init__(self, settings: Pretraining, sentences: Sequence[str], num_steps: int) -> None:
        super().__init__(settings, sentences)
        self._num_steps = num_steps

    @property
    def progress(self) -> float:
        return min(1.0, self.steps / self._num_steps)


def measure_cues(study: CuesStudy, folder: Path, device: str, workers: int, report: Report) -> dict[str, Any]:
    """Train, ask and count, continuing what is in `folder`; returns plain values for JSON.

    A resumed run continues from its last saved step; only the choice of older clips in its first batches differs from
    that of a run that was never stopped, for all models alike.

    Raises:
        ConfigError: the folder has another study.
        ModelError: the start is no built-in model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = Pretraining(
        minutes=study.minutes, seed=study.seed, batch=BATCH, fresh=FRESH, peak_rate=PEAK_RATE, device=device
    )
    sentences = all_sentences()
    shape = ClipShape(study.seed, settings.num_blocks, FRAME_PX, CELLS, settings.summary_words, study.cues)
    num_steps = _plan(study, folder, settings, sentences, shape, workers)
    models = _train(folder, settings, sentences, shape, workers, study.start, num_steps, report)
    answers = _test(study, folder, models, shape, workers, report)
    return {
        "study": asdict(study),
        "steps": num_steps,
        "clips_trained": {name: models[name].clips for name in VIEWS},
        "training_minutes": {name: models[name].seconds / 60 for name in VIEWS},
        "commit": find_commit(),
        "machine": describe_machine(torch.device(device)),
        **summarise(answers, (START, *VIEWS), np.random.default_rng(study.seed)),
    }


def make_trainer(settings: Pretraining, sentences: Sequence[str], start: str, num_steps: int) -> PacedTrainer:
    """A copy of the model that all start from."""
    trainer = PacedTrainer(settings, sentences, num_steps)
    trainer.start_from(start)
    return trainer


def _plan(
    study: CuesStudy, folder: Path, settings: Pretraining, sentences: Sequence[str], shape: ClipShape, workers: int
) -> int:
    """How many steps fit in the minutes, found out once and kept with the study and the version of its start."""
    path = folder / "study.json"
    start = load_model(ModelConfig(name=study.start, device="cpu")).slot.base
    about = {**asdict(study), "start": start}
    if path.exists():
        plan = json.loads(path.read_text(encoding="utf-8"))
        if plan["study"] != about:
            raise ConfigError(f"{path} is another study: {plan['study']}, and this is {about}; choose another folder")
        return int(plan["steps"])
    trial = make_trainer(settings, sentences, study.start, num_steps=1000)
    with closing(clips_ahead(range(BATCH), shape, workers)) as feed:
        clips = [cued.views["plain"] for cued in feed]
    seconds = []
    for _ in range(TRIAL_STEPS):
        before = time.monotonic()
        trial.step(clips)
        seconds.append(time.monotonic() - before)
    num_steps = max(1, round(60 * study.minutes / float(np.median(seconds[1:]))))
    _replace(path, json.dumps({"study": about, "steps": num_steps}))
    return num_steps


def _train(
    folder: Path,
    settings: Pretraining,
    sentences: Sequence[str],
    shape: ClipShape,
    workers: int,
    start: str,
    num_steps: int,
    report: Report,
) -> dict[str, PacedTrainer]:
    """One model per view, step by step side by side, and the one they started from."""
    models = {name: make_trainer(settings, sentences, start, num_steps) for name in VIEWS}
    steps = _load(models, folder)
    rng = np.random.default_rng([settings.seed, 11, steps])
    pool: list[CuedClip] = []
    with closing(clips_ahead(range(steps * FRESH, num_steps * FRESH), shape, workers)) as feed:
        while steps < num_steps:
            fresh = [next(feed) for _ in range(FRESH)]
            past = [pool[int(rng.integers(len(pool)))] for _ in range(BATCH - FRESH if pool else 0)]
            losses = {
                name: trainer.step([cued.views[name] for cued in fresh + past])["caption"]
                for name, trainer in models.items()
            }
            pool = (pool + fresh)[-POOL:]
            steps += 1
            if steps % SAVE_STEPS == 0 or steps == num_steps:
                _save(models, folder, steps)
            words = ", ".join(f"{name} {loss:.2f}" for name, loss in losses.items())
            report(50 * steps / num_steps, f"step {steps} of {num_steps}, caption loss {words}")
    before = make_trainer(settings, sentences, start, num_steps)
    return {START: before, **{str(name): trainer for name, trainer in models.items()}}


def _save(models: Mapping[View, PacedTrainer], folder: Path, steps: int) -> None:
    """All models of one step or none: a kill in the middle leaves those of the step before."""
    for name, trainer in models.items():
        trainer.save(folder / f"step-{steps}" / name)
    _replace(folder / "steps.json", json.dumps(steps))
    for old in folder.glob("step-*"):
        if old.name != f"step-{steps}":
            shutil.rmtree(old)


def _load(models: Mapping[View, PacedTrainer], folder: Path) -> int:
    """Continue from the last step that all models saved; 0 when there is none."""
    path = folder / "steps.json"
    steps = int(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else 0
    for name, trainer in models.items():
        trainer.load(folder / f"step-{steps}" / name)
        if trainer.steps != steps:
            raise ConfigError(f"{folder} has no checkpoint of step {steps} for {name}; choose another folder")
    return steps


def _test(
    study: CuesStudy,
    folder: Path,
    models: Mapping[str, Trainer],
    shape: ClipShape,
    workers: int,
    report: Report,
) -> list[dict[str, Any]]:
    """One line per test clip; those already in the folder are not asked again."""
    path = folder / "answers.jsonl"
    lines = list(_read_lines(path))
    _replace(path, "".join(json.dumps(line) + "\n" for line in lines))
    questioner = Questioner(models[START].sentences)
    test_shape = ClipShape(**{**asdict(shape), "seed": study.seed + TEST_SEED_OFFSET})
    for trainer in models.values():
        trainer.model.eval()
    rest = range(len(lines), study.num_clips)
    with closing(clips_ahead(rest, test_shape, workers)) as feed, path.open("a", encoding="utf-8") as file:
        for cued in feed:
            lines.append(_ask(cued, models, questioner, test_shape.seed))
            file.write(json.dumps(lines[-1]) + "\n")
            file.flush()
            report(50 + 50 * len(lines) / study.num_clips, f"clip {len(lines)} of {study.num_clips}")
    return lines


def _ask(cued: CuedClip, models: Mapping[str, Trainer], questioner: Questioner, seed: int) -> dict[str, Any]:
    plain = cued.views["plain"]
    rng = np.random.default_rng([seed, 31, plain.number])
    asked = [questioner.ask(sentence, segment, rng) for segment, sentence in enumerate(plain.sentences)]
    candidates = [questions for questions in asked if questions]
    picked = rng.permutation(len(candidates))[:QUESTIONED_SEGMENTS]
    questions = [question for k in sorted(picked.tolist()) for question in candidates[k]]
    chosen = {
        name: {view: answer_questions(trainer, cued, view, questions) for view in VIEWS}
        for name, trainer in models.items()
    }
    return {
        "clip": plain.number,
        "stage": asdict(cued.counts),
        "questions": [
            {
                "type": question.kind,
                "question": f"{question.stem} _____",
                "sentence": plain.sentences[question.segment],
                "choices": [choice.word for choice in question.choices],
                "answer": question.answer,
            }
            for question in questions
        ],
        "chosen": chosen,
    }


def answer_questions(trainer: Trainer, cued: CuedClip, view: View, questions: Sequence[Question]) -> list[int]:
    """Which choice the model finds most likely, for each question; the likelihood is of the words in the blank alone.

    A choice that can be said in several ways is as likely as all of them together.
    """
    if not questions:
        return []
    branches: list[Branch] = []
    owners: list[tuple[int, int]] = []  # question and choice of each branch
    spans: list[tuple[int, int]] = []  # [start, end) of the blank's targets
    length = 0
    for q, question in enumerate(questions):
        num_stem = len(trainer.encode(question.stem))
        for c, choice in enumerate(question.choices):
            for wording in choice.wordings:
                text = f"{question.stem} {wording}"
                num_tokens = len(trainer.encode(text))
                branches.append(Branch(question.segment + 1, prompts.OBSERVE, "", text))
                owners.append((q, c))
                spans.append((length + num_stem, length + num_tokens))
                length += num_tokens + 1  # and the end, which is no part of the blank
    with torch.inference_mode():
        losses, _ = trainer.losses([cued.views[view]], trainer.rows.build([branches]))
    negative = losses.double().cpu().numpy()
    assert len(negative) == length
    scores = [np.full(len(question.choices), -np.inf) for question in questions]
    for (q, c), (first, last) in zip(owners, spans, strict=True):
        scores[q][c] = np.logaddexp(scores[q][c], -negative[first:last].sum())
    return [int(np.argmax(each)) for each in scores]


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file that may end in the middle of one."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
