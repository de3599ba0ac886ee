"""Whole nights: what comes of one, and that a killed one ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streamspike.config import Config
from streamspike.outputs.registry import AdapterRecord, AdapterState, AdapterTable
from streamspike.outputs.store import Store
from streamspike.refine import checkpoint
from streamspike.refine.dataset.reading import read_examples
from streamspike.refine.gate import judging
from streamspike.refine.gate.deciding import Decision
from streamspike.refine.nightly import lessons, night
from streamspike.refine.nightly.diary import Diary, only_one, open_night
from streamspike.refine.nightly.night import Night, NightSettings, Unfinished
from streamspike.refine.savi.pairs import read_pairs
from tests.refine.nightly.conftest import SEED, CopyOf
from tests.support.cli import make_call
from tests.support.messages import NOON

pytestmark = pytest.mark.timeout(400)  # a night takes 8 seconds of a processor, which on a busy machine is long
AFTERWARDS = NOON + 600.0
WEIGHTS = "adapter_model.safetensors"


class Killed(BaseException):
    """Nothing catches it."""


@dataclass
class Watched:
    """A night, and what it told."""

    config: Config
    now: Callable[[], float] = lambda: AFTERWARDS
    hours: float = 1.0

    def __post_init__(self) -> None:
        self.nights = Path(self.config.store.path).parent / "nights"
        self.told: list[tuple[float, str]] = []

    def run(self) -> Diary:
        folder, diary = open_night(self.nights, AFTERWARDS, SEED, self.config.refine.method)
        settings = NightSettings(self.hours, days=1.0, steps=2)
        tell = lambda share, words: self.told.append((share, words))  # noqa: E731
        return Night(self.config, folder, diary, settings, tell, self.now, sleep=lambda seconds: None).run()

    @property
    def folder(self) -> Path:
        [folder] = [path for path in self.nights.iterdir() if path.is_dir()]
        return folder

    @property
    def weights(self) -> bytes:
        return (self.folder / "run" / "adapter" / WEIGHTS).read_bytes()

    def adapters(self) -> list[AdapterRecord]:
        with self.store() as store:
            return store.adapters.list_all()

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        with contextlib.closing(Store(Path(self.config.store.path))) as store:
            yield store


@pytest.fixture(scope="module")
def whole(journal: Config, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A night that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    source = Path(journal.store.path)
    shutil.copytree(source.parent, folder)
    store = journal.store.model_copy(update={"path": str(folder / source.name)})
    watched = Watched(journal.model_copy(update={"store": store}))
    watched.run()
    return watched


def accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps make nothing better; a gate that says so all the same."""
    monkeypatch.setattr(judging, "decide", lambda *_: Decision(True, ("better",)))


def test_a_night_leaves_a_dataset_an_adapter_a_verdict_and_a_report(whole: Watched) -> None:
    diary = json.loads((whole.folder / "diary.json").read_text())
    assert diary["name"] == whole.folder.name == "night-20260727"
    assert diary["outcome"] == "refused" and list(diary["phase_seconds"]) == ["export", "check", "train", "judge"]
    train, held_out = (read_examples(whole.folder / "dataset", split) for split in ("train", "held_out"))  # type: ignore[arg-type]
    assert len(train) >= 2 and len(held_out) >= 1  # how many stretches are kept depends on when the run ends
    [record] = whole.adapters()
    assert (record.name, record.state, record.method) == (whole.folder.name, AdapterState.REFUSED, "supervised")
    assert list(record.reasons) == diary["reasons"] and record.data_hash == train.data_hash
    assert (whole.nights.parent / "adapters" / record.name / WEIGHTS).read_bytes() == whole.weights
    report = (whole.folder / "report.html").read_text()
    parts = (
        "refused",
        "The model stays as it is",
        "What the cameras logged",
        "How it learned",
        f"{len(held_out)} held-out clips",
    )
    assert all(part in report for part in (*parts, *diary["reasons"], train.data_hash[:12]))
    assert not list((whole.folder / "run").glob("checkpoint-*"))


def test_progress_rises_and_the_end_is_told(whole: Watched) -> None:
    shares = [share for share, _ in whole.told]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert {words.split()[0] for _, words in whole.told} == {"export", "check", "train", "judge"}
    with whole.store() as store:
        told = store.night_shift()
    assert told is not None and told["progress"] == 1.0
    assert str(told["words"]).startswith("night-20260727: refused; ")


