"""What the methods are worth: differences clip by clip, over all seeds and for each, with intervals; and as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from streamspike.bench.dynamics.study import compare as compare_dynamics
from streamspike.bench.night.measuring import read_scores, read_viewings
from streamspike.bench.night.settings import START
from streamspike.config import RefineConfig
from streamspike.measures.encoder import Encoder, semantic_diversity
from streamspike.measures.estimate import Estimate, Undefined, bootstrap
from streamspike.measures.localisation import Floats
from streamspike.refine.gate.deciding import decide
from streamspike.refine.gate.measuring import MEASURES, compare
from streamspike.refine.gate.viewing import Viewing
from streamspike.refine.savi.questions import ALL, accuracy, difference
from streamspike.report.figures import plain

Result = Mapping[str, Any]
Results = Mapping[int, Mapping[str, Result]]
"""By seed and method, as `result.json` has them."""

SEMANTIC, QUESTIONS, PAIRS, STATIC = "semantic_diversity", "questions", "dynamic_pairs", "static_pairs"
WORDS: dict[str, str] = {
    **{name: measure.words for name, measure in MEASURES.items()},
    "localisation": "surprise finds what surprises, hit@1",
    SEMANTIC: "diversity of hypotheses, by the paper's encoder",
    QUESTIONS: "questions answered right",
    PAIRS: "dynamic pairs answered right",
    STATIC: "static pairs answered right",
}
LEFT_OUT = ("latency",)
"""The models of a study are measured at different times, beside different work, and an adapter is merged."""
SPENT = ("training_seconds", "training_cpu_seconds", "steps")
AGAINST = ((START, ("supervised", "spike-rl", "savi", "crpo")), ("supervised", ("spike-rl",)))
"""Who is compared with whom."""


class _Remembering:
    """Implements `Encoder`: a world has few sentences, and each is encoded once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Floats] = {}

    def encode(self, sentences: Sequence[str]) -> Floats:
        new = sorted(set(sentences) - self._known.keys())
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[sentence] for sentence in sentences])


def summarise(results: Results, encoder: Encoder | None, seed: int = 0) -> dict[str, Any]:
    """Every comparison that can be made: over the clips of all seeds that have both, and for each seed.

    Args:
        encoder: the paper's, if it is installed.
        seed: of the bootstrap.
    """
    encoder = _Remembering(encoder) if encoder is not None else None
    comparisons = []
    for base, names in AGAINST:
        for name in names:
            both = [run for run in results.values() if base in run and name in run]
            if both:
                pooled = compare_runs([run[base] for run in both], [run[name] for run in both], encoder, seed)
                many = both if len(both) > 1 else []
                comparisons.append(
                    {
                        "method": name,
                        "against": base,
                        "seeds": [run[name]["seed"] for run in both],
                        "measures": pooled,
                        "by_seed": {
                            str(run[name]["seed"]): compare_runs([run[base]], [run[name]], encoder, seed)
                            for run in many
                        },
                        # Only the start could be in service.
                        "gate": {
                            str(run[name]["seed"]): ask_gate(run[base], run[name], seed)
                            for run in both
                            if base == START
                        },
                    }
                )
    return {"words": WORDS, "comparisons": comparisons, "spent": _spent(results)}


def compare_runs(
    before: Sequence[Result], after: Sequence[Result], encoder: Encoder | None, seed: int
) -> dict[str, dict[str, Any]]:
    """By measure: before, after and the gain, of which more is better; the clips of all runs are drawn together."""
    found: dict[str, dict[str, Any]] = {}
    views = [_pool(runs, "viewings", read_viewings) for runs in (before, after)]
    for name, each in compare(views[0], views[1], seed).items():
        if name not in LEFT_OUT:
            found[name] = {"before": plain(each.before), "after": plain(each.after), "gain": plain(each.gain)}
    if encoder is not None:
        sides = [[_semantic(viewing, encoder) for viewing in side] for side in views]
        found[SEMANTIC] = _paired(sides[0], sides[1], seed)
    scores = [_pool(runs, "questions", read_scores) for runs in (before, after)]
    found[QUESTIONS] = {
        "before": plain(accuracy(scores[0], ALL, seed)),
        "after": plain(accuracy(scores[1], ALL, seed)),
        "gain": plain(difference(scores[0], scores[1], ALL, seed)),
    }
    answers = [{"answers": [one for run in runs for one in run["dynamics"]["answers"]]} for runs in (before, after)]
    gains = compare_dynamics(answers[0], answers[1], seed)
    for group, pairs in (("dynamic", PAIRS), ("static", STATIC)):
        shares = [
            [_is_right(one) for one in side["answers"] if one["dynamic"] == (group == "dynamic")] for side in answers
        ]
        old, new = (plain(bootstrap(side, _mean, seed)) for side in shares)
        gain = gains[group]["pairs"]
        found[pairs] = {
            "before": old,
            "after": new,
            "gain": {"mean": gain["value"], "low": gain["low"], "high": gain["high"]},
        }
    return found


