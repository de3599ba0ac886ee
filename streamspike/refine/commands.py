"""`streamspike refine spike-rl` and `streamspike refine supervised` on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from streamspike.config import BeliefConfig, Config
    from streamspike.engine.model import LoadedModel
    from streamspike.refine.examples import Example, ExampleSource
    from streamspike.refine.policy import Policy
    from streamspike.refine.training import Learner, TrainSettings

PAPER_HYPOTHESES, PAPER_WINDOW, PAPER_TRAJECTORIES = 3, 4, 3
RANK = 16
"""Of a new adapter."""

DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="Folder that refine export wrote; or world:SEED:COUNT, simulated clips (and ?scene=street&rule=left: of "
        "streets that keep left).",
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder of the run; an interrupted run there is continued.")]
StepsOption = Annotated[int, typer.Option(min=0, help="Steps of the whole run; 0: as many as fit into --minutes.")]
MinutesOption = Annotated[
    float, typer.Option(min=0, help="Time of the whole run, over all resumptions; used without --steps.")
]
RateOption = Annotated[
    float | None,
    typer.Option(min=1e-9, help="Learning rate at its peak; default: by method, higher for the built-in model."),
]
BatchOption = Annotated[
    int | None, typer.Option("--clips", min=1, help="Clips per step, of each process; default: by method.")
]
RankOption = Annotated[int, typer.Option(min=1, help="Of the adapter.")]
StartOption = Annotated[
    Path | None, typer.Option("--from", help="Go on from this adapter's folder, not from the model as it is.")
]
SaveOption = Annotated[int, typer.Option(min=1, help="Steps from one checkpoint to the next.")]
CheckpointingOption = Annotated[bool, typer.Option("--checkpointing", help="Less memory, one more forward.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="As in streamspike score.")]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything drawn.")]
WindowOption = Annotated[
    int | None, typer.Option("--window", min=1, help="Segments seen; default: 4 as published, built-in model: 8.")
]
WordsOption = Annotated[
    Literal["given", "own"],
    typer.Option(help="Captions of what was seen: those in the dataset, where there are any; or the model's own."),
]


@dataclass(frozen=True, slots=True)
class Clips:
    """What is learned from."""

    train: ExampleSource
    held_out: ExampleSource
    data_hash: str


class First:
    """Implements `ExampleSource`: the first few of another one."""

    def __init__(self, examples: ExampleSource, count: int) -> None:
        self._examples = examples
        self._count = min(count, len(examples))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Example:
        if not 0 <= number < self._count:
            raise IndexError(f"there are {self._count} examples, from 0: {number = }")
        return self._examples[number]

    def __iter__(self) -> Iterator[Example]:
        return (self[number] for number in range(self._count))


def open_clips(dataset: str, segment_seconds: float) -> Clips:
    """
    Raises:
        DatasetError: no dataset in the folder, or no such simulated clips.
    """
    from streamspike.refine.dataset.reading import read_examples
    from streamspike.refine.dataset.world import WorldClips, parse_world_clips

    if not dataset.startswith("world:"):
        train = read_examples(Path(dataset), "train")
        return Clips(train, read_examples(Path(dataset), "held_out"), train.data_hash)
    world = parse_world_clips(dataset, WorldClips(segment_seconds=segment_seconds))
    return Clips(world.train, world.held_out, dataset)


def load_bare(settings: Config) -> LoadedModel:
    """The model without the adapter it serves with, on the GPU of this process if there are several."""
    from streamspike.engine.model import choose_device, load_model

    process = os.environ.get("LOCAL_RANK")  # set by torchrun and accelerate launch
    gpu = {"device": f"cuda:{process}"} if process and settings.model.device in ("auto", "cuda") else {}
    if gpu and choose_device("auto").type == "cpu":
        gpu = {}
    return load_model(settings.model.model_copy(update={"adapter": None, **gpu}))


def open_policy(settings: Config, rank: int, start: Path | None, seed: int) -> tuple[Policy, str]:
    """The bare model, a new adapter or `start` on it, and the name of the latter."""
    from streamspike.engine.card import read_card
    from streamspike.refine.policy import AdapterSettings, Policy

    loaded = load_bare(settings)
    if start is None:
        return Policy(loaded, AdapterSettings(rank, 2 * rank), seed), ""
    return Policy.open(loaded, start), read_card(start).name


def choose_belief(settings: Config, policy: Policy, num_hypotheses: int | None, window: int | None) -> BeliefConfig:
    """The config's for the built-in model, N = 3 and W = 4 as published for others; unless the command line says."""
    from streamspike.refine.rollout import knows_question

    published = {"num_hypotheses": PAPER_HYPOTHESES, "window_segments": PAPER_WINDOW}
    said = {"num_hypotheses": num_hypotheses, "window_segments": window}
    changed = published if knows_question(policy.loaded) else {}
    changed |= {key: value for key, value in said.items() if value is not None}
    return settings.belief.model_copy(update=changed)


