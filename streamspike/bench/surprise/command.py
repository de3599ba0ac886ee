"""`streamspike bench surprise` on the command line."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from streamspike.bench.footage import Dataset, Footage
    from streamspike.bench.surprise.contestants import Contestant
    from streamspike.bench.surprise.measurement import Measurement
    from streamspike.bench.surprise.workers import Crew
    from streamspike.config import Config


def add_surprise_command(
    bench_app: typer.Typer, configure: Callable[..., Config], open_output: Callable[[Path], TextIO]
) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
        open_output: a file to write, or an error that says why not.
    """

    @bench_app.command("surprise")
    def bench_surprise(
        datasets: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="DATASET...",
                help="world (simulated clips; the default), a folder with a labels.csv, or oops:, funqa:, ucf-crime:, "
                "xd-violence:, ped2:, upcam:, gmdcsa24: and the path where that data set lies; "
                "spliced:EVENTS?hours=HOURS puts the clips of a labelled folder into long recordings.",
            ),
        ] = None,
        clips: Annotated[
            int,
            typer.Option(min=1, help="Of world: fresh clips, one scripted surprise in ten segments each."),
        ] = 200,
        scorers: Annotated[
            str | None,
            typer.Option(
                help="Who is compared: surprise, its presets paper and published, frame-difference, rgb-histogram, "
                "optical-flow, itti-baldi, uniform, middle, zero-shot. Default: all but the last. With "
                "surprise comes unrest, which lasts."
            ),
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option(help="Folder for report.html, report.json and the scores; a run killed there is continued."),
        ] = None,
        json_path: Annotated[
            Path | None, typer.Option("--json", help="Write everything measured to this file.")
        ] = None,
        workers: Annotated[
            int | None, typer.Option(min=1, help="Processes with one model thread each; default: one for each core.")
        ] = None,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[
            str | None, typer.Option(help="nano (built in), a local folder, or a Hugging Face id.")
        ] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of the simulated clips and of the bootstrap.")] = 0,
    ) -> None:
        """Does surprise track what is surprising? Against baselines, on simulated clips and on labelled footage.

        Every clip is scored by every scorer. Simulated clips have a known truth; of labelled footage it is measured how
        well scores find the labelled moments, with one threshold for all videos.

        Examples:

        streamspike bench surprise --clips 500 --out reports/surprise

        streamspike bench surprise folder:my/videos upcam:data/eval --scorers surprise,optical-flow --out reports/home

        streamspike bench surprise "world?clips=50&scene=street" --workers 1 --json surprise.json
        """
        from streamspike.bench.surprise.contestants import choose_contestants
        from streamspike.bench.surprise.text import render_text

        settings = configure(config, [], model={"name": model, "device": device})
        contestants = choose_contestants(scorers, settings)
        # What is missing is told before a model is loaded or a file overwritten.
        found = [_open(spec, clips, seed, settings) for spec in datasets or ["world"]]
        with open_output(json_path) if json_path is not None else contextlib.nullcontext() as file:
            measurement = _measure(settings, contestants, found, out, workers or os.cpu_count() or 1, seed)
            text = json.dumps(measurement.result, indent=1) + "\n"
            if file is not None:
                file.write(text)
        if out is not None:
            from streamspike.bench.surprise.page import render_page

            # Only now: an earlier report stands until there is a new one.
            for name, content in (("report.json", text), ("report.html", render_page(measurement, settings))):
                with open_output(out / name) as report:
                    report.write(content)
        typer.echo(render_text(measurement.result))
        if out is not None:
            typer.echo(f"\nreport: {out / 'report.html'}")


def _open(spec: str, clips: int, seed: int, settings: Config) -> tuple[Dataset, Sequence[Footage]]:
    """Raises DatasetError."""
    from streamspike.bench.datasets.choice import open_dataset
    from streamspike.bench.datasets.world import WorldDataset

    dataset = open_dataset(f"world?clips={clips}&seed={seed}" if spec == "world" else spec)
    if isinstance(dataset, WorldDataset):
        dataset.segment_seconds = settings.segment.seconds
    return dataset, dataset.footage()


def _measure(
    settings: Config,
    contestants: Sequence[Contestant],
    found: Sequence[tuple[Dataset, Sequence[Footage]]],
    out: Path | None,
    num_workers: int,
    seed: int,
) -> Measurement:
    from streamspike.bench.machine import describe_machine, find_commit
    from streamspike.bench.surprise.measurement import Bench
    from streamspike.bench.surprise.workers import OwnProcess, Workers, load_engines
    from streamspike.engine.model import choose_device
    from streamspike.progress import show_progress

    asking = frozenset(contestant.scorer for contestant in contestants if contestant.asks_model)
    num_workers = min(num_workers, sum(len(footage) for _, footage in found))
    scores = out / "scores" if out is not None else None
    with contextlib.ExitStack() as stack:
        crew: Crew
        if num_workers > 1:
            crew = stack.enter_context(Workers(settings, num_workers, asking))
        else:
            crew = OwnProcess(settings, load_engines(settings, asking))
        measurement = Bench(settings, contestants, crew, scores, show_progress).measure(found, seed)
    measurement.result["commit"] = find_commit()
    measurement.result["machine"] = describe_machine(choose_device(settings.model.device))
    measurement.result["workers"] = num_workers
    return measurement
