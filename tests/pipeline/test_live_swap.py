"""An adapter is promoted while a camera is watched: no segment is lost, events say who they are of, and a broken one
leaves the one before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamspike.app import load_engine
from streamspike.clock import SystemClock
from streamspike.config import Config, ModelConfig
from streamspike.core import Observation
from streamspike.engine.card import WEIGHTS_FILE, weights_version
from streamspike.engine.engine import IncrementalEngine
from streamspike.engine.model import LoadedModel, load_model
from streamspike.errors import ModelError
from streamspike.outputs.adapter_folder import install_adapter
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.registry import AdapterRecord
from streamspike.outputs.store import Store
from streamspike.pipeline import adapters
from streamspike.pipeline.inference import InferenceService
from streamspike.pipeline.supervisor import Supervisor
from streamspike.stats import EngineStats
from tests.support.adapters import write_adapter
from tests.support.fake_engine import FakeEngine
from tests.support.pipeline import RecordingSink, quick_config

MODEL = "random:tiny-qwen2.5-vl"
WORLD = "world:street?seed=7&seconds=600&size=96x64&fps=8"


def live_config(folder: Path, adapter: str | None = "promoted") -> Config:
    return quick_config(
        folder,
        WORLD,
        model={"name": MODEL, "device": "cpu", "adapter": adapter},
        belief={"window_segments": 3, "num_hypotheses": 2, "max_hypothesis_tokens": 4, "max_caption_tokens": 4},
        clips={"enabled": False},
        keyframes={"per_hour": 0},
    )


class Watched(RecordingSink):
    """Lets the test wait for segments."""

    async def until(self, condition: Callable[[Observation], bool]) -> Observation:
        """The first observation for which it holds, from now on."""
        first = len(self.observations)
        async with asyncio.timeout(60):
            while True:
                for observation in self.observations[first:]:
                    if condition(observation):
                        return observation
                await asyncio.sleep(0.005)


def promote(
    config: Config, loaded: LoadedModel, name: str, seed: int, spoil: Callable[[Path], object] = lambda _: None
) -> str:
    """As another process would. Returns the model's name with it."""
    folder = Path(config.store.path).parent
    source = write_adapter(folder / f"run-{name}", loaded, name=name, seed=seed)
    spoil(source)
    install_adapter(source, folder / "adapters", name)
    version = weights_version(source)
    with contextlib.closing(Store(Path(config.store.path))) as store:
        store.adapters.register(AdapterRecord(name, loaded.name, version, "", "test", {}, "", {}, 1.0))
        store.adapters.promote(name, 2.0, force=True)
    return f"{loaded.name}+{name}@{version}"


@asynccontextmanager
async def running(
    config: Config, sink: Watched, engine: IncrementalEngine
) -> AsyncIterator[tuple[Supervisor, EngineStats]]:
    stats = EngineStats()
    async with (
        asyncio.timeout(100),
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(engine, stats) as inference,
    ):
        supervisor = Supervisor(config, inference, recorder, [sink], None, SystemClock())
        await supervisor.prepare()
        run = asyncio.create_task(supervisor.run())
        try:
            yield supervisor, stats
        finally:
            supervisor.stop()
            await run


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "LOOK_SECONDS", 0.1)


def bare(config: Config) -> IncrementalEngine:
    return IncrementalEngine(load_model(config.model.model_copy(update={"adapter": None})), config.segment.seconds)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_looks")
