"""`streamspike refine evaluate`, `promote`, `rollback` and `list` on the command line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamspike.errors import AdapterRefused

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.outputs.registry import AdapterRecord, AdapterTable
    from streamspike.refine.gate.judging import Data, Verdict

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="YAML file of the run.")]
StoreOption = Annotated[Path | None, typer.Option(help="SQLite file; default streamspike-data/streamspike.db.")]


def add_gate_commands(refine_app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    def settings_of(config: Path | None, store: Path | None, **model: str | None) -> Config:
        return configure(config, [], store={"path": str(store) if store else None}, model=model)

    @refine_app.command("evaluate")
    def evaluate(
        candidate: Annotated[str, typer.Argument(help="Folder of an adapter, or the name of a registered one.")],
        dataset: Annotated[
            str,
            typer.Argument(
                help="Folder that refine export wrote, or world:SEED:COUNT, simulated clips: its held-out part."
            ),
        ],
        config: ConfigOption = None,
        store: StoreOption = None,
        model: Annotated[str | None, typer.Option(help="The model it belongs to; default: the config's.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        promote: Annotated[bool, typer.Option("--promote", help="Promote it at once if it is accepted.")] = False,
    ) -> None:
        """Compare an adapter with the one in service on held-out clips; accepted or refused, with a report.

        Ends with 11 when it is refused.

        Examples:

        streamspike refine evaluate runs/night/adapter data/night --promote

        streamspike refine evaluate night-20261121 world:0:200
        """
        from streamspike.progress import show_progress

        settings = settings_of(config, store, name=model, device=device)
        with _registry(settings) as table, show_progress("comparing", 1.0, "") as progress:
            verdict = _judge(settings, table, candidate, dataset, progress)
            if verdict.decision.accepted and promote:
                table.promote(verdict.name, time.time())
        typer.echo(_verdict_text(verdict))
        if not verdict.decision.accepted:
            raise AdapterRefused(f"{verdict.name} is refused: {'; '.join(verdict.decision.reasons)}")
        if promote:
            typer.echo(f"{verdict.name} is in service")

    @refine_app.command("promote")
    def promote_adapter(
        name: Annotated[str, typer.Argument(help="As in refine list.")],
        force: Annotated[bool, typer.Option("--force", help="Whatever the gate says.")] = False,
        config: ConfigOption = None,
        store: StoreOption = None,
    ) -> None:
        """Put an adapter in service; whoever watches with model.adapter: promoted takes it over within seconds."""
        with _registry(settings_of(config, store)) as table:
            before = table.find(name)
            served = table.in_service(before.base) if before is not None else None
            record = table.promote(name, time.time(), force=force)
        typer.echo(f"{record.name} is in service on {record.base}, before: {served.name if served else 'no adapter'}")

    @refine_app.command("rollback")
    def rollback(config: ConfigOption = None, store: StoreOption = None) -> None:
        """Take back the last promotion: what served before serves again. Call it again to go one further back."""
        with _registry(settings_of(config, store)) as table:
            change = table.rollback(time.time())
        typer.echo(f"{change.name or 'no adapter'} is in service on {change.base}, before: {change.replaced}")

    @refine_app.command("list")
    def list_adapters(config: ConfigOption = None, store: StoreOption = None) -> None:
        """All adapters: where each comes from, what the gate said of it, and which one is in service."""
        with _registry(settings_of(config, store)) as table:
            records = table.list_all()
        if not records:
            typer.echo("no adapter is registered; streamspike refine evaluate registers one")
            return
        for line in render_list(records):
            typer.echo(line)


def render_list(records: list[AdapterRecord]) -> list[str]:
    """A table of adapters, a line each, oldest first; what each gained on the one that served when it was judged."""
    rows = [("name", "parent", "method", "state", "changed (UTC)", "gains")]
    rows += [
        (
            record.name,
            record.parent or record.base,
            record.method,
            record.state.value,
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(record.changed_at)),
            ", ".join(f"{name} {value}" for name in record.metrics if (value := _gain(record.metrics[name]))) or "-",
        )
        for record in records
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _gain(measure: Any) -> str:
    """Empty for what the gate did not measure."""
    gain = measure.get("gain") if isinstance(measure, dict) else None
    return f"{gain['mean']:+.3f}" if isinstance(gain, dict) and gain["mean"] is not None else ""


@contextlib.contextmanager
def _registry(settings: Config) -> Iterator[AdapterTable]:
    from streamspike.outputs.store import Store

    with contextlib.closing(Store(Path(settings.store.path))) as store:
        yield store.adapters


def _judge(
    settings: Config, table: AdapterTable, candidate: str, dataset: str, progress: Callable[[float], None]
) -> Verdict:
    from streamspike.engine.engine import IncrementalEngine
    from streamspike.engine.model import load_model
    from streamspike.outputs.adapter_folder import adapters_folder
    from streamspike.refine.gate.judging import judge_candidate

    source = Path(candidate)
    if not source.is_dir():
        source = adapters_folder(settings.refine, settings.store) / candidate
        if table.find(candidate) is None:
            raise AdapterRefused(f"no adapter {candidate!r}: neither a folder nor a name; see streamspike refine list")
    data = open_data(dataset, settings)
    bare = settings.model.model_copy(update={"adapter": None})
    engine = IncrementalEngine(load_model(bare), settings.segment.seconds, settings.engine)
    return judge_candidate(source, data, settings, table, engine, progress)


def open_data(dataset: str, settings: Config) -> Data:
    """What the command line names. Raises DatasetError."""
    from streamspike.refine.dataset.reading import read_examples
    from streamspike.refine.dataset.world import WorldClips, parse_world_clips
    from streamspike.refine.gate.judging import Data

    if dataset.startswith("world:") and not Path(dataset).exists():
        clips = WorldClips(segment_seconds=settings.segment.seconds, num_frames=settings.segment.frames)
        return Data(f"simulated clips {dataset}, held out", parse_world_clips(dataset, clips).held_out)
    folder = Path(dataset)
    held_out = read_examples(folder, "held_out")
    return Data(f"{folder.name}, hash {held_out.data_hash}", held_out, read_examples(folder, "train"))


def _verdict_text(verdict: Verdict) -> str:
    lines = [
        f"{each.words}: {each.before.mean:.3f} in service, {each.after.mean:.3f} candidate, gain {each.gain.mean:+.3f} "
        f"[{each.gain.low:+.3f}, {each.gain.high:+.3f}]"
        for each in verdict.evaluation.comparisons.values()
    ]
    outcome = "accepted" if verdict.decision.accepted else "refused"
    return "\n".join([*lines, f"{verdict.name}: {outcome}; report: {verdict.report_path}"])
