"""Which adapter the model wears: looked up as configured, and changed while cameras run, between two steps.

The registry is asked every few seconds, because `streamspike refine promote` is another process. Whatever is wrong with
an adapter is found before the weights are touched, or they are put back: the one before goes on serving, no segment is
lost, and the attempt is logged and counted. It is tried again when the registry or its files change, and when asked to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from streamspike.clock import Clock
from streamspike.config import Config
from streamspike.core import Engine
from streamspike.errors import ModelError
from streamspike.outputs.adapter_folder import adapters_folder
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.inference import InferenceService

if TYPE_CHECKING:
    from streamspike.engine.adapter import Adapter, AdapterSlot

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
PROMOTED = "promoted"
"""Of `model.adapter`: whatever the registry says is in service."""


@runtime_checkable
class Adaptable(Protocol):
    """An engine whose model takes adapters."""

    name: str
    slot: AdapterSlot

    def wear(self, adapter: Adapter | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """An adapter that is to be worn, as its files are now; two that differ are tried one after the other."""

    folder: Path
    stamp: tuple[int, int]
    """Of the weights: time of their last change, and size; zeros while there are none."""


def find_choice(config: Config, base: str, store: Store | None) -> Choice | None:
    """What `model.adapter` means at this moment. Blocking; the files are not read.

    Args:
        base: name and version of the model that runs.
        store: None where there is none; nothing was promoted then.
    """
    wanted = config.model.adapter
    if wanted is None:
        return None
    folder = Path(wanted).expanduser()
    if wanted == PROMOTED:
        record = store.adapters.in_service(base) if store is not None else None
        if record is None:
            return None
        folder = adapters_folder(config.refine, config.store) / record.name
    elif not folder.is_dir():
        folder = adapters_folder(config.refine, config.store) / wanted
        if not folder.is_dir():
            raise ModelError(
                f"no adapter {wanted!r}: neither a folder, nor one of those in {folder.parent}, nor {PROMOTED!r}"
            )
    try:
        found = (folder / "adapter_model.safetensors").stat()
    except OSError:
        return Choice(folder, (0, 0))
    return Choice(folder, (found.st_mtime_ns, found.st_size))


def dress_engine(engine: Engine, config: Config) -> None:
    """Put on what the configuration says, once and for all: for work that ends.

    Raises:
        ModelError: there is no such adapter, it does not fit, or the engine takes none.
    """
    if config.model.adapter is None:
        return
    if not isinstance(engine, Adaptable):
        raise ModelError(f"{engine.name} takes no adapters; leave out model.adapter")
    from streamspike.engine.adapter import read_adapter

    store = Store(path) if (path := Path(config.store.path)).is_file() else None
    try:
        choice = find_choice(config, engine.slot.base, store)
    finally:
        if store is not None:
            store.close()
    if choice is not None:
        engine.wear(read_adapter(choice.folder, engine.slot))


class AdapterService:
    """Keeps the model in what the configuration and the registry say. `run` belongs in the owner's TaskGroup."""

    def __init__(
        self,
        config: Config,
        inference: InferenceService,
        recorder: Recorder,
        clock: Clock,
        on_swap: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Args:
            on_swap: told the model's new name, on the loop.
        """
        self._config = config
        self._inference = inference
        self._recorder = recorder
        self._clock = clock
        self._on_swap = on_swap
        self._asked = asyncio.Event()
        self._tried: Choice | None = None
        """What was last put on, or could not be."""
        self._failure = ""

    @property
    def name(self) -> str:
        """Of the model as it is now."""
        return self._inference.name

    def wake(self) -> None:
        """Look now, and try again what failed."""
        self._asked.set()

    def reconfigure(self, config: Config) -> None:
        """Another `model.adapter` holds from now on."""
        self._config = config
        self.wake()

    async def begin(self) -> None:
        """Before the first segment. An adapter in service that cannot be put on leaves the base; one that somebody
        named must be there.

        Raises:
            ModelError: `model.adapter` names one that is not there or does not fit.
        """
        try:
            await self._look()
        except ModelError as error:
            if self._config.model.adapter != PROMOTED:
                raise
            self._note_failure(error)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                pass
            else:
                self._asked.clear()
                self._tried, self._failure = None, ""
            try:
                await self._look()
            except ModelError as error:
                if str(error) != self._failure:  # once, not at every look
                    self._note_failure(error)

    async def _look(self) -> None:
        """Raises ModelError; the model is what it was."""
        engine = self._inference.engine
        if not isinstance(engine, Adaptable):
            if self._config.model.adapter is not None:
                raise ModelError(f"{engine.name} takes no adapters; leave out model.adapter")
            return
        choice = await self._recorder.run(find_choice, self._config, engine.slot.base, self._recorder.store)
        if choice == self._tried and (choice is not None or engine.slot.adapter is None):
            return
        self._tried = choice
        adapter = await asyncio.to_thread(_read, choice, engine.slot) if choice is not None else None
        worn = engine.slot.adapter
        if (worn.name if worn is not None else None) == (adapter.name if adapter is not None else None):
            return
        started = self._clock.monotonic()
        await self._inference.between_steps(lambda: engine.wear(adapter))
        self._inference.stats.adapter_swaps["swapped"] += 1
        logger.warning("%s is in service; the swap took %.3f s", engine.name, self._clock.monotonic() - started)
        self._on_swap(engine.name)

    def _note_failure(self, error: ModelError) -> None:
        self._failure = str(error)
        self._inference.stats.adapter_swaps["failed"] += 1
        logger.error("%s stays in service: %s", self.name, error)


def _read(choice: Choice, slot: AdapterSlot) -> Adapter:
    from streamspike.engine.adapter import read_adapter

    return read_adapter(choice.folder, slot)
