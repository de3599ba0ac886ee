"""`streamspike sample` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamspike.errors import SourceError, StreamspikeError

if TYPE_CHECKING:
    from streamspike.config import Config
    from streamspike.core import Engine, Pixels
    from streamspike.pipeline.sampling import Choice, Chosen

JPEG_QUALITY = 92
INDEX_VERSION = 1


def add_sample_command(app: typer.Typer, configure: Callable[..., Config]) -> None:
    """
    Args:
        configure: from a config file, sources and sections; see `cli.py`.
    """

    @app.command("sample")
    def sample(
        video: Annotated[str, typer.Argument(metavar="VIDEO", help="A video; also world:street?seed=7&seconds=60.")],
        budget: Annotated[int, typer.Option(min=1, help="Frames, at most.")] = 64,
        by: Annotated[
            Literal["surprise", "uniform", "histogram", "optical-flow", "katna"],
            typer.Option(help="Only surprise asks the model."),
        ] = "surprise",
        sampler: Annotated[
            Literal["covering", "softmax", "gumbel", "allocated"],
            typer.Option(help="By surprise: without chance, nothing left out for long; or as published."),
        ] = "covering",
        out: Annotated[Path, typer.Option(help="Folder for the frames, frames.json and contact.png.")] = Path("frames"),
        image: Annotated[Literal["jpg", "png"], typer.Option("--format", help="Of the frames.")] = "jpg",
        config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file for all other settings.")] = None,
        model: Annotated[str | None, typer.Option("--model", help="As in streamspike score.")] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.")] = None,
        seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same frames.")] = 0,
    ) -> None:
        """Choose frames of a finished video under a budget: the more surprising a moment, the more of them.

        Examples:

        streamspike sample film.mp4 --budget 64

        streamspike sample film.mp4 --budget 16 --by uniform --out evenly
        """
        from streamspike.pipeline.opener import check_address
        from streamspike.pipeline.sampling import choose_by_picture, choose_by_surprise, take_frames
        from streamspike.progress import show_progress

        settings = configure(config, [video], "fast", model={"name": model, "device": device, "seed": seed})
        camera = settings.cameras[0]
        address = check_address(camera)
        _prepare(out)  # before the work begins: nobody wants to hear afterwards that it could not be kept
        if by == "surprise":
            settings = settings.model_copy(update={"scorer": "surprise"})
            engine = _load_engine(settings)
            with show_progress("scoring", None, "s") as progress:
                choices = choose_by_surprise(camera, settings, engine, budget, sampler, seed, progress)
            origin = {"sampler": sampler, "model": engine.name}
        else:
            with show_progress("looking", None, "s") as progress:
                choices = choose_by_picture(camera, settings, by, budget, seed, progress)
            origin = {}
        with show_progress("writing", float(len(choices)), "frames") as progress:
            frames = _write_frames(take_frames(camera, settings, choices), out, image, progress)
        if not frames:
            raise SourceError(f"{by} found no frame worth taking in {address}; try --by uniform")
        header = {"version": INDEX_VERSION, "video": str(address), "by": by, **origin, "budget": budget, "seed": seed}
        index = out / "frames.json"
        index.write_text(json.dumps({**header, "frames": frames}, indent=1) + "\n", encoding="utf-8")
        typer.echo(f"{len(frames)} frames of at most {budget}, by {by}, in {out}; list: {index}; {out / 'contact.png'}")


def _load_engine(settings: Config) -> Engine:
    from streamspike.engine.engine import IncrementalEngine
    from streamspike.engine.model import load_model
    from streamspike.pipeline.adapters import dress_engine

    model = settings.model.model_copy(update={"adapter": None})
    engine = IncrementalEngine(load_model(model), settings.segment.seconds, settings.engine)
    dress_engine(engine, settings)
    return engine


def _prepare(folder: Path) -> None:
    """Make the folder, and clear it of an earlier call's frames: a list must not lie beside frames of another."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in [*folder.glob("frame-*.jpg"), *folder.glob("frame-*.png"), folder / "frames.json"]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise StreamspikeError(f"cannot write to the folder {folder}: {error.strerror}") from error


def _write_frames(chosen: Any, folder: Path, image: str, progress: Callable[[float], None]) -> list[dict[str, Any]]:
    """Write each frame and, from small copies, the contact sheet; returns the lines of the list."""
    from streamspike.pipeline.contact_sheet import draw_sheet, shrink

    lines: list[dict[str, Any]] = []
    small: list[Pixels] = []
    for number, item in enumerate(chosen):
        seconds = item.frame.stream_seconds
        name = f"frame-{number:04d}-{seconds:09.3f}s.{image}"
        _write_picture(folder / name, item.frame.pixels)
        lines.append({"file": name, **_describe(item)})
        small.append(shrink(item.frame.pixels))
        progress(number + 1)
    if lines:
        captions = [f"{line['seconds']:.2f} s   {line['score']:.3g}" for line in lines]
        _write_picture(folder / "contact.png", draw_sheet(small, captions))
    return lines


def _describe(item: Chosen) -> dict[str, Any]:
    choice: Choice = item.choice
    segment = {} if choice.segment is None else {"segment": choice.segment}
    return {"seconds": round(item.frame.stream_seconds, 6), **segment, "score": round(choice.score, 6)}


def _write_picture(path: Path, pixels: Pixels) -> None:
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    encoded, data = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)
    assert encoded, f"{pixels.shape = }"
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise StreamspikeError(f"cannot write {path}: {error.strerror}") from error
