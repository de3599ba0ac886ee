"""What the night trains by: the method of the configuration, as its own command would make it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamspike.config import BeliefConfig, Config
from streamspike.outputs.adapter_folder import adapters_folder
from streamspike.outputs.store import Store
from streamspike.refine.commands import RANK, choose_belief, load_bare
from streamspike.refine.nightly.diary import Diary
from streamspike.refine.recipes import RECIPES

if TYPE_CHECKING:
    from streamspike.refine.dataset.reading import StoredExamples
    from streamspike.refine.policy import Policy
    from streamspike.refine.training import Learner, TrainSettings

    Report = Callable[[float, str], None]
    """Share of the training that is done, and words."""

TRAINED_SHARE = 0.7
"""Of the night's hours; before it the dataset is made, and the monitor may want the machine in between."""
SAVE_EVERY = 5
"""Steps from one checkpoint to the next: a night may be killed at any time."""
SAVI_CLIPS, SAVI_EPOCHS = 200, 4.0
"""SAVi talks about so many clips at most, and learns so often from what was said (docs/refine.md)."""


def teach(
    diary: Diary,
    config: Config,
    store: Store,
    clips: StoredExamples,
    run: Path,
    steps: int,
    minutes: float,
    report: Report,
    should_pause: Callable[[], bool],
) -> Path | None:
    """Train in this folder, from where it was left, beginning with the adapter in service if there is one.

    Args:
        steps: of the whole training; 0: `minutes` of it.

    Returns:
        The folder of the adapter, or None after a pause.

    Raises:
        ModelError: the model or the adapter in service cannot be loaded.
        DatasetError: the clips hold nothing that this method could ask about.
    """
    from streamspike.refine.training import TrainSettings, train

    policy, parent = _open_served(config, store, diary.seed)
    card = {"name": diary.name, "parent": parent, "data_hash": clips.data_hash}
    recipe = RECIPES[diary.method]
    how = TrainSettings(
        steps=steps,
        minutes=0.0 if steps else minutes,
        learning_rate=recipe.rate(policy.loaded),
        accumulate=recipe.clips,
        save_every=SAVE_EVERY,
        seed=diary.seed,
    )
    if diary.method == "savi":
        return _teach_savi(policy, config, clips, run, how, report, should_pause, card)

    def show(share: float, line: Mapping[str, Any], words: str) -> None:
        report(share, f"step {line['step']} {words}")

    learner = _learner(diary, policy, clips, choose_belief(config, policy, None, None))
    return train(learner, how, run, show, should_pause=should_pause, card=card)


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


def _teach_savi(
    policy: Policy,
    config: Config,
    clips: StoredExamples,
    run: Path,
    how: TrainSettings,
    report: Report,
    should_pause: Callable[[], bool],
    card: Mapping[str, Any],
) -> Path | None:
    """One round: half of the time goes into conversations, and learning from them takes about as much again."""
    from streamspike.refine.dpo import DpoSettings
    from streamspike.refine.savi.command import make_dialogue
    from streamspike.refine.savi.pace import fit_clips
    from streamspike.refine.savi.rounds import SaviSettings, run_savi

    dialogue = make_dialogue(policy, "auto", config.belief.window_segments)
    # Where steps are counted and not minutes, so many steps need no more clips.
    talked = min(how.steps or SAVI_CLIPS, fit_clips(dialogue, clips, how.minutes / 2, run))
    wanted = SaviSettings(iterations=1, clips=talked, epochs=SAVI_EPOCHS, seed=how.seed)
    return run_savi(
        policy, dialogue, clips, wanted, DpoSettings(), how, run, report,
        data_hash=clips.data_hash, card=card, should_pause=should_pause,
    )  # fmt: skip
