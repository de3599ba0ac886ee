"""The presets are what was published, and differ from each other in the posterior alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.config import Config
from streamspike.config_file import load_config

FOLDER = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize(("name", "posterior"), [("paper", "nll"), ("published", "verify")])
def test_a_preset_states_the_published_values(name: str, posterior: str) -> None:
    belief = load_config(FOLDER / f"{name}.yaml").belief
    assert (belief.num_hypotheses, belief.window_segments, belief.window_growth_segments) == (3, 4, 0)
    assert (belief.max_hypothesis_tokens, belief.max_caption_tokens) == (25, 30)
    assert (belief.temperature, belief.temperature_spread) == (1.0, 0.1)
    assert (belief.top_p, belief.top_p_spread) == (0.9, 0.05)
    assert (belief.length_normalised, belief.tau, belief.complete) == (True, 1.0, False)
    assert (belief.mode, belief.posterior, belief.summary_words) == ("paper", posterior, 200)


@pytest.mark.parametrize("name", ["paper", "published"])
def test_a_preset_changes_nothing_but_beliefs(name: str) -> None:
    config = load_config(FOLDER / f"{name}.yaml")
    assert config.model_copy(update={"belief": Config().belief}) == Config()


def test_the_two_presets_differ_in_the_posterior_alone() -> None:
    paper, published = (load_config(FOLDER / f"{name}.yaml").belief for name in ("paper", "published"))
    assert paper.model_copy(update={"posterior": "verify"}) == published
