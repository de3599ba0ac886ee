"""Several processes learn what one would have learned from the same clips."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import sys; from streamspike.cli import main; sys.exit(main())"
WEIGHTS = "adapter/adapter_model.safetensors"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["supervised", "spike-rl"])
def test_two_processes_give_the_weights_of_one(method: str, tmp_path: Path) -> None:
    program = tmp_path / "run.py"
    program.write_text(PROGRAM)
    arguments = [str(program), "refine", method, "world:0:6", "--steps", "2", "--device", "cpu"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    said = {}
    for name, start, clips in (("one", [], "2"), ("two", launcher, "1")):
        command = [sys.executable, *start, *arguments, "--clips", clips, "--out", str(tmp_path / name)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        said[name] = done.stdout
    assert said["two"].count("the adapter is in") == 1
    assert (tmp_path / "two" / WEIGHTS).read_bytes() == (tmp_path / "one" / WEIGHTS).read_bytes()
    curves = [
        [json.loads(line) for line in (tmp_path / name / "curve.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for one, two in zip(*curves, strict=True):
        assert {**two, "seconds": 0} == pytest.approx({**one, "seconds": 0}, rel=1e-6)
