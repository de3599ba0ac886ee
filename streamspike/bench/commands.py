"""`streamspike bench engine` and `bench variants` on the command line."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from streamspike.errors import ConfigError

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.engine.model import LoadedModel

NUM_SCENES = 3
"""Films for the cameras: a street, a room and a yard."""
FILM_SEGMENTS = 30
MIN_CLIPS = 2


def add_engine_command(
    bench_app: typer.Typer, configure: Callable[..., Config], open_output: Callable[[Path], TextIO]
) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
        open_output: a file to write, or an error that says why not.
    """

    @bench_app.command("engine")
    def bench_engine(
        segments: Annotated[int, typer.Option(min=1, help="Segments to measure, once the window is full.")] = 12,
        published: Annotated[
            int, typer.Option(min=0, help="So many of them by the published procedure too, which is slow; 0: none.")
        ] = 2,
        window: Annotated[int | None, typer.Option(help="W, segments the model still sees.")] = None,
        hypotheses: Annotated[int | None, typer.Option(help="N, drawn for a segment.")] = None,
        frame_px: Annotated[
            int | None, typer.Option(min=1, help="Width of frames as the model sees them; default: the model's own.")
        ] = None,
        curve: Annotated[bool, typer.Option("--curve", help="Also over W 4-16, N 2-8, frames half to twice.")] = False,
        cameras: Annotated[
            str | None, typer.Option(help="Also keep up with so many cameras in real time: 1,4,16,64.")
        ] = None,
        mode: Annotated[
            Literal["paper", "steady"], typer.Option(help="Of the cameras: new hypotheses for every segment, or kept.")
        ] = "steady",
        seconds: Annotated[float, typer.Option(min=0.5, help="How long for each number of cameras.")] = 20.0,
        soak: Annotated[
            int, typer.Option(min=0, help="Also score so many segments in a row and watch the memory; 0: none.")
        ] = 0,
        json_path: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
        plot: Annotated[Path | None, typer.Option(help="Draw it, as PNG.")] = None,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[
            str | None,
            typer.Option(
                help="nano (built in), a local folder, a Hugging Face id, or real sizes with random weights: "
                "random:qwen2.5-vl-3b, -7b, random:qwen3-vl-2b, -4b, -8b, random:small-qwen2.5-vl."
            ),
        ] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        threads: Annotated[
            int | None,
            typer.Option(min=1, help="CPU threads; 1 where others work too: threads that wait cost the most."),
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of the simulated camera and of all draws.")] = 0,
    ) -> None:
        """How fast is scoring? Published, naive and streamspike's own procedure on the same frames and hypotheses.

        All score the same frames with the same model in one run, segment by segment in turns, and the scores are
        compared with a full recomputation. Beside them stands the floor: what the machine could do at best.

        Examples:

        streamspike bench engine

        streamspike bench engine --model random:qwen2.5-vl-7b --cameras 1,4,16,64 --json engine.json --plot engine.png

        streamspike bench engine --model random:small-qwen2.5-vl --frame-px 224 --published 1 --curve
        """
        from streamspike.bench.speed.report import render_report
        from streamspike.engine.model import load_model

        counts = parse_counts(cameras) if cameras is not None else []
        settings = configure(
            config,
            [],
            model={"name": model, "device": device, "frame_width_px": frame_px, "threads": threads, "seed": seed},
            belief={"window_segments": window, "num_hypotheses": hypotheses},
        )
        with open_output(json_path) if json_path is not None else contextlib.nullcontext() as file:
            loaded = load_model(settings.model)
            result = _compare(settings, loaded, segments, min(published, segments), seed)
            if curve:
                result["curve"] = _vary(settings, loaded, published > 0, seed)
            if counts:
                belief = settings.belief.model_copy(update={"mode": mode})
                result["cameras"] = _serve(settings.model_copy(update={"belief": belief}), loaded, counts, seconds)
            if soak:
                belief = settings.belief.model_copy(update={"mode": mode})
                result["soak"] = _soak(settings.model_copy(update={"belief": belief}), loaded, soak, seed)
            if file is not None:
                file.write(json.dumps(result, indent=1) + "\n")
        if plot is not None:
            from streamspike.bench.plots import plot_report

            plot_report(result, plot)
        typer.echo(render_report(result))

    add_variants_command(bench_app, configure, open_output)


def add_variants_command(
    bench_app: typer.Typer, configure: Callable[..., Config], open_output: Callable[[Path], TextIO]
) -> None:
    """The same for ways of scoring."""

    @bench_app.command("variants")
    def bench_variants(
        clips: Annotated[int, typer.Option(min=MIN_CLIPS, help="Simulated clips of ten segments.")] = 200,
        few: Annotated[
            int | None,
            typer.Option(
                min=0,
                help="Of them, for what is recorded anew (windows, frames, drawings); default: a quarter; 0: none.",
            ),
        ] = None,
        records: Annotated[
            Path, typer.Option(help="What the model said; an interrupted recording there is continued.")
        ] = Path("runs/variants.jsonl"),
        json_path: Annotated[Path | None, typer.Option("--json", help="Write the table to this file.")] = None,
        plot: Annotated[Path | None, typer.Option(help="Draw it, as PNG.")] = None,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[
            str | None, typer.Option(help="nano (built in), a local folder, or a Hugging Face id.")
        ] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[
            int, typer.Option(min=0, max=4999, help="Of the clips, which neither training nor bench surprise uses.")
        ] = 0,
    ) -> None:
        """Which way of scoring finds the surprise? The model is asked once, and every variant is computed from that.

        Examples:

        streamspike bench variants --json variants.json --plot variants.png

        streamspike bench variants --clips 40 --few 0 --model runs/nano/model --records runs/nano-variants.jsonl
        """
        settings = configure(config, [], model={"name": model, "device": device})
        few = min(clips, max(MIN_CLIPS, clips // 4) if few is None else few)
        if 0 < few < MIN_CLIPS:
            raise ConfigError(f"--few takes 0 or at least {MIN_CLIPS} clips: one says nothing of the others")
        with open_output(json_path) if json_path is not None else contextlib.nullcontext() as file:
            result = _compare_variants(settings, records, clips, few, seed)
            if file is not None:
                file.write(json.dumps(result, indent=1) + "\n")
        from streamspike.bench.variants.comparison import plot_comparison, render_comparison

        if plot is not None:
            plot_comparison(result, plot)
        typer.echo(render_comparison(result))


def _compare_variants(settings: Config, records: Path, clips: int, few: int, seed: int) -> dict[str, Any]:
    from streamspike.bench.machine import describe_machine, find_commit
    from streamspike.bench.variants.comparison import compare
    from streamspike.bench.variants.recordings import BASE, PLANS, record
    from streamspike.engine.engine import IncrementalEngine
    from streamspike.engine.model import load_model
    from streamspike.progress import show_progress

    loaded = load_model(settings.model)
    # A camera a clip: nothing of an earlier one is asked for again.
    engine = IncrementalEngine(loaded, settings.segment.seconds, settings.engine, max_streams=1)
    num_clips = {plan.name: clips if plan is BASE else few for plan in PLANS}
    with show_progress("recording", float(sum(num_clips.values())), "clips") as progress:
        recordings = record(settings, engine, records, num_clips, seed, progress)
    return {
        "model": loaded.name,
        "clips": num_clips,
        "seed": seed,
        "commit": find_commit(),
        "machine": describe_machine(loaded.device),
        "variants": compare(recordings, seed),
    }


def parse_counts(text: str) -> list[int]:
    """`1,4,16` as ascending numbers of cameras. Raises ConfigError."""
    if not re.fullmatch(r"\s*[1-9]\d{0,4}\s*(,\s*[1-9]\d{0,4}\s*)*", text):
        raise ConfigError(f"--cameras takes numbers of cameras such as 1,4,16; not {text!r}")
    return sorted({int(count) for count in text.split(",")})


def _compare(settings: Config, loaded: LoadedModel, segments: int, published: int, seed: int) -> dict[str, Any]:
    from streamspike.bench.speed.engine import measure_engines
    from streamspike.progress import show_progress

    with show_progress("comparing", float(segments), "segments") as progress:
        return measure_engines(settings, loaded, segments, published, seed, progress)


def _vary(settings: Config, loaded: LoadedModel, with_published: bool, seed: int) -> list[dict[str, Any]]:
    from streamspike.bench.speed.engine import curve_points, measure_curve
    from streamspike.progress import show_progress

    with show_progress("varying one setting", float(len(curve_points(loaded))), "points") as progress:
        return measure_curve(settings, loaded, with_published, seed, progress)


def _serve(settings: Config, loaded: LoadedModel, counts: list[int], seconds: float) -> dict[str, Any]:
    import time

    from streamspike.bench.speed.cameras import measure_cameras
    from streamspike.bench.speed.film import shoot_film
    from streamspike.engine.engine import IncrementalEngine
    from streamspike.progress import show_progress

    belief = settings.belief
    length = max(FILM_SEGMENTS, belief.window_segments + belief.window_growth_segments + 2)
    runs = []
    with show_progress("serving cameras", float(len(counts)), "runs") as progress:
        films = [shoot_film(settings.segment, length, seed, looks=belief.looks) for seed in range(NUM_SCENES)]

        def make_engine(num_cameras: int) -> IncrementalEngine:
            streams = num_cameras * belief.looks
            return IncrementalEngine(loaded, settings.segment.seconds, settings.engine, max_streams=streams)

        for run in measure_cameras(settings, make_engine, films, counts, seconds, time):
            runs.append(run)
            progress(len(runs), f"{run['cameras']} cameras, {run['segments_per_second']:.1f} segments/s")
    return {
        "mode": belief.mode,
        "seconds": seconds,
        "segment_seconds": settings.segment.seconds,
        "max_batch": settings.engine.max_batch,
        "runs": runs,
        "largest_that_held": max((run["cameras"] for run in runs if run["held"]), default=None),
    }


def _soak(settings: Config, loaded: LoadedModel, segments: int, seed: int) -> dict[str, Any]:
    from streamspike.bench.speed.film import shoot_film
    from streamspike.bench.speed.soak import measure_soak
    from streamspike.progress import show_progress

    with show_progress("soaking", float(segments), "segments") as progress:
        film = shoot_film(settings.segment, FILM_SEGMENTS, seed, looks=settings.belief.looks)
        return measure_soak(settings, loaded, film, segments, progress)
