"""Answers about cued clips, counted: accuracies with intervals, differences and floors, as text and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from streamspike.bench.cues.choices import QUESTION_KINDS
from streamspike.bench.cues.clips import VIEWS
from streamspike.bench.plots import DPI, FAINT, INK, PANEL_INCHES, PAPER, RULE
from streamspike.errors import SinkError

VIEW_NAMES: tuple[str, ...] = VIEWS
BOOTSTRAPS = 2000
LEVEL = (2.5, 97.5)
"""Percentiles: intervals of 95 %."""
COLOURS = {"plain": "#7b838d", "motion": "#5a82a6", "truth": "#c8452d"}
TRAINED = {"start": "nothing more", "plain": "plain", "motion": "motion cues", "truth": "true cues"}
SHOWN = {"plain": "plain", "motion": "motion cues", "truth": "true cues"}


def summarise(lines: Sequence[Mapping[str, Any]], models: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    """Plain values for JSON: accuracy by question, model and view, differences from plain, floors, the motion stage.

    Intervals come from drawing clips, not questions, with replacement: questions about one clip are not independent.
    Differences are paired: both sides answered the same questions.

    Args:
        lines: one per clip, as `bench/cues.py` writes them.
        models: their names; the first is the one that all others started from.
        rng: draws the clips.
    """
    draws = rng.integers(len(lines), size=(BOOTSTRAPS, len(lines)))
    accuracy: dict[str, Any] = {}
    differences: dict[str, Any] = {}
    floors: dict[str, Any] = {}
    for kind in QUESTION_KINDS:
        asked = [[k for k, question in enumerate(line["questions"]) if question["type"] == kind] for line in lines]
        counts = np.array([len(places) for places in asked])
        right = {
            (model, view): np.array(
                [
                    sum(line["chosen"][model][view][k] == line["questions"][k]["answer"] for k in places)
                    for line, places in zip(lines, asked, strict=True)
                ]
            )
            for model in models
            for view in VIEW_NAMES
        }
        if not counts.sum():
            continue
        accuracy[kind] = {
            model: {view: _estimate(right[model, view], counts, draws) for view in VIEW_NAMES} for model in models
        }
        differences[kind] = {
            f"{model} shown {view} minus {base} shown plain": _estimate(
                right[model, view] - right[base, "plain"], counts, draws
            )
            for model, view, base in _contrasts(models)
        }
        questions = [line["questions"][k] for line, places in zip(lines, asked, strict=True) for k in places]
        floors[kind] = {
            "chance": float(np.mean([1 / len(question["choices"]) for question in questions])),
            "commonest": _guess_commonest(questions),
            "questions": len(questions),
        }
    stage = Counter[str]()
    for line in lines:
        stage.update(line["stage"])
    return {
        "clips": len(lines),
        "accuracy": accuracy,
        "differences": differences,
        "floors": floors,
        "motion_stage": {
            **stage,
            "recall": stage["boxed"] / stage["moving"] if stage["moving"] else None,
            "precision": stage["on_bodies"] / stage["boxes"] if stage["boxes"] else None,
        },
    }


def _contrasts(models: Sequence[str]) -> list[tuple[str, str, str]]:
    """Model, view and the model it is compared with on plain clips: what cues do to each, and training with them."""
    cued = [view for view in VIEW_NAMES if view != "plain"]
    within = [(model, view, model) for model in models for view in cued]
    across = [(view, view, "plain") for view in cued]
    trained_with = [(view, "plain", "plain") for view in cued]
    return within + across + trained_with


def _estimate(right: NDArray[np.int64], counts: NDArray[np.int64], draws: NDArray[np.int64]) -> dict[str, float]:
    totals = np.maximum(counts[draws].sum(axis=1), 1)  # a draw of clips without a question says nothing: 0 of 1
    low, high = np.percentile(right[draws].sum(axis=1) / totals, LEVEL)
    return {"value": float(right.sum() / counts.sum()), "low": float(low), "high": float(high)}


def _guess_commonest(questions: Sequence[Mapping[str, Any]]) -> float:
    """Of whoever looks at nothing and takes the choice that is most often true of all these questions."""
    often = Counter(question["choices"][question["answer"]] for question in questions)
    guesses = [max(question["choices"], key=lambda word: (often[word], word)) for question in questions]
    hits = [
        guess == question["choices"][question["answer"]] for guess, question in zip(guesses, questions, strict=True)
    ]
    return float(np.mean(hits))


def render_cues(result: Mapping[str, Any]) -> str:
    """The tables a person reads."""
    study, floors = result["study"], result["floors"]
    parts = [
        f"{result['steps']} steps of training each, from {study['start']}; {result['clips']} test clips; cues: "
        f"{study['cues']}; 95 % intervals over clips",
        "",
        f"{'trained on':14s} {'shown':12s}" + "".join(f" {kind:>24s}" for kind in floors),
    ]
    for model, words in TRAINED.items():
        for view, view_words in SHOWN.items():
            cells = [result["accuracy"][kind][model][view] for kind in floors]
            parts.append(f"{words:14s} {view_words:12s}" + "".join(f" {_percent(cell):>24s}" for cell in cells))
    for name in ("chance", "commonest"):
        shares = "".join(f" {100 * floor[name]:22.1f} %" for floor in floors.values())
        parts.append(f"{name:14s} {'nothing':12s}{shares}")
    parts += ["", f"{'differences, percentage points':52s}" + "".join(f" {kind:>24s}" for kind in floors)]
    for name in next(iter(result["differences"].values()), {}):
        points = "".join(f" {_percent(result['differences'][kind][name]):>24s}" for kind in floors)
        parts.append(f"{name:52s}{points}")
    stage = result["motion_stage"]
    if stage["moving"] and stage["boxes"]:
        parts += [
            "",
            f"the motion stage boxed {stage['recall']:.0%} of {stage['moving']} moving bodies (overlap above 0.5); "
            f"{stage['precision']:.0%} of its {stage['boxes']} boxes are on a body",
        ]
    return "\n".join(parts)


def _percent(cell: Mapping[str, float]) -> str:
    return f"{100 * cell['value']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"


def plot_cues(result: Mapping[str, Any], path: Path) -> None:
    """Write a PNG: a panel for each question, a group for each training, a bar for each view. Raises SinkError."""
    kinds = list(result["accuracy"])
    with rc_context({"text.parse_math": False}):
        size = (PANEL_INCHES[0] * max(len(kinds), 1), PANEL_INCHES[1])
        figure = Figure(figsize=size, dpi=DPI, facecolor=PAPER, layout="constrained")
        for panel, kind in zip(figure.subplots(1, max(len(kinds), 1), squeeze=False).ravel(), kinds, strict=False):
            _draw_panel(panel, kind, result["accuracy"][kind], result["floors"][kind])
            bars = panel.get_legend_handles_labels()
        if kinds:
            figure.legend(
                *bars, loc="outside lower center", ncols=len(VIEWS), fontsize=8, frameon=False, labelcolor=INK
            )
        canvas = FigureCanvasAgg(figure)
        try:
            canvas.print_png(str(path))
        except OSError as error:
            raise SinkError(f"cannot write the picture {path}: {error.strerror}") from error


def _draw_panel(panel: Any, kind: str, accuracy: Mapping[str, Any], floor: Mapping[str, float]) -> None:
    width = 0.8 / len(VIEWS)
    for k, view in enumerate(VIEWS):
        cells = [accuracy[model][view] for model in TRAINED]
        values = [100 * cell["value"] for cell in cells]
        # An interval of few clips may lie beside the value by rounding.
        down = [max(0.0, 100 * (cell["value"] - cell["low"])) for cell in cells]
        up = [max(0.0, 100 * (cell["high"] - cell["value"])) for cell in cells]
        places = np.arange(len(TRAINED)) + (k - (len(VIEWS) - 1) / 2) * width
        panel.bar(
            places, values, width * 0.92, yerr=[down, up], color=COLOURS[view], label=f"shown {SHOWN[view]}",
            error_kw={"ecolor": INK, "elinewidth": 0.9, "capsize": 2},
        )  # fmt: skip
    for name, style in (("chance", ":"), ("commonest", "--")):
        panel.axhline(100 * floor[name], color=INK, lw=0.9, ls=style)
        panel.annotate(name, (1.01, 100 * floor[name]), xycoords=("axes fraction", "data"), fontsize=8, color=INK,
                       va="center")  # fmt: skip
    panel.set_facecolor(PAPER)
    panel.set_title(f"{kind}: {'what is it?' if kind == 'object' else 'what does it do?'}", color=INK, fontsize=11)
    panel.set_xticks(range(len(TRAINED)), list(TRAINED.values()))
    panel.set_xlabel("trained on", color=INK)
    panel.set_ylabel(f"right of {floor['questions']}, %", color=INK)
    panel.set_ylim(0, 100)
    panel.tick_params(colors=FAINT, length=3)
    panel.grid(axis="y", color=RULE, lw=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(RULE)
