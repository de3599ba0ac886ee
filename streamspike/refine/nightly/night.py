"""One night, phase after phase, each done as a whole or done again.

    export     what the cameras logged becomes a dataset
    check      is it fit to learn from?
    train      an adapter, from the one in service on; checkpoints every few minutes
    judge      both on the held-out clips
    promote    or refuse; in both cases a report

Whatever goes wrong, the adapter in service serves on: only the last phase changes that, in one transaction.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamspike.config import Config
from streamspike.errors import AdapterRefused, ConfigError, DatasetError, EngineError, StoreError
from streamspike.outputs.registry import AdapterState
from streamspike.outputs.store import Store
from streamspike.refine.checkpoint import delete_checkpoints
from streamspike.refine.commands import load_bare
from streamspike.refine.dataset.command import DAY_SECONDS, read_journal
from streamspike.refine.dataset.format import INDEX, read_index
from streamspike.refine.dataset.mix import Mix
from streamspike.refine.dataset.reading import StoredExamples, read_examples
from streamspike.refine.dataset.retention import delete_expired
from streamspike.refine.dataset.split import SplitRule
from streamspike.refine.dataset.writing import Shape, export
from streamspike.refine.gate.data_check import check_data
from streamspike.refine.gate.judging import Data, Verdict, judge_candidate
from streamspike.refine.nightly.diary import Diary, Outcome
from streamspike.refine.nightly.giving_way import GivingWay, free_memory
from streamspike.refine.nightly.lessons import TRAINED_SHARE, teach
from streamspike.refine.nightly.morning import Morning, read_curve, write_report

if TYPE_CHECKING:
    from streamspike.engine.engine import IncrementalEngine

DATASET, RUN = "dataset", "run"
SERVED = (AdapterState.PROMOTED, AdapterState.RETIRED)
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
            ModelError, StoreError: the night cannot go on as things stand; the next call tries again. What served
                serves on.
        """
        with contextlib.closing(Store(Path(self._config.store.path))) as store:
            try:
                self._run(store)
            except Unfinished as error:
                store.report_night_shift(SHARES["train"][1], str(error), self._now())
                raise
            except (AdapterRefused, ConfigError, DatasetError, EngineError) as error:
                # They would come again with each call, and no other night would ever begin.
                self._refuse(store, [str(error)])
        return self.diary

    def _run(self, store: Store) -> None:
        known = store.adapters.find(self.diary.name)
        if known is not None and known.state in SERVED:  # killed right after it was promoted
            self._end(store, "promoted", known.reasons)
            return
        with self._phase("export", store):
            self._delete_expired(store)
            self._export()
        with self._phase("check", store):
            reasons = self._check()
        if reasons:
            self._refuse(store, reasons)
            return
        with self._phase("train", store) as tell:
            adapter = self._train(store, tell)
        with self._phase("judge", store) as tell:
            verdict = self._judge(store, adapter, tell)
        accepted, reasons = verdict.decision.accepted, list(verdict.decision.reasons)
        outcome: Outcome = "refused" if not accepted else "promoted" if self._settings.promote else "accepted"
        self._report(outcome, reasons, verdict)
        if outcome == "promoted":
            store.adapters.promote(verdict.name, self._now())
        self._end(store, outcome, reasons)

    @contextlib.contextmanager
    def _phase(self, name: str, store: Store) -> Iterator[Tell]:
        start, end = SHARES[name]

        def tell(share: float, words: str) -> None:
            done = start + (end - start) * min(1.0, share)
            self._tell(done, f"{name} {words}")
            store.report_night_shift(done, f"{self.diary.name}: {name} {words}".rstrip(), self._now())

        began = self._now()
        tell(0.0, "")
        try:
            yield tell
        finally:
            spent = self.diary.phase_seconds.get(name, 0.0) + self._now() - began
            self.diary.phase_seconds[name] = round(spent, 3)
            self.diary.write(self._folder)
            free_memory()

    def _delete_expired(self, store: Store) -> None:
        """The datasets of all nights that must go; what was trained on that of this night goes with it."""
        opted_out = store.kept_from_refine() | {camera.id for camera in self._config.cameras if not camera.refine}
        try:
            gone = [
                folder
                for night in self._folder.parent.iterdir()
                for folder, _ in delete_expired(night, self._now(), opted_out)
            ]
            if self._folder / DATASET in gone:
                shutil.rmtree(self._folder / RUN, ignore_errors=True)
        except OSError as error:
            raise StoreError(f"cannot delete a dataset that must go: {error}") from error

    def _export(self) -> None:
        """Raises DatasetError."""
        out = self._folder / DATASET
        if (out / INDEX).is_file():
            return
        config, dropped = self._config, Counter[str]()
        shape = Shape(config.segment.frames, max_height_px=config.ingest.max_frame_height_px)
        since_at = self.diary.started_at - DAY_SECONDS * self._settings.days
        export(
            out,
            read_journal(config, since_at, shape.max_segments, dropped),
            dropped,
            shape=shape,
            rule=SplitRule(seed=self.diary.seed),
            mix=Mix(max_clips=self._settings.max_clips),
            seed=self.diary.seed,
            keep_days=config.clips.keep_days,
            now=self._now(),
            origin="journal",
        )

    def _clips(self) -> tuple[StoredExamples, StoredExamples]:
        folder = self._folder / DATASET
        return read_examples(folder, "train"), read_examples(folder, "held_out")

    def _check(self) -> list[str]:
        """What speaks against going on; nothing once training has begun."""
        if (self._folder / RUN).is_dir():
            return []
        train, held_out = self._clips()
        config, few = self._config, self._config.refine.min_clips
        if len(held_out) < few:
            return [f"{len(held_out)} held-out clips decide nothing, {few} would (refine.min_clips)"]
        return list(check_data(train, config.refine, config.belief, self._bare_engine()))

    def _train(self, store: Store, tell: Tell) -> Path:
        """The folder of the adapter. Raises Unfinished."""
        from streamspike.refine.training import ADAPTER_FOLDER

        run = self._folder / RUN
        if (run / ADAPTER_FOLDER).is_dir():
            return run / ADAPTER_FOLDER
        train_clips, _ = self._clips()
        minutes = TRAINED_SHARE * 60 * self._settings.hours
        give_way = self._give_way(store)

        def report(share: float, words: str) -> None:
            tell(share, words)
            give_way()

        adapter = teach(
            self.diary, self._config, store, train_clips, run, self._settings.steps, minutes, report,
            should_pause=lambda: self._now() >= self._deadline,
        )  # fmt: skip
        if adapter is None:
            raise Unfinished(f"{self.diary.name}: the time is over before its training is; the next call goes on")
        return adapter

    def _judge(self, store: Store, adapter: Path, tell: Tell) -> Verdict:
        train, held_out = self._clips()
        data = Data(f"held-out clips of {self.diary.name}, hash {held_out.data_hash}", held_out, train)
        give_way = self._give_way(store)

        def progress(share: float) -> None:
            tell(share, "")
            give_way()

        return judge_candidate(adapter, data, self._config, store.adapters, self._bare_engine(), progress)

    def _give_way(self, store: Store) -> GivingWay:
        seconds = self._config.segment.seconds
        return GivingWay(store.recent_segments, seconds, self._now, self._wait, self._deadline)

    def _wait(self, seconds: float) -> None:
        self._sleep(seconds)
        self.diary.waited_seconds += seconds

    def _bare_engine(self) -> IncrementalEngine:
        from streamspike.engine.engine import IncrementalEngine

        return IncrementalEngine(load_bare(self._config), self._config.segment.seconds, self._config.engine)

    def _refuse(self, store: Store, reasons: Sequence[str]) -> None:
        self._report("refused", reasons, None)
        self._end(store, "refused", reasons)

    def _report(self, outcome: Outcome, reasons: Sequence[str], verdict: Verdict | None) -> None:
        folder = self._folder / DATASET
        index = read_index(folder) if (folder / INDEX).is_file() else None
        night = Morning(outcome, reasons, index, read_curve(self._folder / RUN), verdict)
        write_report(self.report_path, self.diary, night, self._config.refine)

    def _end(self, store: Store, outcome: Outcome, reasons: Sequence[str]) -> None:
        """The checkpoints are not needed any more: the registry has a copy of the adapter."""
        self.diary.outcome = outcome
        self.diary.reasons = list(reasons)
        self.diary.write(self._folder)
        delete_checkpoints(self._folder / RUN)
        words = f"{self.diary.name}: {outcome}" + (f"; {reasons[0]}" if reasons else "")
        store.report_night_shift(1.0, words, self._now())
