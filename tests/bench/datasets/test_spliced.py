"""Clips spliced into hours: where they go, what is labelled, and what is to be seen while they fade."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.bench.datasets.spliced import FADE_SECONDS, SplicedFootage
from streamspike.bench.surprise.scoring import play
from streamspike.config import Config, IngestConfig
from streamspike.core import Pixels
from streamspike.errors import DatasetError
from streamspike.ingest.frames import render
from tests.support.films import write_film

HOUR, CLIP, EVENT = 60, 160, 250
"""Levels of grey."""
LABELS = """file,start_seconds,end_seconds,kind,source,description
fall.mkv,2.0,3.0,fall,gt,falls
sitting.mkv,,,normal,gt,sits
"""


def grey(level: int, side: int = 16) -> Pixels:
    return np.full((side, side, 3), level, np.uint8)


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips and an hour of 11 minutes, of which all but [200, 400) is restless."""
    root = tmp_path_factory.mktemp("hours")
    noise = np.random.default_rng(0).integers(0, 40, (660, 1, 1, 1), dtype=np.uint8)
    write_film(root / "hour.mkv", [grey(HOUR) + (0 if 200 <= k < 400 else noise[k]) for k in range(660)], fps=1)
    write_film(root / "fall.mkv", [grey(EVENT if 20 <= k < 30 else CLIP, 32) for k in range(60)])
    write_film(root / "sitting.mkv", [grey(CLIP, 32) for _ in range(40)])
    (root / "labels.csv").write_text(LABELS, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def footage(hours: Path) -> SplicedFootage:
    (one,) = open_dataset(f"spliced:{hours}").footage()
    assert isinstance(one, SplicedFootage)
    return one


def test_clips_go_where_the_hour_is_quiet_and_apart_from_each_other(footage: SplicedFootage) -> None:
    first, second = footage.splices
    assert first.at_seconds >= 200 and second.end_seconds <= 400
    assert second.at_seconds - first.end_seconds >= 30


def test_a_label_moves_with_its_clip_and_a_clip_without_one_is_ordinary(footage: SplicedFootage) -> None:
    (fall,) = (splice for splice in footage.splices if splice.address.endswith("fall.mkv"))
    (sitting,) = (splice for splice in footage.splices if splice is not fall)
    (labelled,) = footage.surprises
    start = fall.at_seconds + FADE_SECONDS + 2.0
    assert (labelled.start_seconds, labelled.end_seconds, labelled.kind) == (start, start + 1.0, "fall")
    (ordinary,) = footage.ordinary
    assert (ordinary.start_seconds, ordinary.text) == (sitting.first_seconds, "sitting")


def test_the_clip_fades_in_plays_at_its_own_pace_and_fades_out(footage: SplicedFootage) -> None:
    (fall,) = (splice for splice in footage.splices if splice.address.endswith("fall.mkv"))
    seen = {frame.stream_seconds: int(render(frame).pixels[0, 0, 0]) for frame in footage.frames(IngestConfig())}
    at = fall.at_seconds
    assert [abs(seen[at + k] - (HOUR + k / FADE_SECONDS * (CLIP - HOUR))) < 1 for k in range(12)] == [True] * 12
    assert [seen[fall.first_seconds + k] for k in range(5)] == [CLIP, CLIP, EVENT, CLIP, CLIP]
    end = [seen[k] for k in sorted(seen) if fall.end_seconds - FADE_SECONDS < k <= fall.end_seconds + 1]
    assert end == sorted(end, reverse=True) and end[-1] == HOUR
    assert len(seen) == 660, "the hour keeps its frames"


def test_it_is_scored_like_any_other_footage(footage: SplicedFootage) -> None:
    segments = list(play(footage, Config()))
    assert len(segments) == 660
    (labelled,) = footage.surprises
    shown = segments[int(labelled.start_seconds)].frames[0].pixels
    assert shown.shape == (16, 16, 3) and shown.max() == EVENT


def test_minutes_take_the_beginning_of_an_hour_and_the_seed_deals_the_clips(hours: Path) -> None:
    dataset = open_dataset(f"spliced:{hours}?minutes=10&seed=3")
    (one,) = dataset.footage()
    assert one.seconds == 600.0
    assert not dataset.left_out


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("spliced:", "no folder of events"),
        ("spliced:here?days=1", "no setting 'days'"),
        ("spliced:here?minutes=1", "at least 10 minutes"),
        ("spliced:here?seed=x", "are numbers"),
    ],
)
def test_a_wrong_setting_is_told_with_what_there_is(spec: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        open_dataset(spec)


def test_a_folder_without_hours_is_told(tmp_path: Path) -> None:
    write_film(tmp_path / "fall.mkv", [grey(CLIP)] * 20)
    (tmp_path / "labels.csv").write_text(LABELS.replace("sitting.mkv,,,normal,gt,sits\n", ""), encoding="utf-8")
    with pytest.raises(DatasetError, match="no hours to splice"):
        open_dataset(f"spliced:{tmp_path}").footage()
    with pytest.raises(DatasetError, match="there is no folder"):
        open_dataset(f"spliced:{tmp_path / 'absent'}").footage()
