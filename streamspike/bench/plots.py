"""Draws the engine's measurements: time per segment of each variant, how ratios change, and latency by cameras."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from streamspike.bench.speed.report import WORDS, milliseconds
from streamspike.errors import SinkError

DPI = 100
PANEL_INCHES = (5.3, 4.0)
PAPER, INK, FAINT, RULE = "#fcfcfa", "#23282f", "#7b838d", "#d9dcdf"
COLOURS = {"published": "#7b838d", "naive": "#b7bec6", "paper": "#5a82a6", "steady": "#c8452d"}


def plot_report(result: Mapping[str, Any], path: Path) -> None:
    """Write a PNG with one panel for each thing that was measured. Raises SinkError: the file cannot be written."""
    curve, cameras = result["curve"] or (), result["cameras"]
    settings = list(dict.fromkeys(point["setting"] for point in curve))
    num_panels = 1 + len(settings) + bool(cameras)
    columns = math.ceil(math.sqrt(num_panels))
    rows = -(-num_panels // columns)
    with rc_context({"text.parse_math": False}):
        size = (columns * PANEL_INCHES[0], rows * PANEL_INCHES[1])
        figure = Figure(figsize=size, dpi=DPI, facecolor=PAPER, layout="constrained")
        all_panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for unused in all_panels[num_panels:]:
            unused.set_axis_off()
        panels = iter(all_panels)
        figure.suptitle(result["model"], color=INK, fontsize=13)
        _draw_variants(next(panels), result["variants"])
        for setting in settings:
            _draw_curve(next(panels), WORDS[setting], [point for point in curve if point["setting"] == setting])
        if cameras:
            _draw_cameras(next(panels), cameras)
        canvas = FigureCanvasAgg(figure)
        try:
            canvas.print_png(str(path))
        except OSError as error:
            raise SinkError(f"cannot write the picture {path}: {error.strerror}") from error


def _draw_variants(panel: Any, variants: Mapping[str, Any]) -> None:
    names = list(variants)
    seconds = [variants[name]["seconds_per_segment"] for name in names]
    bars = panel.bar(names, seconds, color=[COLOURS[name] for name in names], width=0.62)
    panel.bar_label(bars, [f"{milliseconds(value)} ms" for value in seconds], fontsize=9, color=INK, padding=2)
    panel.set_yscale("log")
    panel.margins(y=0.12)
    _dress(panel, "", "seconds per segment")


def _draw_curve(panel: Any, words: str, points: Sequence[Mapping[str, Any]]) -> None:
    places = range(len(points))
    for base, style in (("published", "--"), ("naive", "-")):
        for name in ("paper", "steady"):
            seconds = [point["seconds_per_segment"] for point in points]
            if base in seconds[0]:
                ratios = [each[base] / each[name] for each in seconds]
                panel.plot(places, ratios, style, color=COLOURS[name], marker="o", label=f"{name} against {base}")
    panel.set_xticks(places, [str(point["value"]) for point in points])
    panel.set_yscale("log")
    panel.legend(fontsize=8, frameon=False, labelcolor=INK, loc="center right", handlelength=3)  # between the two pairs
    _dress(panel, words, "times faster")


def _draw_cameras(panel: Any, cameras: Mapping[str, Any]) -> None:
    runs = [run for run in cameras["runs"] if run["latency_seconds"]["p50"] is not None]
    places = range(len(runs))
    for name, style in (("p50", "-"), ("p95", "--"), ("p99", ":")):
        latency = [run["latency_seconds"][name] for run in runs]
        panel.plot(places, latency, style, color=COLOURS["steady"], marker="o", label=name)
    panel.set_xticks(places, [str(run["cameras"]) for run in runs])
    panel.set_yscale("log")
    panel.legend(fontsize=8, frameon=False, labelcolor=INK)
    _dress(panel, f"cameras, {cameras['mode']} mode", "latency, seconds")


def _dress(panel: Any, across: str, up: str) -> None:
    panel.set_facecolor(PAPER)
    panel.set_xlabel(across, color=INK)
    panel.set_ylabel(up, color=INK)
    panel.tick_params(colors=FAINT, which="both", length=3)
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.grid(axis="y", color=RULE, lw=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(RULE)
