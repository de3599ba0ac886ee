"""A run of the monitor, made once, and copies of what it left for nights.

The model that watched is a fake: nights learn and compare with the built-in one, which takes long enough.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from streamspike.config import Config
from streamspike.core import Request
from streamspike.outputs.clips import ClipArchive
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.refine.dataset.conftest import NoonClock
from tests.support.fake_engine import CALM, STARTLING, Answer, FakeEngine
from tests.support.pipeline import quick_config

SEED, METHOD = 0, "supervised"
BELIEF = {"window_segments": 3, "num_hypotheses": 2, "max_hypothesis_tokens": 10, "max_caption_tokens": 10}
STREET = "world:street?seed=3&seconds=110&size=128x96&fps=4"
ROOM = "world:room?seed=4&seconds=110&size=128x96&fps=4"
STARTLED = {"a": (12, 62, 100), "b": (30, 101)}


@pytest.fixture(scope="package")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The configuration of a run that is over: 110 segments of each of two cameras."""
    folder = tmp_path_factory.mktemp("journal")
    config = quick_config(
        folder,
        STREET,
        ROOM,
        segment={"seconds": 1.0},
        belief=BELIEF,
        health={"notice_moves": False},
        clips={"ordinary_per_hour": 360, "ordinary_seconds": 4.0, "pre_seconds": 3.0, "post_seconds": 1.0},
        model={"device": "cpu"},
        refine={"min_clips": 2, "method": METHOD},
    )
    asyncio.run(_watch(config))
    return config


def _answer(request: Request) -> Answer:
    return STARTLING if request.index in STARTLED[request.camera_id] else CALM


async def _watch(config: Config) -> None:
    clock, folder = NoonClock(), Path(config.store.path).parent
    async with (
        asyncio.timeout(90),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(FakeEngine(_answer), EngineStats()) as inference,
        ClipArchive(config.clips, folder / "clips", recorder, clock) as archive,
    ):
        supervisor = Supervisor(config, inference, recorder, [], None, clock, archive)
        await supervisor.prepare()
        await supervisor.run()


CopyOf = Callable[[str], Config]


@pytest.fixture
def copy_of(journal: Config, tmp_path: Path) -> CopyOf:
    """The store, its clips and its nights for this test alone; the name is that of the folder."""

    def copy(name: str) -> Config:
        source = Path(journal.store.path)
        shutil.copytree(source.parent, tmp_path / name)
        store = journal.store.model_copy(update={"path": str(tmp_path / name / source.name)})
        return journal.model_copy(update={"store": store})

    return copy
