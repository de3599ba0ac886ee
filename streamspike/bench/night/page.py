"""The study as one HTML file: gains with their intervals, tables, curves of every run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamspike.bench.night.settings import START
from streamspike.bench.night.tables import WORDS, show_gain, show_spent
from streamspike.refine.training import CURVE_FILE
from streamspike.report.charts import curve_chart, gain_chart
from streamspike.report.figures import show
from streamspike.report.markup import Markup, table, tag
from streamspike.report.page import render_page

SHARES = (
    "localisation", "diversity", "semantic_diversity", "calibration", "questions", "dynamic_pairs", "static_pairs",
)  # fmt: skip
"""Measures between 0 and 1, which fit on one scale."""
CURVES = {
    "foreseen": "share that was foreseen",
    "reward": "reward",
    "held_out_reward": "reward of held-out clips",
    "loss": "loss",
    "right": "pairs right",
}
NOTE = (
    "All methods learned from the same simulated clips, for as long, and are measured on the same clips of other "
    "cameras. Brackets are 95 % intervals of a bootstrap over clips; of a gain, a paired one. Seeds differ in clips, "
    "adapter and draws; intervals over clips do not tell how much another seed would differ, the columns of seeds do."
)


def render_night(result: Mapping[str, Any], out: Path) -> str:
    """The HTML file.

    Args:
        out: folder of the study, whose curves are drawn.
    """
    body: list[Markup] = [tag("p", _made(result), class_="note"), tag("p", NOTE, class_="note")]
    for unusual in result.get("unusual", ()):
        body += _unusual(unusual)
    for one in result["comparisons"]:
        body += _comparison(one, show_spent(result["spent"][one["method"]]))
    body += _curves(out)
    return render_page("What a night is worth", *body)


def _made(result: Mapping[str, Any]) -> str:
    machine, settings = result["machine"], result["settings"]
    length = f"{settings['steps']} steps" if settings["steps"] else f"{settings['minutes']:g} minutes"
    return (
        f"{result['model']}, {settings['clips']} clips to learn from and {settings['held_out']} "
        f"held out per seed, {length} a method. {machine['processor']}, "
        f"{machine['threads']} threads, commit {result['commit']}."
    )


def _comparison(one: Mapping[str, Any], spent: str) -> list[Markup]:
    seeds = [str(seed) for seed in one["seeds"]]
    gains = {WORDS[name]: one["measures"][name]["gain"] for name in SHARES if name in one["measures"]}
    many = len(seeds) > 1
    heads = ["", one["against"], one["method"], "gain", *((f"seed {seed}" for seed in seeds) if many else ())]
    return [
        tag("h2", f"{one['method']} against {one['against']}"),
        tag("p", f"Seeds {', '.join(seeds)}; trained {spent}.", class_="note"),
        table(
            heads,
            [
                [
                    WORDS[name],
                    show(row["before"]),
                    show(row["after"]),
                    show_gain(row["gain"]),
                    *((show_gain(one["by_seed"][seed][name]["gain"]) for seed in seeds) if many else ()),
                ]
                for name, row in one["measures"].items()
            ],
        ),
        gain_chart(gains),
        *(
            tag("p", f"The gate, seed {number}: {'accepted' if said['accepted'] else 'refused'}. ",
                "; ".join(said["reasons"]))
            for number, said in one["gate"].items()
        ),
    ]  # fmt: skip


def _curves(out: Path) -> list[Markup]:
    parts = [tag("h2", "Curves")]
    for path in sorted(out.glob(f"**/{CURVE_FILE}")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        name = " ".join(part for part in path.parent.relative_to(out).parts if part != START)
        for key, words in CURVES.items():
            points = [(float(line["step"]), float(line[key])) for line in lines if key in line]
            if len(points) > 1:
                parts += [tag("h4", f"{name}: {words}"), curve_chart(points, "step")]
    return parts


def _unusual(unusual: Mapping[str, Any]) -> list[Markup]:
    measures = unusual["measures"]
    return [
        tag("h2", f"A camera with rules of its own: {unusual['camera']}"),
        tag("p", unusual["words"], class_="note"),
        table(
            ["", "before", f"after a night of {unusual['method']}", "change"],
            [
                [row["words"], show(row["before"]), show(row["after"]), show_gain(row["change"])]
                for row in measures.values()
            ],
        ),
        table(
            ["what alerted most often in the routine", "before", "after"],
            [[text, str(old), str(new)] for text, old, new in unusual["routine_alerts"]],
        ),
    ]
