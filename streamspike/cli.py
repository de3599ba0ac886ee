"""The command line: reads words, prints sentences, and turns every error into one line and an exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from streamspike import __version__
from streamspike.bench.budget.command import add_budget_command
from streamspike.bench.commands import add_engine_command
from streamspike.bench.cues.command import add_cues_command
from streamspike.bench.dynamics.command import add_dynamics_command
from streamspike.bench.hour.command import add_hour_command
from streamspike.bench.night.command import add_night_command
from streamspike.bench.surprise.command import add_surprise_command
from streamspike.errors import SourceError, StreamspikeError
from streamspike.pipeline.feedback_command import add_feedback_command
from streamspike.pipeline.sample_command import add_sample_command
from streamspike.refine.commands import add_training_commands
from streamspike.refine.crpo.command import add_crpo_command
from streamspike.refine.dataset.command import add_export_command
from streamspike.refine.gate.command import add_gate_commands
from streamspike.refine.nightly.command import add_nightly_command
from streamspike.refine.pretrain.command import add_pretrain_command
from streamspike.refine.savi.command import add_savi_command

if TYPE_CHECKING:
    from streamspike.app import Reload, RunReport
    from streamspike.config import Config
    from streamspike.pipeline.scoring import Scored

app = typer.Typer(
    name="streamspike",
    help="Watches camera streams and says when something happens that it did not expect: what it expected with which "
    "probability, what it saw instead, and how far that moved its beliefs, in nats.",
    epilog="Start with: streamspike demo. Your own camera: streamspike watch rtsp://user:password@camera/stream",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
world_app = typer.Typer(help="Simulated cameras whose truth is known.", no_args_is_help=True, rich_markup_mode=None)
refine_app = typer.Typer(
    help="The night shift: better models from logged footage.", no_args_is_help=True, rich_markup_mode=None
)
bench_app = typer.Typer(help="Measurements that can be repeated.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(world_app, name="world")
app.add_typer(refine_app, name="refine")
app.add_typer(bench_app, name="bench")

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="YAML file; see configs/default.yaml.")]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", help="nano (built in), a local folder, or a Hugging Face id such as Qwen/Qwen2.5-VL-7B-Instruct."
    ),
]
AdapterOption = Annotated[
    str | None,
    typer.Option(help="On top of the model: a folder, a registered name, or promoted: the one in service."),
]
ScorerOption = Annotated[
    str | None,
    typer.Option(help="surprise; frame-difference, itti-baldi, ... need no model; see configs/default.yaml."),
]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")]


def main() -> None:
    """Entry point. Exit codes are listed in streamspike.errors and the README."""
    failure: StreamspikeError | None = None
    try:
        app(prog_name="streamspike")
    except* StreamspikeError as group:  # task groups wrap what their tasks raise, and groups may nest
        failure = _first_leaf(group)
    if failure is not None:
        typer.echo(f"streamspike: error: {failure}", err=True)
        sys.exit(failure.exit_code)


def _first_leaf(group: BaseExceptionGroup[StreamspikeError]) -> StreamspikeError:
    leaf: Any = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, StreamspikeError)
    return leaf


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamspike {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
) -> None:
    import logging

    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _configure(
    config_path: Path | None, sources: list[str], pace: str | None = None, scorer: str | None = None, **sections: Any
) -> Config:
    """The config file with what the command line says on top; its sources replace those of the file."""
    from streamspike.app import name_camera
    from streamspike.config_file import parse_config, read_tree

    tree = read_tree(config_path) if config_path is not None else {}
    if sources:
        cameras: list[dict[str, Any]] = []
        for source in sources:
            camera_id, address = name_camera(source, [camera["id"] for camera in cameras])
            cameras.append({"id": camera_id, "source": address, **({"pace": pace} if pace else {})})
        tree["cameras"] = cameras
    if scorer is not None:
        tree["scorer"] = scorer
    for name, values in sections.items():
        given = {key: value for key, value in values.items() if value is not None}
        if given:
            tree[name] = {**(tree.get(name) or {}), **given}
    return parse_config(tree, str(config_path) if config_path is not None else "command line")


@app.command()
def watch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="rtsp://..., rtsps://..., http://..., a video file, webcam:0, lavfi:testsrc2=size=320x240, "
            "world:street?seed=7&surprise=15; NAME=SOURCE gives it a name.",
        ),
    ] = None,
    config: ConfigOption = None,
    mqtt: Annotated[str | None, typer.Option(help="Broker: mqtt://user:password@host:1883 or mqtts://...")] = None,
    scorer: ScorerOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    device: DeviceOption = None,
    for_seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0.1, help="Stop after so long.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Append each event to this file, one JSON object a line.")] = None,
    store: Annotated[Path | None, typer.Option(help="SQLite file; default streamspike-data/streamspike.db.")] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Play files as fast as they can be scored, not at their own pace.")
    ] = False,
) -> None:
    """Watch cameras: print, store and publish what surprises. Ctrl-C ends it; nothing that was seen is lost.

    Examples:

    streamspike watch rtsp://user:password@192.0.2.7/stream --mqtt mqtt://broker

    streamspike watch door=webcam:0 yard=rtsp://192.0.2.8/live --config cameras.yaml

    streamspike watch "world:street?seed=7&surprise=15" --for 60
    """

    def configure() -> Config:
        return _configure(
            config,
            sources or [],
            "fast" if fast else None,
            scorer,
            mqtt={"url": mqtt},
            model={"name": model, "adapter": adapter, "device": device},
            store={"path": str(store) if store else None},
        )

    settings = configure()
    if not settings.cameras:
        raise SourceError(
            "there is no camera: name a source (see streamspike watch --help), or list cameras in --config"
        )
    _print_report(_run_watch(settings, events, for_seconds, (config, configure) if config is not None else None))


def _run_watch(
    settings: Config, events: Path | None, for_seconds: float | None, reload: Reload | None = None
) -> RunReport:
    import asyncio

    from rich.console import Console

    from streamspike.app import run_watch

    return asyncio.run(run_watch(settings, Console(), events, for_seconds, reload=reload))


def _print_report(report: RunReport) -> None:
    dropped = ", ".join(f"{count} {reason}" for reason, count in report.num_dropped.items()) or "none"
    typer.echo(f"{report.num_segments} segments scored, dropped: {dropped}; {report.num_events} event messages")
    if report.num_reused:
        typer.echo(f"{report.num_reused} of them with the last hypotheses: there was no time to sample new ones")
    if report.stage_seconds:
        stages = ", ".join(f"{stage} {1000 * seconds:.0f}" for stage, seconds in report.stage_seconds.items())
        typer.echo(f"milliseconds of the model per segment: {stages}")
    if report.unsent_events:
        typer.echo(f"{report.unsent_events} event messages wait in the store until the broker is back")


@app.command()
def score(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A video; also world:street?seed=7&seconds=60.")],
    out: Annotated[Path, typer.Option(help="JSON lines, one segment each.")] = Path("scores.jsonl"),
    plot: Annotated[
        Path | None, typer.Option(help="Also draw the timeline with the keyframes of each event (PNG).")
    ] = None,
    threshold: Annotated[float, typer.Option(min=0, help="Nats above which a moment is an event.")] = 4.5,
    alerts_per_hour: Annotated[
        float, typer.Option(min=0.01, max=3600, help="Of the video: with more to come, the threshold rises.")
    ] = 12.0,
    config: ConfigOption = None,
    scorer: ScorerOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    device: DeviceOption = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of all sampling; the same seed gives the same output.")
    ] = None,
) -> None:
    """Score a finished video as fast as it goes: surprise in nats, beliefs and a caption for each segment.

    `surprise_nats` is of a moment: events come of it. `unrest_nats` lasts as long as something is going on: rank
    stretches of a recording by it, or compare it with labels by frame. A video is no camera that must be known first:
    --threshold and --alerts-per-hour are in place of the config's budget a day.
    """
    from streamspike.app import run_score
    from streamspike.pipeline.opener import check_address
    from streamspike.pipeline.score_lines import event_lines, json_line
    from streamspike.progress import show_progress

    settings = _configure(
        config,
        [file],
        "fast",
        scorer,
        model={"name": model, "adapter": adapter, "device": device, "seed": seed},
        events={"floor_nats": threshold, "extreme_nats": threshold, "alerts_per_day": 24 * alerts_per_hour},
    )
    check_address(settings.cameras[0])  # before an earlier output is overwritten
    with_score = settings.scorer_of(settings.cameras[0]) != "surprise"
    with _open_output(out) as lines, show_progress("scoring", None, "s") as progress:

        def write(scored: Scored) -> None:
            lines.write(json_line(scored, with_score) + "\n")
            progress(scored.observation.end_seconds)

        result = run_score(settings, settings.cameras[0], write)
    if plot is not None:
        from streamspike.outputs.timeline import plot_timeline

        plot_timeline(
            result.observations,
            result.events,
            result.keyframes,
            plot,
            threshold_nats=[observation.threshold_nats for observation in result.observations],
            title=Path(file).name,
        )
    peak = result.observations[result.scores.index(max(result.scores))]
    typer.echo(
        f"{len(result.observations)} segments in {out}; most surprising: {peak.surprise_nats:.2f} nats "
        f"at {peak.start_seconds:.1f} s ({peak.caption})" + (f"; picture in {plot}" if plot else "")
    )
    for line in event_lines(result.events, result.observations[-1].end_seconds):
        typer.echo(line)
    stats = result.counts
    if stats.bad_packets or stats.corrupt_frames:
        typer.echo(f"damaged: {stats.bad_packets} packets refused, {stats.corrupt_frames} frames with concealed errors")


def _open_output(path: Path) -> TextIO:
    """A file to write, opened before the work begins: nobody wants to hear afterwards that it could not be kept."""
    _make_folder(path.parent)
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise StreamspikeError(f"cannot write {path}: {error.strerror}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StreamspikeError(f"cannot make the folder {folder}: {error.strerror}") from error


@app.command()
def check(config: Annotated[Path, typer.Option("--config", "-c", help="YAML file to check.")]) -> None:
    """Check a config file and the addresses in it, without opening a camera."""
    from streamspike.config_file import load_config
    from streamspike.pipeline.opener import check_address

    settings = load_config(config)
    for camera in settings.cameras:
        address = check_address(camera)
        typer.echo(f"{camera.id}: {address.kind}, {address}")
    if settings.mqtt.url is not None:
        from streamspike.outputs.broker import parse_address as parse_broker

        typer.echo(f"broker: {parse_broker(settings.mqtt)}")
    model = f"model {settings.model.name}" if settings.model_scorers or not settings.cameras else "no model"
    scorers = ", ".join(dict.fromkeys(map(settings.scorer_of, settings.cameras))) or settings.scorer
    typer.echo(f"{config} is valid: {len(settings.cameras)} cameras, scored by {scorers}, {model}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where events.jsonl, timeline.png and the store go.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(min=5, help="How long to watch.")] = 90.0,
    scene: Annotated[str, typer.Option(help="A simulated camera, without world:.")] = "street?seed=7&surprise=15",
    model: ModelOption = None,
) -> None:
    """Watch a simulated camera for a minute and a half: no camera, no GPU, no download."""
    from streamspike.app import plot_run

    _make_folder(folder)
    for name in ("events.jsonl", "streamspike.db", "streamspike.db-wal", "streamspike.db-shm"):
        (folder / name).unlink(missing_ok=True)
    settings = _configure(
        None,
        [f"demo=world:{scene}"],
        model={"name": model},
        store={"path": str(folder / "streamspike.db")},
        # A surprise every 15 s is the budget; nobody waits an hour for the camera to be known.
        events={"alerts_per_day": 5760, "extreme_nats": 3.0},
    )
    typer.echo(f"watching the simulated camera world:{scene} for {seconds:.0f} s; surprises come about every 15 s")
    report = _run_watch(settings, folder / "events.jsonl", seconds)
    _print_report(report)
    title = f"streamspike demo: world:{scene}"
    picture = folder / "timeline.png"
    if plot_run(settings, "demo", picture, title):
        typer.echo(f"events: {folder / 'events.jsonl'}   picture: {picture}")
    typer.echo("your own camera: streamspike watch rtsp://user:password@camera/stream --mqtt mqtt://broker")


@world_app.command()
def render(
    scene: Annotated[
        str,
        typer.Argument(
            help="street, room, yard or walkway, with settings: street?seed=7&size=640x360&fps=8&surprise=15"
        ),
    ],
    out: Annotated[Path, typer.Option(help="The mp4; the truth goes beside it as JSON.")],
    seconds: Annotated[float, typer.Option(min=1, help="Length of the film.")] = 60.0,
) -> None:
    """Write a simulated camera to an mp4 and its ground truth to JSON: what happened, how probable it was, where."""
    from dataclasses import replace

    from streamspike.progress import show_progress
    from streamspike.world.film import render_film
    from streamspike.world.live import parse_world

    settings = parse_world(scene)
    settings = replace(settings, seconds=settings.seconds or seconds)
    with show_progress("painting", settings.seconds, "s") as progress:
        truth = render_film(settings, out, progress)
    typer.echo(f"wrote {out} and {truth}")


add_engine_command(bench_app, _configure, _open_output)
add_cues_command(bench_app)
add_surprise_command(bench_app, _configure, _open_output)
add_sample_command(app, _configure)
add_feedback_command(app, _configure)
add_export_command(refine_app, _configure)
add_crpo_command(refine_app, _configure)
add_dynamics_command(bench_app, _configure, _open_output)
add_budget_command(bench_app, _configure, _open_output)
add_hour_command(bench_app, _configure, _open_output)
add_night_command(bench_app, _configure)
add_gate_commands(refine_app, _configure)
add_nightly_command(refine_app, _configure)
add_pretrain_command(refine_app, _make_folder)
add_training_commands(refine_app, _configure)
add_savi_command(refine_app, _configure)
