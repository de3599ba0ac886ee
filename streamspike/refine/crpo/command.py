"""`streamspike refine crpo` on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamspike.errors import ConfigError

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.refine.crpo.questions import Question
    from streamspike.refine.crpo.scenes import ItemSource
    from streamspike.refine.examples import Example
    from streamspike.refine.policy import Policy

WORLD = re.compile(r"world:(\d+):(\d+)")


def add_crpo_command(refine_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @refine_app.command("crpo")
    def crpo(
        dataset: Annotated[
            str, typer.Argument(metavar="DATASET", help="Folder of a dataset, or world:SEED:COUNT for simulated clips.")
        ],
        out: Annotated[Path, typer.Option(help="Folder of the run; an interrupted one there is continued.")],
        steps: Annotated[
            int, typer.Option(min=0, help="Steps of the whole run; 0: as many as fit into --minutes.")
        ] = 0,
        minutes: Annotated[
            float, typer.Option(min=0, help="Time of the whole run over all resumptions; used without --steps.")
        ] = 30.0,
        learning_rate: Annotated[float, typer.Option(min=0, help="At its peak.")] = 5e-4,
        questions: Annotated[int, typer.Option(min=1, help="Per step, each about a clip and about its branch.")] = 8,
        group: Annotated[int, typer.Option(min=2, help="Answers drawn for each of the two.")] = 8,
        temperature: Annotated[float, typer.Option(min=0.01, help="At which they are drawn.")] = 4.0,
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
        rank: Annotated[int, typer.Option(min=1, help="Of the adapter.")] = 16,
        checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Less memory, more time.")] = False,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[str | None, typer.Option("--model", help="As in streamspike score.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of clips, questions, answers and the adapter.")] = 0,
    ) -> None:
        """Teach the model what a mirrored or a reversed video shows (CRPO): adapter in OUT/adapter, curve in OUT.

        Examples:

        streamspike refine crpo world:0:800 --out runs/crpo --minutes 30

        streamspike refine crpo runs/dataset --out runs/crpo --labels majority --model Qwen/Qwen3-VL-4B-Instruct
        """
        from streamspike.engine.model import load_model
        from streamspike.progress import show_progress
        from streamspike.refine.crpo.asking import style_of
        from streamspike.refine.crpo.learner import CrpoLearner, CrpoSettings
        from streamspike.refine.crpo.relation import RewardSettings
        from streamspike.refine.policy import AdapterSettings, Policy
        from streamspike.refine.training import TrainSettings, train

        settings = configure(config, [], model={"name": model, "device": device})
        loaded = load_model(settings.model)
        policy = Policy(loaded, AdapterSettings(rank, 2 * rank), seed)
        items, data, known = open_items(dataset, policy, seed, dynamic, classify, settings)
        learner = CrpoLearner(
            policy,
            items,
            CrpoSettings(
                questions=questions,
                group=group,
                temperature=temperature,
                beta=beta,
                labels=("truth" if known else "majority") if labels == "auto" else labels,
                rewards=RewardSettings(correctness, relation, rule),
                style=style_of(loaded) if style == "auto" else style,
                seed=seed,
            ),
            data,
        )
        how = TrainSettings(
            steps=steps,
            minutes=0.0 if steps else minutes,
            learning_rate=learning_rate,
            checkpointing=checkpointing,
            seed=seed,
        )
        with show_progress("refining", 100.0, "%") as progress:

            def report(share: float, line: Mapping[str, Any], words: str) -> None:
                progress(100 * share, f"step {line['step']}  reward {line['reward']:.2f}  {words}")

            adapter = train(learner, how, out, report)
        typer.echo(f"the adapter is in {adapter}; what it is worth: streamspike bench dynamics --adapter {adapter}")


def open_items(
    dataset: str, policy: Policy, seed: int, dynamic_share: float, classify: str, settings: Config
) -> tuple[ItemSource, dict[str, Any], bool]:
    """What to ask about, what that is in JSON, and whether the answers are known.

    Raises:
        ConfigError: `world:` without seed and count.
        DatasetError: no dataset in the folder.
    """
    from streamspike.refine.crpo.footage import FootageItems
    from streamspike.refine.crpo.scenes import ItemSettings, world_items
    from streamspike.refine.crpo.wording import says_dynamic
    from streamspike.refine.dataset.reading import read_examples

    data: dict[str, Any] = {"dataset": dataset, "dynamic_share": dynamic_share, "classify": classify}
    if dataset.startswith("world:"):
        match = WORLD.fullmatch(dataset)
        if match is None:
            raise ConfigError(f"simulated clips are world:SEED:COUNT, such as world:0:800; not {dataset!r}")
        wanted = ItemSettings(segment_seconds=settings.segment.seconds, dynamic_share=dynamic_share)
        return world_items(int(match[1]), int(match[2]), wanted), data, True
    source = read_examples(Path(dataset), "train")
    data["data_hash"] = source.data_hash
    captions = [tuple(source.row(number)["captions"]) for number in range(len(source))]

    def agrees(example: Example, question: Question) -> bool:
        judged: bool = says_dynamic(policy, example.segments, question.text, question.branch)
        return judged == question.dynamic

    by_model = agrees if classify == "model" else None
    return FootageItems(source, captions, seed, dynamic_share, by_model), data, False
