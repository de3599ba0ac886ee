"""Commands that train, killed by the kernel in each of their phases: they end with the weights of one that was not.

The loop that all methods share is killed in `test_training.py`; here are those with questions or phases of their own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMANDS = {
    "crpo": ("world:5:3", "--steps", "4", "--save-every", "1", "--questions", "2"),
    "savi": ("world:5:2", "--pairs", "2", "--iterations", "1", "--epochs", "3", "--min-gain", "0", "--batch", "2",
             "--save-every", "1"),
    "spike-rl": ("world:5:3", "--words", "own", "--steps", "4", "--save-every", "1"),
    "supervised": ("world:5:3", "--words", "own", "--steps", "4", "--save-every", "1"),
}  # fmt: skip
PHASES = {"savi": ("round-1/pairs.jsonl.partial", "round-1/checkpoint-*")}
"""What is there when a phase has begun; elsewhere there is one, and its checkpoints tell."""
ANY = ("checkpoint-*",)
LONGEST_SECONDS = 120.0


def start(method: str, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    program = "import sys; from streamspike.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "refine", method, *COMMANDS[method], "--out", str(out)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str], out: Path) -> bytes:
    said, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0, said
    return (out / "adapter" / "adapter_model.safetensors").read_bytes()


def kill_in(method: str, out: Path, phase: str) -> None:
    """As soon as the phase has left something on the disk."""
    process = start(method, out)
    deadline = time.monotonic() + LONGEST_SECONDS
    while not list(out.glob(phase)):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL and not (out / "adapter").exists(), "it was killed before its end"


@pytest.mark.slow
@pytest.mark.parametrize("method", list(COMMANDS))
def test_a_command_that_is_killed_in_each_phase_ends_with_the_same_weights(method: str, tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    undisturbed = start(method, whole)  # on the other core
    try:
        for phase in PHASES.get(method, ANY):
            kill_in(method, killed, phase)
        assert finish(start(method, killed), killed) == finish(undisturbed, whole)
    finally:
        undisturbed.kill()
        undisturbed.wait()
