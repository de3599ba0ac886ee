"""Whether a night's data are fit to learn from, before anything is learned: what is wrong with them, in sentences.

Four things poison a night and can be seen beforehand: nothing was logged; the pictures are black, without any detail or
frozen; captions do not belong to their pictures; what people said contradicts everything that was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.belief.tracker import BeliefTracker
from streamspike.config import BeliefConfig, RefineConfig
from streamspike.core import Assessment, Pixels
from streamspike.engine.engine import IncrementalEngine
from streamspike.measures.detection import auroc
from streamspike.measures.estimate import Estimate, bootstrap
from streamspike.refine.examples import Example, ExampleSource
from streamspike.refine.gate.viewing import cut_segment

MAX_CLIPS = 200
"""So many are looked at, spread evenly: they are decoded for it."""
MAX_ASKED = 40
"""So many clips the model is asked about."""
LEAST_DETAIL = 3.0
"""Standard deviation of the brightness of a picture, of 255; a black picture has the noise of its sensor."""
STEP = 4
"""Every so many pixels across and down are looked at."""
MIN_JUDGED = 5
"""Verdicts of each kind; fewer say nothing about those who gave them."""


@dataclass(frozen=True, slots=True)
class _Judged:
    peak_nats: float
    useful: bool


def check_data(
    train: ExampleSource | Sequence[Example],
    config: RefineConfig,
    belief: BeliefConfig,
    engine: IncrementalEngine | None = None,
) -> tuple[str, ...]:
    """What speaks against learning from these clips; empty: nothing.

    Args:
        engine: asked whether captions belong to their pictures, best of the base: an adapter in service may be broken,
            and then nothing would ever replace it; None: that is left out.
    """
    if not len(train):
        return ("the journal holds no clip to learn from",)
    places = np.unique(np.linspace(0, len(train) - 1, min(MAX_CLIPS, len(train))).astype(int)).tolist()
    examples = [train[place] for place in places]
    found = [_check_pictures(examples, config.max_blind_share), _check_verdicts(examples)]
    if engine is not None:
        found.append(_check_captions(examples, belief, engine))
    return tuple(reason for reason in found if reason)


def blind_share(examples: Iterable[Example]) -> float:
    """Segments that show nothing: without detail, or the very same picture as the segment before, frame by frame."""
    blind = total = 0
    for example in examples:
        before: tuple[Pixels, ...] | None = None
        for frames in example.segments:
            total += 1
            frozen = before is not None and all(
                np.array_equal(a[::STEP, ::STEP], b[::STEP, ::STEP]) for a in frames for b in before
            )
            blind += frozen or all(_is_featureless(frame) for frame in frames)
            before = frames
    return blind / total if total else 0.0


def _is_featureless(pixels: Pixels) -> bool:
    return float(pixels[::STEP, ::STEP].mean(axis=2).std()) < LEAST_DETAIL


def _check_pictures(examples: Sequence[Example], allowed: float) -> str:
    share = blind_share(examples)
    if share <= allowed:
        return ""
    return (
        f"{100 * share:.0f} % of the segments are black, without detail or frozen, and at most {100 * allowed:.0f} % "
        "may be: look at the cameras"
    )


def _check_verdicts(examples: Sequence[Example]) -> str:
    judged = [
        _Judged(max((nats for nats in example.surprise_nats if not np.isnan(nats)), default=0.0), example.verdict > 0)
        for example in examples
        if example.verdict and example.surprise_nats
    ]
    useful = sum(each.useful for each in judged)
    if len(judged) >= 2 * MIN_JUDGED and not useful:
        return (
            f"all {len(judged)} events that were judged were called not useful, so nothing says what would be; lower "
            "events.alerts_per_day instead"
        )
    if min(useful, len(judged) - useful) < MIN_JUDGED:
        return ""
    found = bootstrap(judged, lambda some: auroc([e.peak_nats for e in some], [e.useful for e in some]), seed=0)
    if not found.high < 0.5:
        return ""
    return (
        "feedback contradicts what was measured: of two judged events the more surprising one is the useful one in "
        f"only {100 * found.mean:.0f} % of the cases (95 % interval up to {100 * found.high:.0f} %); were useful and "
        "not useful mixed up?"
    )


def _check_captions(examples: Sequence[Example], belief: BeliefConfig, engine: IncrementalEngine) -> str:
    gain = caption_gain(examples, belief, engine)
    if gain is None or gain.low > 0:
        return ""
    return (
        "captions do not belong to their pictures: to the model a caption is no likelier than another "
        f"clip's ({gain.mean:+.3f} nats per token, 95 % interval from {gain.low:+.3f} to {gain.high:+.3f})"
    )


def caption_gain(examples: Sequence[Example], belief: BeliefConfig, engine: IncrementalEngine) -> Estimate | None:
    """How much likelier the model finds a clip's captions than those of other clips, nats per token, seeing the clip.

    None: there are too few captions to say. The last segment of each clip is asked about, with its window.
    """
    told = [(example, example.captions[-1]) for example in examples if len(example.captions) > 1]
    told = [(example, caption) for example, caption in told if caption][:MAX_ASKED]
    gains = []
    for number, (example, caption) in enumerate(told):
        others = [
            text for _, text in (*told[number + 1 :], *told[:number]) if sentence_key(text) != sentence_key(caption)
        ]
        if not others:
            continue
        tracker = BeliefTracker(example.example_id, belief, engine.name, seed=0)
        *window, last = (cut_segment(example, index) for index in range(len(example.segments)))
        for segment in window:
            tracker.skip(segment)
        pair = (caption, others[len(others) // 2])
        request = replace(tracker.request(last), hypotheses=pair, complete=False, verify=False, num_sightings=0)
        gains.append(_gain(engine.assess(request), pair))
    engine.forget()
    if len(gains) < 2 * MIN_JUDGED:
        return None
    return bootstrap(gains, lambda some: float(np.mean(some)), seed=0)


def _gain(assessment: Assessment, pair: tuple[str, str]) -> float:
    by_text = {sentence_key(score.text): score.log_posterior / score.num_tokens for score in assessment.scores}
    own, other = (by_text[sentence_key(text)] for text in pair)
    return own - other
