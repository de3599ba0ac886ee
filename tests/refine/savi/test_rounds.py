"""Rounds: pairs, steps, checkpoints; a run that was killed ends as one that was not."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from streamspike.config import ModelConfig
from streamspike.core import Sampling
from streamspike.engine.model import load_model
from streamspike.errors import ConfigError, DatasetError
from streamspike.refine.dpo import DpoSettings
from streamspike.refine.examples import Example
from streamspike.refine.policy import AdapterSettings, Policy
from streamspike.refine.savi.dialogue import Critique, Dialogue, Exchange, Question, Revision
from streamspike.refine.savi.page import render_pairs
from streamspike.refine.savi.pairs import read_pairs
from streamspike.refine.savi.rounds import SaviSettings, run_savi
from streamspike.refine.savi.spoken import SpokenDialogue, SpokenSettings
from streamspike.refine.training import TrainSettings
from tests.refine.test_rollout import make_example

EXAMPLES: Any = [make_example(number) for number in range(2)]
SETTINGS = SaviSettings(iterations=2, clips=2, min_gain_nats=0.5, epochs=2.0)
TRAINING = TrainSettings(steps=1, learning_rate=1e-2, save_every=1)


class Killed(Exception):
    pass


class Brief:
    """One question about a clip. The model says a word or two, and is told what would have been better."""

    name = "brief"

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def questions(self, example: Example, seed: int) -> list[Question]:
        return [Question("happening", 0, 1, "What?")]

    def answer(self, example: Example, question: Question, seed: int) -> str:
        sampling = Sampling(1, 3, temperature=1.5)
        (text,) = self.policy.write(example.segments[:1], "", question.text, 1, sampling, seed)
        return text or "nothing"

    def critique(self, example: Example, question: Question, answer: str) -> Critique:
        return Critique("say it better", 0.0)

    def revise(self, example: Example, question: Question, answer: str, critique: Critique, seed: int) -> Revision:
        return Revision(f"a dog runs {seed}", 1.0)


def run(
    folder: Path, die_at: int = 0, settings: SaviSettings = SETTINGS, model: str = "", pause_at: int = 0
) -> Path | None:
    """From a fresh model: two rounds of two pairs and two steps; dies at the n-th report, or pauses after it. A named
    one talks itself."""
    loaded = load_model(ModelConfig(name=model or "random:tiny-qwen2.5-vl", device="cpu", threads=1))
    policy = Policy(loaded, AdapterSettings(rank=2, alpha=4))
    dialogue: Dialogue = SpokenDialogue(policy, SpokenSettings(2, max_tokens=2)) if model else Brief(policy)
    reports: list[str] = []

    def report(share: float, words: str) -> None:
        assert 0 <= share <= 1
        reports.append(words)
        if len(reports) == die_at:
            raise Killed(words)

    return run_savi(
        policy, dialogue, EXAMPLES, settings, DpoSettings(pairs=2), TRAINING, folder, report,
        data_hash="x", should_pause=lambda: 0 < pause_at <= len(reports),
    )  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    """All that a run leaves, but for what tells the time."""
    names = ("pairs.jsonl", "pairs.html", "adapter_model.safetensors", "savi.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.name in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("savi")
    assert run(folder) == folder / "adapter"
    return folder


def test_a_round_talks_learns_and_leaves_an_adapter(whole: Path) -> None:
    first, second = (read_pairs(whole / name / "pairs.jsonl") for name in ("round-1", "round-2"))
    assert {one.example for one in first} == {0, 1} and len(first) == len(second) == 2
    weights = [(whole / name / "adapter_model.safetensors").read_bytes() for name in
               ("round-1/adapter", "round-2/adapter", "adapter")]  # fmt: skip
    assert weights[0] != weights[1] == weights[2]
    about = json.loads((whole / "adapter" / "adapter.json").read_text())
    assert about["method"] == "savi" and about["config"]["round"] == 2 and about["conversations"]


@pytest.mark.parametrize("die_at", [2, 3, 6, 7])
def test_a_killed_run_ends_as_if_nothing_had_happened(whole: Path, tmp_path: Path, die_at: int) -> None:
    """Reports: a clip, another one, then steps; so in both phases of both rounds. The line it died in is cut."""
    with pytest.raises(Killed):
        run(tmp_path, die_at=die_at)
    for path in tmp_path.rglob("pairs.jsonl.partial"):
        path.write_bytes(path.read_bytes()[:-20])
    assert run(tmp_path) == tmp_path / "adapter"
    assert files(tmp_path) == files(whole)


@pytest.mark.parametrize("pause_at", [1, 2, 3])
def test_a_paused_run_ends_as_if_nothing_had_happened(whole: Path, tmp_path: Path, pause_at: int) -> None:
    """After the first clip, after the last, and after the first step."""
    assert run(tmp_path, pause_at=pause_at) is None
    assert not (tmp_path / "round-1" / "adapter").exists()
    assert (tmp_path / "round-1" / "pairs.jsonl").exists() == (pause_at > 1)
    assert run(tmp_path) == tmp_path / "adapter"
    assert files(tmp_path) == files(whole)


def test_a_run_goes_on_with_its_own_settings_only(whole: Path) -> None:
    assert run(whole) == whole / "adapter", "nothing is left to do"
    with pytest.raises(ConfigError, match="begun with savi"):
        run(whole, settings=SaviSettings(iterations=3, clips=2))


@pytest.mark.parametrize("model", ["random:tiny-qwen2.5-vl", "random:tiny-qwen3-vl"])
def test_two_steps_of_a_large_model_that_talks_to_itself(tmp_path: Path, model: str) -> None:
    """Random weights gain what they gain, so every revision that differs makes a pair."""
    settings = SaviSettings(iterations=1, clips=1, min_gain_nats=-1e9, epochs=4.0)
    assert run(tmp_path, settings=settings, model=model)
    lines = [json.loads(line) for line in (tmp_path / "round-1" / "curve.jsonl").read_text().splitlines()]
    assert len(lines) >= 2 and lines[0]["loss"] == pytest.approx(0.6931, abs=1e-3) != lines[-1]["loss"]


def test_conversations_without_a_clear_pair_are_an_error_that_says_so(tmp_path: Path) -> None:
    unclear = SaviSettings(iterations=1, clips=2, min_gain_nats=2.0)
    with pytest.raises(DatasetError, match="none of 2 conversations gave a clear pair"):
        run(tmp_path, settings=unclear)
    (tmp_path / "round-1" / "pairs.jsonl").write_text("{}\n")
    with pytest.raises(DatasetError, match="damaged"):
        run(tmp_path, settings=unclear)


class Reader(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_frames_and_words_and_believes_none_of_them() -> None:
    evil = "<script>alert(1)</script>"
    pairs = [
        Exchange(0, evil, Question(evil, 1, 2, evil), evil, evil, -1.5, f"{evil} & more", 2.5, "kept"),
        Exchange(1, "clip-1", Question("who", 0, 1, "Who?"), "a dog", "right", 3.0, "a dog", 0.0, "same"),
    ]
    page = Reader(render_pairs(pairs, EXAMPLES, "Pairs"))
    assert not [name for name, _ in page.tags if name == "script"]
    assert f"{evil} & more" in page.text and "gain +2.5 nats" in page.text
    pictures = [attributes["src"] or "" for name, attributes in page.tags if name == "img"]
    assert len(pictures) == 2 + 1 and all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    articles = [attributes["class"] for name, attributes in page.tags if name == "article"]
    assert articles == ["kind-1 verdict-1", "kind-2 verdict-3"], "kept ones first"
    filters = [attributes["id"] for name, attributes in page.tags if name == "input"]
    assert filters == ["kind-0", "kind-1", "kind-2", *(f"verdict-{place}" for place in range(6))]
    for place in (1, 2):
        assert f"#kind-{place}:checked ~ .conversations article:not(.kind-{place})" in page.text
