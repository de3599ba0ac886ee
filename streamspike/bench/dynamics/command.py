"""`streamspike bench dynamics` on the command line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from streamspike.errors import DatasetError

if TYPE_CHECKING:
    from streamspike.config import Config


def add_dynamics_command(
    bench_app: typer.Typer, configure: Callable[..., Config], open_output: Callable[[Path], TextIO]
) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
        open_output: a file to write, or an error that says why not.
    """

    @bench_app.command("dynamics")
    def bench_dynamics(
        pairs: Annotated[int, typer.Option(min=12, help="Questions, each about a clip and its branch.")] = 600,
        json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
        against: Annotated[
            Path | None, typer.Option(help="JSON of an earlier run with the same pairs and seed: what has changed?")
        ] = None,
        style: Annotated[
            Literal["auto", "sentences", "letters"],
            typer.Option(help="How questions are put; sentences: what the built-in model understands."),
        ] = "auto",
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[str | None, typer.Option("--model", help="As in streamspike score.")] = None,
        adapter: Annotated[Path | None, typer.Option(help="Folder of an adapter for it.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of the clips; no training sees any of them.")] = 0,
    ) -> None:
        """Does the model see what happens, or only what is there? The same question about a clip and its opposite.

        Dynamic questions (moving direction, reversible dynamics, event sequence) have another answer when the clip is
        mirrored or reversed, static ones (who, how many, where) the same. A pair is right if both answers are.

        Examples:

        streamspike bench dynamics --json before.json

        streamspike bench dynamics --adapter runs/crpo/adapter --against before.json
        """
        from streamspike.bench.dynamics.report import render_dynamics, render_gains
        from streamspike.bench.dynamics.study import compare, measure_dynamics
        from streamspike.bench.machine import describe_machine, find_commit
        from streamspike.engine.model import load_model
        from streamspike.progress import show_progress
        from streamspike.refine.crpo.asking import style_of

        settings = configure(
            config, [], model={"name": model, "adapter": str(adapter) if adapter else None, "device": device}
        )
        before = read_result(against) if against is not None else None
        with open_output(json_path) if json_path is not None else contextlib.nullcontext() as file:
            loaded = load_model(settings.model)
            with show_progress("asking", float(pairs), "pairs") as progress:
                result = measure_dynamics(
                    loaded,
                    pairs,
                    style_of(loaded) if style == "auto" else style,
                    seed,
                    settings.segment.seconds,
                    progress,
                )
            if before is not None:
                result["gains"] = compare(before, result, seed)
            result |= {"commit": find_commit(), "machine": describe_machine(loaded.device)}
            if file is not None:
                file.write(json.dumps(result, indent=1) + "\n")
        typer.echo(render_dynamics(result))
        if before is not None:
            typer.echo("\n" + render_gains(result["gains"], before["model"]))


def read_result(path: Path) -> dict[str, Any]:
    """What an earlier run wrote. Raises DatasetError."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not the --json of an earlier bench dynamics: {error}") from error
    if not isinstance(result, dict) or "answers" not in result:
        raise DatasetError(f"{path} is not the --json of an earlier bench dynamics: it has no answers")
    return result
