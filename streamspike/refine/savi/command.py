"""`streamspike refine savi` on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamspike.refine.commands import (
    CheckpointingOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    ModelOption,
    OutOption,
    RankOption,
    RateOption,
    SaveOption,
    SeedOption,
    StartOption,
    open_clips,
    open_policy,
)

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.engine.model import LoadedModel
    from streamspike.refine.examples import ExampleSource
    from streamspike.refine.policy import Policy
    from streamspike.refine.savi.dialogue import Dialogue
    from streamspike.refine.savi.questions import Score


def add_savi_command(refine_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @refine_app.command("savi")
    def savi(
        dataset: DatasetArgument,
        out: OutOption,
        iterations: Annotated[int, typer.Option(min=1, help="Rounds of talking and learning.")] = 2,
        clips: Annotated[int, typer.Option("--pairs", min=1, help="Clips to make pairs from, in each round.")] = 200,
        min_gain: Annotated[float, typer.Option(min=0, help="Nats by which a critique must prefer a revision.")] = 2.0,
        epochs: Annotated[float, typer.Option(min=0.01, help="How often each pair is learned from.")] = 1.0,
        beta: Annotated[float, typer.Option(min=1e-6, help="How dearly it is paid to leave the model as it is.")] = 0.1,
        anchor: Annotated[float, typer.Option(min=0, help="Weight of the likelihood of preferred answers.")] = 0.0,
        hold: Annotated[
            float, typer.Option(min=0, help="Weight of the KL over what it says of happenings, which shall stay.")
        ] = 3.0,
        learning_rate: RateOption = None,
        batch: Annotated[int, typer.Option(min=1, help="Pairs per step, of each process.")] = 8,
        dialogue: Annotated[
            Literal["auto", "fixed", "spoken"],
            typer.Option(help="fixed: the built-in model's own questions; spoken: any question in words."),
        ] = "auto",
        statements: Annotated[
            float,
            typer.Option(
                min=0, max=1, help="fixed: share of questions whether a statement is true; the others: what happened?"
            ),
        ] = 1.0,
        examine: Annotated[
            int, typer.Option(min=0, help="Simulated clips: ask so many held-out ones before and after; 0: none.")
        ] = 0,
        rank: RankOption = 16,
        start: StartOption = None,
        save_every: SaveOption = 20,
        checkpointing: CheckpointingOption = False,
        config: ConfigOption = None,
        model: ModelOption = None,
        device: DeviceOption = None,
        seed: SeedOption = 0,
    ) -> None:
        """Let the model question, criticise and correct itself (VideoSAVi); no captions needed. Adapter in OUT/adapter.

        The pairs it learned from are in OUT/round-1/pairs.html, with frames.

        Examples:

        streamspike refine savi world:0:400 --out runs/savi --pairs 100 --examine 40

        streamspike refine savi night --out runs/savi --model Qwen/Qwen2.5-VL-7B-Instruct --checkpointing
        """
        from streamspike.progress import show_progress
        from streamspike.refine.dpo import DpoSettings
        from streamspike.refine.recipes import RECIPES
        from streamspike.refine.savi.rounds import SaviSettings, run_savi
        from streamspike.refine.training import TrainSettings

        settings = configure(config, [], model={"name": model, "device": device})
        data = open_clips(dataset, settings.segment.seconds)
        policy, parent = open_policy(settings, rank, start, seed)
        window = settings.belief.window_segments
        before = _examine(policy.loaded, data.held_out, examine, window, seed)
        name = re.sub(r"[^A-Za-z0-9._-]", "-", out.name) or "savi"
        with show_progress("refining", 100.0, "%") as progress:
            adapter = run_savi(
                policy,
                make_dialogue(policy, dialogue, window, statements),
                data.train,
                SaviSettings(iterations, clips, min_gain, epochs, seed),
                DpoSettings(beta, anchor, hold, batch),
                TrainSettings(
                    steps=1,
                    learning_rate=learning_rate or RECIPES["savi"].rate(policy.loaded),
                    checkpointing=checkpointing,
                    save_every=save_every,
                    seed=seed,
                ),
                out,
                lambda share, words: progress(100 * share, words),
                data_hash=data.data_hash,
                card={"name": name, "parent": parent},
            )
        after = _examine(policy.loaded, data.held_out, examine, window, seed)
        if before:
            typer.echo(render_accuracy(before, after, seed))
        typer.echo(f"the adapter is in {adapter}; is it better? streamspike refine evaluate; pairs: {out}/round-*/")


def make_dialogue(policy: Policy, name: str, window_segments: int, statement_share: float = 1.0) -> Dialogue:
    """auto: fixed for a model that was trained on streamspike's own questions, spoken for others."""
    from streamspike.refine.rollout import knows_question
    from streamspike.refine.savi.fixed import FixedDialogue, FixedSettings
    from streamspike.refine.savi.spoken import SpokenDialogue, SpokenSettings

    # The built-in tokenizer has one token for each of its words, and none for others.
    fixed = name == "fixed" or (name == "auto" and not knows_question(policy.loaded))
    if fixed:
        return FixedDialogue(policy, FixedSettings(statement_share=statement_share, window_segments=window_segments))
    return SpokenDialogue(policy, SpokenSettings())


def _examine(
    loaded: LoadedModel, held_out: ExampleSource, count: int, window_segments: int, seed: int
) -> list[list[Score]]:
    from streamspike.progress import show_progress
    from streamspike.refine.commands import First
    from streamspike.refine.savi.questions import examine

    if not count:
        return []
    some = First(held_out, count)
    with show_progress("examining", float(len(some)), "clips") as progress:
        return examine(loaded, some, window_segments, seed, progress)


def render_accuracy(before: list[list[Score]], after: list[list[Score]], seed: int) -> str:
    """Accuracy by kind of question before and after, and the difference clip by clip, with 95 % intervals."""
    from streamspike.refine.savi.questions import ALL, KINDS, accuracy, difference

    lines = [f"{'questions':10s} {'number':>6s} {'before':>8s} {'after':>8s}  difference"]
    for kind in (*KINDS, ALL):
        count = sum(kind in (ALL, score.kind) for scores in before for score in scores)
        early, late, change = (
            accuracy(before, kind, seed), accuracy(after, kind, seed), difference(before, after, kind, seed)
        )  # fmt: skip
        lines.append(
            f"{kind:10s} {count:6d} {early.mean:8.3f} {late.mean:8.3f}  {change.mean:+.3f} "
            f"[{change.low:+.3f}, {change.high:+.3f}]"
        )
    return "\n".join(lines)
