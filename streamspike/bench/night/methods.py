"""Trains one method as its own command does, on examples that are given, for a given time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from streamspike.bench.night.settings import Method, NightSettings
from streamspike.config import Config
from streamspike.errors import DatasetError
from streamspike.refine.commands import choose_belief, open_policy
from streamspike.refine.crpo.asking import style_of
from streamspike.refine.crpo.counterfactual import BRANCHES
from streamspike.refine.crpo.learner import CrpoLearner, CrpoSettings
from streamspike.refine.crpo.questions import DYNAMIC, STATIC, Question, ask_all
from streamspike.refine.crpo.scenes import Item
from streamspike.refine.dpo import DpoSettings
from streamspike.refine.examples import ExampleSource
from streamspike.refine.grpo import GrpoLearner, GrpoSettings
from streamspike.refine.policy import Policy
from streamspike.refine.recipes import RECIPES
from streamspike.refine.rewards.rewards import DEFAULT_REWARDS, Rewards
from streamspike.refine.rewards.similarity import choose_similarity
from streamspike.refine.rollout import RolloutSettings
from streamspike.refine.savi.command import make_dialogue
from streamspike.refine.savi.pace import fit_clips
from streamspike.refine.savi.rounds import SaviSettings, run_savi
from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings
from streamspike.refine.training import Learner, TrainSettings, train

RANK = 16
SAVE_EVERY = 5
DYNAMIC_SHARE = 0.75
QUESTIONS_PER_CLIP = 4
SAVI_ROUNDS = 2
TALK_SHARE = 0.6
"""Of the time of SAVi, which it spends on conversations; they decide how many pairs there are to learn from."""

Report = Callable[[float, str], None]
"""Share of the run that is done, and words."""


def train_method(
    method: Method,
    config: Config,
    settings: NightSettings,
    seed: int,
    examples: ExampleSource,
    data: str,
    run: Path,
    report: Report,
) -> Path:
    """From the model as it is; continues the run in the folder. Returns the folder of the adapter.

    Args:
        data: what the examples are; a run is continued only with the same.

    Raises:
        ConfigError: the run was begun with other settings.
        DatasetError: there is nothing to learn from.
    """
    policy, _ = open_policy(config, RANK, None, seed)
    card = {"name": f"{method}-{seed}", "parent": "", "data_hash": data}
    if method == "savi":
        return _train_savi(policy, config, settings, seed, examples, data, run, report, card)

    def show(share: float, line: Mapping[str, Any], words: str) -> None:
        value = f"foreseen {line['foreseen']:.3f}" if "foreseen" in line else f"loss {line['loss']:.3f}"
        report(share, f"step {line['step']}  {value}  {words}")

    recipe = RECIPES[method]
    how = TrainSettings(
        steps=settings.steps,
        minutes=0.0 if settings.steps else settings.minutes,
        learning_rate=recipe.rate(policy.loaded),
        accumulate=recipe.clips,
        save_every=SAVE_EVERY,
        seed=seed,
    )
    learner = make_learner(method, policy, config, settings, seed, examples, data)
    adapter = train(learner, how, run, show, card=card)
    assert adapter is not None, "nobody asked it to pause"
    return adapter


def make_learner(
    method: Method,
    policy: Policy,
    config: Config,
    settings: NightSettings,
    seed: int,
    examples: ExampleSource,
    data: str,
) -> Learner:
    """Supervised, SPIKE-RL by belief, or CRPO with known answers."""
    belief = choose_belief(config, policy, None, None)
    if method == "supervised":
        taught = SupervisedSettings(words=settings.words)
        return SupervisedLearner(policy, examples, belief, taught, seed, data)
    if method == "crpo":
        items = KnownItems(examples, seed)
        wanted = CrpoSettings(labels="truth", style=style_of(policy.loaded), seed=seed)
        return CrpoLearner(policy, items, wanted, {"dataset": data, "questions": len(items)})
    compare = choose_similarity("auto")
    rewards = Rewards.parse(DEFAULT_REWARDS, compare)
    grpo = GrpoSettings(RolloutSettings(1), words=settings.words)
    return GrpoLearner(policy, examples, rewards, compare, belief, grpo, seed, data)


class KnownItems:
    """Implements `ItemSource`: questions with their answers about clips whose truth is known."""

    def __init__(self, examples: ExampleSource, seed: int) -> None:
        """Raises DatasetError: nothing is known of an example."""
        self._examples = examples
        self._asked: list[tuple[int, Question]] = []
        num_dynamic = 0
        asked: Counter[str] = Counter()
        for number in range(len(examples)):
            truth = examples[number].truth
            if not truth:
                raise DatasetError("crpo in this study learns from known answers, and these clips have no known truth")
            rng = np.random.default_rng([seed, number])
            possible = ask_all(truth, (*DYNAMIC, *STATIC), BRANCHES, rng)
            for _ in range(QUESTIONS_PER_CLIP):
                if not possible:
                    break
                wanted = num_dynamic <= DYNAMIC_SHARE * len(self._asked)
                fitting = [question for question in possible if question.dynamic == wanted] or possible
                # The kind that was asked least, else most questions would be about directions, which are known best.
                rarest = min((question.kind for question in fitting), key=lambda kind: (asked[kind], kind))
                topics = sorted({question.topic for question in fitting if question.kind == rarest})
                topic = topics[int(rng.integers(len(topics)))]
                question = next(each for each in fitting if (each.kind, each.topic) == (rarest, topic))
                possible.remove(question)
                num_dynamic += question.dynamic
                asked[rarest] += 1
                self._asked.append((number, question))

    def __len__(self) -> int:
        return len(self._asked)

    def __getitem__(self, number: int) -> Item:
        place, question = self._asked[number]
        return Item(self._examples[place], question)


def _train_savi(
    policy: Policy,
    config: Config,
    settings: NightSettings,
    seed: int,
    examples: ExampleSource,
    data: str,
    run: Path,
    report: Report,
    card: Mapping[str, Any],
) -> Path:
    dialogue = make_dialogue(policy, "auto", config.belief.window_segments)
    minutes = 0.0 if settings.steps else settings.minutes * TALK_SHARE / SAVI_ROUNDS
    clips = fit_clips(dialogue, examples, minutes, run)
    adapter = run_savi(
        policy,
        dialogue,
        examples,
        SaviSettings(iterations=SAVI_ROUNDS, clips=clips, seed=seed),
        DpoSettings(),
        TrainSettings(steps=1, learning_rate=RECIPES["savi"].rate(policy.loaded), save_every=SAVE_EVERY, seed=seed),
        run,
        report,
        data_hash=data,
        card=card,
    )
    assert adapter is not None, "nobody asked it to pause"
    return adapter
