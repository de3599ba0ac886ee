"""Runs `bench surprise` on a fake engine: no model, no processes, no terminal."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from streamspike.bench.footage import Dataset
from streamspike.bench.surprise.contestants import choose_contestants
from streamspike.bench.surprise.measurement import Bench, Measurement
from streamspike.bench.surprise.workers import OwnProcess
from streamspike.config import Config
from streamspike.core import Request
from streamspike.progress import Advance
from tests.support.fake_engine import Answer, FakeEngine

CONFIG = Config()
HOSTILE = "<script>alert(1)</script> & \"quotes\" 'too' \x07"


def guess(request: Request) -> Answer:
    """Surprise that depends on nothing in the picture."""
    random = np.random.default_rng(zlib.crc32(f"{request.camera_id}/{request.index}".encode()))
    prior, posterior = random.uniform(0.05, 0.95, 2)
    return Answer((("this", prior, posterior), (HOSTILE, 1 - prior, 1 - posterior)), HOSTILE)


@contextlib.contextmanager
def silence(title: str, total: float | None, unit: str, /) -> Iterator[Advance]:
    yield lambda done, words="", /: None


def measure(
    datasets: Sequence[Dataset],
    engine: FakeEngine | None = None,
    scorers: str = "surprise,frame-difference,middle",
    folder: Path | None = None,
    seed: int = 0,
) -> Measurement:
    """A whole run in this process; `engine` guesses by default."""
    engine = engine or FakeEngine(guess)
    crew = OwnProcess(CONFIG, {"surprise": engine})
    bench = Bench(CONFIG, choose_contestants(scorers, CONFIG), crew, folder, silence)
    measurement = bench.measure([(dataset, dataset.footage()) for dataset in datasets], seed)
    machine = {"accelerator": None, "processor": "abacus", "cores": 1, "versions": {"numpy": "2"}}
    measurement.result.update(commit="1234567", machine=machine, workers=1)
    return measurement