def ask_gate(before: Result, after: Result, seed: int) -> dict[str, Any]:
    """What the gate of a night would say of one run, with its default margins; latency aside."""
    views = [_pool([run], "viewings", read_viewings) for run in (before, after)]
    found = {name: each for name, each in compare(views[0], views[1], seed).items() if name not in LEFT_OUT}
    return asdict(decide(found, len(views[0]), RefineConfig()))


def _pool(runs: Sequence[Result], name: str, read: Callable[[Any], list[Any]]) -> list[Any]:
    return [each for run in runs for each in read(run[name])]


def _is_right(answer: Mapping[str, Any]) -> float:
    return float(answer["chosen"] == answer["answers"])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else Undefined("nothing was asked")


def _semantic(viewing: Viewing, encoder: Encoder) -> tuple[float, int]:
    """Diversity of the hypotheses of each segment, summed, and the number of segments."""
    values = [semantic_diversity(encoder, view.hypotheses) for view in viewing.views if len(view.hypotheses) > 1]
    return math.fsum(values), len(values)


def _ratio(sums: Sequence[tuple[float, int]]) -> float:
    count = sum(number for _, number in sums)
    return math.fsum(value for value, _ in sums) / count if count else Undefined("no set of hypotheses")


def _paired(before: Sequence[tuple[float, int]], after: Sequence[tuple[float, int]], seed: int) -> dict[str, Any]:
    pairs = list(zip(before, after, strict=True))
    gain: Estimate = bootstrap(pairs, lambda some: _ratio([b for _, b in some]) - _ratio([a for a, _ in some]), seed)
    return {
        "before": plain(bootstrap(before, _ratio, seed)),
        "after": plain(bootstrap(after, _ratio, seed)),
        "gain": plain(gain),
    }


def _spent(results: Results) -> dict[str, list[dict[str, float]]]:
    """By method, of each run."""
    found: dict[str, list[dict[str, float]]] = {}
    for runs in results.values():
        for name, run in runs.items():
            if name != START:
                found.setdefault(name, []).append({key: run[key] for key in SPENT})
    return found


def show_spent(spent: Sequence[Mapping[str, float]]) -> str:
    """`240 s (95 s of the processor, 61 steps)` for each run."""
    return ", ".join(
        f"{each['training_seconds']:.0f} s ({each['training_cpu_seconds']:.0f} s of the processor, "
        f"{each['steps']} steps)"
        for each in spent
    )


def render_study(summary: Mapping[str, Any]) -> str:
    """Tables for a terminal: of each comparison before, after and the gain with its interval over clips."""
    parts = []
    for one in summary["comparisons"]:
        spent = show_spent(summary["spent"][one["method"]])
        head = f"{one['method']} against {one['against']}; seeds {', '.join(map(str, one['seeds']))}; trained {spent}"
        lines = [head, f"{'':52s} {'before':>8s} {'after':>8s}  gain [95 %], more is better"]
        for name, row in one["measures"].items():
            lines.append(
                f"{WORDS[name]:52s} {_cell(row['before'])} {_cell(row['after'])}  {show_gain(row['gain'])}"
                + _by_seed(one, name)
            )
        for number, said in one["gate"].items():
            verdict = "accepted" if said["accepted"] else "refused"
            lines.append(f"the gate, seed {number}: {verdict}; {'; '.join(said['reasons'])}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) if parts else "nothing is done yet that can be compared"


def show_gain(figure: Mapping[str, Any]) -> str:
    """`+0.041 [+0.010, +0.072]`, or a dash."""
    if figure["mean"] is None:
        return "-"
    if figure["low"] is None:
        return f"{figure['mean']:+.3f}"
    return f"{figure['mean']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"


def _cell(figure: Mapping[str, Any]) -> str:
    return f"{'-':>8s}" if figure["mean"] is None else f"{figure['mean']:8.3f}"


def _by_seed(one: Mapping[str, Any], name: str) -> str:
    gains = [each[name]["gain"]["mean"] for each in one["by_seed"].values()]
    return "   by seed " + " ".join("-" if gain is None else f"{gain:+.3f}" for gain in gains) if gains else ""
