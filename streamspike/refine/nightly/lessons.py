"""What the night trains by: the method of the configuration, as its own command would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamspike.config import BeliefConfig, Config
from streamspike.outputs.adapter_folder import adapters_folder
from streamspike.outputs.store import Store
from streamspike.refine.examples import ExampleSource
from streamspike.refine.nightly.diary import Diary

if TYPE_CHECKING:
    from streamspike.refine.dataset.reading import StoredExamples
    from streamspike.refine.policy import Policy
    from streamspike.refine.training import Learner, TrainSettings

TRAINED_SHARE = 0.7
"""Of the night's hours; before it the dataset is made, and the monitor may want the machine in between."""
RANK = 16
RATES = {"spike-rl": 2e-4, "supervised": 1e-4}
CLIPS_PER_STEP = {"spike-rl": 2, "supervised": 4}


def make_learner(diary: Diary, config: Config, store: Store, clips: StoredExamples) -> tuple[Learner, str]:
    """The learner, and the name of the adapter that it starts from: the one in service, or '' for the model as it is.

    Raises:
        ModelError: the model or the adapter in service cannot be loaded.
    """
    from streamspike.refine.commands import choose_belief, open_policy

    # Which adapter is in service on this model is known once its name is, so the model is loaded first.
    policy, _ = open_policy(config, RANK, None, diary.seed)
    parent = _take_over(policy, config, store)
    belief = choose_belief(config, policy, None, None)
    return _learner(diary, policy, clips, belief, clips.data_hash), parent


def settings_of(diary: Diary, steps: int, minutes: float) -> TrainSettings:
    """As the method's own command has them.

    Args:
        steps: of the whole training; 0: `minutes` of it.
    """
    from streamspike.refine.training import TrainSettings

    return TrainSettings(
        steps=steps,
        minutes=0.0 if steps else minutes,
        learning_rate=RATES[diary.method],
        accumulate=CLIPS_PER_STEP[diary.method],
        save_every=5,
        seed=diary.seed,
    )


def _take_over(policy: Policy, config: Config, store: Store) -> str:
    served = store.adapters.in_service(policy.loaded.name)
    if served is None:
        return ""
    policy.load(adapters_folder(config.refine, config.store) / served.name)
    return served.name


def _learner(diary: Diary, policy: Policy, clips: ExampleSource, belief: BeliefConfig, data_hash: str) -> Learner:
    if diary.method == "supervised":
        from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings

        return SupervisedLearner(policy, clips, belief, SupervisedSettings(), diary.seed, data_hash)
    from streamspike.refine.grpo import GrpoLearner, GrpoSettings
    from streamspike.refine.rewards.rewards import DEFAULT_REWARDS, Rewards
    from streamspike.refine.rewards.similarity import choose_similarity

    compare = choose_similarity("auto")
    rewards = Rewards.parse(DEFAULT_REWARDS, compare)
    return GrpoLearner(policy, clips, rewards, compare, belief, GrpoSettings(), diary.seed, data_hash)
