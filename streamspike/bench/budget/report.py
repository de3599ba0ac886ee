"""What a budget of frames is worth, as text and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from streamspike.bench.budget.study import BASE, EVERYTHING, MEASURES
from streamspike.bench.plots import DPI, FAINT, INK, PANEL_INCHES, PAPER, RULE
from streamspike.errors import SinkError
from streamspike.report.figures import show

COLOURS = {
    "uniform": "#23282f",
    "histogram": "#b7bec6",
    "optical-flow": "#8fa3b5",
    "katna": "#5a82a6",
    "spike": "#c8452d",
    "spike allocated": "#e09a4d",
    "spike covering": "#3f9142",
}
COLUMNS = 3


def render_table(result: Mapping[str, Any]) -> str:
    """The result as text a person reads."""
    lines = [
        f"{result['clips']} films, every other one with surprises; model {result['model']}; "
        f"{result['options']} options, chance {1 / result['options']:.2f}"
    ]
    budgets = [str(budget) for budget in result["frames"]]
    for name, words in MEASURES.items():
        values = result["measures"][name]
        lines += ["", f"{words} (two frames of every segment: {show(values[EVERYTHING], 2)})"]
        lines.append(f"  {'frames':18s}" + "".join(f"{budget:>22s}" for budget in budgets))
        for method in result["methods"]:
            cells = "".join(f"{show(values[method][budget], 2):>22s}" for budget in budgets)
            lines.append(f"  {method:18s}{cells}")
        for method in result["methods"]:
            if method.startswith("spike"):
                cells = "".join(f"{show(values[method][budget]['over_uniform'], 2):>22s}" for budget in budgets)
                lines.append(f"  {method + ' - ' + BASE:18s}{cells}"[: 20 + 22 * len(budgets) + 10])
    lines += ["", "frames that came out, on average"]
    for method, means in result["mean_frames"].items():
        lines.append(f"  {method:18s}" + "".join(f"{means[budget]:22.1f}" for budget in budgets))
    return "\n".join(lines)


def plot_budget(result: Mapping[str, Any], path: Path) -> None:
    """Write a PNG, or an SVG where the path says so. Raises SinkError: the file cannot be written."""
    rows = -(-len(MEASURES) // COLUMNS)
    with rc_context({"text.parse_math": False, "svg.hashsalt": "streamspike"}):
        size = (COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1])
        figure = Figure(figsize=size, dpi=DPI, facecolor=PAPER, layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel, (name, words) in zip(panels, MEASURES.items(), strict=False):
            _draw(panel, words, result, result["measures"][name])
            if name.partition("/")[2] in ("surprising", "ordinary"):
                panel.axhline(1 / result["options"], color=FAINT, lw=0.8, ls=":")
        panels[0].legend(fontsize=8, frameon=False, labelcolor=INK)
        figure.suptitle(f"{result['model']}, {result['clips']} films", color=INK, fontsize=13)
        canvas = FigureCanvasSVG(figure) if path.suffix == ".svg" else FigureCanvasAgg(figure)
        try:
            canvas.print_figure(str(path))
        except OSError as error:
            raise SinkError(f"cannot write the picture {path}: {error.strerror}") from error


def _draw(panel: Any, words: str, result: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    places = range(len(result["frames"]))
    for number, method in enumerate(result["methods"]):
        figures = [values[method][str(budget)] for budget in result["frames"]]
        known = [(place, figure) for place, figure in zip(places, figures, strict=True) if figure["mean"] is not None]
        aside = 0.04 * (number - (len(result["methods"]) - 1) / 2)  # so that intervals do not hide each other
        across = [place + aside for place, _ in known]
        means = [figure["mean"] for _, figure in known]
        panel.plot(across, means, color=COLOURS[method], marker="o", ms=4, label=method)
        for place, figure in zip(across, (figure for _, figure in known), strict=True):
            if figure["low"] is not None:
                panel.plot([place, place], [figure["low"], figure["high"]], color=COLOURS[method], lw=0.8, alpha=0.6)
    if values[EVERYTHING]["mean"] is not None:
        panel.axhline(values[EVERYTHING]["mean"], color=FAINT, lw=0.8, ls="--")
    panel.set_xticks(places, [str(budget) for budget in result["frames"]])
    panel.set_ylim(-0.03, 1.03)
    panel.set_facecolor(PAPER)
    panel.set_title(words, color=INK, fontsize=10)
    panel.set_xlabel("frames", color=INK)
    panel.tick_params(colors=FAINT, which="both", length=3)
    panel.grid(axis="y", color=RULE, lw=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(RULE)
