"""What the night trains by: the method of the configuration, as its own command would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamspike.config import BeliefConfig, Config
from streamspike.outputs.adapter_folder import adapters_folder
from streamspike.outputs.store import Store
from streamspike.refine.commands import RANK, choose_belief, load_bare
from streamspike.refine.nightly.diary import Diary
from streamspike.refine.recipes import RECIPES

if TYPE_CHECKING:
    from streamspike.engine.model import LoadedModel
    from streamspike.refine.dataset.reading import StoredExamples
    from streamspike.refine.policy import Policy
    from streamspike.refine.training import Learner, TrainSettings

TRAINED_SHARE = 0.7
"""Of the night's hours; before it the dataset is made, and the monitor may want the machine in between."""
SAVE_EVERY = 5
"""Steps from one checkpoint to the next: a night may be killed at any time."""


def make_learner(diary: Diary, config: Config, store: Store, clips: StoredExamples) -> tuple[Learner, str]:
    """The learner, and the name of the adapter that it starts from: the one in service, or '' for the model as it is.

    Raises:
        ModelError: the model or the adapter in service cannot be loaded.
        DatasetError: the clips hold nothing that this method could ask about.
    """
    policy, parent = _open_served(config, store, diary.seed)
    belief = choose_belief(config, policy, None, None)
    return _learner(diary, policy, clips, belief), parent


def settings_of(diary: Diary, loaded: LoadedModel, steps: int, minutes: float) -> TrainSettings:
    """As the method's own command has them.

    Args:
        steps: of the whole training; 0: `minutes` of it.
    """
    from streamspike.refine.training import TrainSettings

    recipe = RECIPES[diary.method]
    return TrainSettings(
        steps=steps,
        minutes=0.0 if steps else minutes,
        learning_rate=recipe.rate(loaded),
        accumulate=recipe.clips,
        save_every=SAVE_EVERY,
        seed=diary.seed,
    )


def _open_served(config: Config, store: Store, seed: int) -> tuple[Policy, str]:
    """A policy that starts as the adapter in service, of whatever rank; a new one where the model serves as it is."""
    from streamspike.refine.policy import AdapterSettings, Policy

    loaded = load_bare(config)
    served = store.adapters.in_service(loaded.name)
    if served is None:
        return Policy(loaded, AdapterSettings(RANK, 2 * RANK), seed), ""
    return Policy.open(loaded, adapters_folder(config.refine, config.store) / served.name), served.name


def _learner(diary: Diary, policy: Policy, clips: StoredExamples, belief: BeliefConfig) -> Learner:
    if diary.method == "supervised":
        from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings

        return SupervisedLearner(policy, clips, belief, SupervisedSettings(), diary.seed, clips.data_hash)
    if diary.method == "crpo":
        from streamspike.refine.crpo.asking import style_of
        from streamspike.refine.crpo.footage import FootageItems
        from streamspike.refine.crpo.learner import CrpoLearner, CrpoSettings
        from streamspike.refine.crpo.scenes import ItemSettings

        # Nobody knows the answers: what the model finds likeliest of a clip before the night is taken for the truth.
        asked = CrpoSettings(labels="majority", style=style_of(policy.loaded), seed=diary.seed)
        share = ItemSettings().dynamic_share
        items = FootageItems(clips, clips.captions(), diary.seed, share)
        return CrpoLearner(policy, items, asked, {"data_hash": clips.data_hash, "dynamic_share": share})
    from streamspike.refine.grpo import GrpoLearner, GrpoSettings
    from streamspike.refine.rewards.rewards import DEFAULT_REWARDS, Rewards
    from streamspike.refine.rewards.similarity import choose_similarity
    from streamspike.refine.rollout import RolloutSettings

    compare = choose_similarity("auto")
    rewards = Rewards.parse(DEFAULT_REWARDS, compare)
    wanted = GrpoSettings(RolloutSettings(1))
    return GrpoLearner(policy, clips, rewards, compare, belief, wanted, diary.seed, clips.data_hash)
