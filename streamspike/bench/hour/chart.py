"""The hour of one camera as SVG: surprise over time, the threshold, surprises told and missed, alarms for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamspike.report.charts import svg
from streamspike.report.markup import Markup, tag

WIDTH, HEIGHT = 960, 190
LEFT, RIGHT, TOP, BOTTOM = 34, 950, 34, 166
NUM_TICKS = 6
LEAST_TOP_NATS = 4.0
GRID_NATS = 2

Scale = Callable[[float], float]
"""From a segment, or from nats, to a place in the picture."""


def hour_chart(camera: Mapping[str, Any], num_segments: int, segment_seconds: float) -> Markup:
    """A column for each segment with any surprise, as tall as its nats."""
    nats, levels, indices = camera["surprise_nats"], camera["threshold_nats"], camera["indices"]
    highest = 1.05 * float(max([*nats, *levels, LEAST_TOP_NATS]))

    def x(index: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * index / num_segments, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * min(value / highest, 1.0), 1)

    parts = []
    for mark in range(0, int(highest) + 1, GRID_NATS):
        parts.append(tag("line", x1=LEFT, x2=RIGHT, y1=y(mark), y2=y(mark), class_="grid"))
        parts.append(tag("text", str(mark), x=LEFT - 6, y=y(mark) + 4, class_="tick", text_anchor="end"))
    for number in range(NUM_TICKS + 1):
        index = num_segments * number / NUM_TICKS
        words = f"{index * segment_seconds / 60:.3g}" + (" min" if number == NUM_TICKS else "")
        anchor = "end" if number == NUM_TICKS else "middle"
        parts.append(tag("text", words, x=x(index), y=BOTTOM + 18, class_="tick", text_anchor=anchor))
    parts += [_stripe(row, x) for row in camera["surprises"]]
    columns = "".join(f"M{x(at + 0.5)} {BOTTOM}V{y(value)}" for at, value in zip(indices, nats, strict=True) if value)
    parts.append(tag("path", d=columns, class_="line c1", fill="none", style="stroke-width:1"))
    parts.append(tag("path", d=_steps(indices, levels, x, y), class_="chance", fill="none"))
    parts += [_mark(row, x, y) for row in camera["surprises"]]
    parts += [_false(row, x, y) for row in camera["false"]]
    return svg(parts, HEIGHT, WIDTH)


def _stripe(row: Mapping[str, Any], x: Scale) -> Markup:
    at = x(row["index"] + 0.5)
    return tag("line", x1=at, x2=at, y1=TOP - 14, y2=BOTTOM, class_="grid")


def _mark(row: Mapping[str, Any], x: Scale, y: Scale) -> Markup:
    """Full when it was told, a ring when it was missed; named above."""
    at, colour = x(row["index"] + 0.5), "c2" if row["hit"] else "c0"
    ring = {} if row["hit"] else {"fill": "none", "style": "stroke-width:2.5"}
    dot = tag(
        "circle", cx=at, cy=y(row["nats"] or 0.0), r=5, class_=f"{'dot' if row['hit'] else 'line'} {colour}", **ring
    )
    name = tag("text", row["kind"].replace("_", " "), x=at, y=TOP - 20, class_="tick", text_anchor="middle")
    return Markup(dot + name)


def _false(row: Mapping[str, Any], x: Scale, y: Scale) -> Markup:
    at, top = x(row["index"] + 0.5), y(row["nats"] or 0.0)
    points = f"{at},{top - 4} {at - 5},{top - 13} {at + 5},{top - 13}"
    return tag("polygon", points=points, class_=f"dot {'c3' if row['improbable'] else 'c7'}")


def _steps(indices: Sequence[int], levels: Sequence[float], x: Scale, y: Scale) -> str:
    path, last = "", None
    for index, level in zip(indices, levels, strict=True):
        height = y(level)
        if last is None:
            path = f"M{x(index)} {height}"
        elif height != last:
            path += f"H{x(index)}V{height}"
        last = height
    return path + (f"H{x(indices[-1] + 1)}" if indices else "")
