from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamspike.belief import prompts
from streamspike.bench.cues import study as cues
from streamspike.bench.cues.choices import Questioner
from streamspike.bench.cues.clips import VIEWS, ClipShape, CuedClip, make_cued_clip
from streamspike.config import ModelConfig
from streamspike.engine.model import load_model
from streamspike.errors import ConfigError
from streamspike.refine.pretrain.nano import CELLS, FRAME_PX
from streamspike.refine.pretrain.rows import Branch
from streamspike.refine.pretrain.sft import Pretraining, Trainer

SHAPE = ClipShape(seed=1, num_segments=9, side_px=FRAME_PX, cells=CELLS, summary_words=12, cues="boxes")
STUDY = cues.CuesStudy(minutes=0.002, num_clips=2, seed=1, cues="boxes", start="")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors lose time on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clips() -> list[CuedClip]:
    return [make_cued_clip(number, SHAPE) for number in range(2)]


@pytest.fixture(scope="module")
def sentences(clips: list[CuedClip]) -> tuple[str, ...]:
    """Enough of the world's to make a tokenizer from, in a moment."""
    said = {text for clip in clips for table in clip.views["plain"].alternatives for text, _ in table}
    return tuple(
        sorted(said | {f"on the left a {who} {does}" for who in ("dog", "person") for does in ("sits", "runs")})
    )


@pytest.fixture(scope="module")
def trainer(sentences: tuple[str, ...]) -> Trainer:
    made = Trainer(Pretraining(batch=2, fresh=1), sentences)
    made.model.eval()
    return made


def test_the_likelihood_of_a_choice_is_that_of_the_words_in_the_blank(
    trainer: Trainer, clips: list[CuedClip], sentences: tuple[str, ...]
) -> None:
    asked = Questioner(sentences).ask("on the left a dog sits", 4, np.random.default_rng(0))
    answers = cues.answer_questions(trainer, clips[0], "motion", asked)
    assert len(asked) == len(answers) == 2
    for question, answer in zip(asked, answers, strict=True):
        scores = []
        for choice in question.choices:
            total = -np.inf
            for wording in choice.wordings:  # one row each, the slow and obvious way
                whole = Branch(5, prompts.OBSERVE, "", f"{question.stem} {wording}")
                with torch.inference_mode():
                    losses, _ = trainer.losses([clips[0].views["motion"]], trainer.rows.build([[whole]]))
                blank = losses[len(trainer.encode(question.stem)) : -1]
                total = np.logaddexp(total, -float(blank.sum()))
            scores.append(total)
        assert answer == int(np.argmax(scores))
    assert cues.answer_questions(trainer, clips[0], "plain", []) == []


def test_the_learning_rate_follows_the_steps_and_not_the_clock(
    clips: list[CuedClip], sentences: tuple[str, ...]
) -> None:
    paced = cues.PacedTrainer(Pretraining(batch=1, fresh=1), sentences, num_steps=4)
    paced.step([clips[0].views["plain"]])
    paced.seconds = 1e6
    assert paced.progress == 0.25


@pytest.fixture
def study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainer: Trainer, sentences: tuple[str, ...], clips: list[CuedClip]
) -> cues.CuesStudy:
    """Two clips over and over, and a random model to start from."""

    def clips_at_hand(numbers: Iterable[int], shape: ClipShape, workers: int) -> Iterator[CuedClip]:
        for number in numbers:
            clip = clips[number % 2]
            yield replace(clip, views={view: replace(clip.views[view], number=number) for view in VIEWS})

    monkeypatch.setattr(cues, "clips_ahead", clips_at_hand)
    monkeypatch.setattr(cues, "all_sentences", lambda: sentences)
    for name, value in (("FRESH", 1), ("BATCH", 2), ("TRIAL_STEPS", 2), ("SAVE_STEPS", 1)):
        monkeypatch.setattr(cues, name, value)
    trainer.save(tmp_path / "start")
    return replace(STUDY, start=str(tmp_path / "start" / "model"))


def run(study: cues.CuesStudy, folder: Path) -> tuple[dict[str, Any], list[str]]:
    words: list[str] = []
    result = cues.measure_cues(study, folder, "cpu", 1, lambda done, said: words.append(said))
    return result, words


@pytest.mark.slow
def test_a_study_trains_asks_counts_and_is_continued_where_it_stopped(
    tmp_path: Path, study: cues.CuesStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps({"study": vars_of(study), "steps": 2}))
    result, words = run(study, folder)
    assert len(words) == 2 + study.num_clips
    assert result["clips_trained"] == {"plain": 3, "motion": 3, "truth": 3}, "one fresh clip, then one and an older one"
    assert set(result["accuracy"]["object"]) == {"start", "plain", "motion", "truth"}
    assert [path.name for path in folder.glob("step-*")] == ["step-2"]
    models = [(folder / "step-2" / view / "model" / "model.safetensors").read_bytes() for view in VIEWS]
    assert len(set(models)) == 3, "each learned from its own view"

    answers = (folder / "answers.jsonl").read_text()
    first, second = answers.splitlines(keepends=True)
    (folder / "answers.jsonl").write_text(first + second[:40])  # killed in the middle of a line
    again, words = run(study, folder)
    assert len(words) == 1
    assert (folder / "answers.jsonl").read_text() == answers
    assert again["accuracy"] == result["accuracy"] and again["differences"] == result["differences"]

    with pytest.raises(ConfigError, match="another study"):
        run(replace(study, seed=9), folder)
    weights = Path(study.start) / "model.safetensors"
    weights.write_bytes((folder / "step-2" / "plain" / "model" / "model.safetensors").read_bytes())
    with pytest.raises(ConfigError, match="another study"):  # of the same name
        run(study, folder)


@pytest.mark.slow
def test_the_number_of_steps_follows_from_the_minutes_and_is_kept(tmp_path: Path, study: cues.CuesStudy) -> None:
    result, _ = run(study, tmp_path / "study")
    kept = json.loads((tmp_path / "study" / "study.json").read_text())
    assert kept == {"study": vars_of(study), "steps": result["steps"]}
    assert result["steps"] >= 1 and result["study"] == vars_of(study), "says from which weights"


def vars_of(study: cues.CuesStudy) -> dict[str, Any]:
    """As they are kept: with the version of the start."""
    start = load_model(ModelConfig(name=study.start, device="cpu")).slot.base
    return {**{name: getattr(study, name) for name in ("minutes", "num_clips", "seed", "cues")}, "start": start}
