"""One candidate before the gate: its files into the folder, its name into the registry, the comparison, the verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from streamspike.config import Config
from streamspike.engine.adapter import Adapter, read_adapter
from streamspike.engine.engine import IncrementalEngine
from streamspike.errors import StoreError
from streamspike.outputs.adapter_folder import adapters_folder, install_adapter, sweep
from streamspike.outputs.registry import AdapterRecord, AdapterTable
from streamspike.refine.examples import Example, ExampleSource
from streamspike.refine.gate.data_check import check_data
from streamspike.refine.gate.deciding import Decision, decide
from streamspike.refine.gate.measuring import compare
from streamspike.refine.gate.report import Evaluation, render_report, to_plain
from streamspike.refine.gate.viewing import Viewing, view_clips

CHUNK = 8
"""Clips that are watched side by side, by the one in service and then by the candidate: what else the machine does
slows down both."""

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out."""

    name: str
    decision: Decision
    report_path: Path
    """HTML; the same as JSON beside it."""
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Data:
    """What a candidate is judged on."""

    words: str
    """What it is, with the hash of the dataset if it has one."""
    held_out: ExampleSource
    train: ExampleSource | None = None
    """What it learned from, to be checked too; None: not to be had."""


def reports_folder(config: Config) -> Path:
    """Where the gate's reports lie."""
    return Path(config.store.path).parent / "reports"


def register_candidate(source: Path, config: Config, table: AdapterTable, engine: IncrementalEngine) -> AdapterRecord:
    """Check an adapter, copy it into the folder of adapters and give it a row.

    Raises:
        ModelError: it does not fit the model.
        AdapterRefused: another adapter has its name.
        StoreError: it cannot be written.
    """
    adapter = read_adapter(source, engine.slot)
    card, folder = adapter.card, adapters_folder(config.refine, config.store)
    record = AdapterRecord(
        name=card.name,
        base=card.base,
        version=adapter.version,
        parent=card.parent,
        method=card.method,
        config=card.config,
        data_hash=card.data_hash or str(card.config.get("data", "")),
        metrics=card.metrics,
        registered_at=time.time(),
    )
    known = table.find(card.name)
    if known is None:
        sweep(folder)
        install_adapter(source, folder, card.name)  # first the files: whoever has a row is there as a whole
    return table.register(record)


def judge_candidate(
    source: Path,
    data: Data,
    config: Config,
    table: AdapterTable,
    engine: IncrementalEngine,
    progress: Progress = lambda _: None,
) -> Verdict:
    """Register a candidate, compare it with the one in service, and write down what the gate says; promote nothing.

    Args:
        engine: of the base model; it wears what it wore when this returns.
        progress: told the share that is done.

    Raises:
        ModelError, AdapterRefused, StoreError: as `register_candidate`.
        EngineError: a model failed while it was watched.
        DatasetError: the data cannot be read.
    """
    record = register_candidate(source, config, table, engine)
    folder = adapters_folder(config.refine, config.store)
    current = table.in_service(record.base)
    worn = engine.slot.adapter
    before = read_adapter(folder / current.name, engine.slot) if current is not None else None
    after = read_adapter(folder / record.name, engine.slot)
    try:
        evaluation = _evaluate(before, after, data, config, engine, progress)
    finally:
        engine.wear(worn)
    report_path = _write_report(evaluation, config, record.name)
    values = to_plain(evaluation, config.refine)
    table.judge(
        record.name,
        accepted=evaluation.decision.accepted,
        reasons=evaluation.decision.reasons,
        metrics=values["measures"],
        report_path=str(report_path),
        against=current.name if current is not None else "",
        now=evaluation.evaluated_at,
    )
    return Verdict(record.name, evaluation.decision, report_path, evaluation)


def _evaluate(
    before: Adapter | None,
    after: Adapter,
    data: Data,
    config: Config,
    engine: IncrementalEngine,
    progress: Progress,
) -> Evaluation:
    base = engine.slot.base
    names = f"{base}+{after.name}", f"{base}+{before.name}" if before is not None else base
    engine.wear(None)  # the base is what no night can have spoiled
    against = _check(data, config, engine)
    if against:
        return Evaluation(*names, data.words, time.time(), Decision(False, against), {})
    seen: tuple[list[Viewing], list[Viewing]] = ([], [])
    for number, chunk in enumerate(_chunks(data.held_out)):
        for viewings, adapter in zip(seen, (before, after), strict=True):
            engine.wear(adapter)
            viewings += view_clips(engine, chunk, config.belief, config.model.seed)
        progress(min(1.0, (number + 1) * CHUNK / len(data.held_out)))
    comparisons = compare(*seen, config.model.seed)
    decision = decide(comparisons, len(data.held_out), config.refine)
    return Evaluation(*names, data.words, time.time(), decision, comparisons, *seen)


def _check(data: Data, config: Config, engine: IncrementalEngine) -> tuple[str, ...]:
    """What is wrong with the data, in sentences that say of which part."""
    parts = [("held-out clips", data.held_out)]
    if data.train is not None:
        parts.insert(0, ("clips it learned from", data.train))
    return tuple(
        f"{words}: {reason}"
        for words, source in parts
        for reason in check_data(source, config.refine, config.belief, engine)
    )


def _chunks(source: ExampleSource) -> Iterator[Sequence[Example]]:
    examples = iter(source)
    while chunk := list(islice(examples, CHUNK)):
        yield chunk


def _write_report(evaluation: Evaluation, config: Config, name: str) -> Path:
    """Raises StoreError."""
    folder = reports_folder(config) / name
    path = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(render_report(evaluation, config.refine), encoding="utf-8")
        text = json.dumps(to_plain(evaluation, config.refine), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the report {path}: {error.strerror}") from error
    return path
