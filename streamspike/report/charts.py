"""Charts as SVG that takes its colours from the page, so that it follows light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamspike.report.figures import Figure
from streamspike.report.markup import Markup, tag

WIDTH = 640
ROW_HEIGHT = 26
LABEL_WIDTH = 150
WIDE_LABEL_WIDTH = 300
NUM_COLOURS = 11
"""The page has classes c0 to c10, one for each scorer of a run by default."""


def interval_chart(rows: Mapping[str, Figure], chance: float | None = None) -> Markup:
    """A dot with its 95 % interval for each row, on a scale from 0 to 1. Rows without a number are left out.

    Args:
        chance: where a vertical line stands.
    """
    shown = [(place, name, figure) for place, (name, figure) in enumerate(rows.items()) if figure["mean"] is not None]
    height = ROW_HEIGHT * len(shown) + 24
    span = WIDTH - LABEL_WIDTH - 60

    def x(value: float) -> float:
        return round(LABEL_WIDTH + span * min(max(value, 0.0), 1.0), 1)

    parts = [
        part
        for mark in (0.0, 0.25, 0.5, 0.75, 1.0)
        for part in (
            tag("line", x1=x(mark), x2=x(mark), y1=0, y2=height - 20, class_="grid"),
            tag("text", f"{mark:g}", x=x(mark), y=height - 5, class_="tick", text_anchor="middle"),
        )
    ]
    if chance is not None:
        parts.append(tag("line", x1=x(chance), x2=x(chance), y1=0, y2=height - 20, class_="chance"))
    for row, (place, name, figure) in enumerate(shown):
        y = ROW_HEIGHT * row + ROW_HEIGHT / 2
        colour = f"c{place % NUM_COLOURS}"
        parts.append(tag("text", name, x=LABEL_WIDTH - 10, y=y + 4, text_anchor="end"))
        if figure["low"] is not None:
            parts.append(tag("line", x1=x(figure["low"]), x2=x(figure["high"]), y1=y, y2=y, class_=f"bar {colour}"))
        parts.append(tag("circle", cx=x(figure["mean"]), cy=y, r=4.5, class_=f"dot {colour}"))
        parts.append(tag("text", f"{figure['mean']:.2f}", x=WIDTH - 50, y=y + 4, class_="value"))
    return svg(parts, height)


def gain_chart(rows: Mapping[str, Figure]) -> Markup:
    """A dot with its 95 % interval for each difference, on one scale around 0: green where the interval lies above it,
    red below, and faint where it holds it. Rows without a number are left out."""
    shown = [(name, figure) for name, figure in rows.items() if figure["mean"] is not None]
    ends = [(figure["mean"], figure["low"], figure["high"]) for _, figure in shown]
    most = max((abs(value) for three in ends for value in three if value is not None), default=0.0) or 1.0
    height = ROW_HEIGHT * len(shown) + 24
    left, right = WIDE_LABEL_WIDTH, WIDTH - 70

    def x(value: float) -> float:
        return round(left + (right - left) * (value / most + 1) / 2, 1)

    parts = [tag("line", x1=x(0), x2=x(0), y1=0, y2=height - 20, class_="chance")]
    parts += [
        tag("text", f"{mark:+.2g}" if mark else "0", x=x(mark), y=height - 5, class_="tick", text_anchor="middle")
        for mark in (-most, 0.0, most)
    ]
    for row, (name, figure) in enumerate(shown):
        y = ROW_HEIGHT * row + ROW_HEIGHT / 2
        low, high = figure["low"], figure["high"]
        colour = "open"
        if low is not None:
            colour = "better" if low > 0 else "worse" if high < 0 else "open"
            parts.append(tag("line", x1=x(low), x2=x(high), y1=y, y2=y, class_=f"bar {colour}"))
        parts.append(tag("text", name, x=left - 10, y=y + 4, text_anchor="end"))
        parts.append(tag("circle", cx=x(figure["mean"]), cy=y, r=4.5, class_=f"dot {colour}"))
        parts.append(tag("text", f"{figure['mean']:+.3f}", x=WIDTH - 58, y=y + 4, class_="value"))
    return svg(parts, height)


@dataclass(frozen=True, slots=True)
class Line:
    """Points in order; those that are not finite are left out."""

    name: str
    xs: Sequence[float | None]
    ys: Sequence[float | None]
    colour: int
    """Place of the scorer among all, so that it has one colour on the whole page."""


def step_chart(lines: Sequence[Line], across: str, up: str, marks: Sequence[float]) -> Markup:
    """Steps from point to point; across in powers of ten, up from 0 to 1.

    Args:
        marks: ticks across, in order; the first and the last are the ends of the scale, and points beyond the last are
            left out.
    """
    left, right, top, bottom = 56, WIDTH - 20, 10, 260
    first, last = math.log10(marks[0]), math.log10(marks[-1])

    def x(value: float) -> float:
        part = (math.log10(max(value, marks[0])) - first) / (last - first)
        return round(left + (right - left) * min(part, 1.0), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * value, 1)

    parts = _frame(left, right, y, up)
    for mark in marks:
        parts.append(tag("text", f"{mark:g}", x=x(mark), y=bottom + 16, class_="tick", text_anchor="middle"))
    parts.append(tag("text", across, x=(left + right) / 2, y=bottom + 34, class_="tick", text_anchor="middle"))
    for line in lines:
        pairs = [(a, b) for a, b in zip(line.xs, line.ys, strict=True) if a is not None and b is not None]
        pairs = [(a, b) for a, b in pairs if a <= marks[-1]]
        path = ""
        for a, b in pairs:
            path += f"H{x(a)}V{y(b)}" if path else f"M{x(a)} {y(b)}"
        if path:
            path += f"H{x(marks[-1])}"
            parts.append(tag("path", d=path, class_=f"line c{line.colour % NUM_COLOURS}", fill="none"))
    return Markup(svg(parts, bottom + 42) + _legend({line.name: line.colour for line in lines}))


def reliability_chart(bins_by_name: Mapping[str, Sequence[Mapping[str, float]]]) -> Markup:
    """Share that came true against the probability it had; the diagonal is a perfect forecaster."""
    left, top, side = 56, 10, 300

    def x(value: float) -> float:
        return round(left + side * value, 1)

    def y(value: float) -> float:
        return round(top + side * (1 - value), 1)

    parts = _frame(left, left + side, y, "share that came true")
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(tag("text", f"{mark:g}", x=x(mark), y=top + side + 16, class_="tick", text_anchor="middle"))
    parts.append(
        tag("text", "probability before", x=left + side / 2, y=top + side + 34, class_="tick", text_anchor="middle")
    )
    parts.append(tag("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="chance"))
    for place, bins in enumerate(bins_by_name.values()):
        colour = f"c{place % NUM_COLOURS}"
        points = " ".join(f"{x(one['mean_probability'])},{y(one['share_true'])}" for one in bins)
        parts.append(tag("polyline", points=points, class_=f"line {colour}", fill="none"))
        parts += [
            tag("circle", cx=x(one["mean_probability"]), cy=y(one["share_true"]), r=3.5, class_=f"dot {colour}")
            for one in bins
        ]
    return Markup(
        svg(parts, top + side + 42, left + side + 20)
        + _legend({name: place for place, name in enumerate(bins_by_name)})
    )


def score_chart(
    starts: Sequence[float], ends: Sequence[float], scores: Sequence[float], spans: Sequence[tuple[float, float]]
) -> Markup:
    """One clip: a bar for each segment, the labelled spans shaded behind them."""
    height, base = 64, 60
    length, peak = max(ends), max(max(scores), 1e-9)

    def x(seconds: float) -> float:
        return round(WIDTH * seconds / length, 1)

    parts = [
        tag("rect", x=x(start), width=max(x(end) - x(start), 2), y=0, height=height, class_="span")
        for start, end in spans
    ]
    for start, end, score in zip(starts, ends, scores, strict=True):
        tall = round((base - 4) * score / peak, 1)
        wide = max(x(end) - x(start) - 1, 0.5)
        parts.append(tag("rect", x=x(start) + 0.5, width=wide, y=base - tall, height=tall, class_="column"))
    return svg(parts, height)


def curve_chart(points: Sequence[tuple[float, float]], across: str) -> Markup:
    """One value over a run: every point, and a running mean over a tenth of them. The scale is that of the values."""
    left, right, top, bottom = 56, WIDTH - 20, 8, 128
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    low, high = min(ys), max(ys)
    wide, tall = max(xs) - min(xs) or 1.0, high - low or 1.0

    def place(x: float, y: float) -> str:
        across_px = left + (right - left) * (x - min(xs)) / wide
        return f"{across_px:.1f},{bottom - (bottom - top) * (y - low) / tall:.1f}"

    reach = max(1, len(ys) // 10)
    means = [math.fsum(ys[max(0, n - reach + 1) : n + 1]) / min(n + 1, reach) for n in range(len(ys))]
    parts = [tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid") for y in (top, bottom)] + [
        tag("text", f"{value:.3g}", x=left - 6, y=y + 4, class_="tick", text_anchor="end")
        for value, y in ((high, top), (low, bottom))
    ]
    for name, values in (("line faint c0", ys), ("line c0", means)):
        drawn = " ".join(place(x, y) for x, y in zip(xs, values, strict=True))
        parts.append(tag("polyline", points=drawn, class_=name, fill="none"))
    ends = ((min(xs), left, "start"), (max(xs), right, "end"))
    parts += [
        tag("text", f"{across} {x:g}", x=at, y=bottom + 16, class_="tick", text_anchor=anchor) for x, at, anchor in ends
    ]
    return svg(parts, bottom + 22)


def _frame(left: float, right: float, y: Callable[[float], float], up: str) -> list[Markup]:
    parts = []
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(tag("line", x1=left, x2=right, y1=y(mark), y2=y(mark), class_="grid"))
        parts.append(tag("text", f"{mark:g}", x=left - 6, y=y(mark) + 4, class_="tick", text_anchor="end"))
    middle = y(0.5)
    parts.append(
        tag("text", up, x=10, y=middle, class_="tick", text_anchor="middle", transform=f"rotate(-90 10 {middle})")
    )
    return parts


def _legend(colours: Mapping[str, int]) -> Markup:
    entries = [
        tag("span", tag("i", "", class_=f"c{colour % NUM_COLOURS}"), f" {name}") for name, colour in colours.items()
    ]
    return tag("p", *entries, class_="legend")


def svg(parts: Sequence[Markup], height: float, width: float = WIDTH) -> Markup:
    """A picture of so many units, which are pixels where there is room for them."""
    return tag("svg", *parts, viewBox=f"0 0 {width} {height}", role="img", style=f"max-width:{width}px")
