"""How well do variants of surprise find the scripted segment? Three measures, with bootstrap intervals over clips.

- hit@1: share of clips whose highest-scoring segment is the scripted one; ties share it.
- Spearman: rank correlation with the simulator's -log p, over all segments of all clips.
- AUROC: probability that a scripted segment scores above one that is not, over all segments of all clips.

A bootstrap draws whole clips. The same draws serve all variants of the same clips, so that the difference to the
reference is paired: clips that are hard for everybody do not widen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from streamspike.bench.plots import DPI, FAINT, INK, PAPER, RULE
from streamspike.bench.variants.recordings import BASE, ClipRecord
from streamspike.bench.variants.variants import REFERENCE, VARIANTS
from streamspike.errors import SinkError

BOOTSTRAPS = 1000
MEASURES = {"hit_at_1": "hit@1", "spearman": "Spearman with -log p", "auroc": "AUROC of scripted segments"}
ROW_INCHES, PANEL_INCHES = 0.2, 3.2

Floats = NDArray[np.float64]
Tables = dict[str, Floats]
"""By measure: (1 + draws,), of all clips as they are and then of each bootstrap draw."""


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """Mid-ranks of values that stand there several times.

    Args:
        values: (n,).
        weights: (draws, n), how often each stands there.

    Returns:
        (draws, n); ties share their mean rank. Ranks begin at half a weight.
    """
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    mass = np.add.reduceat(weights[:, order], starts, axis=1)  # (draws, groups)
    return np.asarray((mass.cumsum(axis=1) - mass / 2)[:, group], dtype=np.float64)


def spearman(ranks: Floats, other: Floats, weights: Floats) -> Floats:
    """(draws,) Pearson correlation of ranks; 0 where one of them is constant."""
    total = weights.sum(axis=1, keepdims=True)
    x = ranks - (ranks * weights).sum(axis=1, keepdims=True) / total
    y = other - (other * weights).sum(axis=1, keepdims=True) / total
    scale = np.sqrt((x * x * weights).sum(axis=1) * (y * y * weights).sum(axis=1))
    return np.asarray((x * y * weights).sum(axis=1) / np.maximum(scale, 1e-9), dtype=np.float64)


def auroc(ranks: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """(draws,) area under the receiver's curve, from ranks (Mann and Whitney); ties count half."""
    chosen = weights * positive
    num_positive = chosen.sum(axis=1)
    num_negative = weights.sum(axis=1) - num_positive
    below = (chosen * ranks).sum(axis=1) - num_positive**2 / 2  # mid-ranks of positives among themselves
    return np.asarray(below / (num_positive * num_negative), dtype=np.float64)


def hits(scores: Floats, scripted: NDArray[np.intp]) -> Floats:
    """(clips,) 1 where the scripted segment is on top, its share where several are.

    Args:
        scores: (clips, segments).
        scripted: (clips,), column of the scripted one.
    """
    top = scores == scores.max(axis=1, keepdims=True)
    return np.asarray(top[np.arange(len(scores)), scripted] / top.sum(axis=1), dtype=np.float64)


class Clips:
    """The same clips for several scores: their truth, and draws of them."""

    def __init__(self, records: Sequence[ClipRecord], seed: int) -> None:
        self._scripted = np.array([record.scripted - 1 for record in records])
        truth = np.array([record.truth for record in records])
        self._shape = truth.shape
        columns = np.arange(truth.shape[1])
        self._positive = (columns == self._scripted[:, None]).ravel()
        count = len(records)
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=BOOTSTRAPS)
        self._clip_weights = np.concatenate([np.ones((1, count)), drawn])
        self._weights = np.repeat(self._clip_weights, truth.shape[1], axis=1)
        self._truth_ranks = weighted_ranks(truth.ravel(), self._weights)

    def measure(self, scores: Sequence[Sequence[float]]) -> Tables:
        """Of (clips, segments) scores."""
        values = np.array(scores, dtype=np.float64)
        assert values.shape == self._shape, (values.shape, self._shape)
        ranks = weighted_ranks(values.ravel(), self._weights)
        return {
            "hit_at_1": self._clip_weights @ hits(values, self._scripted) / len(values),
            "spearman": spearman(ranks, self._truth_ranks, self._weights),
            "auroc": auroc(ranks, self._positive, self._weights),
        }


