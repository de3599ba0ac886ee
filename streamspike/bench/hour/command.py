"""`streamspike bench hour` on the command line."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from streamspike.errors import ConfigError

if TYPE_CHECKING:
    from streamspike.config import Config


def add_hour_command(
    bench_app: typer.Typer, configure: Callable[..., Config], open_output: Callable[[Path], TextIO]
) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
        open_output: a file to write, or an error that says why not.
    """

    @bench_app.command("hour")
    def bench_hour(
        minutes: Annotated[float, typer.Option(min=1, help="Of the four cameras' time, with 24 surprises.")] = 60.0,
        warmup: Annotated[
            float, typer.Option(min=0, help="Minutes before, without surprises, to learn what is usual.")
        ] = 10.0,
        budget: Annotated[float, typer.Option(min=0.1, help="Alerts an hour that each camera may give.")] = 12.0,
        live: Annotated[
            bool, typer.Option("--live", help="At the pace of life, to see how late an alert comes; not the warm-up.")
        ] = False,
        out: Annotated[
            Path, typer.Option(help="Folder for report.html, report.json and the store, which is made anew.")
        ] = Path("runs/hour"),
        mqtt: Annotated[
            str | None, typer.Option(help="A broker of one's own, mqtt://host:1883; default: a mosquitto for this run.")
        ] = None,
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[
            str | None, typer.Option(help="nano (built in), a local folder, or a Hugging Face id.")
        ] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of the cameras and their surprises.")] = 0,
    ) -> None:
        """An hour on four simulated cameras with 24 surprises, through the whole pipeline and a broker.

        Who is told of what, how often for nothing, how late, and is anything lost? As fast as it goes: nothing is
        dropped for lack of time, and thresholds, budgets and hours are those of the stream.

        Examples:

        streamspike bench hour --out reports/hour

        streamspike bench hour --minutes 3 --live --out reports/live
        """
        from streamspike.app import load_engine
        from streamspike.bench.hour.broker import own_broker
        from streamspike.bench.hour.measurement import measure_hour
        from streamspike.bench.hour.page import render_page
        from streamspike.bench.hour.plan import HourSettings, plan_hour
        from streamspike.bench.hour.recording import configure_hour, record_hour
        from streamspike.bench.hour.text import render_text
        from streamspike.bench.machine import describe_machine, find_commit
        from streamspike.engine.model import choose_device
        from streamspike.progress import show_progress

        settings = HourSettings(minutes, warmup, budget, seed, live)
        given = configure(config, [], model={"name": model, "device": device}, mqtt={"url": mqtt})
        if given.scorer != "surprise":
            raise ConfigError(f"bench hour measures surprise; take scorer: {given.scorer} out of {config}")
        plans = plan_hour(settings, given.segment.seconds)
        # Told as it is now: others may work on the checkout meanwhile.
        where = {"commit": find_commit(), "machine": describe_machine(choose_device(given.model.device))}
        for name in ("hour.db", "hour.db-wal", "hour.db-shm"):
            (out / name).unlink(missing_ok=True)
        with own_broker() if given.mqtt.url is None else contextlib.nullcontext() as url:
            watched = configure_hour(given, settings, out, url)
            recording = asyncio.run(record_hour(watched, settings, plans, lambda: load_engine(watched), show_progress))
        result = measure_hour(recording, settings) | where
        # Only now: an earlier report stands until there is a new one.
        for name, text in (("report.json", json.dumps(result)), ("report.html", render_page(result, recording))):
            with open_output(out / name) as report:
                report.write(text + "\n")
        typer.echo(render_text(result))
        typer.echo(f"\nreport: {out / 'report.html'}")
