"""`streamspike bench cues` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer


def add_cues_command(bench_app: typer.Typer) -> None:
    """Heavy imports wait until the command runs."""

    @bench_app.command("cues")
    def bench_cues(
        out: Annotated[Path, typer.Option(help="Folder of the study; an interrupted one there is continued.")] = Path(
            "runs/cues"
        ),
        minutes: Annotated[float, typer.Option(min=0.05, help="Training time of each of three models.")] = 20.0,
        clips: Annotated[int, typer.Option(min=2, help="Fresh simulated clips to ask about.")] = 500,
        cues: Annotated[Literal["boxes", "trajectories", "both"], typer.Option(help="What is drawn.")] = "both",
        start: Annotated[
            str, typer.Option("--from", help="The model all three start from: nano, or the folder of one like it.")
        ] = "nano",
        device: Annotated[str, typer.Option(help="cpu or cuda; auto takes the GPU when there is one.")] = "auto",
        workers: Annotated[int, typer.Option(min=1, help="Processes that simulate clips.")] = 1,
        seed: Annotated[int, typer.Option(min=0, help="Of clips, questions and training.")] = 0,
    ) -> None:
        """Do boxes and trajectories help? The built-in model trained and asked with and without them.

        Three copies are trained side by side on the same clips: plain, with cues by the motion stage (what `cues:` in
        the config draws), and with cues by the simulator's truth (the most that cues could give). Then each is asked
        what it is and what it does, in all three views. Everything goes to OUT: cues.json, cues.png, answers.jsonl.
        """
        from streamspike.bench.cues.study import CuesStudy, measure_cues
        from streamspike.bench.cues.tables import plot_cues, render_cues
        from streamspike.engine.model import choose_device
        from streamspike.errors import StreamspikeError
        from streamspike.progress import show_progress

        study = CuesStudy(minutes, clips, seed, cues, start)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StreamspikeError(f"cannot make the folder {out}: {error.strerror}") from error
        with show_progress("training and asking", 100.0, "%") as progress:
            result = measure_cues(study, out, str(choose_device(device)), workers, progress)
        (out / "cues.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        plot_cues(result, out / "cues.png")
        typer.echo(render_cues(result))
