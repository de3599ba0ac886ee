"""`streamspike feedback` on the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamspike.errors import StoreError

if TYPE_CHECKING:
    from streamspike.config import Config


def add_feedback_command(app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @app.command("feedback")
    def feedback(
        event: Annotated[str, typer.Argument(metavar="EVENT", help="Its id, as in door-20261121T101503Z-812.")],
        verdict: Annotated[
            Literal["useful", "not-useful"], typer.Argument(help="The last verdict on an event counts.")
        ],
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file, for its store.")] = None,
        store: Annotated[
            Path | None, typer.Option(help="SQLite file; default streamspike-data/streamspike.db.")
        ] = None,
    ) -> None:
        """Say whether an event was useful: it makes alerts of its camera a little more or less frequent.

        A camera that is being watched takes note within seconds, another one when it is watched again.

        Example:

        streamspike feedback door-20261121T101503Z-812 not-useful
        """
        from streamspike.outputs.store import Store

        settings = configure(config, [], store={"path": str(store) if store else None})
        path = Path(settings.store.path)
        if not path.is_file():
            raise StoreError(f"there is no store {path}; name the one of your run with --store or --config")
        database = Store(path)
        try:
            camera_id = database.feedback.record(event, verdict == "useful", time.time())
        finally:
            database.close()
        if camera_id is None:
            raise StoreError(
                f"there is no event {event!r} in {path}; its id is in the message, on the page or in --events"
            )
        typer.echo(f"{event} was {verdict.replace('-', ' ')}; {camera_id} will alert a little {_more(verdict)} often")


def _more(verdict: str) -> str:
    return "more" if verdict == "useful" else "less"
