"""The figures of `bench dynamics` as tables: one model by kind of question, or what changed between two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = {"pairs": "pairs right", "single": "answers right", "related": "related"}
NAMES = {
    "dynamic": "dynamic, all",
    "direction": "  moving direction",
    "reversible": "  reversible dynamics",
    "sequence": "  event sequence",
    "static": "static, all",
    "who": "  who or what",
    "company": "  how many others",
    "place": "  where",
}


def render_dynamics(result: Mapping[str, Any]) -> str:
    """Accuracies in percent with 95 % intervals over clips."""
    head = f"{'':22s} {'pairs':>6s} {'guessing':>9s}" + "".join(f" {words:>22s}" for words in COLUMNS.values())
    lines = [f"{result['model']}, questions put as {result['style']}, seed {result['seed']}", "", head]
    for name, words in NAMES.items():
        if name in result["accuracy"]:
            row = result["accuracy"][name]
            cells = "".join(f" {percent(row[measure]):>22s}" for measure in COLUMNS)
            lines.append(f"{words:22s} {row['count']:6d} {100 * row['guessing']:7.1f} %{cells}")
    return "\n".join(lines)


def render_gains(gains: Mapping[str, Any], before: str) -> str:
    """Paired differences in percentage points."""
    head = f"{'against ' + before:32s}" + "".join(f" {words:>22s}" for words in COLUMNS.values())
    lines = [head]
    for name, words in NAMES.items():
        if name in gains:
            cells = "".join(f" {percent(gains[name][measure], '+'):>22s}" for measure in COLUMNS)
            lines.append(f"{words:32s}{cells}")
    return "\n".join(lines)


def percent(cell: Mapping[str, float | None], sign: str = "") -> str:
    """`71.7 [60.0, 83.3]`; without an interval where there is none."""
    value, low, high = (cell[name] for name in ("value", "low", "high"))
    if value is None:
        return "-"
    shown = f"{100 * value:{sign}.1f}"
    return shown if low is None or high is None else f"{shown} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"