def compare(recordings: Mapping[str, Sequence[ClipRecord]], seed: int) -> list[dict[str, Any]]:
    """All variants that were recorded, the pixel baselines and the ideal observer, as plain values for JSON.

    Each has its measures with 95 % intervals, and their differences to the reference on the same clips.
    """
    rows = []
    base = {record.clip: record for record in recordings[BASE.name]}
    for name, records in recordings.items():
        if not records:
            continue
        clips = Clips(records, seed)
        same = [base[record.clip] for record in records]
        reference = clips.measure([[REFERENCE.score(segment) for segment in record.segments] for record in same])
        scores: dict[str, Sequence[Sequence[float]]] = {
            variant.name: [[variant.score(segment) for segment in record.segments] for record in records]
            for variant in VARIANTS
            if variant.plan == name
        }
        if name == BASE.name:
            scores |= {pixel: [record.pixels[pixel] for record in records] for pixel in records[0].pixels}
            scores["ideal observer"] = [record.truth for record in records]
        for variant_name, values in scores.items():
            measured = clips.measure(values)
            rows.append(
                {
                    "variant": variant_name,
                    "recording": name,
                    "clips": len(records),
                    **{key: _interval(measured[key]) for key in MEASURES},
                    "against_reference": {key: _interval(measured[key] - reference[key]) for key in MEASURES},
                }
            )
    return rows


def _interval(values: Floats) -> dict[str, float]:
    """The value of all clips, and what 95 % of the draws lie between."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"mean": float(values[0]), "low": float(low), "high": float(high)}


def render_comparison(result: Mapping[str, Any]) -> str:
    """The result as text a person reads; a star where the interval of the difference leaves zero out."""
    lines = [
        f"model {result['model']}; 10 segments a clip, one scripted surprise; 95 % intervals over clips",
        "difference: to the reference on the same clips, paired; * where its interval leaves out 0",
    ]
    width = max(len(row["variant"]) for row in result["variants"])
    for key, words in MEASURES.items():
        lines += ["", f"{words:{width}s}  clips  value  [95 %]          difference  [95 %]"]
        for row in sorted(result["variants"], key=lambda row: -row[key]["mean"]):
            value, change = row[key], row["against_reference"][key]
            star = "*" if change["low"] > 0 or change["high"] < 0 else " "
            lines.append(
                f"{row['variant']:{width}s}  {row['clips']:5d}  {value['mean']:5.3f}  "
                f"[{value['low']:.3f}, {value['high']:.3f}]  "
                f"{change['mean']:+.3f} {star}  [{change['low']:+.3f}, {change['high']:+.3f}]"
            )
    return "\n".join(lines)


def plot_comparison(result: Mapping[str, Any], path: Path) -> None:
    """Write a PNG: each variant's difference to the reference with its interval, a panel for each measure.

    Raises:
        SinkError: the file cannot be written.
    """
    rows = result["variants"][::-1]
    with rc_context({"text.parse_math": False}):
        size = (3.6 + len(MEASURES) * PANEL_INCHES, 1.2 + len(rows) * ROW_INCHES)
        figure = Figure(figsize=size, dpi=DPI, facecolor=PAPER, layout="constrained")
        figure.suptitle(f"{result['model']}: difference to the reference, 95 % over clips", color=INK, fontsize=11)
        for panel, (key, words) in zip(figure.subplots(1, len(MEASURES), sharey=True), MEASURES.items(), strict=True):
            for place, row in enumerate(rows):
                change = row["against_reference"][key]
                apart = change["low"] > 0 or change["high"] < 0
                colour = INK if apart else FAINT
                panel.plot([change["low"], change["high"]], [place, place], color=colour, lw=1.4)
                panel.plot(change["mean"], place, "o", color=colour, ms=4)
            panel.axvline(0, color=RULE, lw=1, zorder=0)
            panel.set_yticks(range(len(rows)), [row["variant"] for row in rows], fontsize=8, color=INK)
            panel.set_ylim(-0.7, len(rows) - 0.3)
            panel.set_xlabel(words, color=INK, fontsize=9)
            panel.set_facecolor(PAPER)
            panel.tick_params(colors=INK, length=0, labelsize=8)
            panel.grid(axis="x", color=RULE, lw=0.5)
            for side in ("top", "right", "left", "bottom"):
                panel.spines[side].set_visible(False)
        try:
            FigureCanvasAgg(figure).print_png(str(path))
        except OSError as error:
            raise SinkError(f"cannot write the picture {path}: {error.strerror}") from error
