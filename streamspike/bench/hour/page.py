"""The hour as one HTML file: four timelines, what was told with its pictures, what was missed, what was for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamspike.bench.hour.chart import hour_chart
from streamspike.bench.hour.recording import CameraRecording, Recording
from streamspike.bench.hour.text import COLUMNS, DELAYS, clock, describe_losses, describe_run
from streamspike.core import Event
from streamspike.report import page
from streamspike.report.figures import show_number
from streamspike.report.markup import Markup, picture, table, tag

LEGEND = {
    "c2": "a surprise that was told",
    "c0": "a surprise that was missed (a ring)",
    "c3": "an alert about something else that is improbable",
    "c7": "an alert about nothing improbable",
    "c1": "surprise of each segment, nats; dashed: the threshold",
}


def render_page(result: Mapping[str, Any], recording: Recording) -> str:
    """The whole page."""
    totals = result["totals"]
    return page.render_page(
        "One simulated hour on four cameras",
        tag("p", describe_run(result) + f", commit {result['commit'] or 'unknown'}. ", _machine(result), class_="note"),
        tag(
            "p",
            tag("strong", f"{totals['hits']} of {totals['surprises']} surprises were told"),
            f", with {totals['false_alarms']} alerts about nothing that was scripted "
            f"({totals['improbable_false_alarms']} of them about something improbable). ",
            f"{totals['alerts']} alerts in all, against a budget of {totals['budget']:g}. ",
            tag("strong", describe_losses(result)[-1] + "."),
        ),
        _legend(),
        *(_timeline(name, camera, result) for name, camera in result["cameras"].items()),
        tag("h2", "Alerts against budget"),
        _counts(result),
        tag("h2", "How late"),
        table(
            ["", "p50", "p95"],
            [
                [words, *(show_number(result["delays"][key][name], 2) + " s" for name in ("p50", "p95"))]
                for key, words in DELAYS.items()
                if result["delays"][key]["p50"] is not None
            ],
        ),
        tag("h2", "Nothing lost?"),
        *(tag("p", line) for line in describe_losses(result)),
        tag("h2", "The surprises"),
        *(part for camera in recording.cameras for part in _surprises(camera, result)),
        tag("h2", "Alerts about anything else"),
        _false_alarms(result),
    )


def _machine(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    where = machine["accelerator"] or f"{machine['processor']}, {machine['cores']} cores"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{where}, load {machine['load_average'][0]:g}; {versions}."


def _legend() -> Markup:
    return tag("p", *(tag("span", tag("i", "", class_=c), f" {words}") for c, words in LEGEND.items()), class_="legend")


def _timeline(name: str, camera: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    words = (
        f"{name}: {camera['hits']} of {len(camera['surprises'])} told, {camera['alerts']} alerts against a budget of "
        f"{camera['budget']:g}"
    )
    chart = hour_chart(camera, camera["segments"]["expected"], result["settings"]["segment_seconds"])
    return tag("section", tag("h3", words), chart)


def _counts(result: Mapping[str, Any]) -> Markup:
    shares = {"free_share": "keyframes, of the best", "distinct_share": "of the best without two alike"}
    rows = [*result["cameras"].items(), ("all", result["totals"])]
    return table(
        ["", *COLUMNS.values(), *shares.values()],
        [
            [name, *(f"{row[key]:g}" for key in COLUMNS), *(show_number(row["keyframes"][key]) for key in shares)]
            for name, row in rows
        ],
    )


def _surprises(camera: CameraRecording, result: Mapping[str, Any]) -> Iterator[Markup]:
    events = {revisions[0].event_id: revisions[-1] for revisions in camera.events}
    for row in result["cameras"][camera.plan.camera_id]["surprises"]:
        yield _surprise(camera, row, events.get(row["event_id"]), result)


def _surprise(
    camera: CameraRecording, row: Mapping[str, Any], event: Event | None, result: Mapping[str, Any]
) -> Markup:
    title = f"{camera.plan.camera_id} {clock(row['index'], result)}: {row['kind'].replace('_', ' ')}"
    told = f"told after {row['stream_seconds']:g} s" if row["hit"] else "missed"
    against = f"{show_number(row['nats'], 2)} nats against {show_number(row['threshold_nats'], 2)}"
    parts = [
        tag("h4", title, " ", tag("span", f"{told}, {against}", class_="note")),
        tag("p", f"Happened: {row['happened']} ({row['truth_nats']:g} nats by nature)."),
    ]
    pictures = camera.pictures.get(row["event_id"], ())
    if pictures:
        parts.append(tag("div", *map(picture, pictures), class_="frames"))
    saw, expected = (event.saw, event.expected) if event is not None else (row["saw"], ())
    parts.append(tag("p", "Saw: ", tag("strong", saw or "-")))
    if expected:
        words = ", ".join(f"{text} {probability:.0%}" for text, probability in expected[:3])
        parts.append(tag("p", f"Expected: {words}", class_="note"))
    elif row["expected"]:
        parts.append(tag("p", f"Expected: {row['expected']}", class_="note"))
    return tag("article", *parts)


def _false_alarms(result: Mapping[str, Any]) -> Markup:
    rows = [
        [
            f"{name} {clock(row['index'], result)}",
            show_number(row["nats"], 2),
            show_number(row["threshold_nats"], 2),
            f"{row['truth_nats']:g}",
            row["happened"],
            row["saw"] or row["kind"],
        ]
        for name, camera in result["cameras"].items()
        for row in camera["false"]
    ]
    if not rows:
        return tag("p", "There was none.")
    return table(["", "nats", "threshold", "nats by nature", "happened", "saw"], rows)
