"""Are beliefs about simulated clips right? Captions, expectations, calibration, and what the hypotheses are worth.

A surprise is missed because it was not seen rightly, or because it was and another segment scored higher. To tell
which, hits are counted apart where the caption of the scripted segment is right and where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from streamspike.belief.hypotheses import sentence_key
from streamspike.bench.surprise.meaning import meaning
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.measures.estimate import Undefined, bootstrap
from streamspike.measures.localisation import Bools, Floats, hit_at_k, spearman
from streamspike.measures.wording import calibration, plausibility, token_diversity
from streamspike.report.figures import plain
from streamspike.world.simulation import Truth

NUM_DRAWS = 400


@dataclass(frozen=True, slots=True)
class _Statements:
    """Hypotheses of one clip that were there before: the model's probability of each, and whether it came true."""

    probabilities: Floats
    came_true: Bools


def measure_beliefs(
    clips: Sequence[ScoredClip], truths: Sequence[Sequence[Truth]], num_hypotheses: int, seed: int
) -> dict[str, Any]:
    """Plain values of one scorer with beliefs. Shares are of segments, averaged over clips.

    Args:
        num_hypotheses: N, asked for; an engine gives no sentence twice, so it may give fewer.
    """
    pairs = [[*zip(clip.segments[1:], known[1:], strict=True)] for clip, known in zip(clips, truths, strict=True)]
    captions = [[*zip(clip.segments, known, strict=True)] for clip, known in zip(clips, truths, strict=True)]
    statements = [_state(segments) for segments in pairs]
    pooled = _pool(statements)
    drawn = [[segment.hypotheses[: segment.num_drawn] for segment, _ in segments] for segments in pairs]
    plausible = [
        [plausibility(segment.hypotheses[: segment.num_drawn], dict(truth.alternatives)) for segment, truth in segments]
        for segments in pairs
    ]

    def share(values_by_clip: Sequence[Sequence[float]]) -> dict[str, Any]:
        means = [_mean(values) for values in values_by_clip]
        return plain(bootstrap([value for value in means if not math.isnan(value)], _mean, seed))

    return {
        "caption_meaning": share([[_alike(one.caption, truth) for one, truth in clip] for clip in captions]),
        "caption_words": share([[_same(one.caption, truth) for one, truth in clip] for clip in captions]),
        **_told_apart(captions, seed),
        "spearman_told": plain(bootstrap(pairs, _spearman_told, seed, NUM_DRAWS)),
        "expected_meaning": share([[_alike(one.expected, truth) for one, truth in clip] for clip in pairs]),
        "expected_words": share([[_same(one.expected, truth) for one, truth in clip] for clip in pairs]),
        "calibration_error": plain(
            bootstrap(statements, lambda some: calibration(*_pool(some)).error, seed, NUM_DRAWS)
        ),
        "reliability": [asdict(one) for one in calibration(*pooled).bins],
        "diversity": share([[token_diversity(texts) for texts in clip] for clip in drawn]),
        "distinct_share": share([[len(texts) / num_hypotheses for texts in clip] for clip in drawn]),
        "possible_share": share([[one.share_possible for one in clip] for clip in plausible]),
        "possible_mass": share([[one.mass for one in clip] for clip in plausible]),
    }  # fmt: skip


def _told_apart(clips: Sequence[Sequence[tuple[ScoredSegment, Truth]]], seed: int) -> dict[str, Any]:
    """Whether the caption of the scripted segment is right by meaning, and hit@1 where it is and where it is not."""
    told: list[float] = []
    hits: list[float] = []
    for clip in clips:
        scripted = np.array([truth.scripted for _, truth in clip])
        if scripted.any():
            surprise, truth = clip[int(np.argmax(scripted))]
            told.append(float(_alike(surprise.caption, truth)))
            hits.append(hit_at_k(np.array([segment.score for segment, _ in clip]), scripted, 1))

    def hit_where(wanted: float) -> dict[str, Any]:
        return plain(bootstrap([hit for hit, one in zip(hits, told, strict=True) if one == wanted], _mean, seed))

    return {"told": plain(bootstrap(told, _mean, seed)), "hit_told": hit_where(1.0), "hit_untold": hit_where(0.0)}


def _spearman_told(clips: Sequence[Sequence[tuple[ScoredSegment, Truth]]]) -> float:
    right = [(one.score, truth.surprise_nats) for clip in clips for one, truth in clip if _same(one.caption, truth)]
    if not right:
        return Undefined("no caption is right")
    scores, nats = np.array(right).T
    return spearman(scores, nats)


def _same(sentence: str, truth: Truth) -> bool:
    return sentence_key(sentence) == sentence_key(truth.sentence)


def _alike(sentence: str, truth: Truth) -> bool:
    return meaning(sentence) == meaning(truth.sentence)


def _state(segments: Sequence[tuple[ScoredSegment, Truth]]) -> _Statements:
    probabilities: list[float] = []
    came_true: list[bool] = []
    for segment, truth in segments:
        probabilities += [math.exp(min(0.0, value)) for value in segment.log_priors[: segment.num_drawn]]
        came_true += [_same(text, truth) for text in segment.hypotheses[: segment.num_drawn]]
    return _Statements(np.array(probabilities, dtype=np.float64), np.array(came_true, dtype=np.bool_))


def _pool(statements: Sequence[_Statements]) -> tuple[Floats, Bools]:
    return (
        np.concatenate([one.probabilities for one in statements]),
        np.concatenate([one.came_true for one in statements]),
    )


def _mean(values: Sequence[float]) -> float:
    """Of those that are defined; NaN where none is."""
    defined = [float(value) for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan
