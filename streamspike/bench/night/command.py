"""`streamspike bench night` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from streamspike.config import Config


def add_night_command(bench_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @bench_app.command("night")
    def bench_night(
        out: Annotated[Path, typer.Option(help="Folder of the study; an interrupted one there is continued.")],
        minutes: Annotated[
            float, typer.Option("--minutes-per-run", min=0.01, help="Of training, for each method and seed.")
        ] = 6.0,
        steps: Annotated[int, typer.Option(min=0, help="Of training, in place of minutes.")] = 0,
        seeds: Annotated[int, typer.Option(min=1, help="Each with clips and an adapter of its own.")] = 3,
        clips: Annotated[int, typer.Option(min=2, help="Simulated clips to learn from, of each seed.")] = 240,
        held_out: Annotated[int, typer.Option(min=2, help="Clips of other cameras to measure by, of each seed.")] = 80,
        pairs: Annotated[int, typer.Option(min=12, help="Questions about a clip and its opposite.")] = 240,
        methods: Annotated[
            str, typer.Option(help="Of supervised, spike-rl, savi, crpo.")
        ] = "supervised,spike-rl,savi,crpo",
        words: Annotated[
            Literal["given", "own"],
            typer.Option(help="What supervised learns from: true captions, or the model's own. spike-rl needs none."),
        ] = "given",
        rule: Annotated[
            Literal["none", "left"],
            typer.Option(help="left: all clips are of streets where traffic keeps left, as the model has never seen."),
        ] = "none",
        unusual: Annotated[
            bool, typer.Option("--unusual", help="A camera with rules of its own, before and after one night, instead.")
        ] = False,
        day_minutes: Annotated[float, typer.Option(min=0.2, help="With --unusual: of footage to learn from.")] = 30.0,
        test_minutes: Annotated[
            float, typer.Option(min=0.2, help="With --unusual: of the footage that follows.")
        ] = 20.0,
        surprises: Annotated[int, typer.Option(min=1, help="With --unusual: scripted ones in what follows.")] = 24,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[str | None, typer.Option("--model", help="As in streamspike score.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
    ) -> None:
        """What is a night of training worth? Each method of refine on the same clips, for the same time.

        Measured on clips of other cameras, with paired intervals: whether surprise finds what surprises (hit@1), how
        diverse and how well calibrated hypotheses are, how likely what came was, questions about what happened, and
        pairs of clips that differ in nothing but time or direction. It takes seeds x (methods + 1) runs; what is done
        is kept in OUT and never done again. Tables here, all numbers in OUT/night.json, charts in OUT/night.html.

        With --unusual: a simulated street with traffic on the left and a delivery by the clock is watched for a while,
        the model learns from what it logged, and both watch what follows.

        Examples:

        streamspike bench night --out runs/night

        streamspike bench night --out runs/night --seeds 1 --methods supervised,spike-rl --minutes-per-run 4

        streamspike bench night --out runs/night --unusual --methods spike-rl
        """
        from streamspike.bench.machine import describe_machine, find_commit
        from streamspike.bench.night.camera import UnusualSettings
        from streamspike.bench.night.page import render_night
        from streamspike.bench.night.settings import START, NightSettings, parse_methods
        from streamspike.bench.night.study import read_results, run_study, write_json
        from streamspike.bench.night.tables import render_study, summarise
        from streamspike.bench.night.unusual import read_unusual, render_unusual, run_unusual
        from streamspike.engine.model import load_model
        from streamspike.errors import ModelError
        from streamspike.measures.encoder import load_encoder
        from streamspike.progress import show_progress

        settings = configure(config, [], model={"name": model, "device": device})
        chosen = parse_methods(methods)
        study = NightSettings(
            minutes, steps, seeds, clips, held_out, pairs=pairs, methods=chosen, words=words,
            rule="left" if rule == "left" else "",
        )  # fmt: skip
        loaded = load_model(settings.model.model_copy(update={"adapter": None}))
        base, machine, commit = loaded.slot.base, describe_machine(loaded.device), find_commit()
        del loaded
        if unusual:
            camera = UnusualSettings(day_minutes, test_minutes, surprises)
            total = float(seeds * (2 + len(chosen)))
            with show_progress("camera with rules of its own", total, "runs") as progress:
                run_unusual(settings, study, camera, base, out, progress)
        else:
            with show_progress("night", float(seeds * (1 + len(chosen))), "runs") as progress:
                run_study(settings, study, base, out, progress)
        try:
            encoder = load_encoder()
        except ModelError:
            encoder = None  # an extra; its measure is left out
        summary = summarise(read_results(out, study), encoder)
        result = {
            **summary,
            "unusual": read_unusual(out),
            "model": base,
            "start": START,
            "settings": study.describe(),
            "commit": commit,
            "machine": machine,
        }
        write_json(out / "night.json", result)
        (out / "night.html").write_text(render_night(result, out), encoding="utf-8")
        typer.echo("\n\n".join(render_unusual(one) for one in result["unusual"]) if unusual else render_study(summary))
        typer.echo(f"\nall numbers: {out / 'night.json'}; charts: {out / 'night.html'}")
