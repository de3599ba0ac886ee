"""The registry: what may serve, what is in service, and that a kill at any step leaves the old one there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamspike.errors import AdapterRefused, StoreError
from streamspike.outputs.adapter_folder import FILES, install_adapter, sweep
from streamspike.outputs.database import Database
from streamspike.outputs.registry import AdapterRecord, AdapterState, AdapterTable
from streamspike.outputs.store import Store

BASE = "nano@f57a99d5"
OTHER = "Qwen/Qwen3-VL-4B-Instruct@12345678"


def record(name: str, base: str = BASE, version: str = "") -> AdapterRecord:
    return AdapterRecord(
        name, base, version or f"{name[:1] * 8}", "", "spike-rl", {"steps": 3}, "d" * 8, {}, registered_at=1.0
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(tmp_path / "spike.db")) as opened:
        yield opened


def accept(table: AdapterTable, name: str, against: str = "") -> None:
    table.judge(name, accepted=True, reasons=[], metrics={"hit": 0.6}, report_path=None, against=against, now=2.0)


def test_only_what_the_gate_accepted_against_the_one_in_service_is_promoted(store: Store) -> None:
    table = store.adapters
    for name in ("first", "second", "third"):
        table.register(record(name))
    with pytest.raises(AdapterRefused, match="second was not evaluated"):
        table.promote("second", 3.0)
    accept(table, "first")
    accept(table, "second")
    table.judge("third", accepted=False, reasons=["hit@1 fell"], metrics={}, report_path="r.html", against="", now=2.0)
    with pytest.raises(AdapterRefused, match="the gate refused third: hit@1 fell"):
        table.promote("third", 3.0)
    assert table.in_service(BASE) is None
    assert table.promote("first", 3.0).state is AdapterState.PROMOTED
    with pytest.raises(AdapterRefused, match="second was compared with the base, and first serves now"):
        table.promote("second", 4.0)
    with pytest.raises(AdapterRefused, match="first is in service already"):
        table.promote("first", 4.0, force=True)
    accept(table, "second", against="first")
    table.promote("second", 5.0)
    states = {each.name: each.state.value for each in table.list_all()}
    assert states == {"first": "retired", "second": "promoted", "third": "refused"}
    with pytest.raises(AdapterRefused, match="no adapter called nobody"):
        table.promote("nobody", 6.0)


def test_a_refused_adapter_is_promoted_by_force_and_a_second_judgement_counts(store: Store) -> None:
    table = store.adapters
    table.register(record("night"))
    table.judge("night", accepted=False, reasons=["no"], metrics={}, report_path=None, against="", now=2.0)
    accept(table, "night")
    found = table.find("night")
    assert found is not None and found.state is AdapterState.CANDIDATE and found.reasons == ()
    table.judge("night", accepted=False, reasons=["no"], metrics={}, report_path=None, against="", now=3.0)
    table.promote("night", 4.0, force=True)
    assert [(change.name, change.how) for change in table.promotions()] == [("night", "forced")]
    table.judge("night", accepted=False, reasons=["worse"], metrics={}, report_path=None, against="", now=5.0)
    serving = table.in_service(BASE)
    assert serving is not None and serving.reasons == ("worse",), "judging it does not take it out of service"


def test_rollback_goes_back_step_by_step_to_the_base(store: Store) -> None:
    table = store.adapters
    with pytest.raises(AdapterRefused, match="nothing was ever promoted"):
        table.rollback(1.0)
    for at, name in enumerate(("first", "second", "third")):
        table.register(record(name))
        table.promote(name, float(at), force=True)
    assert table.rollback(4.0).name == "second"
    table.promote("third", 5.0, force=True)
    assert [table.rollback(6.0 + step).name for step in range(3)] == ["second", "first", None]
    assert table.in_service(BASE) is None
    with pytest.raises(AdapterRefused, match="serves without an adapter"):
        table.rollback(9.0)


def test_each_model_has_an_adapter_of_its_own_and_the_database_holds_to_one(store: Store, tmp_path: Path) -> None:
    table = store.adapters
    for name, base in (("small", BASE), ("large", OTHER), ("rival", BASE)):
        table.register(record(name, base))
    for name in ("small", "large"):
        table.promote(name, 1.0, force=True)
    assert [each.name for base in (BASE, OTHER) if (each := table.in_service(base))] == ["small", "large"]
    with contextlib.closing(sqlite3.connect(tmp_path / "spike.db")) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE adapters SET state = 'promoted' WHERE name = 'rival'")


def test_a_name_belongs_to_the_weights_that_had_it_first(store: Store) -> None:
    first = store.adapters.register(record("night"))
    assert store.adapters.register(replace(record("night"), registered_at=9.0)) == first
    with pytest.raises(AdapterRefused, match="another adapter called night"):
        store.adapters.register(record("night", version="ffffffff"))


def make_source(folder: Path, text: str) -> Path:
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(f"{text} {name}")
    (folder / "optimizer.bin").write_text("not part of it")
    return folder


def test_an_adapter_is_installed_whole_or_not_at_all(tmp_path: Path) -> None:
    source = make_source(tmp_path / "run", "new")
    target = install_adapter(source, tmp_path / "adapters", "night")
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    assert install_adapter(target, tmp_path / "adapters", "night") == target
    (source / FILES[2]).unlink()
    with pytest.raises(StoreError, match="cannot write the adapter"):
        install_adapter(source, tmp_path / "adapters", "other")
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == ["night"]


def die_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed before its n-th call. True if it was; False when the work was done."""
    child = os.fork()
    if child == 0:  # nothing of the test may run here twice
        calls = iter(range(1_000_000))

        def counted(function: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **kwargs: object) -> object:
                if next(calls) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        steps = ((Path, "mkdir"), (shutil, "copyfile"), (os, "fsync"), (os, "rename"), (Database, "execute"))
        for owner, name in steps:
            setattr(owner, name, counted(getattr(owner, name)))
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed"
    return False