def run(
    learner: Learner,
    how: TrainSettings,
    out: Path,
    shown: tuple[str, ...],
    parent: str,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    every: int = 0,
) -> None:
    """Train with progress on the terminal; `shown` are the values that tell how it goes."""
    from streamspike.progress import show_progress
    from streamspike.refine.training import train

    speaks = os.environ.get("RANK", "0") == "0"  # of several processes one
    with show_progress("refining", 100.0, "%") as progress:

        def report(share: float, line: Mapping[str, Any], words: str) -> None:
            if not speaks:
                return
            names = [*shown, *(name for name in line if name.startswith("held_out_"))]
            values = "  ".join(f"{name} {line[name]:.3f}" for name in names if name in line)
            progress(100 * share, f"step {line['step']}  {values}  {words}")

        card = {"name": re.sub(r"[^A-Za-z0-9._-]", "-", out.name) or learner.method, "parent": parent}
        adapter = train(learner, how, out, report, evaluate=evaluate, evaluate_every=every, card=card)
    if speaks:
        typer.echo(
            f"the adapter is in {adapter}; is it better? streamspike refine evaluate; curve: {out / 'curve.jsonl'}"
        )


def add_training_commands(refine_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @refine_app.command("spike-rl")
    def spike_rl(
        dataset: DatasetArgument,
        out: OutOption,
        steps: StepsOption = 0,
        minutes: MinutesOption = 30.0,
        learning_rate: RateOption = None,
        clips: BatchOption = None,
        trajectories: Annotated[
            int | None, typer.Option(min=1, help="M: runs over a clip; default: 3 as published, 1 with --per belief.")
        ] = None,
        hypotheses: Annotated[
            int | None, typer.Option(min=2, help="N; default: 3 as published, built-in model: the config's.")
        ] = None,
        window: WindowOption = None,
        rewards: Annotated[
            str | None,
            typer.Option(
                help="Names and weights: hindsight, diversity, feedback (of hypotheses); llm-match, encoder, ngram, "
                "rouge-l, tf-idf, lexical (of captions, with --per trajectory). Default: hindsight=1,diversity=0.3,"
                "feedback=0.5. With --per belief they only measure held-out clips."
            ),
        ] = None,
        similarity: Annotated[
            Literal["auto", "encoder", "ngram"], typer.Option(help="How sentences are compared.")
        ] = "auto",
        judge: Annotated[str | None, typer.Option(help="For llm-match: a language model's folder or name.")] = None,
        words: WordsOption = "given",
        per: Annotated[
            Literal["belief", "trajectory", "segment", "hypothesis"],
            typer.Option(
                help="What is rewarded: a rise of belief in a sentence once the segment is seen; or by --rewards whole "
                "runs (the paper), sets made for one segment, or each sentence."
            ),
        ] = "belief",
        normalise: Annotated[
            Literal["sum", "hypothesis", "token"], typer.Option(help="Of the loss; sum is the paper's.")
        ] = "hypothesis",
        beta: Annotated[float, typer.Option(min=0, help="Weight of the KL to the model without its adapter.")] = 0.02,
        evaluate_every: Annotated[int, typer.Option(min=0, help="Steps between looks at held-out clips; 0: none.")] = 0,
        held_out: Annotated[int, typer.Option(min=1, help="Held-out clips to look at.")] = 16,
        rank: RankOption = RANK,
        start: StartOption = None,
        save_every: SaveOption = 20,
        checkpointing: CheckpointingOption = False,
        config: ConfigOption = None,
        model: ModelOption = None,
        device: DeviceOption = None,
        seed: SeedOption = 0,
    ) -> None:
        """Reward hypotheses for what they foretold (SPIKE-RL): adapter in OUT/adapter, curve in OUT/curve.jsonl.

        Each clip is run through as the monitor would. Expectations that are believed more once the segment was seen
        become more likely, those believed less unlikelier: the next time the same surprises less. What nobody had
        thought of stays surprising. With --per trajectory, as published: a clip is run through several times, and what
        a run expected becomes likelier if its reward is above the others'. Needs nobody's captions by default.

        Examples:

        streamspike refine spike-rl world:0:200 --out runs/rl --minutes 10

        streamspike refine spike-rl night --out runs/rl --model Qwen/Qwen2.5-VL-7B-Instruct --checkpointing

        streamspike refine spike-rl night --out runs/paper --per trajectory --normalise sum --rewards encoder

        Several GPUs: torchrun --nproc-per-node gpu $(which streamspike) refine spike-rl night --out runs/rl
        """
        from streamspike.refine.grpo import GrpoLearner, GrpoSettings
        from streamspike.refine.recipes import RECIPES
        from streamspike.refine.rewards.judge import LocalJudge
        from streamspike.refine.rewards.rewards import DEFAULT_REWARDS, Rewards
        from streamspike.refine.rewards.similarity import choose_similarity
        from streamspike.refine.rollout import RolloutSettings
        from streamspike.refine.training import TrainSettings

        settings = configure(config, [], model={"name": model, "device": device})
        data = open_clips(dataset, settings.segment.seconds)
        compare = choose_similarity(similarity)
        judged = (lambda: LocalJudge(judge, settings.model.device)) if judge else None
        rewarded = Rewards.parse(rewards or DEFAULT_REWARDS, compare, judged)
        policy, parent = open_policy(settings, rank, start, seed)
        recipe = RECIPES["spike-rl"]
        how = TrainSettings(
            steps=steps, minutes=0.0 if steps else minutes, learning_rate=learning_rate or recipe.rate(policy.loaded),
            accumulate=clips or recipe.clips, checkpointing=checkpointing, save_every=save_every, seed=seed,
        )  # fmt: skip
        learner = GrpoLearner(
            policy,
            data.train,
            rewarded,
            compare,
            choose_belief(settings, policy, hypotheses, window),
            GrpoSettings(
                rollout=RolloutSettings(trajectories or (1 if per == "belief" else PAPER_TRAJECTORIES)),
                beta=beta,
                per=per,
                normalise=normalise,
                words=words,
            ),
            seed,
            data.data_hash,
        )
        some = First(data.held_out, held_out)
        witness = learner.witness_of(some)
        shown = ("reward", "foreseen", "kl", "diversity")
        run(learner, how, out, shown, parent, lambda: learner.measure(some, witness), evaluate_every)

    @refine_app.command("supervised")
    def supervised(
        dataset: DatasetArgument,
        out: OutOption,
        steps: StepsOption = 0,
        minutes: MinutesOption = 30.0,
        learning_rate: RateOption = None,
        clips: BatchOption = None,
        window: WindowOption = None,
        observe: Annotated[bool, typer.Option("--observe", help='Teach "what just happened?" as well.')] = False,
        words: WordsOption = "given",
        rank: RankOption = RANK,
        start: StartOption = None,
        save_every: SaveOption = 20,
        checkpointing: CheckpointingOption = False,
        config: ConfigOption = None,
        model: ModelOption = None,
        device: DeviceOption = None,
        seed: SeedOption = 0,
    ) -> None:
        """Fine-tune on what came next, in the captions' words: the baseline for spike-rl on the very same clips.

        Examples:

        streamspike refine supervised world:0:200 --out runs/supervised --minutes 10

        streamspike refine supervised night --out runs/supervised --model Qwen/Qwen3-VL-4B-Instruct
        """
        from streamspike.refine.recipes import RECIPES
        from streamspike.refine.supervised import SupervisedLearner, SupervisedSettings
        from streamspike.refine.training import TrainSettings

        settings = configure(config, [], model={"name": model, "device": device})
        data = open_clips(dataset, settings.segment.seconds)
        policy, parent = open_policy(settings, rank, start, seed)
        recipe = RECIPES["supervised"]
        how = TrainSettings(
            steps=steps, minutes=0.0 if steps else minutes, learning_rate=learning_rate or recipe.rate(policy.loaded),
            accumulate=clips or recipe.clips, checkpointing=checkpointing, save_every=save_every, seed=seed,
        )  # fmt: skip
        belief = choose_belief(settings, policy, None, window)
        taught = SupervisedSettings(observe=observe, words=words)
        learner = SupervisedLearner(policy, data.train, belief, taught, seed, data.data_hash)
        run(learner, how, out, ("loss",), parent)
