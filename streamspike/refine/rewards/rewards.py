"""Several rewards with weights as one: `hindsight=1,diversity=0.3`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streamspike.errors import ConfigError
from streamspike.refine.rewards.context import Reward, RewardContext, Subject
from streamspike.refine.rewards.judge import Judge, judge_reward
from streamspike.refine.rewards.match import lexical_reward, rouge_l_reward, similarity_reward, tf_idf_reward
from streamspike.refine.rewards.sets import Diversity, Feedback, Hindsight
from streamspike.refine.rewards.similarity import (
    EncoderSimilarity,
    NGramSimilarity,
    Similarity,
    SimilarityName,
    choose_similarity,
)

DEFAULT_REWARDS = "hindsight=1,diversity=0.3,feedback=0.5"
"""Needs nobody's captions and no judge."""

NAMES = ("hindsight", "diversity", "feedback", "llm-match", "encoder", "ngram", "rouge-l", "tf-idf", "lexical")


@dataclass(frozen=True, slots=True)
class Weighted:
    """One reward and how much it counts."""

    reward: Reward
    weight: float


@dataclass(frozen=True, slots=True)
class Rewards:
    """A weighted mean, so in [0, 1] as its parts are."""

    parts: tuple[Weighted, ...]
    similarity: str
    """What tells how alike sentences are: encoder or ngram. Belongs into every report."""

    @classmethod
    def parse(
        cls, text: str, similarity: SimilarityName | Similarity = "auto", judge: Callable[[], Judge] | None = None
    ) -> Rewards:
        """Names and weights, `hindsight=1,diversity=0.3`; a name alone has weight 1.

        Args:
            similarity: of sentences, for hindsight, diversity and feedback.
            judge: makes the judge of llm-match; called only if that is wanted.

        Raises:
            ConfigError: an unknown name, one twice, a weight that is not positive, or no judge for llm-match.
            ModelError: the encoder is asked for by name and is not installed, or the judge cannot be loaded.
        """
        chosen = choose_similarity(similarity) if isinstance(similarity, str) else similarity
        weights = _parse_weights(text)
        parts = tuple(Weighted(_make(name, chosen, judge), weight) for name, weight in weights.items())
        return cls(parts, chosen.name)

    @property
    def needs_reference(self) -> bool:
        """Some part compares with what somebody said of the clip."""
        return any(part.reward.subject == "captions" for part in self.parts)

    @property
    def needs_hypotheses(self) -> bool:
        """Some part is about sets of hypotheses."""
        return any(part.reward.subject == "hypotheses" for part in self.parts)

    def describe(self) -> str:
        """As it is parsed, with what compares sentences."""
        names = ",".join(f"{part.reward.name}={part.weight:g}" for part in self.parts)
        return f"{names} ({self.similarity})"

    def score(self, candidates: Sequence[str], context: RewardContext, subject: Subject) -> list[float]:
        """What each candidate is worth, in [0, 1], by the parts that are about this subject; 0 if there are none."""
        parts = [part for part in self.parts if part.reward.subject == subject]
        total = sum(part.weight for part in parts)
        scores = [[part.weight / total * value for value in part.reward.score(candidates, context)] for part in parts]
        return [math.fsum(column) for column in zip(*scores, strict=True)] if parts else [0.0] * len(candidates)

    def explain(
        self,
        sets: Sequence[tuple[Sequence[str], RewardContext]],
        caption: str | None = None,
        clip: RewardContext | None = None,
    ) -> dict[str, float]:
        """What a whole run over a clip is worth by each part, in [0, 1]: the mean over its windows for hypotheses.

        Args:
            sets: hypotheses and context of each window.
            caption: of the clip, and what is known of it; read only by rewards of captions.

        Raises:
            ValueError: captions are to be judged, and there is none or no reference.
        """
        values = {}
        for part in self.parts:
            reward = part.reward
            if reward.subject == "hypotheses":
                worth = [reward.value(texts, context) for texts, context in sets]
                values[reward.name] = math.fsum(worth) / max(1, len(worth))
            elif caption is None or clip is None:
                raise ValueError(f"the reward {reward.name!r} is about the caption of the clip, and there is none")
            else:
                values[reward.name] = reward.value([caption], clip)
        return values

    def total(self, values: Mapping[str, float]) -> float:
        """The weighted mean of `explain`."""
        weighted = [part.weight * values[part.reward.name] for part in self.parts]
        return math.fsum(weighted) / math.fsum(part.weight for part in self.parts)


def _parse_weights(text: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        name, equals, value = (piece.strip() for piece in entry.partition("="))
        if name not in NAMES:
            raise ConfigError(f"no reward {name!r}; there are {', '.join(NAMES)}")
        if name in weights:
            raise ConfigError(f"the reward {name!r} stands twice in {text!r}")
        try:
            weight = float(value) if equals else 1.0
        except ValueError:
            weight = math.nan
        if not 0 < weight < math.inf:
            raise ConfigError(f"a reward has a positive weight, as in {name}=0.3; not {entry!r}")
        weights[name] = weight
    if not weights:
        raise ConfigError(f"name a reward and its weight, as in {DEFAULT_REWARDS}")
    return weights


def _make(name: str, similarity: Similarity, judge: Callable[[], Judge] | None) -> Reward:
    if name == "llm-match":
        if judge is None:
            raise ConfigError("the reward 'llm-match' needs a judge: name a local language model")
        return judge_reward(judge())
    makers: dict[str, Callable[[], Reward]] = {
        "hindsight": lambda: Hindsight(similarity),
        "diversity": lambda: Diversity(similarity),
        "feedback": lambda: Feedback(similarity),
        "encoder": lambda: similarity_reward(_named("encoder", similarity)),
        "ngram": lambda: similarity_reward(_named("ngram", similarity)),
        "rouge-l": rouge_l_reward,
        "tf-idf": tf_idf_reward,
        "lexical": lexical_reward,
    }
    return makers[name]()


def _named(name: SimilarityName, similarity: Similarity) -> Similarity:
    known = isinstance(similarity, EncoderSimilarity if name == "encoder" else NGramSimilarity)
    return similarity if known else choose_similarity(name)
