"""The gate's arithmetic: what is measured, how sure it is, and who may serve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from streamspike.config import GateMeasure, RefineConfig
from streamspike.measures.estimate import Estimate
from streamspike.refine.gate.deciding import decide
from streamspike.refine.gate.measuring import MEASURES, Comparison
from streamspike.refine.gate.measuring import compare as compare_with
from streamspike.refine.gate.report import Evaluation, render_report, to_plain
from streamspike.refine.gate.viewing import Told, View, Viewing

NUM_CLIPS = 30
CONFIG = RefineConfig(min_clips=20)
TRUE, FALSE = "a car stops", "the light goes out"


def make_viewing(number: int, *, hit: bool = True, likely: float = 0.5, known: bool = True) -> Viewing:
    """A clip of three segments; something surprising happens in the last one, and it is hit or the one before is."""
    told = Told(f"clip-{number}", (TRUE,) * 3, (2,) if known else (), is_surprising=number % 2 == 0)
    peak = 4.0 if hit else 1.0
    views = tuple(
        View(nats, TRUE, (TRUE, FALSE), (math.log(likely), math.log(1 - likely)), 0.1, 4, -2.0, -1.0)
        for nats in (9.0, 2.0, peak)  # the first segment has no prior: whatever it has does not count
    )
    return Viewing(told, views)


def compare(before: Sequence[Viewing], after: Sequence[Viewing]) -> dict[GateMeasure, Comparison]:
    return compare_with(before, after, num_draws=100)


def clips(change: Callable[[int], Viewing]) -> list[Viewing]:
    return [change(number) for number in range(NUM_CLIPS)]


def half(number: int) -> Viewing:
    return make_viewing(number, hit=number % 2 == 0)


def spoil(viewing: Viewing, **changes: object) -> Viewing:
    return replace(viewing, views=tuple(replace(view, **changes) for view in viewing.views))


def test_measures_say_what_they_are_about() -> None:
    good, bad = clips(make_viewing), clips(lambda number: make_viewing(number, hit=False))
    assert MEASURES["localisation"].of(good) == 1.0 and MEASURES["localisation"].of(bad) == 0.0
    unknown = clips(lambda number: make_viewing(number, hit=number % 2 == 0, known=False))
    assert MEASURES["localisation"].of(unknown) == 1.0, "surprising clips peak higher than ordinary ones"
    assert MEASURES["calibration"].of(clips(lambda n: make_viewing(n, likely=0.99))) == pytest.approx(0.01)
    assert MEASURES["calibration"].of(clips(lambda n: make_viewing(n, likely=0.5))) == pytest.approx(0.0)
    assert MEASURES["caption_agreement"].of(good) == 1.0
    assert MEASURES["next_nats"].of(good) == -0.5 and MEASURES["caption_nats"].of(good) == -0.25
    assert MEASURES["diversity"].of(good) == 1.0 and MEASURES["latency"].of(good) == pytest.approx(0.1)


def test_who_is_better_beyond_doubt_and_worse_in_nothing_is_accepted() -> None:
    decision = decide(compare(clips(half), clips(make_viewing)), NUM_CLIPS, CONFIG)
    assert decision.accepted and "better by 0.500" in decision.reasons[0]


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (half, "surprise finds what surprises: not better beyond doubt, +0.000"),
        (lambda n: make_viewing(n, hit=n % 2 == 0 or n == 1), "not better beyond doubt, +0.033"),
        (lambda n: make_viewing(n, hit=False), "surprise finds what surprises: worse by 0.500, more than the margin"),
        (lambda n: make_viewing(n, likely=0.9), "error of the probabilities: worse by 0.100"),
        (lambda n: spoil(make_viewing(n), caption="a dog"), "words captions share with those there are: worse by"),
        (
            lambda n: spoil(make_viewing(n), next_nats=-3.0),
            "likelihood of what came next, nats per token: worse by",
        ),
        (lambda n: spoil(make_viewing(n), seen_nats=-3.0), "likelihood of the captions there are, nats per token"),
        (lambda n: spoil(make_viewing(n), hypotheses=(TRUE, TRUE)), "diversity of hypotheses: worse by 1.000"),
        (
            lambda n: spoil(make_viewing(n), seconds=0.2),
            "seconds a segment: worse by 1.000, more than the margin",
        ),
    ],
)
def test_each_loss_is_a_reason_to_refuse(after: Callable[[int], Viewing], reason: str) -> None:
    decision = decide(compare(clips(half), clips(after)), NUM_CLIPS, CONFIG)
    assert not decision.accepted and any(reason in each for each in decision.reasons), decision.reasons


def test_a_loss_within_its_margin_is_allowed() -> None:
    slower = clips(lambda number: spoil(make_viewing(number), seconds=0.12))
    assert decide(compare(clips(half), slower), NUM_CLIPS, CONFIG).accepted
    strict = RefineConfig(min_clips=20, margin_latency=0.1)
    assert not decide(compare(clips(half), slower), NUM_CLIPS, strict).accepted


def test_too_few_clips_and_a_measure_that_is_not_defined_decide_nothing() -> None:
    comparisons = compare(clips(half), clips(make_viewing))
    assert "only 19 held-out clips" in decide(comparisons, 19, CONFIG).reasons[0]
    nothing = Estimate(math.nan, math.nan, math.nan, "nothing is labelled")
    comparisons["localisation"] = Comparison("surprise", nothing, nothing, nothing)
    assert decide(comparisons, NUM_CLIPS, CONFIG).reasons == ("surprise: cannot be measured (nothing is labelled)",)


def test_the_report_says_who_what_and_why_and_escapes_what_models_say() -> None:
    before = clips(half)
    after = clips(lambda number: spoil(make_viewing(number), caption="<script>alert(1)</script>"))
    decision = decide(compare(before, after), NUM_CLIPS, CONFIG)
    evaluation = Evaluation("nano@1+night@2", "nano@1", "a test", 0.0, decision, compare(before, after), before, after)
    page = render_report(evaluation, CONFIG)
    assert "<h1>night@2: refused</h1>" in page and "Compared with nano@1, 1970-01-01" in page
    assert all(reason.split(":")[0] in page for reason in decision.reasons)
    assert "<script>" not in page and "&lt;script&gt;" in page and "http" not in page.replace("http-equiv", "")
    values = to_plain(evaluation, CONFIG)
    assert values["measures"]["localisation"]["gain"]["mean"] == 0.5 and values["clips"] == NUM_CLIPS
    assert values["accepted"] is False and list(values["measures"]) == list(MEASURES)
