"""Which sentences are the same, and when new ones are needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamspike.belief.hypotheses import HypothesisCache, distinct, sentence_key
from streamspike.config import BeliefConfig
from streamspike.core import Assessment, Scores


def scored(*texts: str, sampled: bool = True) -> Assessment:
    return Assessment(tuple(Scores(text, 3, -1.0, -1.0) for text in texts), caption=texts[-1], sampled=sampled)


def cache(max_age_segments: int = 3, refresh_nats: float = 0.5, num_hypotheses: int = 4) -> HypothesisCache:
    return HypothesisCache(
        BeliefConfig(
            mode="steady",
            max_age_segments=max_age_segments,
            refresh_nats=refresh_nats,
            num_hypotheses=num_hypotheses,
        )
    )


def test_case_spacing_and_closing_punctuation_do_not_make_a_new_hypothesis() -> None:
    assert distinct(["A man falls", "a man  falls.", "a man falls!", "a dog falls"]) == ("A man falls", "a dog falls")


def test_punctuation_inside_a_sentence_counts() -> None:
    assert sentence_key("a man, falls") != sentence_key("a man falls")


def test_sentences_without_a_letter_are_left_out() -> None:
    assert distinct(["", "...", " - ", "a"]) == ("a",)


@given(st.lists(st.text("aAb .!\u00df\ufb01", max_size=8), max_size=8))
def test_distinct_is_stable_and_idempotent(sentences: list[str]) -> None:
    once = distinct(sentences)
    assert distinct(once) == once
    assert [s for s in sentences if s in once][:1] == list(once[:1])
    assert len({sentence_key(s) for s in once}) == len(once)


def test_an_empty_cache_asks_for_new_ones() -> None:
    assert cache().current(epoch=0) == ()


def test_hypotheses_serve_until_their_age_is_reached() -> None:
    kept = cache(max_age_segments=3)
    kept.store(0, scored("a", "b"), 0.0)
    assert kept.current(0) == ("a", "b")
    kept.store(0, scored("a", "b", "caption", sampled=False), 0.0)
    assert kept.current(0) == ("a", "b")
    kept.store(0, scored("a", "b", sampled=False), 0.0)
    assert kept.current(0) == ()
    kept.store(0, scored("c"), 0.0)
    assert kept.current(0) == ("c",)


def test_paper_mode_samples_every_segment_and_remembers_the_last_ones() -> None:
    kept = HypothesisCache(BeliefConfig(mode="paper", max_age_segments=9))
    kept.store(0, scored("a"), 0.0)
    assert kept.current(0) == ()
    assert kept.previous(0) == ("a",) and kept.previous(1) == ()


def test_hypotheses_that_no_longer_explain_what_is_seen_are_replaced() -> None:
    def seen(log_posterior: float, sampled: bool) -> Assessment:
        return Assessment(tuple(Scores(text, 3, -1.0, log_posterior) for text in ("a", "b")), "a", sampled)

    kept = HypothesisCache(BeliefConfig(mode="steady", max_age_segments=9, refresh_share=0.25))
    kept.store(0, seen(-1.0, sampled=True), 0.0)
    kept.store(0, seen(-2.0, sampled=False), 0.0)  # a share of 0.37
    assert kept.current(0) == ("a", "b")
    kept.store(0, seen(-2.5, sampled=False), 0.0)  # 0.22
    assert kept.current(0) == ()
    kept.store(0, seen(-9.0, sampled=True), 0.0)  # new ones are measured by their own first likelihood
    assert kept.current(0) == ("a", "b")


def test_surprise_above_the_refresh_level_asks_for_new_ones() -> None:
    kept = cache(refresh_nats=0.5)
    kept.store(0, scored("a"), 0.5)
    assert kept.current(0) == ("a",)
    kept.store(0, scored("a", sampled=False), 0.51)
    assert kept.current(0) == ()


def test_a_new_epoch_asks_for_new_ones() -> None:
    kept = cache()
    kept.store(0, scored("a"), 0.0)
    assert kept.current(1) == ()


def test_the_completing_caption_does_not_grow_the_set() -> None:
    kept = cache(num_hypotheses=2)
    kept.store(0, scored("a", "b", "caption"), 0.0)
    assert kept.current(0) == ("a", "b")
