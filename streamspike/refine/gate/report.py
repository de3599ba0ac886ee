"""The gate's report: one HTML file for people, and plain values for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streamspike.config import GateMeasure, RefineConfig
from streamspike.outputs.messages import iso_utc
from streamspike.refine.gate.deciding import Decision, margin_of
from streamspike.refine.gate.measuring import Comparison, calibrate
from streamspike.refine.gate.viewing import Viewing
from streamspike.report.charts import interval_chart, reliability_chart, score_chart
from streamspike.report.figures import plain, show
from streamspike.report.markup import Markup, table, tag
from streamspike.report.page import render_page

NUM_EXAMPLES = 4
SHARES: tuple[GateMeasure, ...] = ("localisation", "calibration", "caption_agreement", "diversity")
"""Measures between 0 and 1, which fit on one scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What the gate found out about one candidate."""

    candidate: str
    """Name and version of the model with it."""
    against: str
    """Name and version of the model as it served."""
    data: str
    """What the held-out clips are, and the hash of the dataset if it has one."""
    evaluated_at: float
    """UTC."""
    decision: Decision
    comparisons: Mapping[GateMeasure, Comparison]
    """Empty where the data were refused before anything was measured."""
    before: Sequence[Viewing] = ()
    after: Sequence[Viewing] = ()


def to_plain(evaluation: Evaluation, config: RefineConfig) -> dict[str, Any]:
    """For JSON; undefined numbers are null, with the reason."""
    return {
        "candidate": evaluation.candidate,
        "against": evaluation.against,
        "data": evaluation.data,
        "evaluated_at": iso_utc(evaluation.evaluated_at),
        "accepted": evaluation.decision.accepted,
        "reasons": list(evaluation.decision.reasons),
        "clips": len(evaluation.before),
        "primary": config.primary,
        "measures": {
            name: {
                "words": each.words,
                "before": plain(each.before),
                "after": plain(each.after),
                "gain": plain(each.gain),
                "margin": margin_of(config, name),
            }
            for name, each in evaluation.comparisons.items()
        },
        "reliability": {
            side: [asdict(one) for one in calibrate(viewings).bins]
            for side, viewings in (("before", evaluation.before), ("after", evaluation.after))
            if viewings
        },
    }


def render_report(evaluation: Evaluation, config: RefineConfig) -> str:
    """The HTML file."""
    values = to_plain(evaluation, config)
    words = f"Compared with {values['against']}, {values['evaluated_at']}. Data: {values['data']}."
    verdict = "accepted" if evaluation.decision.accepted else "refused"
    return render_page(
        f"{evaluation.candidate.partition('+')[2] or evaluation.candidate}: {verdict}",
        tag("p", words, class_="note"),
        tag("ul", *(tag("li", reason) for reason in evaluation.decision.reasons)),
        *evaluation_parts(evaluation, config),
    )


def evaluation_parts(evaluation: Evaluation, config: RefineConfig) -> list[Markup]:
    """Before and after on the same clips: measures, reliability and examples; empty where nothing was measured."""
    if not evaluation.comparisons:
        return []
    values = to_plain(evaluation, config)
    measures = values["measures"]
    shares = {
        f"{name} {side}": measures[name][side]
        for name in SHARES
        for side in ("before", "after")
        if measures[name][side]["mean"] is not None
    }
    return [
        tag("h2", f"On {values['clips']} held-out clips"),
        table(
            ["", "in service", "candidate", "gain", "margin"],
            [
                [
                    each["words"] + (" (decides)" if name == config.primary else ""),
                    show(each["before"]),
                    show(each["after"]),
                    show(each["gain"]),
                    f"{each['margin']:g}",
                ]
                for name, each in measures.items()
            ],
        ),
        tag(
            "p",
            "Brackets are 95 % intervals of a bootstrap over clips; of the gain, a paired one. More gain is better, "
            "whichever way the measure points; that of seconds is a share. The measure that decides must gain beyond "
            "doubt: its interval lies above 0. No other may lose more than its margin.",
            class_="note",
        ),
        interval_chart(shares),
        tag("h2", "When it says so much, how often does it come true?"),
        reliability_chart(values["reliability"]),
        tag("h2", "Where they differ most"),
        *(_pair(before, after) for before, after in _most_different(evaluation)),
    ]


def _most_different(evaluation: Evaluation) -> list[tuple[Viewing, Viewing]]:
    """By surprise, summed over the segments."""

    def apart(pair: tuple[Viewing, Viewing]) -> float:
        return sum(abs(a.surprise_nats - b.surprise_nats) for a, b in zip(pair[0].views, pair[1].views, strict=True))

    return sorted(zip(evaluation.before, evaluation.after, strict=True), key=apart, reverse=True)[:NUM_EXAMPLES]


def _pair(before: Viewing, after: Viewing) -> Markup:
    told = before.told
    starts = [float(number) for number in range(len(before.views))]
    spans = [(float(number), number + 1.0) for number in told.surprises]
    charts = [
        part
        for words, viewing in (("in service", before), ("candidate", after))
        for part in (
            tag("p", f"Surprise by segment, {words}", class_="note"),
            score_chart(starts, [s + 1 for s in starts], [view.surprise_nats for view in viewing.views], spans),
        )
    ]
    rows = [
        [str(number), told.sentences[number] or "-", old.caption, new.caption]
        for number, (old, new) in enumerate(zip(before.views, after.views, strict=True))
    ]
    kind = "surprising" if told.is_surprising else "ordinary"
    heads = ["segment", "what happened", "in service said", "candidate said"]
    return tag("article", tag("h4", f"{told.example_id} ({kind})"), *charts, table(heads, rows))