async def test_a_promoted_adapter_is_put_on_between_two_segments_and_a_broken_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, sink = live_config(tmp_path), Watched()
    other = load_model(ModelConfig(name=MODEL, device="cpu"))  # of the process that promotes
    engine = bare(config)
    async with running(config, sink, engine) as (supervisor, stats):
        await sink.until(lambda observation: observation.model == other.name and observation.index >= 4)
        first = promote(config, other, "first", seed=1)
        swapped = await sink.until(lambda observation: observation.model == first)
        await sink.until(lambda observation: observation.index >= swapped.index + 3)

        foreign = {"lm_head.weight": torch.zeros(4, 4)}
        broken = promote(config, other, "broken", 2, lambda source: save_file(foreign, source / WEIGHTS_FILE))
        supervisor.look_again()
        async with asyncio.timeout(30):
            while not stats.adapter_swaps["failed"]:
                await asyncio.sleep(0.01)
        await sink.until(lambda observation: observation.index > swapped.index + 5)
        good = promote(config, other, "second", seed=3)
        await sink.until(lambda observation: observation.model == good)
        with contextlib.closing(Store(Path(config.store.path))) as store:
            assert store.adapters.rollback(9.0).name == "broken"
            assert store.adapters.rollback(9.0).name == "first"
        await sink.until(lambda observation: observation.model == first)
    names = list(dict.fromkeys(observation.model for observation in sink.observations))
    assert names == [other.name, first, good] and broken not in names
    dropped = supervisor.cameras[0].stats.dropped_segments
    missing = sink.indices[-1] + 1 - len(set(sink.indices))
    assert sink.indices == sorted(set(sink.indices)) and not dropped.keys() - {"stopped", "still"}
    assert missing <= dropped.total(), "a swap costs no segment; the end may cost one, and one where nothing moves"
    assert stats.failed_requests == 0 and stats.adapter_swaps["swapped"] == 3
    assert "stays in service" in caplog.text and "no factor of a LoRA adapter" in caplog.text
    assert {event.model for event, _ in sink.alerts} <= set(names)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_looks")
async def test_a_start_takes_what_is_in_service_and_a_changed_configuration_takes_it_off(tmp_path: Path) -> None:
    config, sink = live_config(tmp_path), Watched()
    engine = bare(config)
    name = promote(config, engine._loaded, "night", seed=1)
    async with running(config, sink, engine) as (supervisor, stats):
        assert (await sink.until(lambda _: True)).model == name
        plain = config.model_copy(update={"model": config.model.model_copy(update={"adapter": None})})
        plan = await supervisor.reconfigure(plain)
        assert plan.sentence == "looks for the adapter none" and not plan.refused
        await sink.until(lambda observation: observation.model == engine._loaded.name)
    assert stats.adapter_swaps["swapped"] == 2


@pytest.mark.slow
async def test_an_adapter_in_service_that_is_gone_leaves_the_base_and_a_named_one_must_be_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, sink = live_config(tmp_path), Watched()
    engine = bare(config)
    promote(config, engine._loaded, "night", seed=1)
    (tmp_path / "adapters" / "night").rename(tmp_path / "adapters" / "elsewhere")
    async with running(config, sink, engine) as (_, stats):
        assert (await sink.until(lambda _: True)).model == engine._loaded.name
        assert stats.adapter_swaps == {"failed": 1} and "no adapter folder" in caplog.text
    for wanted in ("night", str(tmp_path / "nowhere")):
        with pytest.raises(ModelError, match="no adapter"):
            load_engine(live_config(tmp_path, wanted))
    assert load_engine(live_config(tmp_path, "elsewhere")).name.startswith(f"{engine._loaded.name}+night@")


async def test_an_engine_that_takes_no_adapters_says_so(tmp_path: Path) -> None:
    config = live_config(tmp_path, "night")
    async with (
        Recorder(Store(Path(config.store.path))) as recorder,
        InferenceService(FakeEngine(), EngineStats()) as one,
    ):
        service = adapters.AdapterService(config, one, recorder, SystemClock())
        with pytest.raises(ModelError, match="fake@0 takes no adapters"):
            await service.begin()
        nothing = replace_adapter(config, None)
        await adapters.AdapterService(nothing, one, recorder, SystemClock()).begin()


def replace_adapter(config: Config, adapter: str | None) -> Config:
    return config.model_copy(update={"model": config.model.model_copy(update={"adapter": adapter})})
