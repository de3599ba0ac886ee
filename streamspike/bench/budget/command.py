"""`streamspike bench budget` on the command line."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from streamspike.errors import ConfigError

if TYPE_CHECKING:
    from streamspike.config import Config


def add_budget_command(
    bench_app: typer.Typer, configure: Callable[..., Config], open_output: Callable[[Path], TextIO]
) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
        open_output: a file to write, or an error that says why not.
    """

    @bench_app.command("budget")
    def bench_budget(
        clips: Annotated[int, typer.Option(min=2, help="Films of 64 segments; every other one has surprises.")] = 40,
        frames: Annotated[str, typer.Option(help="Budgets, as 4,16,64.")] = "4,8,16,32,64",
        records: Annotated[
            Path, typer.Option(help="The films that are done; an interrupted study there is continued.")
        ] = Path("runs/budget.jsonl"),
        json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
        plot: Annotated[Path | None, typer.Option(help="Draw it, as PNG or SVG.")] = None,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[str | None, typer.Option("--model", help="As in streamspike score.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of the films and of all draws.")] = 0,
    ) -> None:
        """What is a budget of frames worth? Questions about a film, answered from frames chosen in several ways.

        Example:

        streamspike bench budget --clips 40 --frames 4,16,64 --json budget.json --plot budget.png
        """
        from streamspike.bench.budget.report import plot_budget, render_table
        from streamspike.bench.budget.study import measure_budget
        from streamspike.bench.machine import describe_machine, find_commit
        from streamspike.engine.engine import IncrementalEngine
        from streamspike.engine.model import load_model
        from streamspike.progress import show_progress

        budgets = parse_budgets(frames)
        settings = configure(config, [], model={"name": model, "device": device})
        with open_output(json_path) if json_path is not None else contextlib.nullcontext() as file:
            loaded = load_model(settings.model)
            engine = IncrementalEngine(loaded, settings.segment.seconds, settings.engine)
            with show_progress("asking about films", float(clips), "films") as progress:
                result = measure_budget(settings, engine, clips, budgets, seed, records, progress)
            result = {**result, "commit": find_commit(), "machine": describe_machine(loaded.device)}
            if file is not None:
                file.write(json.dumps(result, indent=1) + "\n")
        if plot is not None:
            plot_budget(result, plot)
        typer.echo(render_table(result))


def parse_budgets(text: str) -> list[int]:
    """`4,16,64` as ascending numbers of frames. Raises ConfigError."""
    if not re.fullmatch(r"\s*[1-9]\d{0,3}\s*(,\s*[1-9]\d{0,3}\s*)*", text):
        raise ConfigError(f"--frames takes budgets such as 4,16,64; not {text!r}")
    return sorted({int(budget) for budget in text.split(",")})
