"""`streamspike refine export` on the command line."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamspike.errors import DatasetError

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.refine.dataset.candidate import Candidate
    from streamspike.refine.dataset.writing import Exported

DAY_SECONDS = 86_400.0


def add_export_command(app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @app.command("export")
    def export(
        out: Annotated[Path, typer.Option(help="Folder of the dataset; an older one there is replaced.")],
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file of the run.")] = None,
        store: Annotated[
            Path | None, typer.Option(help="SQLite file; default streamspike-data/streamspike.db.")
        ] = None,
        since: Annotated[
            datetime | None,
            typer.Option(help="Only clips after this moment, UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
        ] = None,
        days: Annotated[float | None, typer.Option(min=0.001, help="Only clips of the last so many days.")] = None,
        surprising: Annotated[float, typer.Option(min=0, max=1, help="Share of surprising clips.")] = 0.3,
        held_out: Annotated[
            float, typer.Option(min=0, max=0.9, help="Share of each camera's clips, the last ones, for evaluation.")
        ] = 0.2,
        held_out_camera: Annotated[
            list[str] | None, typer.Option(help="A camera that is held out whole; may be repeated.")
        ] = None,
        gap_seconds: Annotated[
            float, typer.Option("--gap", min=0, help="Seconds before the held-out clips that nothing is taken from.")
        ] = 60.0,
        max_clips: Annotated[int, typer.Option(min=2, help="Of each split.")] = 1000,
        max_segments: Annotated[int, typer.Option(min=2, help="Of a clip; a longer one is cut around its peak.")] = 32,
        keep_days: Annotated[
            float | None, typer.Option(min=0.001, help="Deleted after so long; default: as clips are kept.")
        ] = None,
        from_folder: Annotated[
            Path | None, typer.Option(metavar="VIDEOS", help="Take the videos of a folder, not the store's clips.")
        ] = None,
        captions: Annotated[
            Path | None, typer.Option(help="CSV or JSON lines: video, caption; default captions.* in the folder.")
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="Of everything drawn; the same seed, the same dataset.")] = 0,
    ) -> None:
        """Make a dataset for the night of what the cameras logged: clips, what was seen, and what people said.

        Examples:

        streamspike refine export --config cameras.yaml --days 7 --out night

        streamspike refine export --from-folder films --captions films/captions.csv --out films-dataset
        """
        from streamspike.progress import show_progress
        from streamspike.refine.dataset.mix import Mix
        from streamspike.refine.dataset.split import SplitRule
        from streamspike.refine.dataset.writing import Shape
        from streamspike.refine.dataset.writing import export as write

        settings = configure(config, [], store={"path": str(store) if store else None})
        dropped: Counter[str] = Counter()
        mix: Mix | None = Mix(surprising, max_clips)
        if from_folder is not None:
            from streamspike.refine.dataset.videos import find_videos

            candidates, is_told = find_videos(from_folder, captions, settings.segment.seconds, dropped)
            mix = mix if is_told else None
            rule = SplitRule(held_out, cameras=frozenset(held_out_camera or ()), by="camera", seed=seed)
        else:
            since_at = max(
                since.replace(tzinfo=UTC).timestamp() if since else 0.0,
                time.time() - days * DAY_SECONDS if days is not None else 0.0,
            )
            candidates = read_journal(settings, since_at, max_segments, dropped)
            rule = SplitRule(held_out, gap_seconds, frozenset(held_out_camera or ()), seed=seed)
        with show_progress("exporting", float(len(candidates)), "clips") as progress:
            exported = write(
                out,
                candidates,
                dropped,
                shape=Shape(settings.segment.frames, max_segments, settings.ingest.max_frame_height_px),
                rule=rule,
                mix=mix,
                seed=seed,
                keep_days=keep_days if keep_days is not None else settings.clips.keep_days,
                now=time.time(),
                origin="folder" if from_folder is not None else "journal",
                progress=progress,
            )
        print_summary(exported, out)


def read_journal(settings: Config, since_at: float, max_segments: int, dropped: Counter[str]) -> list[Candidate]:
    """The clips of the store of a configuration, but for those of cameras that opted out, there or in the store.

    Raises:
        DatasetError: there is no store, or no clip in it.
        StoreError: it cannot be read.
    """
    from streamspike.outputs.clips import clips_folder
    from streamspike.outputs.store import Store
    from streamspike.refine.dataset.journal import Journal

    path = Path(settings.store.path)
    if not path.is_file():
        raise DatasetError(f"there is no store {path}; name the one of your run with --store or --config")
    store = Store(path)
    try:
        opted_out = store.kept_from_refine() | {camera.id for camera in settings.cameras if not camera.refine}
        journal = Journal(store, clips_folder(settings.clips, settings.store), settings.segment.seconds, max_segments)
        return journal.candidates(since_at, opted_out, dropped)
    finally:
        store.close()


def print_summary(exported: Exported, out: Path) -> None:
    """A table of what is in the dataset, what was dropped and why, and what is short."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{out}: dataset {exported.data_hash[:12]}", title_justify="left")
    for heading in ("camera", "split", "surprising", "ordinary", "hours"):
        table.add_column(heading, justify="left" if heading in ("camera", "split") else "right")
    rows = [(row["camera_id"], split, row) for split, part in exported.rows.items() for row in part]
    for camera_id, split in sorted({(camera_id, split) for camera_id, split, _ in rows}):
        clips = [row for one, other, row in rows if (one, other) == (camera_id, split)]
        num_surprising = sum(row["surprising"] for row in clips)
        hours = sum(row["num_segments"] * row["segment_seconds"] for row in clips) / 3600
        table.add_row(camera_id, split, str(num_surprising), str(len(clips) - num_surprising), f"{hours:.3f}")
    Console().print(table)
    dropped = ", ".join(f"{count} {reason}" for reason, count in sorted((+exported.dropped).items())) or "none"
    typer.echo(f"clips left out: {dropped}")
    for sentence in exported.shortage:
        typer.echo(f"short: {sentence}")