def after(name: str, owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed right after this was done."""
    once: list[int] = []
    real = getattr(owner, name)

    def die(*args: Any, **values: Any) -> Any:
        result = real(*args, **values)
        if not once:
            once.append(1)
            raise Killed(name)
        return result

    monkeypatch.setattr(owner, name, die)


KILLS: tuple[tuple[str, Any], ...] = (
    ("read_journal", night),  # before anything is written
    ("export", night),
    ("check_data", night),
    ("save_checkpoint", checkpoint),  # with one of two steps
    ("register_candidate", judging),
    ("compare", judging),  # before the verdict
    ("write_report", night),
    ("promote", AdapterTable),
)


@pytest.mark.slow
def test_a_night_killed_in_each_phase_ends_as_one_that_was_not(
    copy_of: CopyOf, whole: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamspike.refine import training

    accept(monkeypatch)
    monkeypatch.setattr(lessons, "SAVE_EVERY", 1)
    watched = Watched(copy_of("killed"))
    for name, owner in KILLS:
        target = training if owner is checkpoint else owner
        after(name, target, monkeypatch)
        with pytest.raises(Killed, match=name):
            watched.run()
        with watched.store() as store:
            served = [record for record in store.adapters.list_all() if record.state is AdapterState.PROMOTED]
            assert bool(served) == (name == "promote"), "until the last moment the old one serves"
    diary = watched.run()
    assert (diary.outcome, diary.reasons) == ("promoted", ["better"])
    assert watched.weights == whole.weights
    with watched.store() as store:
        [promotion] = store.adapters.promotions()
        told = store.night_shift()
    assert promotion.name == diary.name and told is not None and told["words"] == f"{diary.name}: promoted; better"
    curves = [(each.folder / "run" / "curve.jsonl").read_text().splitlines() for each in (watched, whole)]
    losses = [[json.loads(line)["loss"] for line in curve] for curve in curves]
    assert losses[0] == losses[1] and len(losses[0]) == 2


@pytest.mark.slow
def test_when_the_time_is_over_the_next_call_goes_on(
    copy_of: CopyOf, whole: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(copy_of("late"))

    def now() -> float:
        """A step takes an hour."""
        curve = watched.nights / "night-20260727" / "run" / "curve.jsonl"
        return AFTERWARDS + 3600.0 * (len(curve.read_text().splitlines()) if curve.is_file() else 0)

    watched.now = now
    with pytest.raises(Unfinished, match="the next call goes on"):
        watched.run()
    trained = [len(list((watched.folder / "run").glob("checkpoint-*"))), len(watched.adapters())]
    assert trained == [1, 0] and not (watched.folder / "report.html").exists()
    with watched.store() as store:
        told = store.night_shift()
    assert told is not None and 0.0 < float(str(told["progress"])) < 1.0 and "goes on" in str(told["words"])
    diary = watched.run()
    assert diary.outcome == "refused" and watched.weights == whole.weights
    folder, other = open_night(watched.nights, AFTERWARDS, SEED, "supervised", {"night-20260727-2"})
    assert other.name == folder.name == "night-20260727-3", "one is over, and of another the folder is gone"


def test_a_camera_that_opts_out_takes_its_footage_along(copy_of: CopyOf, whole: Watched) -> None:
    """Of nights long ago, and of this one before it goes on: what learned from it is begun anew."""
    config = copy_of("shy")
    watched = Watched(config)
    shutil.copytree(whole.folder / "dataset", watched.nights / "night-old" / "dataset")
    shutil.copytree(whole.folder / "dataset", watched.nights / "night-20260727" / "dataset")
    (watched.nights / "night-20260727" / "run").mkdir()
    Diary("night-20260727", AFTERWARDS, SEED, "supervised").write(watched.nights / "night-20260727")
    cameras = tuple(camera.model_copy(update={"refine": camera.id != "b"}) for camera in config.cameras)
    refine = config.refine.model_copy(update={"min_clips": 100})  # for what is asked here nothing needs to be learned
    watched.config = config.model_copy(update={"cameras": cameras, "refine": refine})
    diary = watched.run()
    [reason] = diary.reasons
    assert reason.endswith("held-out clips decide nothing, 100 would (refine.min_clips)")
    assert not (watched.nights / "night-old" / "dataset").exists()
    assert not (watched.nights / "night-20260727" / "run").exists()
    index = json.loads((watched.nights / "night-20260727" / "dataset" / "dataset.json").read_text())
    assert index["cameras"] == ["a"] and index["dropped"]["opted_out"] > 0


def test_an_empty_journal_is_refused_with_the_reason_and_exit_code_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    call = make_call(monkeypatch, capfd)
    monkeypatch.setattr("streamspike.refine.nightly.giving_way.os.nice", lambda more: 0)  # it would last
    path = tmp_path / "spike.db"
    none = call("refine", "nightly", "--store", path)
    assert none.code == 10 and "there is no store" in none.error() and not path.exists()
    Store(path).close()
    refused = call("refine", "nightly", "--store", path, "--device", "cpu")
    assert refused.code == 0 and ": refused\n  no clip" in refused.out
    with contextlib.closing(Store(path)) as store:
        assert not store.adapters.list_all() and not store.adapters.promotions()
        told = store.night_shift()
    assert told is not None and told["progress"] == 1.0 and "no clip" in str(told["words"])
    [report] = (tmp_path / "nights").glob("night-*/report.html")
    assert "The model stays as it is." in report.read_text() and str(report) in refused.out
    with only_one(tmp_path / "nights"):
        assert "another night is at work" in call("refine", "nightly", "--store", path).error()


def test_a_night_may_learn_by_counterfactuals(copy_of: CopyOf) -> None:
    config = copy_of("crpo")
    watched = Watched(config.model_copy(update={"refine": config.refine.model_copy(update={"method": "crpo"})}))
    diary = watched.run()
    [record] = watched.adapters()
    assert (diary.outcome, record.method, record.state) == ("refused", "crpo", AdapterState.REFUSED)
    curve = [json.loads(line) for line in (watched.folder / "run" / "curve.jsonl").read_text().splitlines()]
    assert [line["step"] for line in curve] == [1, 2] and all("reward" in line for line in curve)


def test_a_night_may_learn_from_its_own_corrections(copy_of: CopyOf) -> None:
    config = copy_of("savi")
    watched = Watched(config.model_copy(update={"refine": config.refine.model_copy(update={"method": "savi"})}))
    diary = watched.run()
    [record] = watched.adapters()
    assert (diary.outcome, record.method, record.state) == ("refused", "savi", AdapterState.REFUSED)
    talked = read_pairs(watched.folder / "run" / "round-1" / "pairs.jsonl")
    assert len({exchange.example for exchange in talked}) == 2
    report = (watched.folder / "report.html").read_text()
    assert "How it learned" in report and "trained by savi" in report
    assert not list((watched.folder / "run").rglob("checkpoint-*"))
