"""`streamspike refine nightly` on the command line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamspike.config import Config


def add_nightly_command(refine_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @refine_app.command("nightly")
    def nightly(
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file of the run.")] = None,
        store: Annotated[
            Path | None, typer.Option(help="SQLite file; default streamspike-data/streamspike.db.")
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Folder of all nights; default: nights, beside the store.")
        ] = None,
        hours: Annotated[
            float | None, typer.Option(min=0.01, help="Until training ends; default: refine.hours.")
        ] = None,
        steps: Annotated[int, typer.Option(min=0, help="Of training; 0: as many as there is time for.")] = 0,
        days: Annotated[float | None, typer.Option(min=0.01, help="Of footage; default: refine.days.")] = None,
        promote: Annotated[
            bool, typer.Option("--promote/--no-promote", help="Put an accepted adapter in service at once.")
        ] = True,
        model: Annotated[str | None, typer.Option("--model", help="As in streamspike watch.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of everything drawn.")] = 0,
    ) -> None:
        """From what the cameras logged to a better model by morning, or to none: one call for cron.

        Makes a dataset of the last days, checks it, trains an adapter, compares it with the one in service on clips it
        never saw, and promotes or refuses it. Steps aside while the live monitor is short of time. A night that was
        killed, or that had too little time, goes on with the next call. The report is in NIGHTS/NAME/report.html.

        A refused night is no error: the model stays as it is, and the reasons are told.

        Examples:

        streamspike refine nightly --config cameras.yaml --hours 4

        0 1 * * *  streamspike refine nightly --config /etc/streamspike.yaml     (crontab; deploy/ has a systemd timer)
        """
        from streamspike.errors import DatasetError
        from streamspike.outputs.store import Store
        from streamspike.progress import show_progress
        from streamspike.refine.nightly.diary import only_one, open_night
        from streamspike.refine.nightly.giving_way import bound_gpu_memory, lower_priority
        from streamspike.refine.nightly.night import Night, NightSettings, Unfinished

        settings = configure(
            config, [], store={"path": str(store) if store else None}, model={"name": model, "device": device}
        )
        path = Path(settings.store.path)
        if not path.is_file():
            raise DatasetError(f"there is no store {path}; name the one of your run with --store or --config")
        nights = out if out is not None else path.parent / "nights"
        how = NightSettings(hours or settings.refine.hours, days or settings.refine.days, steps, promote=promote)
        lower_priority()
        bound_gpu_memory(settings.model.device, settings.refine.gpu_memory_share)
        with only_one(nights):
            with contextlib.closing(Store(path)) as opened:
                taken = {record.name for record in opened.adapters.list_all()}
            folder, diary = open_night(nights, time.time(), seed, settings.refine.method, taken)
            with show_progress(diary.name, 100.0, "%") as progress:
                night = Night(settings, folder, diary, how, lambda share, words: progress(100 * share, words))
                try:
                    night.run()
                except Unfinished as error:
                    typer.echo(str(error))
                    return
        typer.echo(f"{diary.name}: {diary.outcome}")
        for reason in diary.reasons:
            typer.echo(f"  {reason}")
        typer.echo(f"report: {night.report_path}")
