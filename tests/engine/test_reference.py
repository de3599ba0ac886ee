"""The reference engine: the paper's procedure, checked against official forwards."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from streamspike.belief.hypotheses import distinct
from streamspike.belief.prompts import OBSERVE, PREDICT, render_verify
from streamspike.belief.surprise import measure
from streamspike.config import BeliefConfig
from streamspike.core import Engine, Request, Sampling
from streamspike.engine.layout import Span, join_spans
from streamspike.engine.model import LoadedModel
from streamspike.engine.reference import NOTHING_READABLE, ReferenceEngine
from streamspike.errors import EngineError
from tests.support.official import official_logits, official_score, random_segments

KEPT = ("nothing changes", "a person walks in from the left", "the light goes out")
SHORT = Sampling(num_hypotheses=3, max_hypothesis_tokens=6, max_caption_tokens=6)


def make_request(
    window: int = 2,
    hypotheses: tuple[str, ...] = KEPT,
    seed: int = 1,
    observed: int = 0,
    complete: bool = False,
    verify: bool = False,
    summary: str = "a car stops",
) -> Request:
    *before, now = random_segments(window + 1)
    if observed:
        (now,) = random_segments(1, seed=observed)
    return Request("door", 0, 5, tuple(before), now, summary, hypotheses, SHORT, seed, complete, verify)


def context(loaded: LoadedModel, num_segments: int, question: str) -> Span:
    """A row up to the answer, as the engine's documentation says: 1 s segments of two frames."""
    prefix = loaded.layout.prefix(2, 3, [k + 0.25 for k in range(num_segments)])
    return join_spans([prefix, loaded.layout.question(prefix.next_position, "a car stops", question)])


def test_prior_and_posterior_equal_official_forwards(tiny: LoadedModel) -> None:
    request = make_request()
    before, after = context(tiny, 2, PREDICT), context(tiny, 3, OBSERVE)
    everything = [*request.window, request.observation]
    scores = ReferenceEngine(tiny).assess(request).scores
    assert tuple(score.text for score in scores) == KEPT
    with torch.inference_mode():
        for score in scores:
            expected = tiny.layout.answer(before.next_position, score.text)
            assert score.log_prior == pytest.approx(
                official_score(tiny, before, expected, list(request.window)), abs=1e-4
            )
            seen = tiny.layout.answer(after.next_position, score.text)
            assert score.log_posterior == pytest.approx(official_score(tiny, after, seen, everything), abs=1e-4)
            assert score.num_tokens == len(seen) and score.log_likelihood is None


def test_verify_equals_the_official_odds_of_yes_against_no(tiny: LoadedModel) -> None:
    request = make_request(verify=True)
    everything = [*request.window, request.observation]
    yes, no = (tiny.layout.tokenize(word)[0] for word in ("yes", "no"))
    for score in ReferenceEngine(tiny).assess(request).scores:
        with torch.inference_mode():
            logits = official_logits(tiny, context(tiny, 3, render_verify(score.text)), everything)[-1].double()
        odds = float(torch.exp(logits[yes] - logits[no]))
        assert score.log_likelihood == pytest.approx(np.log(odds / (1 + odds)), abs=1e-4)


def test_the_prior_does_not_know_the_observation(tiny: LoadedModel) -> None:
    engine = ReferenceEngine(tiny)
    one, other = (engine.assess(make_request(observed=seed)).scores for seed in (1, 2))
    for a, b in zip(one, other, strict=True):
        assert a.log_prior == pytest.approx(b.log_prior, abs=1e-5)
        assert abs(a.log_posterior - b.log_posterior) > 1e-3


def test_the_summary_is_read(tiny: LoadedModel) -> None:
    engine = ReferenceEngine(tiny)
    one, other = (engine.assess(make_request(summary=text)).scores[0] for text in ("", "the red car drives away"))
    assert abs(one.log_prior - other.log_prior) > 1e-3
    assert abs(one.log_posterior - other.log_posterior) > 1e-3


def test_a_score_does_not_depend_on_company_or_order(tiny: LoadedModel) -> None:
    engine = ReferenceEngine(tiny)
    whole = {score.text: score for score in engine.assess(make_request()).scores}
    for texts in (KEPT[::-1], KEPT[1:2]):
        for score in engine.assess(make_request(hypotheses=texts)).scores:
            assert score.log_prior == pytest.approx(whole[score.text].log_prior, abs=1e-4)
            assert score.log_posterior == pytest.approx(whole[score.text].log_posterior, abs=1e-4)


