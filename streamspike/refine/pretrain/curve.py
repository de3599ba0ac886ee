"""The learning curve of a training run, drawn: where it stands, and whether more time would help."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

COLOURS = {"next": "#5a82a6", "caption": "#c8452d", "verify": "#7b838d"}
WORDS = {"next": "what happens next", "caption": "what just happened", "verify": "is this true"}
SMOOTHED_LINES = 9


def plot_curve(folder: Path) -> Path:
    """Draw `curve.jsonl` of a run as `curve.png`: nats per token of each question, in training and held out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in COLOURS.items():
        training = [(line["minutes"], line[name]) for line in lines if name in line]
        held_out = [(line["minutes"], line[f"held_out_{name}"]) for line in lines if f"held_out_{name}" in line]
        if len(training) > SMOOTHED_LINES:
            minutes, losses = np.array(training).T
            window = np.ones(SMOOTHED_LINES) / SMOOTHED_LINES
            axes.plot(
                np.convolve(minutes, window, "valid"), np.convolve(losses, window, "valid"), color=colour, alpha=0.35
            )
        if held_out:
            axes.plot(*np.array(held_out).T, marker="o", markersize=4, color=colour, label=f"{WORDS[name]} (held out)")
    axes.set(xlabel="minutes of training", ylabel="nats per token", yscale="log", title="Learning curve")
    axes.grid(True, which="both", alpha=0.2)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    path = folder / "curve.png"
    FigureCanvasAgg(figure).print_png(str(path))
    return path
