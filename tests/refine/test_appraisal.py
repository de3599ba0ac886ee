"""What captions are compared with: references of other clips too, so that one caption for all of them wins nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamspike.refine.appraisal import Appraiser
from streamspike.refine.rewards.rewards import Rewards
from streamspike.refine.rewards.similarity import NGramSimilarity
from streamspike.refine.rollout import Trajectory
from streamspike.refine.witness import Witness
from tests.refine.test_rollout import BELIEF, CLIP

REFERENCES = (
    "the camera shows a dog that runs",
    "the camera shows a red car",
    "the camera shows two people talking",
    "the camera shows an empty yard",
)
CONSTANT = "the camera shows"


def totals(captions: tuple[str, ...], rewards: str) -> list[tuple[float, ...]]:
    """Of each clip, what a run with its own reference as the caption is worth, and runs with these captions."""
    examples: Any = [replace(CLIP, reference=reference) for reference in REFERENCES]
    similarity, nobody = NGramSimilarity(), None
    asked = Rewards.parse(rewards, similarity)
    appraiser = Appraiser(nobody, asked, similarity, 3, 0, likelihoods=False, rows_per_pass=1)  # type: ignore[arg-type]
    witness = Witness(nobody, examples, BELIEF, "given")  # type: ignore[arg-type]
    found = []
    for number, example in enumerate(examples):
        runs = [Trajectory((), (), (), caption) for caption in (example.reference, *captions)]
        found.append(appraiser.appraise(number, example, runs, witness, {}).totals)
    return found


@pytest.mark.parametrize("rewards", ["rouge-l=1", "tf-idf=1", "ngram=1"])
def test_one_caption_for_all_clips_earns_no_more_than_another(rewards: str) -> None:
    found = np.array(totals((CONSTANT, REFERENCES[0]), rewards))
    own, constant, copied = found.mean(axis=0)
    assert constant == pytest.approx(0.5, abs=0.06) and copied == pytest.approx(0.5, abs=0.06)
    assert (found[:, 0] > found[:, 1] + 0.1).all() and own > copied + 0.1
