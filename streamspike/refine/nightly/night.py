"""One night, phase after phase, each done as a whole or done again:

    export     what the cameras logged becomes a dataset
    check      is it fit to learn from?
    train      an adapter, from the one in service on; checkpoints every few minutes
    judge      both on the held-out clips
    promote    or refuse; in both cases a report

Whatever goes wrong, the adapter in service serves on: only the last phase changes that, in one transaction.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamspike.config import Config
from streamspike.errors import AdapterRefused, DatasetError
from streamspike.outputs.registry import AdapterState
from streamspike.outputs.store import Store
from streamspike.refine.dataset.command import DAY_SECONDS, read_journal
from streamspike.refine.dataset.format import INDEX, read_index
from streamspike.refine.dataset.mix import Mix
from streamspike.refine.dataset.reading import StoredExamples, read_examples
from streamspike.refine.dataset.retention import delete_expired
from streamspike.refine.dataset.split import SplitRule
from streamspike.refine.dataset.writing import Shape, export
from streamspike.refine.gate.data_check import check_data
from streamspike.refine.gate.judging import Data, Verdict, judge_candidate
from streamspike.refine.nightly.diary import Diary
from streamspike.refine.nightly.giving_way import GivingWay
from streamspike.refine.nightly.lessons import TRAINED_SHARE, make_learner, settings_of
from streamspike.refine.nightly.morning import write_report

if TYPE_CHECKING:
    from streamspike.engine.engine import IncrementalEngine

DATASET, RUN = "dataset", "run"
Tell = Callable[[float, str], None]
"""How far the night has come, in [0, 1], and words."""
SHARES = {"export": (0.0, 0.1), "check": (0.1, 0.12), "train": (0.12, 0.8), "judge": (0.8, 1.0)}
"""Of the bar; nobody knows beforehand how long a phase takes."""


@dataclass(frozen=True, slots=True)
class NightSettings:
    """What one night may take."""

    hours: float
    """From its beginning to the end of its training; the gate takes what it takes, as half a comparison is none."""
    days: float
    """Of footage."""
    steps: int = 0
    """Of training; 0: as many as there is time for."""
    max_clips: int = 1000
    promote: bool = True
    """False: an accepted adapter waits for `refine promote`."""


class Unfinished(Exception):
    """The time was over before the training was; the next night goes on with it."""


class Night:
    """Goes on with a night, from wherever it stands. Blocking."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        diary: Diary,
        settings: NightSettings,
        tell: Tell,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            folder: of this night.
            now: UTC.
            sleep: waits while the monitor is short of time.
        """
        self.diary = diary
        self._config = config
        self._folder = folder
        self._settings = settings
        self._tell = tell
        self._now = now
        self._sleep = sleep
        self._deadline = now() + 3600 * settings.hours

    @property
    def report_path(self) -> Path:
        return self._folder / "report.html"

    def run(self) -> Diary:
        """Until the night is over.

        Raises:
            Unfinished: there was no time for more.
            ModelError, EngineError, StoreError, DatasetError: the night cannot go on; what served serves on.
        """
        with contextlib.closing(Store(Path(self._config.store.path))) as store:
            try:
                self._run(store)
            except AdapterRefused as error:
                self._end_refused(store, [str(error)])
        return self.diary

    def _run(self, store: Store) -> None:
        known = store.adapters.find(self.diary.name)
        if known is not None and known.state is AdapterState.PROMOTED:  # killed right after it was
            self._end("promoted", known.reasons)
            return
        with self._phase("export", store):
            reasons = self._export(store)
        if not reasons:
            with self._phase("check", store) as tell:
                tell(0.0, "")
                reasons = self._check()
        if reasons:
            self._end_refused(store, reasons)
            return
        with self._phase("train", store) as tell:
            adapter = self._train(store, tell)
        with self._phase("judge", store) as tell:
            verdict = self._judge(store, adapter, tell)
        decision = verdict.decision
        promote = decision.accepted and self._settings.promote
        self._report(store, verdict)
        if promote:
            store.adapters.promote(verdict.name, self._now())
        self._end("promoted" if promote else "accepted" if decision.accepted else "refused", decision.reasons)

    @contextlib.contextmanager
    def _phase(self, name: str, store: Store) -> Iterator[Tell]:
        start, end = SHARES[name]

        def tell(share: float, words: str) -> None:
            done = start + (end - start) * min(1.0, share)
            self._tell(done, f"{name} {words}")
            store.report_night_shift(done, f"{self.diary.name}: {name} {words}".rstrip(), self._now())

        began = self._now()
        tell(0.0, "")
        yield tell
        spent = self.diary.phase_seconds.get(name, 0.0) + self._now() - began
        self.diary.phase_seconds[name] = round(spent, 3)
        self.diary.write(self._folder)

    def _export(self, store: Store) -> list[str]:
        """What speaks against going on."""
        out = self._folder / DATASET
        if (out / INDEX).is_file():
            return []
        config, dropped = self._config, Counter[str]()
        shape = Shape(config.segment.frames, max_height_px=config.ingest.max_frame_height_px)
        opted_out = store.kept_from_refine() | {camera.id for camera in config.cameras if not camera.refine}
        for night in self._folder.parent.iterdir():
            delete_expired(night, self._now(), opted_out)
        try:
            since_at = self.diary.started_at - DAY_SECONDS * self._settings.days
            candidates = read_journal(config, since_at, shape.max_segments, dropped)
            export(
                out,
                candidates,
                dropped,
                shape=shape,
                rule=SplitRule(seed=self.diary.seed),
                mix=Mix(max_clips=self._settings.max_clips),
                seed=self.diary.seed,
                keep_days=config.clips.keep_days,
                now=self._now(),
                origin="journal",
            )
        except DatasetError as error:
            return [str(error)]
        return []

    def _clips(self) -> tuple[StoredExamples, StoredExamples]:
        folder = self._folder / DATASET
        return read_examples(folder, "train"), read_examples(folder, "held_out")

    def _check(self) -> list[str]:
        train, held_out = self._clips()
        config, engine = self._config, self._bare_engine()
        reasons = check_data(train, config.refine, config.belief, engine)
        few = config.refine.min_clips
        if len(held_out) < few:
            reasons += (f"{len(held_out)} held-out clips decide nothing, {few} would (refine.min_clips)",)
        return list(reasons)

    def _train(self, store: Store, tell: Tell) -> Path:
        """The folder of the adapter. Raises Unfinished."""
        from streamspike.refine.training import ADAPTER_FOLDER, train

        run = self._folder / RUN
        if (run / ADAPTER_FOLDER).is_dir():
            return run / ADAPTER_FOLDER
        train_clips, _ = self._clips()
        learner, parent = make_learner(self.diary, self._config, store, train_clips)
        way = GivingWay(store.recent_segments, self._now, self._sleep, self._deadline)
        minutes = TRAINED_SHARE * 60 * self._settings.hours

        def report(share: float, line: Mapping[str, Any], words: str) -> None:
            tell(share, f"step {line['step']} {words}")
            way()

        adapter = train(
            learner,
            settings_of(self.diary, self._settings.steps, minutes),
            run,
            report,
            should_pause=lambda: self._now() >= self._deadline,
            card={"name": self.diary.name, "parent": parent, "data_hash": train_clips.data_hash},
        )
        if adapter is None:
            raise Unfinished(f"{self.diary.name}: the time is over before its training is; the next call goes on")
        return adapter

    def _judge(self, store: Store, adapter: Path, tell: Tell) -> Verdict:
        train, held_out = self._clips()
        data = Data(f"held-out clips of {self.diary.name}, hash {held_out.data_hash}", held_out, train)
        engine = self._bare_engine()
        return judge_candidate(adapter, data, self._config, store.adapters, engine, lambda share: tell(share, ""))

    def _bare_engine(self) -> IncrementalEngine:
        from streamspike.engine.engine import IncrementalEngine
        from streamspike.engine.model import load_model

        bare = self._config.model.model_copy(update={"adapter": None})
        return IncrementalEngine(load_model(bare), self._config.segment.seconds, self._config.engine)

    def _report(self, store: Store, verdict: Verdict | None, reasons: list[str] | None = None) -> None:
        folder = self._folder / DATASET
        index = read_index(folder) if (folder / INDEX).is_file() else None
        write_report(self.report_path, self.diary, index, self._folder / RUN, self._config.refine, verdict, reasons)

    def _end_refused(self, store: Store, reasons: list[str]) -> None:
        self._report(store, None, reasons)
        self._end("refused", reasons)
        store.report_night_shift(1.0, f"{self.diary.name}: refused; {reasons[0]}", self._now())

    def _end(self, outcome: Any, reasons: Any) -> None:
        self.diary.outcome = outcome
        self.diary.reasons = list(reasons)
        self.diary.write(self._folder)
