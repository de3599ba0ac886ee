"""The report of a night: what it learned from, how that went, before and after on the same clips, what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamspike.config import RefineConfig
from streamspike.errors import StoreError
from streamspike.outputs.messages import iso_utc
from streamspike.refine.gate.judging import Verdict
from streamspike.refine.gate.report import evaluation_parts
from streamspike.refine.nightly.diary import Diary, Outcome
from streamspike.refine.training import CURVE_FILE
from streamspike.report.charts import curve_chart
from streamspike.report.markup import Markup, table, tag
from streamspike.report.page import render_page

SHOWN = {
    "foreseen": "How probable all that was expected is once the segment was seen, from 0 to 1; higher is better",
    "reward": "Reward of what was expected, from 0 to 1; higher is better",
    "diversity": "Diversity of what was expected, from 0 to 1",
    "loss": "Loss, nats",
    "kl": "Distance to the model without an adapter, nats per token",
}
"""Of the curve, as far as the method has them."""
WHY = {
    "gap": "too near to those held out",
    "opted_out": "of cameras that opted out",
    "same_footage": "of footage that another one shows",
    "missing": "without their file",
    "moved": "of a camera that was moved",
    "no_event": "without their event",
}
"""Clips were left out, by the reason that dataset.json has."""
MEANING = {
    "promoted": "The new adapter is in service. To go back: streamspike refine rollback",
    "accepted": "The model stays as it is. The new adapter may serve; to let it: streamspike refine promote {}",
    "refused": "The model stays as it is.",
}


@dataclass(frozen=True, slots=True)
class Morning:
    """What came of a night."""

    outcome: Outcome
    reasons: Sequence[str]
    index: Mapping[str, Any] | None
    """What dataset.json says; None: there is no dataset."""
    curve: Sequence[Mapping[str, Any]]
    """Of the training, a line for each step."""
    verdict: Verdict | None
    """Of the gate; None: it was not asked."""


def read_curve(run: Path) -> list[dict[str, Any]]:
    """Of a run that may not be there, or has a folder of its own for its training. Raises StoreError."""
    try:
        texts = [path.read_text(encoding="utf-8") for path in sorted(run.rglob(CURVE_FILE))]
        return [json.loads(line) for text in texts for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise StoreError(f"a curve in {run} cannot be read: {error}") from error


def write_report(path: Path, diary: Diary, morning: Morning, config: RefineConfig) -> None:
    """
    Raises:
        StoreError: it cannot be written.
    """
    verdict = morning.verdict
    page = render_page(
        f"{diary.name}: {morning.outcome}",
        tag("p", MEANING[morning.outcome].format(diary.name)),
        tag("ul", *(tag("li", reason) for reason in morning.reasons)),
        tag("p", f"Began {iso_utc(diary.started_at)}, trained by {diary.method}, seed {diary.seed}.", class_="note"),
        *_footage(morning.index),
        *_training(morning.curve),
        *(evaluation_parts(verdict.evaluation, config) if verdict is not None else ()),
        *_phases(diary),
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the report {path}: {error.strerror}") from error


def _footage(index: Mapping[str, Any] | None) -> Iterator[Markup]:
    if index is None:
        return
    yield tag("h2", "What the cameras logged")
    words = {"train": "to learn from", "held_out": "held out, to compare on"}
    rows = [
        [words[split], str(part["clips"]), str(part["surprising"]), f"{60 * part['hours']:.1f}"]
        for split, part in index["counts"].items()
    ]
    yield table(["", "clips", "of them surprising", "minutes"], rows)
    notes = [f"Cameras: {', '.join(index['cameras'])}. Data {index['data_hash'][:12]}."]
    if index["dropped"]:
        dropped = sorted(index["dropped"].items())
        left_out = ", ".join(f"{count} {WHY.get(reason, reason)}" for reason, count in dropped)
        notes.append(f"Clips left out: {left_out}.")
    for note in [*notes, *index["shortage"]]:
        yield tag("p", note.replace("held_out", "held out"), class_="note")


def _training(curve: Sequence[Mapping[str, Any]]) -> Iterator[Markup]:
    if not curve:
        return
    yield tag("h2", "How it learned")
    yield tag("p", f"{curve[-1]['step']} steps in {curve[-1]['seconds'] / 60:.1f} minutes.", class_="note")
    for name, words in SHOWN.items():
        points = [(line["step"], line[name]) for line in curve if name in line]
        if len(points) > 1:
            yield tag("p", words, class_="note")
            yield curve_chart(points, "step")


def _phases(diary: Diary) -> Iterator[Markup]:
    rows = [[name, f"{seconds / 60:.1f}"] for name, seconds in diary.phase_seconds.items()]
    if rows:
        rows.append(["of these, waiting for the live monitor", f"{diary.waited_seconds / 60:.1f}"])
        yield tag("h2", "Where the time went")
        yield table(["", "minutes"], rows)