@pytest.mark.parametrize("posterior", ["nll", "verify"])
def test_surprise_is_invariant_under_permutation_of_hypotheses(tiny: LoadedModel, posterior: str) -> None:
    engine = ReferenceEngine(tiny)
    config = BeliefConfig.model_validate({"posterior": posterior, "tau": 5.0})
    orders = [KEPT, KEPT[::-1]]
    one, other = (measure(engine.assess(make_request(hypotheses=o, verify=True)), config) for o in orders)
    assert one.surprise_nats > 1e-4
    assert one.surprise_nats == pytest.approx(other.surprise_nats, abs=1e-4)
    assert one.prior == pytest.approx(other.prior[::-1], abs=1e-4)


def test_the_same_request_has_the_same_answer_and_another_seed_another(tiny: LoadedModel) -> None:
    engine = ReferenceEngine(tiny)
    first, again, other = (engine.assess(make_request(hypotheses=(), seed=seed)) for seed in (1, 1, 2))
    assert first.scores == again.scores and first.caption == again.caption
    assert [score.text for score in first.scores] != [score.text for score in other.scores]


def test_sampling_gives_n_distinct_sentences(tiny: LoadedModel) -> None:
    assessment = ReferenceEngine(tiny).assess(make_request(hypotheses=()))
    texts = [score.text for score in assessment.scores]
    assert assessment.sampled and len(texts) == 3
    assert list(distinct(texts)) == texts


def test_cached_hypotheses_are_scored_as_they_are(tiny: LoadedModel) -> None:
    assessment = ReferenceEngine(tiny).assess(make_request(hypotheses=(*KEPT, "Nothing  changes.")))
    assert not assessment.sampled
    assert tuple(score.text for score in assessment.scores) == KEPT


def test_the_caption_completes_the_set_at_its_end(tiny: LoadedModel) -> None:
    assessment = ReferenceEngine(tiny).assess(make_request(complete=True))
    assert assessment.caption
    assert tuple(score.text for score in assessment.scores) == (*KEPT, assessment.caption)


def test_a_caption_that_was_expected_is_not_added_again(tiny: LoadedModel) -> None:
    engine = ReferenceEngine(tiny)
    caption = engine.assess(make_request()).caption
    assessment = engine.assess(make_request(hypotheses=(caption, *KEPT), complete=True))
    assert tuple(score.text for score in assessment.scores) == (caption, *KEPT)


def test_without_a_window_there_is_only_a_caption(tiny: LoadedModel) -> None:
    assessment = ReferenceEngine(tiny).assess(make_request(window=0, complete=True, verify=True))
    assert assessment.scores == () and not assessment.sampled
    assert set(assessment.stage_seconds) == {"vision", "caption"}


def test_an_unreadable_model_still_has_one_hypothesis(tiny: LoadedModel) -> None:
    end = tiny.layout.special.end
    everything_else = set(range(tiny.model.config.text_config.vocab_size)) - {end}
    silent = replace(tiny, suppressed=tuple(sorted(everything_else)))
    assessment = ReferenceEngine(silent).assess(make_request(hypotheses=(), complete=True))
    assert assessment.caption == ""
    assert [score.text for score in assessment.scores] == [NOTHING_READABLE]


def test_stages_are_timed_by_the_given_clock(tiny: LoadedModel) -> None:
    engine = ReferenceEngine(tiny, clock=itertools.count(0.0, 0.5).__next__)
    seconds = engine.assess(make_request(hypotheses=(), verify=True)).stage_seconds
    assert seconds == dict.fromkeys(["vision", "caption", "sample", "prior", "posterior", "verify"], 0.5)


def test_a_longer_segment_moves_the_timestamps_of_qwen3_only(tiny_models: dict[str, LoadedModel]) -> None:
    for family, loaded in tiny_models.items():
        short, long = (ReferenceEngine(loaded, s).assess(make_request()).scores[0].log_prior for s in (1.0, 4.0))
        assert (short != long) == (family == "qwen3_vl")


def test_broken_weights_are_an_engine_error(tiny: LoadedModel) -> None:
    broken = copy.deepcopy(tiny.model)
    with torch.no_grad():
        broken.model.language_model.norm.weight.fill_(torch.nan)
    with pytest.raises(EngineError, match="not finite"):
        ReferenceEngine(replace(tiny, model=broken)).assess(make_request())


def test_out_of_memory_is_an_engine_error(tiny: LoadedModel) -> None:
    class Full(torch.nn.Module):
        def forward(self, *args: object, **kwargs: object) -> object:
            raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    full = copy.deepcopy(tiny.model)
    full.model.visual.blocks[0] = Full()
    with pytest.raises(EngineError, match="20 GiB"):
        ReferenceEngine(replace(tiny, model=full)).assess(make_request())


def test_it_is_an_engine(tiny: LoadedModel) -> None:
    engine: Engine = ReferenceEngine(tiny)
    assert engine.name == tiny.name
