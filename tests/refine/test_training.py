"""The loop: what it promises about steps, checkpoints and kills. The learner here is a plain one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streamspike.config import ModelConfig
from streamspike.engine.model import load_model
from streamspike.errors import ConfigError, EngineError
from streamspike.refine.policy import AdapterSettings, Policy
from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings
from streamspike.refine.training import Backward, Learnt, TrainSettings, draw_example, train
from tests.refine.test_rollout import BELIEF, make_example

MODEL = "random:tiny-qwen2.5-vl"
FOUR = TrainSettings(steps=4, learning_rate=1e-3, save_every=2)


def make_learner(dropout: float = 0.1) -> SupervisedLearner:
    loaded = load_model(ModelConfig(name=MODEL, device="cpu", threads=1))
    policy = Policy(loaded, AdapterSettings(rank=2, alpha=4, dropout=dropout))
    examples: Any = [make_example(number) for number in range(3)]
    return SupervisedLearner(policy, examples, BELIEF, SupervisedSettings(), seed=5)


def run(folder: Path, settings: TrainSettings = FOUR, **options: Any) -> Path | None:
    return train(make_learner(), settings, folder, lambda *_: None, **options)


def weights(folder: Path) -> bytes:
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def curve(folder: Path) -> list[dict[str, Any]]:
    """Without the clock."""
    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


SCRIPT = """
import os, signal, sys
from pathlib import Path
from streamspike.refine.training import train
from tests.refine.test_training import FOUR, make_learner

def die(share, line, words):
    if line["step"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)

train(make_learner(), FOUR, Path(sys.argv[1]), die if sys.argv[2] == "die" else lambda *_: None)
"""


def start(folder: Path, word: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", SCRIPT, str(folder), word]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    killed = start(tmp_path / "killed", "die")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (left,) = (tmp_path / "killed").glob("checkpoint-*")
    assert left.name == "checkpoint-000002" and len(curve(tmp_path / "killed")) == 3
    assert run(tmp_path / "killed") == tmp_path / "killed" / "adapter"
    run(tmp_path / "whole")
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    assert [line["step"] for line in curve(tmp_path / "whole")] == [1, 2, 3, 4]


def test_a_half_written_checkpoint_is_none(tmp_path: Path) -> None:
    run(tmp_path, TrainSettings(steps=2, learning_rate=1e-3, save_every=1))
    torn = tmp_path / "checkpoint-000009.partial"
    torn.mkdir()
    (torn / "state.json").write_text("{")
    before = weights(tmp_path)
    run(tmp_path, TrainSettings(steps=2, learning_rate=1e-3, save_every=1))
    assert weights(tmp_path) == before


def test_a_pause_keeps_what_was_learned(tmp_path: Path) -> None:
    answers = iter([False, True])
    assert run(tmp_path / "paused", should_pause=lambda: next(answers)) is None
    assert not (tmp_path / "paused" / "adapter").exists()
    run(tmp_path / "paused")
    run(tmp_path / "whole")
    assert weights(tmp_path / "paused") == weights(tmp_path / "whole")


def test_other_settings_do_not_continue_a_run(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ConfigError, match=r"learning_rate 0.001, now it is 0.01"):
        run(tmp_path, TrainSettings(steps=4, learning_rate=1e-2, save_every=2))
    with pytest.raises(ConfigError, match="steps or after minutes"):
        TrainSettings(steps=4, minutes=1)


def test_what_is_measured_joins_the_curve(tmp_path: Path) -> None:
    run(tmp_path, evaluate=lambda: {"held_out_reward": 0.5}, evaluate_every=2)
    assert [line["step"] for line in curve(tmp_path) if "held_out_reward" in line] == [0, 2, 4]
    about = json.loads((tmp_path / "adapter" / "adapter.json").read_text())
    assert about["method"] == "supervised" and about["metrics"]["held_out_reward"] == 0.5
    assert about["config"]["learning_rate"] == 1e-3


def test_a_loss_that_is_not_finite_ends_the_run_before_it_spoils_the_weights(tmp_path: Path) -> None:
    learner = make_learner()

    class Broken:
        method = "broken"
        policy = learner.policy

        def describe(self) -> Mapping[str, Any]:
            return {}

        def learn(self, number: int, backward: Backward) -> Learnt:
            backward(self.policy.parameters()[0].sum() * float("nan"))
            return Learnt({})

    with pytest.raises(EngineError, match="not finite"):
        train(Broken(), FOUR, tmp_path, lambda *_: None)
    assert all(bool(parameter.isfinite().all()) for parameter in learner.policy.parameters())


def test_a_rate_rises_and_falls_and_every_example_has_its_turn() -> None:
    settings = TrainSettings(steps=100, learning_rate=1.0, warmup_share=0.1)
    assert [settings.rate(0.0), settings.rate(0.1)] == [0.0, pytest.approx(0.978, abs=1e-3)]
    assert settings.rate(1.0) == pytest.approx(0.1)
    assert sorted(draw_example(1, number, 5) for number in range(5)) == [0, 1, 2, 3, 4]
    assert [draw_example(1, n, 5) for n in range(5)] != [draw_example(1, n, 5) for n in range(5, 10)]