def test_a_kill_at_any_step_leaves_the_old_one_in_service_and_the_next_try_works(tmp_path: Path) -> None:
    folder, source = tmp_path / "adapters", make_source(tmp_path / "run", "new")
    old = install_adapter(make_source(tmp_path / "older", "old"), folder, "old")
    with contextlib.closing(Store(tmp_path / "spike.db")) as store:
        store.adapters.register(record("old"))
        store.adapters.promote("old", 1.0, force=True)

    def take_over() -> None:
        with contextlib.closing(Store(tmp_path / "spike.db")) as store:
            install_adapter(source, folder, "new")
            store.adapters.register(record("new"))
            accept(store.adapters, "new", against="old")
            store.adapters.promote("new", 2.0)

    step = 0
    while die_at(step, take_over):
        with contextlib.closing(Store(tmp_path / "spike.db")) as store:
            serving, known = store.adapters.in_service(BASE), store.adapters.find("new")
            assert serving is not None and serving.name == "old"
            assert sorted(path.name for path in old.iterdir()) == sorted(FILES)
            if known is not None:  # whoever is registered is there as a whole
                assert all((folder / "new" / name).read_text() == f"new {name}" for name in FILES)
        step += 1
    assert step >= 15, "too few steps were killed to say anything"
    left = sorted(path.name for path in folder.iterdir())
    sweep(folder)
    assert left == sorted(path.name for path in folder.iterdir()), "somebody may be writing it"
    sweep(folder, older_than_seconds=0.0)
    assert sorted(path.name for path in folder.iterdir()) == ["new", "old"]
    with contextlib.closing(Store(tmp_path / "spike.db")) as store:
        serving = store.adapters.in_service(BASE)
        assert serving is not None and serving.name == "new"

    def go_back() -> None:
        with contextlib.closing(Store(tmp_path / "spike.db")) as store:
            store.adapters.rollback(3.0)

    step = 0
    while die_at(step, go_back):
        with contextlib.closing(Store(tmp_path / "spike.db")) as store:
            serving = store.adapters.in_service(BASE)
            assert serving is not None and serving.name == "new"
        step += 1
    with contextlib.closing(Store(tmp_path / "spike.db")) as store:
        serving = store.adapters.in_service(BASE)
        assert serving is not None and serving.name == "old" and step >= 3
