"""`streamspike refine crpo` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamspike.errors import DatasetError
from streamspike.refine.commands import (
    RANK,
    CheckpointingOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    MinutesOption,
    ModelOption,
    OutOption,
    RankOption,
    RateOption,
    SaveOption,
    SeedOption,
    StartOption,
    StepsOption,
    open_policy,
    run,
)

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.refine.crpo.questions import Question
    from streamspike.refine.crpo.scenes import ItemSource
    from streamspike.refine.examples import Example
    from streamspike.refine.policy import Policy


DRAWN_TEMPERATURE = 4.0


def add_crpo_command(refine_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @refine_app.command("crpo")
    def crpo(
        dataset: DatasetArgument,
        out: OutOption,
        steps: StepsOption = 0,
        minutes: MinutesOption = 30.0,
        learning_rate: RateOption = None,
        questions: Annotated[int, typer.Option(min=1, help="Per step, each about a clip and about its branch.")] = 8,
        group: Annotated[
            int,
            typer.Option(
                min=0, help="Answers drawn for each of the two (the paper: 8); 0: all choices, by likelihood."
            ),
        ] = 0,
        temperature: Annotated[
            float | None, typer.Option(min=0.01, help="Of the choice; default: 1, or 4 where answers are drawn.")
        ] = None,
        beta: Annotated[float, typer.Option(min=0, help="Weight of the KL to the model without its adapter.")] = 0.02,
        relation: Annotated[float, typer.Option(min=0, help="Weight of the relation across branches.")] = 1.0,
        correctness: Annotated[float, typer.Option(min=0, help="Weight of being right.")] = 1.0,
        rule: Annotated[
            Literal["transform", "differ"],
            typer.Option(help="Answers relate if one follows from the other, or if they differ as they should."),
        ] = "transform",
        labels: Annotated[
            Literal["auto", "truth", "majority", "verify"],
            typer.Option(
                help="Who says what is right: the truth, or the model before the night. auto: the truth if known."
            ),
        ] = "auto",
        dynamic: Annotated[float, typer.Option(min=0, max=1, help="Share of dynamic questions.")] = 0.75,
        classify: Annotated[
            Literal["words", "model"],
            typer.Option(help="Which questions are dynamic: by rules and words, or only where the model agrees."),
        ] = "words",
        style: Annotated[
            Literal["auto", "sentences", "letters"],
            typer.Option(help="How questions are put; sentences: what the built-in model understands."),
        ] = "auto",
        rank: RankOption = RANK,
        start: StartOption = None,
        save_every: SaveOption = 20,
        checkpointing: CheckpointingOption = False,
        config: ConfigOption = None,
        model: ModelOption = None,
        device: DeviceOption = None,
        seed: SeedOption = 0,
    ) -> None:
        """Teach the model what a mirrored or a reversed video shows (CRPO): adapter in OUT/adapter, curve in OUT.

        Examples:

        streamspike refine crpo world:0:800 --out runs/crpo --minutes 30

        streamspike refine crpo runs/dataset --out runs/crpo --labels majority --model Qwen/Qwen3-VL-4B-Instruct
        """
        from streamspike.refine.crpo.asking import style_of
        from streamspike.refine.crpo.learner import CrpoLearner, CrpoSettings
        from streamspike.refine.crpo.relation import RewardSettings
        from streamspike.refine.recipes import RECIPES
        from streamspike.refine.training import TrainSettings

        settings = configure(config, [], model={"name": model, "device": device})
        policy, parent = open_policy(settings, rank, start, seed)
        items, data, known = open_items(dataset, policy, seed, dynamic, classify, settings)
        learner = CrpoLearner(
            policy,
            items,
            CrpoSettings(
                questions=questions,
                group=group,
                temperature=temperature or (DRAWN_TEMPERATURE if group else 1.0),
                beta=beta,
                labels=("truth" if known else "majority") if labels == "auto" else labels,
                rewards=RewardSettings(correctness, relation, rule),
                style=style_of(policy.loaded) if style == "auto" else style,
                seed=seed,
            ),
            data,
        )
        how = TrainSettings(
            steps=steps,
            minutes=0.0 if steps else minutes,
            learning_rate=learning_rate or RECIPES["crpo"].rate(policy.loaded),
            checkpointing=checkpointing,
            save_every=save_every,
            seed=seed,
        )
        run(learner, how, out, ("reward",), parent)
        typer.echo(f"which way, and in which order? streamspike bench dynamics --adapter {out / 'adapter'}")


def open_items(
    dataset: str, policy: Policy, seed: int, dynamic_share: float, classify: str, settings: Config
) -> tuple[ItemSource, dict[str, Any], bool]:
    """What to ask about, what that is in JSON, and whether the answers are known.

    Raises:
        DatasetError: no dataset in the folder, or no such simulated clips.
    """
    from streamspike.refine.crpo.footage import FootageItems
    from streamspike.refine.crpo.scenes import ItemSettings, world_items
    from streamspike.refine.crpo.wording import says_dynamic
    from streamspike.refine.dataset.reading import read_examples
    from streamspike.refine.dataset.world import WorldClips, parse_world_clips

    data: dict[str, Any] = {"dataset": dataset, "dynamic_share": dynamic_share, "classify": classify}
    if dataset.startswith("world:"):
        world = parse_world_clips(dataset)
        if world.clips != WorldClips():
            raise DatasetError(f"crpo stages pairs of its own and takes no scene or rule: {dataset!r}")
        wanted = ItemSettings(segment_seconds=settings.segment.seconds, dynamic_share=dynamic_share)
        return world_items(world.seed, world.count, wanted), data, True
    source = read_examples(Path(dataset), "train")
    data["data_hash"] = source.data_hash

    def agrees(example: Example, question: Question) -> bool:
        judged: bool = says_dynamic(policy, example.segments, question.text, question.branch)
        return judged == question.dynamic

    by_model = agrees if classify == "model" else None
    return FootageItems(source, source.captions(), seed, dynamic_share, by_model), data, False
