"""The hour as text a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamspike.report.figures import show_number

WIDTH = 12
COLUMNS = {
    "alerts": "alerts",
    "budget": "budget",
    "hits": "hits",
    "misses": "misses",
    "again": "again",
    "false_alarms": "false",
    "improbable_false_alarms": "improbable",
}
DELAYS = {
    "stream_seconds": "begin of the surprise to the end of the segment that was told, stream time",
    "wall_seconds": "model asked about that segment to the message at the listener, wall time",
    "live_seconds": "begin of the surprise to the message at the listener, at the pace of life",
}


def render_text(result: Mapping[str, Any]) -> str:
    """Tables, and a line that says whether anything was lost."""
    cameras, totals = result["cameras"], result["totals"]
    lines = [describe_run(result), "", _row("", *COLUMNS.values(), "keyframes", "of distinct")]
    for name, row in [*cameras.items(), ("all", totals)]:
        shares = [show_number(row["keyframes"][key], 3) for key in ("free_share", "distinct_share")]
        lines.append(_row(name, *(f"{row[key]:g}" for key in COLUMNS), *shares))
    lines += [
        "",
        "again: one more alert about a surprise that was told; false: about nothing that was scripted",
        "improbable: false alarms in which something happened that has at least "
        f"{result['settings']['improbable_nats']:g} nats by the rules of the simulation",
        "keyframes: nats of the chosen ones as a share of the best of the hour; of distinct: of the best without two "
        "alike",
        "",
        _row("delay", "p50", "p95"),
    ]
    for key, words in DELAYS.items():
        if result["delays"][key]["p50"] is not None:
            figures = [f"{result['delays'][key][name]:.2f} s" for name in ("p50", "p95")]
            lines.append(_row("", *figures) + f"   {words}")
    missed = [(name, row) for name, camera in cameras.items() for row in camera["surprises"] if not row["hit"]]
    if missed:
        lines += ["", "missed:"]
        for name, row in missed:
            against = f"{show_number(row['nats'], 2)} nats against {show_number(row['threshold_nats'], 2)}"
            lines.append(f"  {name} {clock(row['index'], result)}  {row['happened']}; saw: {row['saw']} ({against})")
    return "\n".join([*lines, "", *describe_losses(result)])


def describe_run(result: Mapping[str, Any]) -> str:
    """One sentence: how much, how fast, after what warm-up."""
    settings, wall = result["settings"], result["wall_seconds"]
    pace = "at the pace of life" if settings["live"] else f"in {wall['hour'] / 60:.1f} minutes"
    warmed = (
        f"after {settings['warmup_minutes']:g} minutes without surprises, the first "
        f"{settings['learning_seconds'] / 60:g} of them learning"
        if settings["warmup_minutes"]
        else "without a warm-up"
    )
    return (
        f"{settings['minutes']:g} minutes of {len(result['cameras'])} cameras {pace}, {warmed}; model "
        f"{result['model']}, seed {settings['seed']}"
    )


def describe_losses(result: Mapping[str, Any]) -> list[str]:
    """What was sent, what came, and what happened to every segment."""
    delivery, lost = result["totals"]["delivery"], result["lost"]
    segments = [camera["segments"] for camera in result["cameras"].values()]
    reasons: dict[str, int] = {}
    for one in segments:
        for reason, count in one["dropped"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    dropped = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none"
    unpublished = ", ".join(f"{count} {kind}" for kind, count in result["unpublished"].items()) or "none"
    return [
        f"segments: {sum(one['cut'] for one in segments)} cut of {sum(one['expected'] for one in segments)}, "
        f"{sum(one['scored'] for one in segments)} scored, dropped: {dropped}; "
        f"{lost['segments_unaccounted']} unaccounted for",
        f"event messages, warm-up included: {delivery['stored']} in the store, {delivery['arrived']} at the listener, "
        f"{delivery['repeated']} of them twice; {delivery['missing']} missing, {delivery['gaps']} gaps, "
        f"{delivery['disordered']} out of order, {lost['unsent']} unsent",
        f"other messages that were not published: {unpublished}",
        "nothing lost" if not any(lost.values()) else f"LOST: {lost}",
    ]


def clock(index: int, result: Mapping[str, Any]) -> str:
    """0:07:05, from the begin of the hour."""
    seconds = int(index * result["settings"]["segment_seconds"])
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _row(*cells: str) -> str:
    return "".join(cell.ljust(WIDTH) if place == 0 else cell.rjust(WIDTH) for place, cell in enumerate(cells))
