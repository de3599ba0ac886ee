"""`streamspike refine pretrain` on the command line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from streamspike.errors import ConfigError


def add_pretrain_command(refine_app: typer.Typer, make_folder: Callable[[Path], None]) -> None:
    """
    Args:
        make_folder: with what is above it, or an error that says why not.
    """

    @refine_app.command("pretrain")
    def pretrain(
        out: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run there is continued.")] = Path(
            "runs/nano"
        ),
        minutes: Annotated[float, typer.Option(min=0.05, help="Training time, over all resumptions.")] = 75.0,
        seed: Annotated[int, typer.Option(min=0)] = 0,
        device: Annotated[str, typer.Option(help="cpu or cuda; auto takes the GPU when there is one.")] = "auto",
        workers: Annotated[int, typer.Option(min=1, help="Processes that simulate clips.")] = 1,
        start: Annotated[
            str | None,
            typer.Option("--from", help="A new run starts from this model (nano: the built-in), not at random."),
        ] = None,
        keep: Annotated[
            float, typer.Option(min=0, max=0.95, help="With --from: share of its weights in the finished model.")
        ] = 0.0,
        rate: Annotated[
            float,
            typer.Option(min=1e-6, max=0.1, help="Peak of the learning rate; lower keeps more of --from."),
        ] = 2.5e-3,
        fused: Annotated[
            bool,
            typer.Option("--fused", help="Compile the vision tower, which needs a C++ compiler: a quarter faster."),
        ] = False,
    ) -> None:
        """Train the built-in model on simulated cameras, resumably: model in OUT/model, curve in OUT/curve.jsonl."""
        from streamspike.engine.model import choose_device
        from streamspike.progress import show_progress
        from streamspike.refine.pretrain.curve import plot_curve
        from streamspike.refine.pretrain.sft import Pretraining
        from streamspike.refine.pretrain.sft import pretrain as train

        if keep and start is None:
            raise ConfigError("--keep is a share of the model that --from names; give both")
        if fused and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
            raise ConfigError("--fused takes a C++ compiler, and there is none (apt-get install g++)")
        make_folder(out)
        chosen = str(choose_device(device))
        settings = Pretraining(
            minutes=minutes,
            seed=seed,
            device=chosen,
            workers=workers,
            start=start,
            keep=keep,
            peak_rate=rate,
            fused=fused,
        )
        with show_progress("training", minutes, "min") as progress:

            def report(line: dict[str, Any]) -> None:
                words = "  ".join(f"{key} {value:.3f}" for key, value in line.items() if isinstance(value, float))
                progress(line["minutes"], f"step {line['steps']}  clips {line['clips']}  {words}")

            folder = train(settings, out, report)
        typer.echo(f"the model is in {folder}; use it with --model {folder}; learning curve: {plot_curve(out)}")
