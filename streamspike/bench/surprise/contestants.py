"""What is compared: the model's surprise, its published presets and the baselines, each by a name and its settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from streamspike.config import MODEL_SCORERS, BeliefConfig, Config, ScorerName
from streamspike.errors import ConfigError

IDEAL = "ideal-observer"
"""Scores with the simulator's own -log p; knows the rules and the state, and is never asked for."""
UNREST = "unrest"
"""What lasts of the model's surprise, and how much moves (`belief.unrest`): comes with `surprise`, and is never asked
for."""
TIMELESS: tuple[ScorerName, ...] = ("uniform", "middle")
"""Scores that depend on nothing in the picture: computed when they are compared, not recorded."""

PAPER: Mapping[str, Any] = {
    "posterior": "nll",
    "length_normalised": True,
    "complete": False,
    "sightings": 0,
    "num_hypotheses": 3,
    "window_segments": 4,
    "window_growth_segments": 0,
    "max_hypothesis_tokens": 25,
    "max_caption_tokens": 30,
    "temperature": 1.0,
    "temperature_spread": 0.1,
    "top_p": 0.9,
    "top_p_spread": 0.05,
    "looks": 1,
    "tau": 1.0,
    "doubt": 0.0,
    "experience": 0.0,
    "change": 0.0,
    "opening": 0.0,
    "mode": "paper",
    "summary_words": 200,
}
PRESETS = {"paper": PAPER, "published": {**PAPER, "posterior": "verify"}}
"""Settings of `belief:` as SPIKE (arXiv 2509.23433) states them, and as its published code has them; the same as in
`configs/paper.yaml` and `configs/published.yaml`, which an installed package does not carry."""

DEFAULT_NAMES = (
    "surprise",
    "paper",
    "published",
    "frame-difference",
    "rgb-histogram",
    "optical-flow",
    "itti-baldi",
    "uniform",
    "middle",
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way of scoring segments."""

    name: str
    """As `--scorers` takes it and as reports show it."""
    scorer: ScorerName
    belief: BeliefConfig

    @property
    def asks_model(self) -> bool:
        return self.scorer in MODEL_SCORERS

    @property
    def has_beliefs(self) -> bool:
        """There are hypotheses and captions to look at."""
        return self.scorer == "surprise"

    @property
    def is_recorded(self) -> bool:
        return self.scorer not in TIMELESS

    def settings(self, config: Config) -> Iterator[tuple[str, Any]]:
        """Everything of the configuration that its scores depend on."""
        yield "scorer", self.scorer
        yield "segment", config.segment.model_dump(mode="json")
        yield "frame_height_px", config.ingest.max_frame_height_px
        if self.asks_model:
            yield "belief", self.belief.model_dump(mode="json")
            yield "model", config.model.model_dump(mode="json", exclude={"threads", "device"})
            yield "window", config.engine.window


def choose_contestants(names: str | None, config: Config) -> tuple[Contestant, ...]:
    """Read `surprise,paper,optical-flow`; None is DEFAULT_NAMES.

    Raises:
        ConfigError: no such scorer, one twice, or none that looks at the pictures.
    """
    wanted = [name.strip() for name in names.split(",")] if names is not None else list(DEFAULT_NAMES)
    for name in wanted:
        if wanted.count(name) > 1:
            raise ConfigError(f"--scorers names {name!r} twice")
    contestants = tuple(_make(name, config) for name in wanted)
    if not any(contestant.is_recorded for contestant in contestants):
        raise ConfigError(f"{' and '.join(TIMELESS)} look at nothing; compare them with another scorer")
    return contestants


def _make(name: str, config: Config) -> Contestant:
    if name in PRESETS:
        return Contestant(name, "surprise", config.belief.model_copy(update=dict(PRESETS[name])))
    for scorer in get_args(ScorerName):
        if scorer == name:
            return Contestant(name, scorer, config.belief)
    known = [*PRESETS, *get_args(ScorerName)]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
    raise ConfigError(f"--scorers: there is no scorer {name!r}{hint}")
