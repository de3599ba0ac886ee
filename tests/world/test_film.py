"""A film of a simulated camera, and the truth beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamspike.clock import ManualClock
from streamspike.errors import WorldError
from streamspike.world.film import render_film
from streamspike.world.live import WorldSettings, WorldSource, parse_world

TEXT = "street?seed=4&size=160x96&fps=4&surprise=5&seconds=9.5"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "new" / "street.mp4"
    assert render_film(parse_world(TEXT), path) == path.with_suffix(".json")
    return path


@pytest.fixture(scope="module")
def truth(film: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(film.with_suffix(".json").read_text())
    return loaded


def test_any_player_can_read_it(film: Path) -> None:
    with av.open(str(film)) as container:
        [stream] = container.streams.video
        assert (stream.codec_context.name, stream.width, stream.height, stream.average_rate) == ("h264", 160, 96, 4)
        times = [frame.time for frame in container.decode(stream)]
    assert times == pytest.approx([number / 4 for number in range(38)])


def test_it_shows_what_the_live_camera_shows(film: Path) -> None:
    live = list(WorldSource(parse_world(TEXT), ManualClock(), realtime=False))
    with av.open(str(film)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == len(live)
    for picture, frame in zip(pictures, live, strict=True):
        assert np.abs(picture.astype(int) - frame.pixels.astype(int)).mean() < 8


def test_the_truth_has_a_record_for_every_segment(truth: dict[str, Any]) -> None:
    segments = truth["segments"]
    assert (truth["version"], truth["film"], truth["settings"]["seed"]) == (1, "street.mp4", 4)
    assert WorldSettings(**truth["settings"]) == parse_world(TEXT), "the film can be made again from it"
    assert [segment["index"] for segment in segments] == list(range(10))
    for segment in segments:
        assert (segment["start_seconds"], segment["end_seconds"]) == (segment["index"], segment["index"] + 1)
        assert 0 < segment["probability"] <= 1
        assert segment["surprise_nats"] == pytest.approx(-math.log(segment["probability"]), abs=1e-9)
        chances = {item["text"]: item["probability"] for item in segment["alternatives"]}
        assert sum(chances.values()) == pytest.approx(1.0) and len(chances) == len(segment["alternatives"])
        assert chances[segment["sentence"]] == segment["probability"]
        for body in segment["bodies"]:
            x0, y0, x1, y1 = body["box"]
            assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 and body["kind"] and len(body["moved"]) == 2
    assert any(segment["bodies"] for segment in segments)
    scripted = [segment["index"] for segment in segments if segment["scripted"]]
    assert scripted and set(scripted) <= {2, 7}


def test_the_truth_is_the_same_each_time(truth: dict[str, Any], tmp_path: Path) -> None:
    seconds: list[float] = []
    render_film(parse_world(TEXT), tmp_path / "street.mp4", seconds.append)
    assert json.loads((tmp_path / "street.json").read_text()) == truth
    assert seconds == [number / 4 for number in range(38)]


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("street?size=161x96&seconds=1", "odd.mp4", "even size, not 161x96"),
        ("street?size=160x97&seconds=1", "odd.mp4", "even size, not 160x97"),
        ("street?size=160x96", "endless.mp4", "needs an end"),
        ("street?size=160x96&seconds=1", "film", "an .mp4 file, not film"),
        ("street?size=160x96&seconds=1", "film.json", "an .mp4 file"),
    ],
)
def test_what_cannot_be_a_film_is_refused_before_anything_is_written(
    tmp_path: Path, text: str, name: str, says: str
) -> None:
    with pytest.raises(WorldError, match=says):
        render_film(parse_world(text), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told() -> None:
    with pytest.raises(WorldError, match="cannot write"):
        render_film(parse_world("street?size=160x96&seconds=1"), Path("/dev/null/film.mp4"))
