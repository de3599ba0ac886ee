"""Asks a model about simulated clips and their counterfactual branches: DyBench in small (arXiv 2605.21988).

A pair counts as right if both its branches are answered right, so that a model that answers alike whatever it is shown
gets no dynamic pair at all, and one that guesses gets a quarter of those with two choices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamspike.engine.model import LoadedModel
from streamspike.errors import DatasetError
from streamspike.measures.estimate import Estimate, bootstrap
from streamspike.progress import Advance
from streamspike.refine.crpo.asking import Style, choice_scores
from streamspike.refine.crpo.questions import DYNAMIC, STATIC, Question
from streamspike.refine.crpo.relation import relates
from streamspike.refine.crpo.scenes import ItemSettings, ItemSource, world_items

ASKED_AT_ONCE = 8
GROUPS = {"dynamic": DYNAMIC, "static": STATIC}
MEASURES = ("pairs", "single", "original", "turned", "related")


@dataclass(frozen=True, slots=True)
class Answered:
    """One question and what was chosen."""

    kind: str
    topic: str
    branch: str
    dynamic: bool
    answers: tuple[int, int]
    chosen: tuple[int, int]
    num_choices: int
    related: bool
    """The two choices go together, whether right or not."""

    def measure(self, name: str) -> float:
        """pairs: both right; single: share of the two that is right; original, turned: of one branch."""
        original, turned = (int(one == other) for one, other in zip(self.chosen, self.answers, strict=True))
        values = {"pairs": original * turned, "single": (original + turned) / 2, "original": original,
                  "turned": turned, "related": float(self.related)}  # fmt: skip
        return values[name]


def measure_dynamics(
    loaded: LoadedModel, pairs: int, style: Style, seed: int, segment_seconds: float, progress: Advance
) -> dict[str, Any]:
    """Plain values for JSON: accuracies by kind with intervals over clips, and every answer.

    Args:
        pairs: questions, each about a clip and its branch; kinds take turns, half of them dynamic.
        seed: of the clips, which no training sees whatever the seed, and of the bootstrap.
    """
    settings = ItemSettings(segment_seconds=segment_seconds, dynamic_share=0.5, bench=True)
    answered: list[Answered] = []
    items = world_items(seed, pairs, settings, cached=1)
    for start in range(0, pairs, ASKED_AT_ONCE):
        numbers = range(start, min(start + ASKED_AT_ONCE, pairs))
        answered += answer_all(loaded, items, numbers, style)
        progress(len(answered))
    return {
        "model": loaded.slot.name,
        "style": style,
        "pairs": pairs,
        "seed": seed,
        "accuracy": summarise(answered, seed),
        "answers": [
            {"kind": one.kind, "topic": one.topic, "branch": one.branch, "dynamic": one.dynamic,
             "answers": list(one.answers), "chosen": list(one.chosen), "choices": one.num_choices,
             "related": one.related}
            for one in answered
        ],
    }  # fmt: skip


def answer_all(loaded: LoadedModel, items: ItemSource, numbers: Sequence[int], style: Style) -> list[Answered]:
    """What the model chooses: the likeliest choice of each branch."""
    asked = [items[number] for number in numbers]
    answered = []
    for item, scores in zip(asked, choice_scores(loaded, asked, style), strict=True):
        original, turned = (max(range(len(branch)), key=branch.__getitem__) for branch in scores)
        answered.append(_note(item.question, original, turned))
    return answered


def _note(question: Question, original: int, turned: int) -> Answered:
    return Answered(
        question.kind,
        question.topic,
        question.branch,
        question.dynamic,
        question.answers,
        (original, turned),
        len(question.original.choices),
        relates(question, original, turned, "transform"),
    )


def summarise(answered: Sequence[Answered], seed: int) -> dict[str, Any]:
    """By group and kind: how many, what guessing gives, and each measure with its interval."""
    found: dict[str, Any] = {}
    for name, kinds in (*GROUPS.items(), *((kind, (kind,)) for kind in (*DYNAMIC, *STATIC))):
        chosen = [one for one in answered if one.kind in kinds]
        if chosen:
            found[name] = {
                "count": len(chosen),
                "guessing": sum(1 / one.num_choices**2 for one in chosen) / len(chosen),
                **{measure: _plain(_mean(chosen, measure, seed)) for measure in MEASURES},
            }
    return found


def compare(before: Mapping[str, Any], after: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """How much more the second knows than the first, on the same questions: paired differences with intervals.

    Raises:
        DatasetError: they were not asked the same.
    """
    pairs = list(zip(_read(before), _read(after), strict=False))
    same = len(before["answers"]) == len(after["answers"])
    if not same or any((one.kind, one.topic, one.answers) != (two.kind, two.topic, two.answers) for one, two in pairs):
        raise DatasetError("these were not asked the same questions; measure both with the same pairs and seed")
    found: dict[str, Any] = {}
    for name, kinds in (*GROUPS.items(), *((kind, (kind,)) for kind in (*DYNAMIC, *STATIC))):
        chosen = [(one, two) for one, two in pairs if one.kind in kinds]
        if not chosen:
            continue
        found[name] = {"count": len(chosen)}
        for measure in MEASURES:
            gains = [two.measure(measure) - one.measure(measure) for one, two in chosen]
            found[name][measure] = _plain(bootstrap(gains, lambda drawn: sum(drawn) / len(drawn), seed))
    return found


def _read(result: Mapping[str, Any]) -> list[Answered]:
    return [
        Answered(
            line["kind"], line["topic"], line["branch"], line["dynamic"], tuple(line["answers"]),
            tuple(line["chosen"]), line["choices"], line["related"],
        )
        for line in result["answers"]
    ]  # fmt: skip


def _mean(answered: Sequence[Answered], measure: str, seed: int) -> Estimate:
    return bootstrap([one.measure(measure) for one in answered], lambda drawn: sum(drawn) / len(drawn), seed)


def _plain(estimate: Estimate) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {"value": number(estimate.mean), "low": number(estimate.low), "high": number(estimate.high)}
