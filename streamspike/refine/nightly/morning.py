"""The report of a night: what it learned from, how that went, before and after on the same clips, what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streamspike.config import RefineConfig
from streamspike.errors import StoreError
from streamspike.outputs.messages import iso_utc
from streamspike.refine.gate.judging import Verdict
from streamspike.refine.gate.report import evaluation_parts
from streamspike.refine.nightly.diary import Diary
from streamspike.refine.training import CURVE_FILE
from streamspike.report.charts import curve_chart
from streamspike.report.markup import Markup, table, tag
from streamspike.report.page import render_page

SHOWN = ("reward", "loss", "kl", "diversity")
"""Of the curve, as far as the method has them."""


def write_report(
    path: Path,
    diary: Diary,
    index: Mapping[str, Any] | None,
    run: Path,
    config: RefineConfig,
    verdict: Verdict | None,
    reasons: Sequence[str] | None = None,
) -> None:
    """
    Args:
        index: what dataset.json says; None: there is no dataset.
        run: folder of the training, which may not be there.
        verdict: of the gate; None: it was not asked, for these reasons.

    Raises:
        StoreError: it cannot be written.
    """
    decision = verdict.decision if verdict is not None else None
    said = list(decision.reasons) if decision is not None else list(reasons or ())
    accepted = decision is not None and decision.accepted
    page = render_page(
        f"{diary.name}: {'accepted' if accepted else 'refused'}",
        tag("p", f"Began {iso_utc(diary.started_at)}, trained by {diary.method}, seed {diary.seed}.", class_="note"),
        tag("ul", *(tag("li", reason) for reason in said)),
        *_footage(index),
        *_training(run),
        *_phases(diary),
        *(evaluation_parts(verdict.evaluation, config) if verdict is not None else ()),
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the report {path}: {error.strerror}") from error


def _footage(index: Mapping[str, Any] | None) -> list[Markup]:
    if index is None:
        return []
    rows = [
        [split, str(part["clips"]), str(part["surprising"]), f"{part['hours']:.2f}"]
        for split, part in index["counts"].items()
    ]
    notes = [f"Left out: {', '.join(f'{count} {reason}' for reason, count in sorted(index['dropped'].items()))}."]
    notes = notes if index["dropped"] else []
    return [
        tag("h2", "What the cameras logged"),
        table(["", "clips", "surprising", "hours"], rows),
        tag("p", f"Cameras: {', '.join(index['cameras'])}. Data {index['data_hash'][:12]}.", class_="note"),
        *(tag("p", sentence, class_="note") for sentence in [*notes, *index["shortage"]]),
    ]


def _training(run: Path) -> list[Markup]:
    path = run / CURVE_FILE
    if not path.is_file():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    curves = {name: [(line["step"], line[name]) for line in lines if name in line] for name in SHOWN}
    charts = [
        part
        for name, points in curves.items()
        if len(points) > 1
        for part in (tag("p", name, class_="note"), curve_chart(points, "step"))
    ]
    return [tag("h2", "What it learned"), *charts] if charts else []


def _phases(diary: Diary) -> list[Markup]:
    rows = [[name, f"{seconds / 60:.1f}"] for name, seconds in diary.phase_seconds.items()]
    return [tag("h2", "Where the time went"), table(["", "minutes"], rows)] if rows else []
